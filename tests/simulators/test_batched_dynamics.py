"""Many trajectories in one batch: each as if alone, a bad one stops alone, a killed run goes on bit for bit."""

import os
import signal

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk
from scipy import stats

from labkit.errors import InvalidTask, LabkitError, UnstableDynamics
from labkit.runs import Run
from labkit.simulators import MolecularDynamics
from labkit.simulators.batched_dynamics import BatchedDynamics, trajectories
from labkit.simulators.bussi import Bussi
from labkit.simulators.langevin import Langevin
from labkit.simulators.walkers import Walker


def copper():
    atoms = bulk("Cu", cubic=True)
    atoms.info["name"] = "copper"
    return atoms


def crushed():
    atoms = bulk("Cu", cubic=True)
    atoms.positions[1] = atoms.positions[0] + [0.9, 0, 0]
    atoms.info["name"] = "crushed"
    return atoms


def task(**parameters):
    defaults = {"structures": [copper()], "temperatures_K": [300.0, 900.0], "potential": "emt", "timestep_fs": 4.0}
    defaults |= {"steps": 120, "equilibration_steps": 20, "frame_interval": 2, "table_interval": 5}
    return BatchedDynamics(**(defaults | {"diffusion_interval": 40, "checkpoint_interval": 25} | parameters))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return task(seeds=[0, 1]).run(store=tmp_path_factory.mktemp("store"))


def test_every_structure_temperature_and_seed_is_a_trajectory_of_its_own(run):
    found = trajectories(run)
    assert [(one.plan.temperature_K, one.plan.seed) for one in found] == [(300, 0), (300, 1), (900, 0), (900, 1)]
    assert [one.state for one in found] == ["finished"] * 4
    assert [len(one.frames) for one in found] == [51] * 4
    assert found[0].length_fs == pytest.approx(400)
    assert found[0].n_ions == 4
    assert len(trajectories(run, equilibration=True)[0].frames) == 61
    assert not np.allclose(found[0].frames[-1].positions, found[1].frames[-1].positions)


def test_the_tables_hold_every_trajectory_while_it_runs(run):
    thermo, msd, diffusion = (run.table(name) for name in ("thermo", "msd", "diffusion"))
    assert sorted(set(thermo["trajectory"])) == [0, 1, 2, 3]
    assert (thermo.groupby("trajectory").size() == 25).all()
    assert (msd.groupby("trajectory").size() == 21).all()
    assert set(diffusion["length_ps"].round(6)) == {0.24, 0.4}
    assert (diffusion["warning"].str.contains("vibration")).all()
    assert run.table("trajectories")["state"].tolist() == ["finished"] * 4
    drift = thermo.groupby("trajectory")["conserved_energy_eV"].agg(np.ptp)
    exchanged = thermo.groupby("trajectory")["total_energy_eV"].agg(np.ptp)
    assert (drift < 0.2 * exchanged).all()


def test_the_result_has_D_with_its_interval_for_each_trajectory(run):
    result = run.result()["trajectories"]
    assert [one["trajectory"] for one in result] == [0, 1, 2, 3]
    for one, known in zip(result, trajectories(run), strict=True):
        found = known.diffusion()
        assert one["diffusion"]["D_cm2_s"] == found.D_cm2_s
        low, high = one["diffusion"]["interval_cm2_s"]
        assert low < found.D_cm2_s < high
        assert one["volume_A3"] == pytest.approx(copper().get_volume())


def test_a_trajectory_in_a_batch_goes_as_it_would_alone(tmp_path, run):
    alone = task(temperatures_K=[900.0], seeds=[1]).run(store=tmp_path)
    for ours, theirs in zip(trajectories(alone)[0].frames, trajectories(run)[3].frames, strict=True):
        np.testing.assert_allclose(ours.positions, theirs.positions, atol=1e-9)


def test_the_same_task_gives_the_same_bytes(tmp_path, run):
    again = task(seeds=[0, 1]).run(store=tmp_path)
    assert (again.folder / "frames.extxyz").read_bytes() == (run.folder / "frames.extxyz").read_bytes()


def test_a_bad_trajectory_stops_alone_with_its_reason(tmp_path):
    run = task(structures=[copper(), crushed()], temperatures_K=[300.0]).run(store=tmp_path)
    good, bad = trajectories(run)
    assert (good.state, bad.state) == ("finished", "failed")
    assert "the limit is" in bad.reason
    assert "step" in bad.reason
    ends = run.table("trajectories")
    assert ends["structure"].tolist() == ["crushed", "copper"]
    assert ends["steps"].tolist()[0] < 120 == ends["steps"].tolist()[1]
    assert "stopped alone" in run.log()
    assert [one["state"] for one in run.result()["trajectories"]] == ["finished", "failed"]


def test_when_none_survives_the_run_fails_and_says_why(tmp_path):
    with pytest.raises(UnstableDynamics, match="none of 1 trajectories survived: crushed, 300 K, seed 0: step"):
        task(structures=[crushed()], temperatures_K=[300.0]).run(store=tmp_path)


def test_what_the_potential_refuses_does_not_take_the_others_along(tmp_path):
    strange = Atoms("HeHe", [[0, 0, 0], [3, 0, 0]], cell=[8, 8, 8], pbc=True)
    run = task(structures=[copper(), strange], temperatures_K=[300.0], steps=30).run(store=tmp_path)
    good, bad = trajectories(run)
    assert (good.state, bad.state) == ("finished", "failed")
    assert "He" in bad.reason


def test_any_error_of_the_potential_stops_its_own_trajectory_which_is_never_trusted(tmp_path):
    silver = bulk("Ag", cubic=True)
    run = task(structures=[copper(), silver], temperatures_K=[300.0], potential="tests.simulators.grumpy:Grumpy").run(
        store=tmp_path
    )
    good, bad = trajectories(run)
    assert (good.state, bad.state) == ("finished", "failed")
    assert bad.reason == "step 100: the potential failed with RuntimeError: no answer for silver at call 101"
    assert len(good.frames) == 51
    first, second = run.result()["trajectories"]
    assert second["diffusion"] is not None
    assert second["warning"].startswith(f"the trajectory stopped early: {bad.reason}")
    assert "stopped early" not in first["warning"]


def test_a_batch_that_only_fails_together_goes_on_one_by_one_and_says_so_once(tmp_path):
    run = task(potential="tests.simulators.grumpy:Lonely", steps=30).run(store=tmp_path)
    assert [one.state for one in trajectories(run)] == ["finished"] * 2
    assert run.log().count("took each trajectory alone, which is slower: the potential failed with ValueError") == 1


@pytest.mark.parametrize("error", ["MemoryError", "OutOfMemoryError", "RunCancelled"])
def test_what_is_not_the_fault_of_a_trajectory_stops_the_run(tmp_path, error):
    with pytest.raises(Exception, match="the device is full") as caught:
        task(potential=f"tests.simulators.grumpy:Raises{error}", steps=30).run(store=tmp_path)
    assert type(caught.value).__name__ == error


@pytest.mark.parametrize("ensemble", ["NVT-Bussi", "NVT-Langevin"])
def test_a_killed_run_goes_on_bit_for_bit(tmp_path, ensemble):
    parameters = {"ensemble": ensemble, "structures": [copper(), crushed()], "temperatures_K": [500.0]}
    # EMT remembers its neighbour lists; this one answers the same to the last bit whatever was asked before.
    parameters |= {"steps": 600, "potential": "tests.simulators.washboard:Washboard"}
    whole = task(**parameters).run(store=tmp_path)
    killed = task(**parameters).launch(store=tmp_path)
    while killed.n_frames < 60 and killed.status().active:
        pass
    os.kill(killed.status().pid, signal.SIGKILL)
    killed.wait(10)
    assert killed.state == "interrupted"
    half = trajectories(killed)  # readable as it lies there
    assert 20 < len(half[0].frames) < 291
    killed.resume().wait(60)
    assert killed.state == "finished"
    for name in ("frames.extxyz", "thermo.csv", "msd.csv", "diffusion.csv", "trajectories.csv"):
        assert (killed.folder / name).read_bytes() == (whole.folder / name).read_bytes(), name
    assert killed.result() == whole.result()


def test_stop_keeps_what_there_is(tmp_path):
    run = task(steps=100_000, equilibration_steps=10).launch(store=tmp_path)
    while run.n_frames < 20 and run.status().active:
        pass
    run.cancel(10)
    assert run.state == "cancelled"
    assert trajectories(run)[0].state == "running"
    assert trajectories(Run(run.folder))[0].frames


def test_another_kind_of_run_is_refused(tmp_path):
    other = MolecularDynamics(structure=copper(), potential="emt", steps=2).run(store=tmp_path)
    with pytest.raises(LabkitError, match="is a MolecularDynamics, not a BatchedDynamics"):
        trajectories(other)


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"temperatures_K": [300.0, -5.0]}, "temperatures_K holds -5 K"),
        ({"temperatures_K": [300.0, 300.0]}, "holds a value twice"),
        ({"equilibration_steps": 120}, "leaves nothing of 120 steps"),
        ({"species": "Li"}, "species='Li' is not in structures\\[0\\], which has Cu"),
        ({"seeds": list(range(600))}, "1200 trajectories are over the limit of 1000"),
        ({"seeds": [-1]}, "a seed is zero or positive"),
    ],
)
def test_a_task_that_makes_no_sense_is_refused_with_the_reason(parameters, sentence):
    with pytest.raises(InvalidTask, match=sentence):
        task(**parameters)


def oscillators(walker_of, steps, stiffness=8.0):
    """Positions (steps, 64, 3), kinetic energies (steps,) of 64 carbon atoms on springs (eV/Å^2), with their walker."""
    atoms = Atoms("C64", np.zeros((64, 3)))
    walker: Walker = walker_of(atoms)
    positions, kinetic, forces = [], [], np.zeros((64, 3))
    for _ in range(steps):
        walker.before(forces)
        forces = -stiffness * walker.atoms.positions
        walker.after(forces)
        positions.append(walker.atoms.positions.copy())
        kinetic.append(walker.kinetic_energy_eV)
    return np.array(positions), np.array(kinetic), walker


def bussi(atoms, time_fs=100.0):
    return Bussi(atoms, 400.0, 1.0, time_fs, np.random.default_rng(1))


def langevin(atoms):
    return Langevin(atoms, 400.0, 1.0, 10.0, np.random.default_rng(1))


def test_bussis_thermostat_samples_the_canonical_kinetic_energy():
    _, kinetic, walker = oscillators(lambda atoms: bussi(atoms, 10.0), 6000)
    apart = kinetic[500::40]
    exact = stats.gamma(walker.degrees_of_freedom / 2, scale=units.kB * 400.0)
    assert stats.kstest(apart, exact.cdf).pvalue > 1e-3
    assert stats.kstest(apart * 1.05, exact.cdf).pvalue < 1e-2
    np.testing.assert_allclose((walker.masses * walker.velocities).sum(axis=0), 0, atol=1e-9)


def test_bussis_thermostat_keeps_the_motion_of_the_ions_that_langevins_friction_ends():
    memory = {}
    for name, made in (("bussi", bussi), ("langevin", langevin)):
        velocity = np.diff(oscillators(made, 3000)[0][500:], axis=0)
        lags = range(900, 1000)
        products = [np.mean(velocity[:-lag] * velocity[lag:]) / np.mean(velocity**2) for lag in lags]
        memory[name] = np.abs(products).max()
    assert memory["bussi"] > 0.8
    assert memory["langevin"] < 0.1
