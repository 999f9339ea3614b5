"""The acceptance campaign on a Dask cluster: a worker killed, the run killed, one that crashes, one that never ends."""

import os
import signal

import pytest

from labkit.screening import Screening, table
from tests.screening.made import calls, metals

distributed = pytest.importorskip("distributed", reason="needs the extra labkit-mlip[dask]")
LOGGED = "tests.screening.made:logged"


@pytest.fixture
def cluster():
    options = {"n_workers": 2, "threads_per_worker": 1, "processes": True, "dashboard_address": ":0"}
    with distributed.LocalCluster(**options) as cluster:
        yield cluster


def pids(cluster):
    with distributed.Client(cluster) as client:
        return sorted(client.run(os.getpid).values())


def test_two_hundred_candidates_on_a_cluster_lose_nothing_and_repeat_nothing(cluster, store, until, tmp_path):
    log = tmp_path / "log"
    stages = [
        {
            "name": LOGGED,
            "parameters": {"log": str(log), "nap_s": 0.04, "dies": [33], "fails": [150], "sleeps": [77]},
            "timeout_s": 5.0,
        },
        {"name": "relaxation", "parameters": {"potential": "ase.calculators.emt:EMT", "fmax_eV_A": 0.3}},
    ]
    candidates = list(metals(200, rattle=0.02))
    task = Screening(candidates=candidates, stages=stages, scheduler=cluster.scheduler_address, order="breadth first")
    run = task.launch(store=store)
    until(lambda: "rows" in run.tables() and len(run.table("rows")) >= 20)
    before = pids(cluster)
    assert len(before) == 2
    os.kill(before[0], signal.SIGKILL)  # one worker of the cluster
    until(lambda: len(run.table("rows")) >= 60)
    os.kill(run.status().pid, signal.SIGKILL)  # the run itself
    until(lambda: run.state == "interrupted")
    until(lambda: (now := pids(cluster)) and len(now) == 2 and before[0] not in now)
    rows = run.table("rows")
    known = set(rows.loc[rows["stage"] == 0, "candidate"])
    run.resume().wait(150)
    assert run.state == "finished", run.log()
    begun, ended = calls(log), calls(log, "end")
    assert set(begun) == set(range(200))  # nothing lost
    # Nothing is done twice but what was in the hands of the worker (1) and of the run (2 at work, and 2 whose ends may
    # not have been heard) when they were killed.
    # 33 is given a second chance, and all of that again if a worker was killed that had it.
    chances = begun.pop(33)
    assert 2 <= chances <= 4
    assert sum(begun[number] - 1 for number in known - {33}) <= 1
    assert sum(begun.values()) <= 199 + 5
    assert begun[150] == 1
    rows = run.table("rows")
    assert not rows.duplicated(["candidate", "stage"]).any()
    found = table(run).set_index("candidate")
    failed = found.loc[found["verdict"] == "failed", "reason"]
    assert sorted(failed.index) == [33, 77, 150]
    assert "SIGKILL" in failed[33]
    assert "no answer after 5 s" in failed[77]
    assert "NotConverged" in failed[150]
    assert (found["verdict"] == "passed").sum() == 197
    assert ended[33] == ended[77] == 0
    assert run.json("cluster")["scheduler"] == cluster.scheduler_address


def test_a_lost_scheduler_ends_the_attempt_with_a_sentence(store, until, tmp_path):
    options = {"n_workers": 1, "threads_per_worker": 1, "processes": True, "dashboard_address": ":0"}
    stages = [{"name": LOGGED, "parameters": {"nap_s": 0.05}}]
    with distributed.LocalCluster(**options) as cluster:
        task = Screening(candidates=list(metals(60)), stages=stages, scheduler=cluster.scheduler_address)
        run = task.launch(store=store)
        until(lambda: "rows" in run.tables() and len(run.table("rows")) >= 5)
    run.wait(90)
    assert run.state == "failed"
    assert "is the scheduler alive" in run.status().error_message
    known = len(run.table("rows"))
    assert known >= 5
