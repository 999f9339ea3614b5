"""Baseline plus correction: sums, gradients, size consistency, and a folder that can run no code."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule

from labkit.errors import UnreadableFile, UnsupportedElement
from labkit.potentials import load
from labkit.potentials.camp import CAMP, CAMPSettings
from labkit.potentials.delta import DeltaPotential, open_baseline

SETTINGS = CAMPSettings(channels=6, n_layers=1, cutoff_A=4.0, dtype="float64")


def _correction(*elements: str, seed: int = 3) -> CAMP:
    made = CAMP.untrained(SETTINGS, elements, seed, "cpu", level_of_theory="difference", name="small")
    made.network.scale.fill_(0.02)  # eV, the size of a correction
    return made


@pytest.fixture
def on_emt() -> DeltaPotential:
    return DeltaPotential(load("emt"), _correction("Cu", "Au"), {"Cu": -0.5})


@pytest.fixture
def copper() -> Atoms:
    atoms = bulk("Cu", cubic=True)
    atoms.symbols[1] = "Au"
    atoms.rattle(0.1, seed=1)
    return atoms


def _on_tight_binding(name: str = "gfn2-xtb", **options) -> DeltaPotential:
    pytest.importorskip("tblite")
    from labkit.references import load as load_reference

    return DeltaPotential(load_reference(name, **options).potential(), _correction("H", "C"))


def test_energies_forces_and_stresses_are_sums(on_emt, copper):
    whole = on_emt.predict([copper])
    low, delta = on_emt.baseline.predict([copper]), on_emt.correction.predict([copper])
    assert whole.energies[0] == pytest.approx(low.energies[0] + delta.energies[0] - 3 * 0.5, abs=1e-12)
    assert np.allclose(whole.forces[0], low.forces[0] + delta.forces[0], atol=1e-12)
    assert np.allclose(whole.stresses, low.stresses + delta.stresses, atol=1e-12)
    assert np.abs(delta.forces[0]).max() > 1e-3


def test_forces_on_tight_binding_are_minus_the_gradient_of_the_energy():
    potential = _on_tight_binding(accuracy=0.01)
    atoms = molecule("C2H4")
    atoms.rattle(0.05, seed=2)
    forces = potential.predict([atoms]).forces[0]
    for atom, axis in ((0, 2), (3, 1)):
        ends = [atoms.copy(), atoms.copy()]
        for end, sign in zip(ends, (1, -1), strict=True):
            end.positions[atom, axis] += sign * 1e-4
        energies = potential.predict(ends, ("energy",)).energies
        assert forces[atom, axis] == pytest.approx(-(energies[0] - energies[1]) / 2e-4, abs=1e-4)


def test_molecules_beyond_the_cut_off_have_the_sum_of_their_corrections():
    correction = _correction("H", "C")
    first, second = molecule("C2H6"), molecule("CH4")
    second.translate([0, 0, 9.0])
    apart = correction.predict([first, second], ("energy",)).energies.sum()
    together = correction.predict([first + second], ("energy",)).energies[0]
    assert together == pytest.approx(apart, abs=1e-10)
    second.translate([0, 0, -5.0])
    assert abs(correction.predict([first + second], ("energy",)).energies[0] - apart) > 1e-6


def test_a_saved_delta_potential_says_the_same(on_emt, copper, tmp_path):
    on_emt.provenance = {"labels": 12}
    opened = load(on_emt.save(tmp_path / "delta"), device="cpu")
    assert isinstance(opened, DeltaPotential)
    assert opened.provenance == {"labels": 12}
    assert opened.shifts == {"Cu": -0.5}
    assert (opened.name, opened.level_of_theory) == (on_emt.name, on_emt.level_of_theory)
    assert np.array_equal(opened.predict([copper]).forces[0], on_emt.predict([copper]).forces[0])
    on_emt.save(tmp_path / "delta")  # in place of the first
    assert not [path for path in tmp_path.rglob("*") if path.suffix in (".pkl", ".pt") or path.name.startswith(".")]


def test_a_baseline_without_a_name_is_saved_along(tmp_path):
    whole = DeltaPotential(_correction("H", seed=4), _correction("H"))
    opened = load(whole.save(tmp_path / "delta"), device="cpu")
    hydrogen = molecule("H2")
    assert opened.predict([hydrogen]).energies[0] == whole.predict([hydrogen]).energies[0]


def test_the_options_of_a_reference_survive_saving(tmp_path):
    whole = _on_tight_binding("gfn1-xtb", accuracy=0.01)
    opened = load(whole.save(tmp_path / "delta"), device="cpu")
    assert opened.baseline.reference.accuracy == 0.01
    assert opened.baseline.reference.method == "GFN1-xTB"
    assert json.loads((tmp_path / "delta/potential.json").read_text())["baseline"]["options"] == {"accuracy": 0.01}


@pytest.mark.parametrize(
    "said",
    [
        {"potential": "os:system"},
        {"potential": "../elsewhere"},
        {"reference": "os:system"},
        {"reference": "subprocess:Popen", "options": {"args": "true"}},
        {"reference": ["gfn2-xtb"]},
        "gfn2-xtb",
        7,
    ],
)
def test_a_file_cannot_name_what_is_not_in_a_registry(said):
    with pytest.raises(UnreadableFile, match="neither a potential nor a reference"):
        open_baseline(said)


def test_a_damaged_folder_is_refused_with_a_sentence(on_emt, tmp_path):
    folder = on_emt.save(tmp_path / "delta")
    (folder / "correction" / "potential.json").unlink()
    with pytest.raises(UnreadableFile, match="lacks its folder correction"):
        load(folder)
    (folder / "potential.json").write_text('{"kind": "delta", "baseline": {"potential": "emt"}, ')
    with pytest.raises((UnreadableFile, ValueError)):
        load(folder)


def test_nothing_that_is_no_potential_is_overwritten(on_emt, tmp_path):
    (tmp_path / "thesis").mkdir()
    with pytest.raises(FileExistsError, match="no saved potential"):
        on_emt.save(tmp_path / "thesis")


def test_it_knows_the_elements_that_both_know():
    with pytest.raises(ValueError, match="no element in common"):
        DeltaPotential(load("emt"), _correction("U"))
    potential = DeltaPotential(load("emt"), _correction("Cu", "Li"))
    assert potential.elements == {"Cu"}
    with pytest.raises(UnsupportedElement):
        potential.predict([Atoms("Li")])


def test_potentials_bring_no_reference_along():
    code = "import labkit.potentials.delta, sys; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert not {"labkit.references", "tblite", "pyscf"} & set(loaded)


def test_a_correction_that_leads_back_to_itself_and_shifts_that_are_none_are_refused(on_emt, tmp_path):
    folder = on_emt.save(tmp_path / "saved")
    said = json.loads((folder / "potential.json").read_text())
    (folder / "potential.json").write_text(json.dumps({**said, "shifts": {"Cu": float("nan")}}))
    with pytest.raises(UnreadableFile, match="not numbers"):
        load(folder, "cpu")
    (folder / "potential.json").write_text(json.dumps(said))
    shutil.rmtree(folder / "correction")
    (folder / "correction").symlink_to(folder)
    with pytest.raises(UnreadableFile, match="is a delta potential itself"):
        load(folder, "cpu")
