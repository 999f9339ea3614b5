"""A running dynamics obeys the notebook, and a resume continues the very same trajectory."""

import os
import signal
import time

import numpy as np
import pytest
from ase.build import bulk

from labkit.simulators import MolecularDynamics
from labkit.simulators.integrators import STATE


def task(**parameters) -> MolecularDynamics:
    atoms = bulk("Cu", cubic=True).repeat(2)
    atoms.rattle(0.02, seed=1)
    parameters = {"temperature_K": 300, "timestep_fs": 3, "frame_interval": 1, "table_interval": 1} | parameters
    return MolecularDynamics(structure=atoms, potential="emt", **parameters)


def wait_for(condition, seconds=30.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def last_gap(run) -> int:
    before, after = run.frames(start=-2)
    return after.info["step"] - before.info["step"]


@pytest.mark.parametrize("ensemble", ["NVE", "NVT-Langevin"])
def test_a_killed_chgnet_run_resumes_to_the_trajectory_of_an_uninterrupted_one(tmp_path, ensemble):
    work = MolecularDynamics(
        structure="LiCl",
        ensemble=ensemble,
        temperature_K=600,
        steps=100,
        frame_interval=1,
        checkpoint_interval=9,
        device="cpu",
    )
    whole = work.run(store=tmp_path)
    run = work.launch(store=tmp_path)
    wait_for(lambda: run.n_frames >= 30)
    os.kill(run.status().pid, signal.SIGKILL)
    wait_for(lambda: run.state == "interrupted")
    run.resume().wait(120)
    frames, expected = run.frames(), whole.frames()
    assert len(frames) == len(expected) == 101
    assert (
        max(np.abs(one.positions - other.positions).max() for one, other in zip(frames, expected, strict=True)) < 1e-6
    )


@pytest.mark.parametrize("ensemble", STATE)
def test_a_killed_run_resumes_to_the_trajectory_of_an_uninterrupted_one(tmp_path, ensemble):
    work = task(ensemble=ensemble, steps=110, checkpoint_interval=7, thermostat_time_fs=30, barostat_time_fs=100)
    whole = work.run(store=tmp_path)
    run = work.launch(store=tmp_path)
    wait_for(lambda: run.n_frames >= 25)
    seen = run.n_frames
    os.kill(run.status().pid, signal.SIGKILL)
    wait_for(lambda: run.state == "interrupted")
    assert run.n_frames >= seen
    run.resume().wait(60)
    assert run.state == "finished"
    frames, expected = run.frames(), whole.frames()
    assert [frame.info["step"] for frame in frames] == list(range(111))
    for frame, reference in zip(frames, expected, strict=True):
        assert np.abs(frame.positions - reference.positions).max() < 1e-6
        assert np.abs(frame.cell.array - reference.cell.array).max() < 1e-6
    assert run.table("thermo").drop(columns="step").to_numpy() == pytest.approx(
        whole.table("thermo").drop(columns="step").to_numpy(), rel=1e-9, abs=1e-9
    )


def test_the_temperature_follows_the_control_while_it_runs(tmp_path):
    run = task(ensemble="NVT-Langevin", steps=100_000, friction_per_ps=50).launch(store=tmp_path)
    wait_for(lambda: run.n_frames >= 5)
    run.set_controls(temperature_K=1200)
    wait_for(lambda: (run.table("thermo")["target_temperature_K"] == 1200).sum() > 150)
    assert run.table("thermo")["temperature_K"][-60:].mean() > 800
    run.cancel()
    assert run.state == "cancelled"


def test_a_changed_temperature_survives_a_kill(tmp_path):
    run = task(ensemble="NVT-Nose-Hoover", steps=100_000).launch(store=tmp_path)
    wait_for(lambda: run.n_frames >= 5)
    run.set_controls(temperature_K=700)
    wait_for(lambda: run.table("thermo")["target_temperature_K"].iloc[-1] == 700)
    os.kill(run.status().pid, signal.SIGKILL)
    wait_for(lambda: run.state == "interrupted")
    before = len(run.table("thermo"))
    run.resume()
    wait_for(lambda: len(run.table("thermo")) > before + 20)
    run.cancel()
    table = run.table("thermo")
    assert table["target_temperature_K"].iloc[-1] == 700
    assert table["target_temperature_K"].is_monotonic_increasing


def test_pause_holds_the_atoms_and_unpause_lets_them_go(tmp_path):
    run = task(ensemble="NVE", steps=100_000).launch(store=tmp_path)
    wait_for(lambda: run.n_frames >= 3)
    run.pause()
    wait_for(lambda: run.state == "paused")
    held = run.n_frames
    time.sleep(0.5)
    assert run.n_frames == held
    run.unpause()
    wait_for(lambda: run.n_frames > held + 3)
    started = time.monotonic()
    run.cancel()
    assert time.monotonic() - started < 2
    assert run.state == "cancelled"


def test_the_frame_interval_can_be_changed_while_it_runs(tmp_path):
    run = task(ensemble="NVE", steps=100_000).launch(store=tmp_path)
    wait_for(lambda: run.n_frames >= 3)
    run.set_controls(frame_interval=25)
    wait_for(lambda: run.n_frames >= 3 and last_gap(run) == 25)
    run.cancel()


def test_a_chgnet_run_stops_within_two_seconds(tmp_path):
    big = MolecularDynamics(
        structure=bulk("NaCl", "rocksalt", a=5.64, cubic=True).repeat(3), steps=10_000, device="cpu"
    )
    run = big.launch(store=tmp_path)
    wait_for(lambda: run.n_frames >= 1)
    started = time.monotonic()
    run.cancel()
    assert time.monotonic() - started < 2
    assert run.state == "cancelled"


def test_a_cancelled_run_resumes_where_it_stopped(tmp_path):
    run = task(ensemble="NVT-Bussi", steps=60).launch(store=tmp_path)
    wait_for(lambda: run.n_frames >= 10)
    run.cancel()
    assert run.state == "cancelled"
    run.resume().wait(60)
    assert run.state == "finished"
    assert [frame.info["step"] for frame in run.frames()] == list(range(61))


def test_controls_nobody_understands_do_not_stop_the_dynamics(tmp_path):
    run = task(ensemble="NVE", steps=100_000).launch(store=tmp_path)
    wait_for(lambda: run.n_frames >= 3)
    run.set_controls(temperature_K=-40)
    held = run.n_frames
    wait_for(lambda: run.n_frames > held + 10)
    assert "ignored" in run.log()
    run.cancel()


def test_what_is_changed_while_paused_holds_afterwards(tmp_path):
    run = task(ensemble="NVT-Langevin", steps=100_000).launch(store=tmp_path)
    wait_for(lambda: run.n_frames >= 3)
    run.pause()
    wait_for(lambda: run.state == "paused")
    run.set_controls(temperature_K=640)
    run.unpause()
    wait_for(lambda: run.table("thermo")["target_temperature_K"].iloc[-1] == 640)
    run.cancel()


def test_a_target_that_the_thermostat_cannot_reach_is_ignored_and_said(tmp_path):
    run = task(ensemble="NVT-Nose-Hoover", steps=100_000).launch(store=tmp_path)
    wait_for(lambda: run.n_frames >= 3)
    run.set_controls(temperature_K=0, frame_interval=5)
    wait_for(lambda: "cannot reach 0 K" in run.log())
    held = run.n_frames
    wait_for(lambda: run.n_frames > held + 3)
    assert last_gap(run) == 5
    run.cancel()
