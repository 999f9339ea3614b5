"""The whole chain on a crystal whose instability, distortion and energy gain are known; killed, and gone on with."""

import os
import signal
from dataclasses import replace

import numpy as np
import pytest
from ase.build import bulk

from labkit.errors import InvalidTask, LabkitError
from labkit.runs import Run
from labkit.simulators.dynamic_stability import DynamicStability
from labkit.simulators.dynamic_stability_modes import THZ
from labkit.simulators.dynamic_stability_read import read
from tests.simulators import soft_crystal
from tests.simulators.soft_crystal import SoftCrystal


def task(**parameters):
    defaults = {"structures": [soft_crystal.ideal()], "potential": "tests.simulators.soft_crystal:SoftCrystal"}
    defaults |= {"relax": "nothing", "supercell": [2, 2, 2], "displacement_A": 0.005, "fmax_eV_A": 1e-3}
    defaults |= {"temperatures_K": [10.0, 2000.0], "steps": 800, "equilibration_steps": 160}
    return DynamicStability(**(defaults | {"timestep_fs": 4.0, "frame_interval": 4} | parameters))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return task().run(store=tmp_path_factory.mktemp("store"))


def test_the_toy_pushes_as_its_energy_falls():
    atoms = soft_crystal.ideal() * (2, 2, 3)
    atoms.rattle(0.1, seed=1)
    toy, step = SoftCrystal(), 1e-5
    (forces,) = toy.predict([atoms]).forces
    for atom, axis in ((0, 0), (5, 1), (12, 2), (23, 0)):
        ends = []
        for sign in (1, -1):
            moved = atoms.copy()
            moved.positions[atom, axis] += sign * step
            ends.append(toy.predict([moved], ("energy",)).energies[0])
        assert -(ends[0] - ends[1]) / (2 * step) == pytest.approx(forces[atom, axis], abs=1e-6)
    assert forces.sum(axis=0) == pytest.approx(np.zeros(3), abs=1e-9)


def test_modes_distortion_and_gain_are_those_of_the_formula(run):
    (crystal,) = run.result()["crystals"]
    mass = 1 / sum(1 / m for m in soft_crystal.ideal().get_masses())
    assert crystal["frequencies_THz"][:3] == pytest.approx([-THZ * np.sqrt(soft_crystal.K2 / mass)] * 3, rel=2e-3)
    # Drift is taken out, so cage and oxygen share the displacement: each moves by half of it.
    assert crystal["D0_A"] == pytest.approx(np.sqrt(3) * soft_crystal.W0 / 2, rel=1e-3)
    assert crystal["gain_meV_atom"] == pytest.approx(1000 * 3 * soft_crystal.GAIN_EV / 2, rel=1e-3)


def test_the_cold_crystal_is_locked_in_and_the_hot_one_is_not(run):
    (crystal,) = run.result()["crystals"]
    cold, hot = crystal["points"]
    assert cold["order"] == pytest.approx(1, abs=0.05)
    assert abs(hot["order"]) < max(0.3, 2 * hot["order_error"])
    assert 10 < crystal["critical_temperature"]["T_K"] < 2000
    assert "gains 15.0 meV/atom" in crystal["text"]


def test_tables_and_objects_hold_the_same(run):
    table = run.table("stability")
    (crystal,) = read(run)
    assert list(table["temperature_K"]) == [10, 2000]
    assert table["order"].to_numpy() == pytest.approx([point.descriptor.order for point in crystal.points], abs=1e-6)
    assert crystal.points[0].displacements_A.shape == (161, 16, 3)
    assert list(table["left_places"]) == [0, 0]
    melted = replace(crystal, points=[crystal.points[0], replace(crystal.points[1], left_places=3)])
    assert melted.critical_temperature() is None
    assert (
        pytest.approx(run.result()["crystals"][0]["critical_temperature"]["T_K"]) == crystal.critical_temperature().T_K
    )
    assert set(run.tables()) >= {"following", "forces", "stability", "structures", "thermo", "trajectories"}
    assert run.n_frames == 2 * 201


def test_a_killed_run_goes_on_to_the_same_answer(tmp_path):
    short = {"steps": 300, "equilibration_steps": 100, "temperatures_K": [50.0]}
    whole = task(**short).run(store=tmp_path)
    killed = task(**short).launch(store=tmp_path)
    while killed.n_frames < 15 and killed.status().active:
        pass
    os.kill(killed.status().pid, signal.SIGKILL)
    killed.wait(10)
    assert killed.state == "interrupted"
    assert read(killed)[0].distorted is not None
    killed.resume().wait(60)
    assert killed.state == "finished"
    for name in ("frames.extxyz", "thermo.csv", "following.csv", "stability.csv"):
        assert (killed.folder / name).read_bytes() == (whole.folder / name).read_bytes(), name
    assert killed.result() == whole.result()


def test_a_stable_crystal_is_said_to_be_stable(tmp_path):
    run = DynamicStability(
        structures=[bulk("Cu")], potential="emt", relax="nothing", supercell=[2, 2, 2], temperatures_K=[300.0],
        steps=120, equilibration_steps=20, frame_interval=2,
    ).run(store=tmp_path)  # fmt: skip
    (crystal,) = run.result()["crystals"]
    assert crystal["text"] == "Cu has no unstable mode in this supercell: it is stable at 0 K with this potential."
    assert crystal["D0_A"] is None
    assert crystal["points"][0]["order"] is None
    assert 0 < crystal["points"][0]["D_A"] < 0.1


def test_what_makes_no_sense_is_refused_with_the_reason(tmp_path, run):
    with pytest.raises(InvalidTask, match="too few for 5 blocks"):
        task(steps=500, equilibration_steps=450)
    with pytest.raises(InvalidTask, match="holds a value twice"):
        task(temperatures_K=[300.0, 300.0])
    other = tmp_path / "other"
    other.mkdir()
    (other / "task.json").write_bytes((run.folder / "task.json").read_bytes())
    (other / "status.json").write_bytes((run.folder / "status.json").read_bytes())
    with pytest.raises(LabkitError, match="has not found its distorted structures yet"):
        read(Run(other))
