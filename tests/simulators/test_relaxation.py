"""Relaxation: known lattices, one batch equals one by one, left-handed cells go downhill, failures stay single."""

import numpy as np
import pytest
from ase.build import bulk, molecule

from labkit.errors import InvalidTask, NotConverged
from labkit.simulators import Relaxation
from labkit.simulators.cell_filter import RelaxationCoordinates
from labkit.structures.field import from_dict
from tests.potentials.structures import left_handed, rattled_rocksalt


def relax(tmp_path, structures, **parameters):
    parameters = {"potential": "emt", "fmax_eV_A": 0.01} | parameters
    return Relaxation(structures=structures, **parameters).run(store=tmp_path)


def test_published_lattices_of_chgnet(tmp_path):
    # Methods B, section 4 (CHGNet 0.3.0 by the stock package, fmax 0.03): a in Å, within 0.5 %.
    published = {"LiCl": 5.137, "Li2S": 5.708, "BaFeO3": 4.033}
    result = relax(tmp_path, list(published), potential="chgnet", fmax_eV_A=0.03, device="cpu").result()
    for structure, (name, a) in zip(result["structures"], published.items(), strict=True):
        atoms = from_dict(structure)
        per_cube = {"LiCl": 8, "Li2S": 12, "BaFeO3": 5}[name]
        assert (atoms.get_volume() / len(atoms) * per_cube) ** (1 / 3) == pytest.approx(a, rel=5e-3), name


def test_a_batch_takes_the_steps_that_single_relaxations_take(tmp_path):
    structures = [bulk("Cu", cubic=True), bulk("Al", cubic=True), bulk("Ag", cubic=True).repeat((2, 1, 1))]
    for seed, atoms in enumerate(structures):
        atoms.rattle(0.1, seed=seed)
    batch = relax(tmp_path, structures).result()
    for index, atoms in enumerate(structures):
        single = relax(tmp_path, [atoms]).result()
        assert batch["steps"][index] == single["steps"][0]
        assert batch["energies_eV"][index] == pytest.approx(single["energies_eV"][0], abs=1e-9)


def test_a_left_handed_cell_relaxes_downhill(tmp_path):
    strained = rattled_rocksalt()
    right = relax(tmp_path, [strained], potential="chgnet", fmax_eV_A=0.05, device="cpu")
    left = relax(tmp_path, [left_handed(strained)], potential="chgnet", fmax_eV_A=0.05, device="cpu")
    energies = left.table("relaxation")["energy_eV"]
    assert energies.iloc[-1] < energies.iloc[0]
    assert left.result()["energies_eV"][0] == pytest.approx(right.result()["energies_eV"][0], abs=2e-3)


def test_the_generalised_forces_are_the_gradient_of_the_enthalpy():
    from labkit.potentials import load

    potential = load("emt")
    atoms = bulk("Cu", cubic=True)
    atoms.rattle(0.1, seed=3)
    coordinates = RelaxationCoordinates(atoms, relax_cell=True, pressure_eV_A3=0.02)
    coordinates.rows[-3:] += np.random.default_rng(0).normal(size=(3, 3)) * 0.05

    def enthalpy():
        now = coordinates.atoms()
        return coordinates.enthalpy(now, potential.predict([now]).energies[0])

    now = coordinates.atoms()
    prediction = potential.predict([now])
    forces = coordinates.forces(now, prediction.forces[0], prediction.stresses[0])
    for row, column in ((0, 0), (3, 2), (4, 0), (5, 2), (6, 1)):
        energies = []
        for step in (1e-4, -2e-4):
            coordinates.rows[row, column] += step
            energies.append(enthalpy())
        coordinates.rows[row, column] += 1e-4
        assert forces[row, column] == pytest.approx((energies[1] - energies[0]) / 2e-4, abs=1e-5)


def test_pressure_compresses(tmp_path):
    free, pressed = (
        relax(tmp_path, [bulk("Cu", cubic=True)], pressure_GPa=pressure).result()["structures"][0]
        for pressure in (0, 10)
    )
    ratio = from_dict(pressed).get_volume() / from_dict(free).get_volume()
    assert ratio == pytest.approx(1 - 10 / 134, abs=0.02)  # EMT's bulk modulus of copper is 134 GPa


def test_a_molecule_relaxes_without_a_cell(tmp_path):
    run = relax(tmp_path, [molecule("H2O")], potential="chgnet", fmax_eV_A=0.05, device="cpu")
    assert run.result()["converged"] == [True]
    assert "volume_A3" not in run.table("relaxation")


def test_one_hopeless_structure_does_not_take_the_others_along(tmp_path):
    lonely = bulk("NaCl", "rocksalt", a=30.0)
    result = relax(tmp_path, [bulk("LiF", "rocksalt", a=4.1), lonely], potential="chgnet", device="cpu").result()
    assert result["converged"] == [True, False]
    assert "no neighbour" in result["not_converged"]["1"]


def test_running_out_of_steps_is_an_error_that_says_what_to_do(tmp_path):
    atoms = bulk("Cu", cubic=True)
    atoms.rattle(0.2, seed=1)
    with pytest.raises(NotConverged, match=r"after 2 steps, wanted 0.01.*Raise max_steps"):
        relax(tmp_path, [atoms], max_steps=2)


def test_the_path_downhill_can_be_watched(tmp_path):
    atoms = bulk("Cu", cubic=True)
    atoms.rattle(0.1, seed=1)
    run = relax(tmp_path, [atoms])
    table = run.table("relaxation")
    assert run.n_frames == len(table) == run.result()["steps"][0] + 1
    assert table["max_force_eV_A"].iloc[-1] <= 0.01
    assert table["energy_eV"].iloc[-1] < table["energy_eV"].iloc[0]


def test_an_interrupted_batch_resumes_to_the_same_result(tmp_path, monkeypatch):
    structures = [bulk("Cu", cubic=True), bulk("Al", cubic=True)]
    for seed, atoms in enumerate(structures):
        atoms.rattle(0.15, seed=seed)
    work = Relaxation(structures=structures, potential="emt", fmax_eV_A=0.001, checkpoint_interval=5)
    whole = work.run(store=tmp_path).result()

    class Stopped(Exception):
        pass

    from labkit.runs import RunContext

    original, calls = RunContext.progress, []

    def stop_later(self, *arguments, **named):
        calls.append(1)
        if len(calls) == 13:
            raise Stopped
        original(self, *arguments, **named)

    monkeypatch.setattr(RunContext, "progress", stop_later)
    with pytest.raises(Stopped):
        work.run(store=tmp_path, name="stopped")
    from labkit.runs import Store

    (run,) = [run for run in Store(tmp_path).runs() if run.state == "failed"]
    run.resume().wait(60)
    assert run.result()["energies_eV"] == pytest.approx(whole["energies_eV"], abs=1e-9)
    assert run.result()["steps"] == whole["steps"]


def test_nothing_to_relax_is_refused():
    with pytest.raises(InvalidTask, match="structures"):
        Relaxation(structures=[])
