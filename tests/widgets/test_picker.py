"""The structure picker without a browser."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from io import StringIO
from typing import ClassVar

import pytest
from ase.build import bulk
from ase.io import write
from labkit_widgets import StructurePicker, optimade
from labkit_widgets.build_model import BUILDERS, BuildModel, read_argument
from labkit_widgets.picker_library import search

from labkit.errors import InvalidStructure, LabkitError

HOSTILE = "<img src=x onerror=alert(1)>.cif"


@pytest.fixture
def picker():
    picker = StructurePicker("LiCoO2")
    yield picker
    picker.close()


def test_a_library_name_gives_a_checked_structure_with_its_facts(picker):
    assert picker.structure.get_chemical_formula() == "Co3Li3O6"
    assert "R-3m (no. 166)" in picker._facts.value
    assert "Akimoto" in picker._facts.value
    assert picker.reasons == []


def test_searching_finds_every_word_in_any_order_and_kinds_filter():
    assert "LiCoO2" in {entry.name for entry in search("cathode cobalt")}
    assert {entry.kind for entry in search("", "molecule")} == {"molecule"}
    assert search("no such thing at all") == []


def test_an_unknown_name_is_explained_and_nothing_is_chosen():
    picker = StructurePicker("Unobtainium")
    assert picker.structure is None
    assert "Unobtainium" in picker._message.value


def test_builders_make_a_history_that_can_be_undone(picker):
    picker.build.builder.value = "repeat"
    picker.build.controls["times"].value = "2, 2, 1"
    picker.build.apply.click()
    assert len(picker.structure) == 48
    picker.build.builder.value = "vacancy"
    assert picker.build.controls["symbol"].options[0] == picker.structure.get_chemical_symbols()[0]
    picker.build.controls["symbol"].value = "Li"
    picker.build.apply.click()
    assert len(picker.structure) == 47
    assert "3 " not in picker.model.steps[0].text
    assert [step.text.split(":")[0] for step in picker.model.steps[1:]] == ["Repeat", "Vacancy"]
    picker.build.undo.click()
    assert len(picker.structure) == 48


def test_the_history_as_python_makes_the_same_structure(picker):
    picker._build("repeat", {"times": [2, 1, 1]})
    picker._build("substitute", {"old": "Co", "new": "Mn", "count": 2, "seed": 3})
    space: dict = {}
    exec(picker.model.code(), space)
    assert space["atoms"] == picker.structure


@pytest.mark.parametrize("name", sorted(BUILDERS))
def test_every_builder_works_with_the_values_it_offers(name):
    model = BuildModel()
    model.start(bulk("NaCl", "rocksalt", a=5.64, cubic=True), "salt")
    values = {"symbol": "Na", "old": "Na", "new": "K", "first": "Na", "second": "Cl"}
    arguments = {
        one.name: values.get(one.name, read_argument(one, one.default or "Na")) for one in BUILDERS[name].arguments
    }
    arguments = {
        one.name: arguments[one.name] if one.kind != "int" else int(one.default) for one in BUILDERS[name].arguments
    }
    assert len(model.apply(name, arguments)) > 0
    assert len(model.steps) == 2


def test_a_refused_step_shows_the_reason_and_keeps_the_structure(picker):
    before = picker.structure
    picker.build.builder.value = "supercell"
    picker.build.controls["min_edge_A"].value = 900.0
    picker.build.apply.click()
    assert picker.structure is before
    assert len(picker.model.steps) == 1
    assert picker.reasons
    assert "20000" in picker._message.value.replace(",", "").replace(" ", "")


def test_a_word_where_numbers_belong_is_explained_beside_the_builder(picker):
    picker.build.builder.value = "repeat"
    picker.build.controls["times"].value = "two"
    picker.build.apply.click()
    assert "is not a list of whole numbers" in picker.build.error.value


def test_an_uploaded_file_is_read_and_its_name_is_escaped(picker):
    text = StringIO()
    write(text, bulk("Si", cubic=True), format="extxyz")
    picker.upload.take("<img src=x onerror=alert(1)>.xyz", text.getvalue().encode())
    assert len(picker.structure) == 8
    assert "<img" not in picker.upload.name.value


def test_html_that_calls_itself_a_cif_is_refused_and_never_shown_as_markup(picker):
    picker.upload.take(HOSTILE, b"<html><img src=x onerror=alert(1)></html>")
    assert picker.reasons
    assert "<img" not in picker._message.value
    assert "<img" not in picker.upload.name.value
    assert picker.structure.get_chemical_formula() == "Co3Li3O6"


def test_a_file_over_the_limit_is_refused_with_its_size_and_the_limit(picker):
    picker.upload.take("big.xyz", b"0" * 20_500_000)
    assert "20.5 MB" in picker._message.value
    assert "20 MB" in picker._message.value


def test_pieces_of_a_file_are_put_together_and_a_torn_upload_is_not_taken(picker):
    upload, text = picker.upload.button, b"3\nwater\nO 0 0 0\nH 0 0.76 0.59\nH 0 -0.76 0.59\n"
    upload._on_message(None, {"kind": "begin", "name": "w.xyz", "size": len(text)}, [])
    upload._on_message(None, {"kind": "piece", "at": 0}, [memoryview(text[:20])])
    upload._on_message(None, {"kind": "end"}, [])
    assert picker.structure.get_chemical_formula() == "Co3Li3O6"
    upload._on_message(None, {"kind": "piece", "at": 20}, [memoryview(text[20:])])
    upload._on_message(None, {"kind": "end"}, [])
    assert picker.structure.get_chemical_formula() == "H2O"
    upload._on_message(None, {"kind": "begin", "name": "<b>.xyz", "size": 10**9}, [])
    assert "1000.0 MB" in picker._message.value
    assert "<b>.xyz" not in picker._message.value


def test_the_readable_part_of_a_torn_trajectory_is_offered(picker):
    text = StringIO()
    write(text, [bulk("Si", cubic=True)] * 3, format="extxyz")
    picker.upload.take("torn.xyz", text.getvalue()[:-80].encode())
    assert picker.structure.get_chemical_formula() == "Co3Li3O6"
    assert picker.upload.offer_button.layout.display == "flex"
    picker.upload.offer_button.click()
    assert picker.structure.get_chemical_formula() == "Si8"


def test_a_slider_reaches_every_frame_of_an_uploaded_trajectory(picker):
    text = StringIO()
    write(text, [bulk("Si", cubic=True), bulk("Cu", cubic=True), bulk("NaCl", "rocksalt", a=5.6)], format="extxyz")
    picker.upload.take("three.xyz", text.getvalue().encode())
    assert picker.structure.get_chemical_formula() == "ClNa"
    assert (picker.upload.frame.layout.display, picker.upload.frame.value) == ("flex", 3)
    picker.upload.frame.value = 2
    assert picker.structure.get_chemical_formula() == "Cu4"
    picker.upload.take("one.xyz", b"3\nwater\nO 0 0 0\nH 0 0.76 0.59\nH 0 -0.76 0.59\n")
    assert picker.upload.frame.layout.display == "none"


def test_overlapping_atoms_in_pasted_text_are_refused_with_the_pair(picker):
    picker.paste.text.value = "2\n\nO 0 0 0\nO 0 0 0.1\n"
    picker.paste.button.click()
    assert any("0.1" in reason for reason in picker.reasons)
    assert "lk-error" in picker._message.value


def test_pasted_text_is_read(picker):
    picker.paste.text.value = "3\nwater\nO 0 0 0\nH 0 0.76 0.59\nH 0 -0.76 0.59\n"
    picker.paste.button.click()
    assert picker.structure.get_chemical_formula() == "H2O"


def test_a_picker_can_hide_tabs_and_names_the_ones_there_are():
    picker = StructurePicker("Si", tabs=("Library", "Build"))
    assert len(picker.tabs.children) == 2
    with pytest.raises(ValueError, match="OPTIMADE"):
        StructurePicker(tabs=("Libary",))


@pytest.mark.parametrize(
    ("typed", "asked"),
    [("LiCoO2", 'chemical_formula_reduced="CoLiO2"'), ("Fe4O6", 'chemical_formula_reduced="Fe2O3"'),
     ("Li Co O", 'elements HAS ALL "Li","Co","O" AND nelements=3'), ("nsites<4", "nsites<4")],
)  # fmt: skip
def test_what_a_user_types_becomes_an_optimade_filter(typed, asked):
    assert optimade.query(typed) == asked


def test_an_optimade_question_that_is_no_formula_is_refused_before_anything_is_sent():
    with pytest.raises(LabkitError, match="not a chemical formula"):
        optimade.search("Xyzzy!", "OQMD")


def test_without_a_network_the_sentence_says_what_still_works(picker):
    picker.optimade.provider.value = "http://127.0.0.1:9"
    picker.optimade.text.value = "NaCl"
    picker.optimade.ask().join(5)
    assert "cannot be reached" in picker.optimade.status.value
    assert "without a network" in picker.optimade.status.value
    assert not picker.optimade.button.disabled


@pytest.fixture
def provider():
    """A little OPTIMADE server on this machine."""
    salt = bulk("NaCl", "rocksalt", a=5.64)
    kinds = [{"name": s, "chemical_symbols": [s], "concentration": [1.0]} for s in ("Na", "Cl")]
    good = {
        "chemical_formula_reduced": "ClNa", "nsites": 2, "lattice_vectors": salt.cell.tolist(), "species": kinds,
        "cartesian_site_positions": salt.positions.tolist(), "species_at_sites": ["Na", "Cl"],
        "dimension_types": [1, 1, 1],
    }  # fmt: skip
    half = [{"name": "Na", "chemical_symbols": ["Na", "vacancy"], "concentration": [0.5, 0.5]}, kinds[1]]
    items = [{"id": "good-1", "attributes": good}, {"id": "half-2", "attributes": {**good, "species": half}}]

    class Handler(BaseHTTPRequestHandler):
        asked: ClassVar[list] = []

        def do_GET(self):
            self.asked.append(self.path)
            body = b"<html>" if "broken" in self.path else json.dumps({"data": items}).encode()
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", Handler.asked
    server.shutdown()
    server.server_close()
    thread.join(5)


def test_an_optimade_answer_is_listed_and_chosen_and_partial_sites_are_refused(picker, provider):
    url, asked = provider
    picker.optimade.provider.value = url
    picker.optimade.text.value = "NaCl"
    assert asked == []
    picker.optimade.ask().join(5)
    assert len(asked) == 1
    picker.optimade.list.value = "good-1"
    assert picker.structure.get_chemical_formula() == "ClNa"
    picker.optimade.list.value = "half-2"
    assert "partly filled" in picker._message.value


def test_an_answer_that_is_not_optimade_is_refused_with_a_sentence(provider):
    with pytest.raises(LabkitError, match="did not answer in the OPTIMADE format"):
        optimade.search("NaCl", provider[0] + "/broken")
    hit = optimade.Hit("x", "NaCl", 2, {})
    with pytest.raises(InvalidStructure, match="no complete structure"):
        hit.atoms()
