"""Cards: what they say is what the potential does, and what nobody stated stays unsaid."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from labkit.potentials import card, load, measure_speed, names
from labkit.potentials.cards import card_of_folder, count_parameters
from labkit.potentials.gallery import GALLERY
from labkit.potentials.speed import remember, samples
from tests.potentials import structures


@pytest.fixture(autouse=True)
def _forget_what_was_measured(monkeypatch):
    monkeypatch.setattr("labkit.potentials.speed._measured", {})


@pytest.fixture
def folder(tmp_path):
    save_file({"a": torch.zeros(3, 4), "b": torch.zeros(5)}, tmp_path / "model.safetensors")
    description = {
        "kind": "camp", "name": "camp-mo", "sentence": "CAMP for molybdenum", "elements": ["Mo"],
        "level_of_theory": "PBE", "settings": {"cutoff_A": 5.0, "channels": 32},
        "units": {"energy": "eV", "forces": "eV/Å"}, "licence": "MIT",
        "dataset": {"name": "mo-mlearn", "hash": "ab12"},
        "metrics": {"on": "test", "groups": {
            "Vacancy": {"n": 10, "energy_mae_meV_atom": 2.5, "forces_mae_meV_A": 91.0, "stress_mae_GPa": float("nan")},
            "Liquid": {"n": 3, "energy_mae_meV_atom": 5.5, "forces_mae_meV_A": 210.0, "comment": "hot"}}},
    }  # fmt: skip
    (tmp_path / "potential.json").write_text(json.dumps(description))
    return tmp_path


@pytest.mark.parametrize("name", names(everything=True))
def test_every_name_has_a_card_with_licence_source_citation_and_level_of_theory(name):
    found = card(name)
    assert found.name == name
    assert found.sentence
    assert found.licence
    assert found.source
    assert found.citation
    assert found.level_of_theory
    assert found.elements
    assert found.installed == (name in names())


@pytest.mark.parametrize("name", ["chgnet", "chgnet-0.2.0", "chgnet-r2scan", "emt", "lennard-jones"])
def test_a_card_says_what_the_opened_potential_is(name):
    potential, static = load(name, device="cpu"), GALLERY[name].card
    assert static.elements == potential.elements
    assert static.level_of_theory == potential.level_of_theory
    assert static.properties == potential.implemented
    if hasattr(potential, "network"):
        assert static.cutoff_A == potential.cutoff_A
        trained = potential.network.parameters_by_name().values()
        assert static.n_parameters == sum(one.numel() for one in trained)
    assert card(potential).licence == static.licence


def test_licences_are_those_of_the_wheels():
    assert "BSD" in card("chgnet").licence
    assert "MIT" in card("7net-0").licence
    assert "ASE" in card("emt").licence


def test_the_card_of_a_saved_folder_comes_from_its_description_and_the_header_of_its_weights(folder):
    found = card(folder)
    assert (found.name, found.sentence, found.cutoff_A, found.n_parameters) == (
        "camp-mo",
        "CAMP for molybdenum",
        5.0,
        17,
    )
    assert (found.trained_on, found.dataset_hash, found.licence) == ("mo-mlearn", "ab12", "MIT")
    assert found.properties == ("energy", "forces")
    assert found.errors_on == "test"
    assert found.errors_by_group == {
        "Vacancy": {"n": 10, "energy_mae_meV_atom": 2.5, "forces_mae_meV_A": 91.0},
        "Liquid": {"n": 3, "energy_mae_meV_atom": 5.5, "forces_mae_meV_A": 210.0},
    }


@pytest.mark.parametrize(
    "metrics",
    [
        {"groups": [{"group": "all", "forces_mae_meV_A": 7.0}]},
        {"all": {"forces_mae_meV_A": 7.0}},
        {"forces_mae_meV_A": 7.0, "epoch": 3},
    ],
    ids=["rows", "one for each set", "flat"],
)
def test_metrics_are_read_in_each_form_in_which_they_are_written(folder, metrics):
    said = json.loads((folder / "potential.json").read_text())
    (folder / "potential.json").write_text(json.dumps({**said, "metrics": metrics}))
    assert card(folder).errors_by_group == {"all": {"forces_mae_meV_A": 7.0}}


def test_what_was_not_stated_is_none(tmp_path):
    (tmp_path / "potential.json").write_text('{"kind": "camp"}')
    found = card_of_folder(tmp_path)
    assert found.name == tmp_path.name
    unsaid = (found.elements, found.cutoff_A, found.n_parameters, found.errors_by_group, found.trained_on)
    assert unsaid == (None,) * 5


def test_the_card_of_what_a_training_exports_has_its_data_and_its_errors(folder):
    said = json.loads((folder / "potential.json").read_text())
    rows = [{"group": "all", "n": 30, "forces_mae_meV_A": 8.0}, {"group": "Surface", "n": 9, "forces_mae_meV_A": 11.0}]
    provenance = {
        "dataset": {"name": "si-mlearn", "hash": "cd34", "structures": 214},
        "metrics": {"on": "a validation set", "forces_mae_meV_A": 8.0, "groups": rows},
    }
    for key in ("dataset", "metrics", "sentence"):
        del said[key]
    said["units"]["shifts"] = "eV"
    (folder / "potential.json").write_text(json.dumps({**said, "provenance": provenance}))
    found = card(folder)
    assert (found.trained_on, found.dataset_hash, found.errors_on) == ("si-mlearn", "cd34", "a validation set")
    assert found.errors_by_group["Surface"] == {"n": 9, "forces_mae_meV_A": 11.0}
    assert found.sentence == "CAMP for Mo trained on si-mlearn"
    assert found.properties == ("energy", "forces")
    opened = load("emt")
    opened.name, opened.provenance = "mine", provenance
    assert card(opened).trained_on == "si-mlearn"
    assert card(opened).errors_by_group == found.errors_by_group


def test_the_card_of_a_correction_takes_over_what_its_base_says(tmp_path):
    (tmp_path / "potential.json").write_text(
        json.dumps({"kind": "corrected", "name": "stiffer", "base": "chgnet-0.3.0"})
    )
    save_file({}, tmp_path / "model.safetensors")
    found = card(tmp_path)
    assert (found.name, found.cutoff_A, found.n_parameters) == ("stiffer", 6.0, 412_525)
    assert "BSD" in found.licence
    assert "Corrects chgnet-0.3.0" in found.notes[0]


def test_a_saved_chgnet_has_a_card(tmp_path):
    load("chgnet", "cpu").save(tmp_path / "saved")
    found = card(tmp_path / "saved")
    assert (found.cutoff_A, len(found.elements)) == (6.0, 89)
    assert "magmoms" in found.properties


@pytest.mark.parametrize(
    "raw", [b"", b"\xff" * 16, (10**15).to_bytes(8, "little") + b"{}", b"\x02" + b"\0" * 7 + b"[]"]
)
def test_weights_that_cannot_be_read_have_no_count(raw, tmp_path):
    (tmp_path / "model.safetensors").write_bytes(raw)
    assert count_parameters(tmp_path / "model.safetensors") is None


def test_speed_is_none_until_it_was_measured_here():
    assert card("emt").speed_atoms_steps_per_s is None
    atoms = structures.rattled_copper()
    found = measure_speed(load("emt"), atoms, seconds=0.05)
    assert found.n_atoms == len(atoms)
    assert found.calls >= 1
    assert card("emt").speed_atoms_steps_per_s == found.atoms_steps_per_s > 0
    assert str(len(atoms)) in card("emt").speed_measured_with
    remember("chgnet", found)
    assert card("chgnet").speed_atoms_steps_per_s == found.atoms_steps_per_s


def test_measuring_leaves_the_structure_alone():
    atoms = structures.rattled_copper()
    before = atoms.positions.copy()
    measure_speed(load("emt"), atoms, seconds=0.01)
    assert np.array_equal(atoms.positions, before)


@pytest.mark.parametrize(
    ("elements", "formula"),
    [({"Mo"}, "Mo"), ({"Ar"}, "Ar"), ({"C", "H", "O"}, "C3H6O"), ({"Ta"}, "Ta"), (None, "ClNa")],
    ids=["Mo", "Ar", "molecules", "no library entry", "any"],
)
def test_the_sample_that_is_timed_is_made_of_elements_that_the_potential_knows(elements, formula):
    atoms = next(samples(frozenset(elements) if elements else None))
    assert atoms.symbols.formula.reduce()[0].format("hill") == formula
    assert 10 <= len(atoms) <= 130


def test_a_potential_without_a_suitable_structure_says_so():
    potential = load("lennard-jones")
    potential.elements = frozenset({"Pm"})
    with pytest.raises(ValueError, match=r"no structure at hand suits lennard-jones \(Pm\)"):
        measure_speed(potential)
