import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from labkit.errors import RunFailed
from labkit.runs import Run, checkpoint, lock
from labkit.runs.status import StatusWriter
from tests.runs.tasks_for_tests import Sleepy, Walk


def kill(run):
    os.kill(run.status().pid, signal.SIGKILL)


def test_a_killed_run_is_interrupted_and_goes_on_to_the_same_end(store):
    unbroken = Walk(steps=60, frames=True).run(store=store)
    run = Walk(steps=60, frames=True, kill_at=37).launch(store=store).wait(30)
    assert run.state == "interrupted"
    with pytest.raises(RunFailed, match=r"was interrupted: its worker was killed .*run\.resume\(\) continues it"):
        run.result()
    assert run.table("walk")["step"].tolist() == list(range(1, 38))
    assert run.n_frames == 37
    run.resume().wait(30)
    assert run.result()["attempt"] == 2
    assert run.table("walk").equals(unbroken.table("walk"))
    assert [frame.info["step"] for frame in run.frames()] == list(range(1, 61))
    for ours, theirs in zip(run.frames(), unbroken.frames(), strict=True):
        np.testing.assert_allclose(ours.positions, theirs.positions, atol=1e-9)


@pytest.mark.parametrize("patience_s", [0.02, 0.05, 0.11, 0.23])
def test_nothing_that_was_seen_is_lost_when_the_worker_is_killed_at_any_instant(store, until, patience_s):
    run = Walk(steps=100_000, frames=True, checkpoint_every=3).launch(store=store)
    until(lambda: run.n_frames > 3)
    time.sleep(patience_s)
    rows, frames = len(run.table("walk")), run.n_frames
    kill(run)
    until(lambda: run.state == "interrupted")
    assert len(run.table("walk")) >= rows
    assert run.n_frames >= frames
    steps = run.table("walk")["step"].tolist()
    assert steps == list(range(1, len(steps) + 1))
    assert abs(run.n_frames - len(steps)) <= 1
    assert checkpoint.load(run.folder, lambda _: None) is not None
    run.resume()
    until(lambda: run.state == "running" and len(run.table("walk")) > len(steps) + 10)
    kill(run)
    until(lambda: run.state == "interrupted")
    steps = run.table("walk")["step"].tolist()
    assert steps == list(range(1, len(steps) + 1))
    assert [run.frame(i).info["step"] for i in range(run.n_frames)] == list(range(1, run.n_frames + 1))


def test_a_kill_during_a_checkpoint_write_leaves_the_one_before(store):
    run = Walk(steps=40, kill_at=25, kill_during_checkpoint=True).launch(store=store).wait(30)
    assert run.state == "interrupted"
    assert checkpoint.load(run.folder, pytest.fail)[1]["step"] == 20
    leftovers = [path.name for path in run.folder.glob(".checkpoint*.tmp")]
    assert len(leftovers) == 1
    run.resume().wait(30)
    assert run.result()["steps"] == 40
    assert not list(run.folder.glob(".*.tmp"))


def test_a_truncated_checkpoint_falls_back_to_the_one_before_and_the_log_says_so(store):
    run = Walk(steps=40, kill_at=37).launch(store=store).wait(30)
    newest = run.folder / "checkpoint.npz"
    newest.write_bytes(newest.read_bytes()[:100])
    run.resume().wait(30)
    assert run.state == "finished"
    assert "checkpoint.npz is damaged" in run.log()
    assert run.table("walk")["step"].tolist() == list(range(1, 41))


def test_torn_tails_of_tables_and_frames_are_dropped_on_resume(store):
    run = Walk(steps=40, frames=True, kill_at=15).launch(store=store).wait(30)
    for name, tail in (("walk.csv", "16,0.5"), ("frames.extxyz", "2\nLattice=")):
        with (run.folder / name).open("a") as file:
            file.write(tail)
    assert (len(run.table("walk")), run.n_frames) == (15, 15)
    run.resume().wait(30)
    assert run.table("walk")["step"].tolist() == list(range(1, 41))
    assert [frame.info["step"] for frame in run.frames()] == list(range(1, 41))


def test_a_worker_killed_before_its_first_word_is_interrupted(store, until):
    run = Sleepy().launch(store=store)
    os.kill(run.json("launch")["child"]["pid"], signal.SIGKILL)
    until(lambda: run.state == "interrupted")
    assert run.resume().wait(0.3).state in {"queued", "running"}


def test_a_reused_process_id_is_not_mistaken_for_the_worker(store, until):
    me = lock.identity()
    assert lock.is_alive(me) is True
    assert lock.is_alive({**me, "create_time": me["create_time"] - 1000}) is False
    assert lock.is_alive({**me, "host": "elsewhere"}) is None
    assert lock.is_alive({}) is None
    assert lock.is_alive({"host": me["host"]}) is False


def test_a_forked_child_does_not_keep_a_run_locked(store, until):
    folder = store.new_folder(Sleepy())
    # A process that owns the run, forks a child that lives on, and dies.
    code = (
        "import os, sys, time, pathlib, warnings; warnings.simplefilter('ignore', DeprecationWarning)\n"
        "from labkit.runs import lock\n"
        "with lock.own(pathlib.Path(sys.argv[1])):\n"
        "    if os.fork() == 0: time.sleep(3); os._exit(0)\n"
        "    os._exit(0)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(folder)], check=True)
    until(lambda: not lock.is_held(folder), seconds=2)


def test_the_last_word_of_a_run_is_its_first_ending(store):
    folder = store.new_folder(Sleepy())
    status = StatusWriter(folder, 1, own_process=False, elapsed_before_s=0.0)
    assert status.finish("finished")
    assert not status.finish("cancelled")
    status.set_state("running")
    assert Run(folder).state == "finished"
