import os
import signal
import time

import pytest

from labkit.errors import LabkitError, RunCancelled
from labkit.runs import Run
from labkit.runs.run import KILL_AFTER_S
from tests.runs.tasks_for_tests import Add, Sleepy, Walk


def seconds_to_cancel(run):
    begin = time.monotonic()
    run.cancel()
    return time.monotonic() - begin


def test_a_task_that_listens_stops_at_once_and_can_be_resumed(store, until):
    run = Walk(steps=100_000, nap_s=0.01, checkpoint_every=5).launch(store=store)
    until(lambda: (run.status().step or 0) > 10)
    assert seconds_to_cancel(run) < 1.0
    assert run.state == "cancelled"
    assert Run(run.folder).state == "cancelled"
    with pytest.raises(RunCancelled, match=r"run\.resume\(\) continues it"):
        run.result()
    rows = len(run.table("walk"))
    run.resume()
    until(lambda: len(run.table("walk")) > rows + 5)
    steps = run.table("walk")["step"].tolist()  # it grows between two looks
    assert steps == list(range(1, len(steps) + 1))
    run.cancel()


@pytest.mark.parametrize("deaf", [False, True], ids=["asleep", "holding the interpreter"])
def test_a_task_stuck_in_a_long_call_is_stopped_within_two_seconds(store, until, deaf):
    run = Sleepy(deaf=deaf).launch(store=store)
    until(lambda: (run.folder / "asleep.txt").exists())
    pid = run.status().pid
    assert seconds_to_cancel(run) < 2.1
    assert run.state == Run(run.folder).state == "cancelled"
    assert run.table()["value"].tolist() == [1.0]

    def gone():
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        return False

    until(gone, seconds=2)


def test_a_stuck_task_is_stopped_even_when_nobody_waits(store, until):
    run = Sleepy(deaf=True).launch(store=store)
    until(lambda: (run.folder / "asleep.txt").exists())
    begin = time.monotonic()
    run.cancel(wait_s=0)
    assert time.monotonic() - begin < 0.2
    until(lambda: run.state == "cancelled", seconds=2.2)


def test_a_run_that_has_hardly_started_can_be_cancelled(store):
    run = Sleepy().launch(store=store)
    assert seconds_to_cancel(run) < 0.5
    assert run.state == "cancelled"
    time.sleep(0.5)  # the worker comes up meanwhile, and must not work
    assert not (run.folder / "asleep.txt").exists()
    assert run.state == "cancelled"


def test_cancelling_what_is_over_changes_nothing(store):
    run = Add().launch(store=store).wait(30)
    assert run.cancel().state == "finished"
    with pytest.raises(LabkitError, match="has finished: launch its task again"):
        run.resume()


def test_a_terminated_worker_stops_in_good_order(store, until):
    run = Walk(steps=100_000, nap_s=0.01).launch(store=store)
    until(lambda: (run.status().step or 0) > 3)
    os.kill(run.status().pid, signal.SIGTERM)
    assert run.wait(5).state == "cancelled"


def test_a_run_here_stops_on_the_keyboard_interrupt_and_says_so(store, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Add, "execute", interrupted)
    with pytest.raises(KeyboardInterrupt):
        Add().run(store=store)
    (run,) = store.runs()
    assert (run.state, run.status().error_message) == ("cancelled", "interrupted from the keyboard")


def test_a_run_can_be_paused_and_steered_while_it_works(store, until):
    run = Walk(steps=100_000, nap_s=0.005).launch(store=store)
    until(lambda: (run.status().step or 0) > 3)
    run.pause()
    until(lambda: run.state == "paused")
    rows = len(run.table("walk"))
    time.sleep(0.3)
    assert len(run.table("walk")) == rows
    run.set_controls(scale=0.0)
    run.unpause()
    until(lambda: run.state == "running" and len(run.table("walk")) > rows + 5)
    tail = run.table("walk")["x"].tail(3).tolist()
    assert tail[0] == tail[1] == tail[2]
    run.pause()
    until(lambda: run.state == "paused")
    assert seconds_to_cancel(run) < 1.0
    assert run.state == "cancelled"
    run.resume()
    until(lambda: run.state == "running")
    run.cancel()


def test_the_clock_stands_still_in_a_pause():
    from labkit.runs.status import Clock

    clock = Clock()
    clock.report(0, 10)
    assert clock.eta() is None
    time.sleep(0.1)
    clock.report(5, 10)
    assert clock.eta() == pytest.approx(0.1, rel=0.5)
    clock.pause()
    elapsed = clock.elapsed()
    time.sleep(0.1)
    assert clock.elapsed() == elapsed
    clock.unpause()
    assert clock.elapsed() == pytest.approx(elapsed, abs=0.05)
    clock.report(1, 10)  # a new stage starts a new measurement
    assert clock.eta() is None


def test_a_run_resumed_right_after_its_cancel_is_left_alone(store, until):
    run = Walk(steps=100_000, nap_s=0.01).launch(store=store)
    until(lambda: (run.status().step or 0) > 3)
    run.cancel()
    run.resume()
    time.sleep(KILL_AFTER_S + 0.5)  # the cancel's own deadline passes while the second attempt is at work
    assert run.state in ("queued", "running")
    run.cancel()
