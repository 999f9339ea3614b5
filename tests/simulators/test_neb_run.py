"""Bands as a run: tables and frames, kill -9 and resume to the same end, Stop, and errors that say what to do."""

import os
import time

import numpy as np
import pytest

from labkit.errors import InvalidTask, NotConverged, RunCancelled
from labkit.runs import Run, RunContext, Store
from labkit.runs.worker import work
from labkit.simulators import neb_run
from labkit.simulators.neb import Band, NudgedElasticBand, paths
from tests.simulators.neb_helpers import adatom, lopsided, staggered


def task(*hops, **parameters):
    bands = [Band(initial=initial, final=final, name=f"hop {index}") for index, (initial, final) in enumerate(hops)]
    return NudgedElasticBand(bands=bands, **{"potential": "emt", "images": 3, "interpolation": "linear"} | parameters)


MANY = [adatom(), lopsided(0, "Pd"), lopsided(1, "Ni"), adatom(1), lopsided(0, "Ag"), lopsided(1, "Cu")]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return task(*MANY, batch_atoms=60, fmax_eV_A=0.02, use_symmetry=True).run(store=tmp_path_factory.mktemp("whole"))


def same_end(run, whole):
    found, expected = paths(run), paths(whole)
    assert [path.steps for path in found] == [path.steps for path in expected]
    for path, other in zip(found, expected, strict=True):
        assert path.energies_eV == pytest.approx(other.energies_eV, abs=1e-8)
    for name, keys in (("bands", ["index"]), ("profiles", ["band", "step_of_band", "image"])):
        table, other = run.table(name), whole.table(name)
        assert not table.duplicated(keys).any()
        merged = [frame.sort_values(keys).reset_index(drop=True)[keys] for frame in (table, other)]
        assert merged[0].equals(merged[1]), name
    assert run.n_frames == whole.n_frames
    assert run.result()["forward_eV"] == pytest.approx(whole.result()["forward_eV"], abs=1e-8)


def test_tables_frames_and_result_tell_the_same_story(whole):
    result, bands, frames = whole.result(), whole.table("bands"), whole.frames()
    assert result["converged"] == [True] * len(MANY)
    assert sorted(bands["index"]) == list(range(len(MANY)))
    assert len(frames) == 5 * len(MANY)
    for row in bands.itertuples():
        images = [frame for frame in frames if frame.info["band"] == row.index]
        assert [image.info["image"] for image in images] == [0, 1, 2, 3, 4]
        energies = np.array([image.get_potential_energy() for image in images])
        assert energies.max() - energies[0] == pytest.approx(row.forward_eV, abs=1e-9)
        assert result["forward_eV"][row.index] == pytest.approx(row.forward_eV)
        assert row.forward_eV - row.backward_eV == pytest.approx(row.reaction_eV, abs=1e-9)
    profiles = whole.table("profiles")
    for path, index in zip(paths(whole), range(len(MANY)), strict=True):
        last = profiles[(profiles["band"] == index) & (profiles["step_of_band"] == path.steps)]
        assert list(last["image"]) == [0, 1, 2, 3, 4]
        assert list(last["energy_eV"]) == pytest.approx(path.energies_eV - path.energies_eV[0])
        assert last["force_eV_A"].max() <= max(0.03, path.max_force_eV_A) + 1e-9
        assert (profiles[profiles["band"] == index]["step_of_band"] == 0).sum() == 5
    assert whole.status().fraction == 1.0
    assert whole.table("neb")["max_force_eV_A"].iloc[-1] <= 0.02


@pytest.mark.parametrize("after", [9, 25])
def test_a_campaign_that_breaks_off_resumes_to_the_same_end(tmp_path, monkeypatch, whole, after):
    monkeypatch.setattr(neb_run, "CHECKPOINT_S", 0.0)
    original, calls = RunContext.progress, []

    def break_off(self, *arguments, **named):
        calls.append(1)
        if len(calls) == after:
            raise KeyboardInterrupt
        original(self, *arguments, **named)

    monkeypatch.setattr(RunContext, "progress", break_off)
    with pytest.raises(KeyboardInterrupt):
        whole.task.run(store=tmp_path)
    (run,) = Store(tmp_path).runs()
    monkeypatch.setattr(RunContext, "progress", original)
    assert work(run.folder, own_process=False)[0] == "finished"
    same_end(run, whole)


def test_a_killed_process_resumes_to_the_same_end_and_its_finished_bands_can_be_read(tmp_path, whole):
    run = whole.task.launch(store=tmp_path)
    end = time.monotonic() + 100
    while not (run.folder / "bands.csv").exists() and time.monotonic() < end:
        time.sleep(0.005)
    os.kill(run.status().pid, 9)
    while run.state == "running":
        time.sleep(0.02)
    if run.state == "interrupted":
        assert 1 <= len(paths(run)) <= len(MANY)
        run.resume().wait(100)
    assert run.state == "finished"
    same_end(Run(run.folder), whole)


def test_stop_stops_and_the_run_can_go_on(tmp_path):
    run = task(lopsided(), max_steps=100_000, fmax_eV_A=1e-12, fmax_ends_eV_A=0.01).launch(store=tmp_path)
    end = time.monotonic() + 100
    while not (run.folder / "profiles.csv").exists() and time.monotonic() < end:
        time.sleep(0.02)
    begin = time.monotonic()
    run.cancel(wait_s=10)
    assert run.state == "cancelled"
    assert time.monotonic() - begin < 5
    stopped_after = run.table("neb")["step"].iloc[-1]
    run.resume()
    while run.table("neb")["step"].iloc[-1] <= stopped_after and time.monotonic() < end:
        time.sleep(0.02)
    run.cancel(wait_s=10)
    steps = run.table("neb")["step"]
    assert steps.iloc[-1] > stopped_after
    assert list(steps) == list(range(1, len(steps) + 1))


def stop_once(monkeypatch, reached):
    """Press Stop in the first step after which `reached(engine)`."""
    original, pressed = neb_run.Recorder._watch, []

    def watch(self, bands):
        if not pressed and reached(self.engine):
            pressed.append(1)
            self.context.stop.set()
        original(self, bands)

    monkeypatch.setattr(neb_run.Recorder, "_watch", watch)


def stop_and_go_on(whole, folder):
    with pytest.raises(RunCancelled):
        whole.task.run(store=folder)
    (run,) = Store(folder).runs()
    assert work(run.folder, own_process=False)[0] == "finished"
    same_end(run, whole)


@pytest.mark.parametrize("number", [0, 3])
def test_a_stop_in_the_step_in_which_a_band_converges_keeps_its_path(tmp_path, monkeypatch, whole, number):
    stop_once(
        monkeypatch,
        lambda engine: (
            len(engine.paths) >= number
            and any(member.stage == "over" and member.index not in engine.paths for member in engine.members)
        ),
    )
    stop_and_go_on(whole, tmp_path)


def test_bands_that_give_their_symmetry_up_in_another_order_keep_their_end_states(tmp_path, monkeypatch):
    orders = []

    def both(engine):
        orders.append(list(engine.unmirrored))
        return len(engine.unmirrored) == 2

    mine = task(*staggered(), potential="tests.simulators.neb_helpers:Slanted", use_symmetry=True)
    whole = mine.run(store=tmp_path / "whole")
    assert not whole.table("bands")["mirrored"].any()
    stop_once(monkeypatch, both)
    stop_and_go_on(whole, tmp_path / "stopped")
    assert orders[-1] == [1, 0]  # otherwise this tests nothing


def test_a_band_that_explodes_at_once_does_not_end_the_campaign(tmp_path):
    run = task(adatom(), adatom(guest="Au"), potential="tests.simulators.neb_helpers:Moody", relax_ends=False).run(
        store=tmp_path
    )
    assert [path.state for path in paths(run)] == ["converged", "failed"]
    assert "exploded after 0 steps" in run.result()["not_converged"]["1"]
    profiles = run.table("profiles")
    assert profiles[profiles["band"] == 1]["force_eV_A"].max() > 1e6


def test_a_run_without_a_converged_band_is_an_error_that_says_what_to_do(tmp_path):
    with pytest.raises(NotConverged, match=r"none of 1 band converged: hop 0.*after 2 steps.*raise max_steps"):
        task(lopsided(), max_steps=2, relax_ends=False, fmax_eV_A=1e-4).run(store=tmp_path)
    (run,) = Store(tmp_path).runs()
    assert paths(run)[0].state == "not converged"


def test_a_task_of_bands_survives_json_and_refuses_ends_that_do_not_match():
    whole_task = task(*MANY[:2], saddle_mode=True)
    again = NudgedElasticBand.from_json(whole_task.to_json())
    assert again.to_dict() == whole_task.to_dict()
    initial, final = adatom()
    with pytest.raises(InvalidTask, match="9 atoms and the final state 8"):
        NudgedElasticBand(bands=[{"initial": initial, "final": final[:-1]}])
    with pytest.raises(InvalidTask, match="bands"):
        NudgedElasticBand(bands=[])


def test_two_processes_reach_the_same_paths(tmp_path):
    results = [task(*MANY[:2], processes=n).run(store=tmp_path).result()["forward_eV"] for n in (1, 2)]
    assert results[0] == pytest.approx(results[1], abs=1e-8)
