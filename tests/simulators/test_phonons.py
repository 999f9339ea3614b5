"""Runs of phonons: many crystals in one stream, what is relaxed and said, what fails alone, kill -9 and resume."""

import os
import signal

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc111

from labkit.errors import InvalidTask, NotConverged, RunCancelled
from labkit.runs import RunContext, Store
from labkit.runs.worker import work
from labkit.simulators import phonons_run
from labkit.simulators.phonons import Phonons
from labkit.simulators.phonons_member import Member
from labkit.simulators.phonons_result import read
from labkit.structures import named
from tests.simulators.phonons_models import LennardJones, dispersion

MODELS = "tests.simulators.phonons_models:"
LJ = MODELS + "LennardJones"
SOME = [[0.5, 0.5, 0.0], [0.5, 0.5, 0.5], [0.25, 0.5, 0.75]]
MASS = Atoms("Ar").get_masses()[0]


def squeezed(scale):
    atoms = bulk("Ar", "fcc", 5.25 * scale, cubic=True)
    atoms.info["name"] = f"argon {scale:g}"
    return atoms


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    crystals = [squeezed(1.0), squeezed(0.99), Atoms("Kr", cell=[3.7, 3.7, 3.7], pbc=True)]
    task = Phonons(structures=crystals, potential=LJ, batch_atoms=60, supercell=[3, 3, 3], mesh_A=20)
    return task.run(store=tmp_path_factory.mktemp("run"))


def test_crystals_are_relaxed_and_their_phonons_are_those_of_the_relaxed_lattice(run):
    first, second = read(run, 0), read(run.folder, 1)
    assert first.atoms.cell.lengths() == pytest.approx(second.atoms.cell.lengths(), abs=1e-3)
    expected = dispersion(first.atoms.cell, SOME, MASS)
    assert first.frequencies_THz(SOME) == pytest.approx(expected, abs=1e-3 * expected.max())
    rest = LennardJones().predict([first.atoms])
    assert abs(rest.stresses).max() * first.atoms.get_volume() < 2e-4
    frames = run.frames()
    assert [len(frame) for frame in frames] == [1, 1, 1]
    assert frames[0].cell.lengths() == pytest.approx(first.atoms.cell.lengths())


def test_tables_result_and_log_tell_the_same_story(run):
    result, table = run.result(), run.table("structures")
    assert list(table["index"]) == [0, 1, 2]
    assert list(table["supercell"]) == ["3x3x3"] * 3
    assert list(table["displacements"]) == [1, 1, 1]
    for row, crystal in zip(table.itertuples(), result["crystals"], strict=True):
        assert row.zero_point_eV == pytest.approx(crystal["zero_point_eV"])
        assert row.imaginary == sum(mode["degeneracy"] for mode in crystal["imaginary"])
    thermal = read(run, 0).thermal(result["crystals"][0]["temperatures_K"], mesh=20)
    assert thermal.free_energy_eV == pytest.approx(result["crystals"][0]["free_energy_eV"])
    forces = run.table("forces")
    assert forces["supercells"].iloc[-1] == 6
    assert (forces["atoms"] <= 60).all()
    log = run.log()
    assert "argon 1: Fm-3m: 1 atom in the primitive cell that spglib finds, 4 in the one given" in log
    assert "argon 1: supercell 3x3x3 of the primitive cell as asked for, 27 atoms" in log
    assert "argon 1: 1 displacement of 0.01 Å" in log


def test_an_unstable_crystal_stays_on_its_saddle_and_its_imaginary_modes_are_said(run):
    """Simple cubic Lennard-Jones is unstable; rounding must not let it slide into another structure."""
    crystal = run.result()["crystals"][2]
    assert crystal["space_group"] == "Pm-3m"
    assert read(run, 2).atoms.cell.angles() == pytest.approx(90)
    assert crystal["imaginary"]
    assert 0 < crystal["imaginary_fraction"] < 1
    [said] = crystal["warnings"]
    assert "the energy falls along them, so this is not a stable structure at 0 K" in said
    assert "Thermal functions leave" in said
    assert run.result()["warnings"] == [f"Kr: {said}"]
    assert f"Kr, beware: {said}" in run.log()


def test_chgnet_gives_the_bafeo3_modes_of_the_methods(tmp_path):
    """Methods B 2.4: a 4.033 (unrounded 4.0334, where all six numbers meet), 2x2x2, raw force constants."""
    atoms = named("BaFeO3")
    atoms.set_cell([4.0334] * 3, scale_atoms=True)
    task = Phonons(
        structures=[atoms], potential="chgnet", relax="nothing", supercell=[2, 2, 2], sum_rule=False, mesh_A=10
    )
    run = task.run(store=tmp_path)
    crystal = read(run)
    points = [[0, 0, 0], [0, 0.5, 0], [0.5, 0.5, 0], [0.5, 0.5, 0.5]]
    found = crystal.frequencies_THz(points)
    expected = [[-1.25, -1.25, -1.25], [-5.00], [-5.21, -3.51], [-5.25, -3.62, -3.62]]
    for frequencies, wanted in zip(found, expected, strict=True):
        assert frequencies[: len(wanted)] == pytest.approx(wanted, abs=0.1)
        assert frequencies[len(wanted)] > 0
    assert run.result()["crystals"][0]["displacements"] == 3
    labels = sorted((mode.label, mode.degeneracy) for mode in crystal.imaginary())
    assert labels == [("M", 1), ("M", 1), ("R", 1), ("R", 2), ("X", 1), ("Γ", 3)]
    # The three at Γ are translations: once CHGNet's forces are made to obey the sum rule, they are gone.
    crystal.phonopy.symmetrize_force_constants(show_drift=False, use_symfc_projector=True)
    assert crystal.frequencies_THz(points[:1]).min() > -0.01


def test_bad_structures_and_forces_that_are_no_numbers_harm_nobody_else(tmp_path):
    crystals = [bulk("Xe", "fcc", 5.25), bulk("Ar", "fcc", 5.25), bulk("Kr", "fcc", 5.25)]
    task = Phonons(structures=crystals, potential=MODELS + "Broken", supercell=[2, 2, 2], mesh_A=20)
    run = task.run(store=tmp_path)
    failed = run.result()["failed"]
    assert sorted(failed) == ["0", "2"]
    assert "xenon is not for this potential" in failed["0"]
    assert "the force on atom 1 of displacement 1 is not a finite number" in failed["2"]
    assert [line.startswith(("Xe: ", "Kr: ", "Ar: ")) for line in run.result()["warnings"]].count(True) >= 2
    assert read(run, 1).atoms.get_chemical_formula() == "Ar"
    assert not (run.folder / "phonons-0.npz").exists()
    alone = task.model_copy(update={"structures": crystals[:1]})
    with pytest.raises(NotConverged, match="phonons of none of 1 structures: Xe: "):
        alone.run(store=tmp_path)


def test_a_crystal_that_is_not_at_rest_is_told_so(tmp_path):
    atoms = bulk("Ar", "fcc", 5.25, cubic=True)
    atoms.positions[0] += [0.3, 0.2, 0.1]
    options = {"potential": LJ, "supercell": [2, 2, 2], "mesh_A": 10, "primitive": False}
    run = Phonons(structures=[atoms], relax="nothing", **options).run(store=tmp_path)
    assert "no stationary point of" in run.result()["crystals"][0]["warnings"][0]
    # A left-handed cell is a cell like any other.
    left = squeezed(1.0)
    left.set_cell(np.asarray(left.cell)[[1, 0, 2]])
    assert np.linalg.det(left.cell) < 0
    for how in (True, False):
        task = Phonons(structures=[left], **(options | {"primitive": how}))
        crystal = read(task.run(store=tmp_path))
        cell = bulk("Ar", "fcc", crystal.atoms.get_volume() ** (1 / 3) * (1 if not how else 4 ** (1 / 3))).cell
        top = dispersion(cell, [[0.5, 0.5, 0.0]], MASS).max()
        assert crystal.frequencies_THz([[0, 0, 0], SOME[0]]).max() == pytest.approx(top, rel=3e-3)


def test_a_run_killed_with_sigkill_goes_on_with_the_forces_it_has(tmp_path, until):
    crystals = [squeezed(scale) for scale in (1.0, 0.98, 0.99)]
    options = {"supercell": [2, 2, 2], "relax": "nothing", "mesh_A": 10, "batch_atoms": 8}
    task = Phonons(structures=crystals, potential=LJ, **options)
    whole = task.run(store=tmp_path)
    killed = task.model_copy(update={"potential": MODELS + "Sleepy"}).launch(store=tmp_path)
    until(lambda: len(killed.table("structures")) >= 1)
    os.kill(killed.status().pid, signal.SIGKILL)
    until(lambda: killed.state == "interrupted")
    killed.resume().wait(60)
    assert killed.state == "finished", killed.status().error_message
    assert "continuing: " in killed.log()
    for index in range(3):
        assert np.array_equal(read(killed, index).force_constants_eV_A2, read(whole, index).force_constants_eV_A2)
    assert killed.result() == whole.result()
    assert killed.table("structures").equals(whole.table("structures"))


def test_a_resumed_crystal_keeps_its_relaxed_coordinates_and_the_forces_that_arrived(tmp_path, monkeypatch):
    options = {"supercell": [2, 2, 2], "mesh_A": 10, "batch_atoms": 8, "fmax_eV_A": 1e-3}
    task = Phonons(structures=[squeezed(0.99)], potential=LJ, **options)
    monkeypatch.setattr(phonons_run, "CHECKPOINT_S", 0.0)
    calls, predict, stop = [], LennardJones.predict, RunContext.raise_if_stopped

    def counted(self, structures, properties=()):
        calls.append(len(structures))
        return predict(self, structures, properties or ("energy", "forces", "stress"))

    monkeypatch.setattr(LennardJones, "predict", counted)
    whole = task.run(store=tmp_path / "whole")
    needed = sum(calls)
    for after in (5, needed - 2):  # while relaxing, and after the first of two force evaluations
        calls.clear()

        def stops(context, after=after):
            if sum(calls) > after:
                raise RunCancelled("stopped by the test")
            return stop(context)

        monkeypatch.setattr(RunContext, "raise_if_stopped", stops)
        with pytest.raises(RunCancelled):
            task.run(store=tmp_path / str(after))
        monkeypatch.setattr(RunContext, "raise_if_stopped", stop)
        [again] = Store(tmp_path / str(after)).runs()
        work(again.folder, own_process=False)
        assert again.state == "finished", again.log()
        # FIRE starts afresh, so a relaxation that was cut costs a few more steps; forces are never asked for twice.
        assert sum(calls) <= (needed if after > 5 else 2 * needed)
        found, expected = (read(one).frequencies_THz(SOME) for one in (again, whole))
        assert found == pytest.approx(expected, rel=1e-2)


def test_potentials_without_stress_relax_positions_only_and_without_forces_are_refused(tmp_path):
    options = {"structures": [bulk("Ar", "fcc", 5.25)], "supercell": [2, 2, 2], "mesh_A": 10}
    run = Phonons(potential=MODELS + "Silent", relax="positions", **options).run(store=tmp_path)
    assert read(run).atoms.cell.lengths() == pytest.approx(5.25 / np.sqrt(2))
    with pytest.raises(NotConverged, match="silent gives no stress for it; relax the positions only"):
        Phonons(potential=MODELS + "Silent", **options).run(store=tmp_path)
    with pytest.raises(InvalidTask, match="mute gives no forces"):
        Phonons(potential=MODELS + "Mute", **options).run(store=tmp_path)


def test_isotopes_and_moments_travel_into_the_supercell():
    heavy = bulk("Ar", "fcc", 5.25, cubic=True)
    heavy.set_masses([42.0] * 4)
    heavy.set_initial_magnetic_moments([2.0] * 4)
    task = Phonons(structures=[heavy], potential=LJ, supercell=[2, 2, 2])
    member = Member(0, task.structures[0], task)
    member.displace()
    assert len(member.atoms) == 1
    assert member.supercells[1].get_masses() == pytest.approx(42)
    assert member.supercells[1].get_initial_magnetic_moments() == pytest.approx(2)


def test_modes_left_out_without_a_named_instability_are_said_and_one_atom_alone_is_refused(tmp_path):
    """A chain hardly pressed: it buckles by less than 0.1 THz, so no mode of it is named."""
    atoms = Atoms("Ar", cell=[3.81, 21, 24], pbc=True)
    options = {"structures": [atoms], "potential": MODELS + "Nearest", "relax": "nothing", "mesh_A": 20}
    [crystal] = Phonons(supercell=[2, 1, 1], **options).run(store=tmp_path).result()["crystals"]
    assert crystal["imaginary"] == []
    assert crystal["imaginary_fraction"] > 0.01
    assert any("thermal functions leave" in said for said in crystal["warnings"])
    with pytest.raises(NotConverged, match="Ar: one atom alone feels no force wherever it is; take a supercell"):
        Phonons(supercell=[1, 1, 1], **options).run(store=tmp_path)


def test_what_is_no_crystal_is_refused_with_what_to_do_instead():
    with pytest.raises(InvalidTask, match=r"is a molecule; phonons are waves in a crystal\. .* ase.vibrations"):
        Phonons(structures=["water"])
    slab = fcc111("Cu", (1, 1, 3), vacuum=6)
    with pytest.raises(InvalidTask, match=r"not periodic in all three directions.* set atoms\.pbc = True"):
        Phonons(structures=[slab])
    weightless = bulk("Ar", "fcc", 5.25)
    weightless.set_masses([0.0])
    with pytest.raises(InvalidTask, match=r"atom 0 \(Ar\) has the mass 0; phonons need a positive one"):
        Phonons(structures=[weightless])
    for wrong, said in (([2, 2], "not 2"), ([2, 0, 2], "no positive volume"), ([-1, 0, 0, 0, 1, 0, 0, 0, 1], "volume")):
        with pytest.raises(InvalidTask, match=said):
            Phonons(supercell=wrong)
    with pytest.raises(InvalidTask, match="not below 0 K"):
        Phonons(temperatures_K=[-5])
    with pytest.raises(InvalidTask, match="finite and not below 0 K"):
        Phonons(temperatures_K=[float("nan")])
