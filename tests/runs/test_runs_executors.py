import os
import threading
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import pytest

from labkit.errors import RunFailed
from tests.runs.tasks_for_tests import Add, Fails, Sleepy, Walk


def check_ten(store, executor, elsewhere):
    runs = [Add(a=number, b=10).launch(store=store, executor=executor) for number in range(10)]
    results = [run.wait(60).result() for run in runs]
    assert [result["sum"] for result in results] == list(range(10, 20))
    assert all((result["pid"] != os.getpid()) == elsewhere for result in results)
    assert [run.future.result(30) for run in runs] == ["finished"] * 10
    assert {run.state for run in store.runs()} == {"finished"}


def test_ten_tasks_run_in_threads(store):
    with ThreadPoolExecutor(2) as executor:
        check_ten(store, executor, elsewhere=False)


def test_ten_tasks_run_in_a_pool_of_processes(store):
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as executor:
        check_ten(store, executor, elsewhere=True)


def test_ten_tasks_run_on_a_dask_cluster_and_a_failure_and_a_resume_too(store):
    distributed = pytest.importorskip("distributed", reason="needs the extra labkit-mlip[dask]")
    options = {"n_workers": 2, "threads_per_worker": 1, "processes": True, "dashboard_address": ":0"}
    with distributed.LocalCluster(**options) as cluster, distributed.Client(cluster) as client:
        executor = client.get_executor()
        check_ten(store, executor, elsewhere=True)
        run = Walk(steps=100_000, nap_s=0.01).launch(store=store, executor=executor)
        deadline = time.monotonic() + 20
        while (run.status().step or 0) < 3 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert run.cancel().state == "cancelled"
        rows = len(run.table("walk"))
        run.resume(executor=executor)
        while len(run.table("walk")) <= rows and time.monotonic() < deadline:
            time.sleep(0.05)
        assert run.cancel().state == "cancelled"
        assert len(run.table("walk")) > rows
        with pytest.raises(RunFailed, match="atom 3 exploded"):
            Fails().launch(store=store, executor=executor).wait(30).result()


def test_a_run_that_waits_for_its_turn_is_queued_and_can_be_cancelled(store):
    with ThreadPoolExecutor(1) as executor:
        first = Walk(steps=100_000, nap_s=0.01).launch(store=store, executor=executor)
        second = Add().launch(store=store, executor=executor)
        assert second.state == "queued"
        second.cancel()
        assert second.state == "cancelled"
        assert second.future.cancelled()
        third = Add().launch(store=store, executor=executor)
        first.cancel()
        assert first.wait(5).state == "cancelled"
        assert third.wait(10).state == "finished"
        assert second.resume(executor).wait(10).state == "finished"


def test_a_stuck_task_on_an_executor_is_asked_but_nothing_of_ours_is_killed(store):
    with ThreadPoolExecutor(1) as executor:
        run = Sleepy(seconds=2.5).launch(store=store, executor=executor)
        while not (run.folder / "asleep.txt").exists():
            time.sleep(0.01)
        assert run.cancel().state == "running"
        assert threading.active_count() > 1
        assert run.wait(5).state == "cancelled"


class Unwilling(ThreadPoolExecutor):
    """An executor whose workers die before the run can say a word."""

    def submit(self, function, *arguments):
        def die():
            message = "worker lost"
            raise OSError(message)

        return super().submit(die)


def test_a_worker_lost_before_its_first_word_is_a_failure_that_every_reader_sees(store):
    with Unwilling(1) as executor:
        run = Add().launch(store=store, executor=executor).wait(10)
    (found,) = store.runs()
    assert found.state == run.state == "failed"
    assert (found.status().error_type, found.status().error_message) == ("OSError", "worker lost")
