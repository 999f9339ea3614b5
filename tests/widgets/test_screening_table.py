"""The screening table without a browser: it reads a folder that somebody else writes."""

import json
import time

import numpy as np
import pandas as pd
import pytest
from ase.io import read
from labkit_widgets.screening_detail import record_html
from labkit_widgets.screening_funnel import cost_html
from labkit_widgets.screening_model import ScreeningModel, StageLine, is_screening, words
from labkit_widgets.screening_table import ScreeningTable

from labkit import screening
from labkit.errors import LabkitError
from labkit.screening import Screening, run_screening

from .screening_tasks import PretendsToScreen, crystals, path_and_spectrum, repeated

WHERE = f"{path_and_spectrum.__module__}:path_and_spectrum"


@pytest.fixture(scope="module")
def pretended(tmp_path_factory):
    return PretendsToScreen(count=60).run(store=tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    """A campaign of 12 candidates through two stages of labkit's own and one of a user."""
    folder = tmp_path_factory.mktemp("real") / "campaign"
    stages = ["geometry", {"name": WHERE, "label": "barriers"}]
    run_screening(list(crystals(12)), stages, folder, processes=1)
    return folder


@pytest.fixture
def view(pretended):
    view = ScreeningTable(pretended)
    yield view
    view.close()


def test_the_rows_are_those_of_labkits_own_table(pretended, real):
    for folder in (pretended.folder, real):
        model = ScreeningModel(folder)
        assert model.poll() == set(range(len(model.rows)))
        assert model.poll() == set()
        wanted = screening.table(folder)
        assert [row["candidate"] for row in model.rows] == wanted["candidate"].tolist()
        for name in ("name", "formula", "stage", "stage_name", "verdict", "reason", "origin"):
            assert [row[name] for row in model.rows] == wanted[name].tolist(), name
        numbers = [column.name for column in model.columns() if column.kind in ("number", "integer")]
        assert set(numbers) >= {"candidate", "cpu_s"}
        for name in set(numbers) - {"parent"}:
            mine = [np.nan if row.get(name) is None else row[name] for row in model.rows]
            np.testing.assert_allclose(mine, wanted[name].astype(float), rtol=1e-9)
        missing = set(wanted.columns) - {column.name for column in model.columns()}
        assert missing <= {"stage", "parent", "origin"} | {one for one in missing if wanted[one].isna().all()}


def test_a_campaign_read_while_it_grows_ends_as_one_that_is_read_at_the_end(pretended, tmp_path):
    names = ("candidates.extxyz", "candidates.csv", "campaign.json", "rows.csv", "funnel.csv")
    whole = {name: (pretended.folder / name).read_bytes() for name in names}
    model = ScreeningModel(tmp_path)
    assert model.poll() == set()
    (tmp_path / "candidates.csv").write_bytes(whole["candidates.csv"][:500])  # still being written
    assert model.poll() == set()
    for name in names[:3]:
        (tmp_path / name).write_bytes(whole[name])
    assert len(model.poll()) == 60
    assert model.verdicts == {"passed": 0, "rejected": 0, "failed": 0, "waiting": 60}
    rows = whole["rows.csv"]
    seen = []
    for end in (700, 705, 4000, 4001, len(rows)):  # most of these cut a line in two
        (tmp_path / "rows.csv").write_bytes(rows[:end])
        seen.append(model.poll())
    assert [bool(one) for one in seen] == [True, False, True, False, True]
    (tmp_path / "funnel.csv").write_bytes(whole["funnel.csv"])
    model.poll()
    wanted = ScreeningModel(pretended.folder)
    wanted.poll()
    assert model.rows == wanted.rows
    assert model.stages == wanted.stages
    assert model.columns() == wanted.columns()


def test_columns_have_titles_and_units(view):
    columns = {column.name: column for column in view.model.columns()}
    assert (columns["hull_distance_eV_atom"].title, columns["hull_distance_eV_atom"].unit) == (
        "Hull distance",
        "eV/atom",
    )
    assert columns["relaxation_steps"].kind == "integer"
    assert columns["charge_balanced"].kind == "text"
    assert columns["stage_name"].choices == ("composition", "geometry", "relaxation", "hull")
    assert columns["verdict"].choices == ("passed", "rejected", "failed", "waiting")
    assert words("density_g_cm3") == ("Density", "g/cm³")
    assert words("max_force_eV_A") == ("Max force", "eV/Å")
    assert words("D_cm2_s") == ("D", "cm²/s")
    assert words("cpu_s") == ("Cpu", "s")
    assert words("n_atoms") == ("Number of atoms", "")
    assert words("rank") == ("Rank", "")


def test_the_funnel_and_the_cost_are_those_of_the_campaign(view):
    line = {one.stage_name: one for one in view.model.stages}
    drawn = {trace.name: dict(zip(trace.y, trace.x, strict=True)) for trace in view.funnel.data}
    for part in ("passed", "rejected", "failed", "waiting"):
        assert drawn[part] == {name: getattr(one, part) for name, one in line.items()}
    assert sum(drawn[part]["composition"] for part in drawn) == 60
    assert drawn["failed"]["geometry"] == 5
    assert line["relaxation"].mean_cpu_s == pytest.approx(2.5)
    spent, left, unknown = view.model.cost
    assert spent == pytest.approx(screening.table(view.folder)["cpu_s"].sum(), abs=0.01)
    assert (left, unknown) == (0, [])


def test_a_stage_of_unknown_price_makes_the_estimate_a_lower_bound():
    stages = [StageLine(0, "quick", waiting=10, passed=10, cpu_s=20.0, to_come_cpu_s=20.0)]
    stages.append(StageLine(1, "slow", waiting=10, to_come_cpu_s=float("nan")))
    html = cost_html(stages, (20.0, 20.0, ["slow"]))
    assert "more than 20 s" in html
    assert "Not known yet: slow." in html


def test_selected_candidates_come_back_as_atoms_and_make_the_next_campaign(view):
    assert view.again.disabled
    view.select([5, 2])
    assert [atoms.info["name"] for atoms in view.selected] == ["crystal 2", "crystal 5"]
    given, relaxed = (screening.structure(view.folder, 2, given=one) for one in (True, False))
    np.testing.assert_allclose(view.selected[0].cell.array, relaxed.cell.array)
    assert relaxed.get_volume() > given.get_volume()
    view.again.click()
    assert isinstance(view.task, Screening)
    assert [atoms.get_chemical_formula("metal") for atoms in view.task.candidates] == [
        atoms.get_chemical_formula("metal") for atoms in view.selected
    ]
    assert [stage.label for stage in view.task.stages] == ["composition", "geometry", "relaxation", "hull"]
    assert view.launcher.form.task.candidates[0].info["name"] == "crystal 2"
    with pytest.raises(KeyError, match="there is no candidate 99; this campaign has 60"):
        view.select([99])


def test_the_next_campaign_keeps_every_setting_of_a_real_one(store, tmp_path):
    structures = list(crystals(3))
    task = Screening(candidates=structures, stages=["composition"], potential="emt", timeout_s=77.0)
    run = task.run(store=store)
    view = ScreeningTable(run)
    view.select([1])
    view.again.click()
    assert (view.task.potential, view.task.timeout_s) == ("emt", 77.0)
    assert len(view.task.candidates) == 1
    view.close()


def test_without_ticks_there_is_no_next_campaign_but_a_sentence(view):
    view.new_campaign()
    assert "no candidate is ticked" in view.error.value
    view._poll()  # which found nothing wrong, but that is another matter
    assert "no candidate is ticked" in view.error.value
    assert view.task is None


def test_a_click_shows_structure_path_spectrum_and_where_the_numbers_come_from(real, soon):
    view = ScreeningTable(real)
    assert view.run is None
    view.show(2)
    soon(lambda: view.detail.pictures)
    assert view.structure.get_chemical_formula() == view.detail.structure.get_chemical_formula()
    path, spectrum = view.detail.pictures
    assert path.name == "hop 0"
    assert path.y.max() == pytest.approx(0.4, abs=1e-3)
    assert path.y[0] == 0
    assert path.line[1].max() == pytest.approx(0.4, abs=1e-3)  # the spline of its forces
    assert path.note == "forward barrier 0.400 eV · backward barrier 0.400 eV · converged"
    assert (spectrum.x_title, spectrum.y_title) == ("Frequency (THz)", "Density of states")
    soon(lambda: view.detail.figure is not None)
    figure = view.detail.figure
    soon(lambda: len(figure.data[1].x) == 7)
    np.testing.assert_allclose(figure.data[1].x, path.x)
    view.detail.choice.index = 1
    assert figure.layout.xaxis.title.text == "Frequency (THz)"
    assert len(figure.data[0].x) == 80
    assert "Barrier 0.4 eV" in view.detail.facts.value
    assert "labkit" in view.detail.facts.value
    broken = next(row["candidate"] for row in view.model.rows if row["verdict"] == "failed")
    view.show(broken)
    soon(lambda: "iron is not understood here" in view.detail.facts.value)
    assert view.detail.pictures == []
    view.close()


def test_names_and_reasons_are_never_markup(pretended):
    record = screening.record(pretended.folder, 3)
    record["stages"][0]["reason"] = "<script>alert(1)</script>"
    assert "<script>" not in record_html(record)
    assert "&lt;script&gt;" in record_html(record)


def test_every_export_button_writes_its_file(view, tmp_path, monkeypatch, soon):
    monkeypatch.chdir(tmp_path)
    view.export_bar.name.value = "mine"
    for kind in ("csv", "json", "db", "cif"):
        view.export_bar.last = None
        view.export_bar.buttons[kind].click()
        soon(lambda: view.export_bar.last is not None, 20)
        soon(lambda: not view.export_bar.buttons["csv"].disabled)
    assert len(pd.read_csv("mine.csv")) == 60
    assert len(json.loads((tmp_path / "mine.json").read_text())) == 60
    passed = view.model.verdicts["passed"]
    assert len(read("mine.db", ":")) == passed > 0
    assert len(list((tmp_path / "mine_cif").glob("*.cif"))) == passed
    view.export_bar.buttons["cif"].click()
    soon(lambda: "is there already" in view.export_bar.note.value)


def test_what_the_browser_filters_is_what_python_sees(view):
    assert len(view.shown) == 60
    view.grid.set_state({"order": memoryview(np.array([7, 3, 11], dtype="<i4").tobytes())})
    assert view.grid.shown == [7, 3, 11]
    assert view.shown["candidate"].tolist() == [7, 3, 11]
    view.grid.set_state({"order": memoryview(b"")})
    assert view.shown.empty


def test_a_running_campaign_is_followed_and_ticks_outlive_updates(store, soon):
    run = PretendsToScreen(count=40, pause_s=0.01).launch(store=store)
    view = ScreeningTable(run)
    soon(lambda: len(view.model.rows) == 40, 20)
    view.select([1, 4])
    soon(lambda: view.model.verdicts["waiting"] == 0, 30)
    soon(lambda: view.model.stages and view.model.stages[0].waiting == 0)
    assert view.grid.selected == [1, 4]
    assert view.table["verdict"].value_counts().to_dict() == {k: v for k, v in view.model.verdicts.items() if v}
    run.wait(10)
    view.close()


def test_a_line_that_cannot_be_read_is_said_until_it_is_mended_and_costs_no_other_line(pretended, tmp_path, soon):
    names = ("candidates.extxyz", "candidates.csv", "campaign.json", "funnel.csv")
    for name in names:
        (tmp_path / name).write_bytes((pretended.folder / name).read_bytes())
    lines = (pretended.folder / "rows.csv").read_bytes().splitlines(keepends=True)
    (tmp_path / "rows.csv").write_bytes(b"".join(lines[:20]))
    view = ScreeningTable(tmp_path)
    (tmp_path / "rows.csv").write_bytes(b"".join([*lines[:30], b"no,numbers\n", *lines[30:]]))
    soon(lambda: "The campaign could not be read" in view.error.value)
    (tmp_path / "rows.csv").write_bytes(b"".join(lines))
    soon(lambda: view.error.value == "")
    wanted = ScreeningModel(pretended.folder)
    wanted.poll()
    assert view.model.rows == wanted.rows
    assert view.grid._rows == wanted.rows
    view.close()


def test_ten_thousand_candidates_are_read_and_updated_quickly(pretended, tmp_path):
    folder = repeated(pretended.folder, tmp_path / "large", 167)
    began = time.process_time()
    view = ScreeningTable(folder)
    first = time.process_time() - began
    began = time.process_time()
    view.grid.write({at: view.model.rows[at] for at in range(0, 10_000, 100)}, view.model.columns())
    later = time.process_time() - began
    print(f"10,000 candidates: shown after {first:.2f} s, 100 changed rows sent in {1000 * later:.0f} ms")
    assert len(view.model.rows) == 10_020
    assert first < 6
    assert later < 0.25
    assert view.grid.sent_rows == 100
    view.close()


def test_a_folder_that_is_no_campaign_is_refused_or_empty(tmp_path):
    with pytest.raises(LabkitError, match="there is no folder"):
        ScreeningTable(tmp_path / "nowhere")
    view = ScreeningTable(tmp_path)
    assert view.model.rows == []
    with pytest.raises(LabkitError, match="is it a screening campaign"):
        _ = view.table
    view.close()


def test_only_a_screening_is_a_screening(pretended, store):
    from .tasks import WritesFrames

    assert is_screening(pretended)
    assert not is_screening(WritesFrames(frames=1).run(store=store))
