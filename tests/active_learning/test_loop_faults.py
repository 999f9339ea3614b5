"""What can happen to a loop: killed in every stage, stopped, paused, a reference that crashes, a cluster far away."""

import contextlib
import multiprocessing
import sys
import threading
import time
from collections import Counter

import numpy as np
import psutil
import pytest

from labkit.active_learning import rounds
from labkit.active_learning.loop import QualityLevel
from labkit.active_learning.round_folder import read_frames
from labkit.errors import RunCancelled, RunFailed
from labkit.potentials.committee import Committee
from labkit.references.label_store import read_failures
from labkit.runs import Run, Store
from labkit.runs.controls import write_controls
from tests.active_learning.loop_tools import (
    HERE,
    MARK,
    MORSE,
    SMALL,
    STOPPED,
    InThreads,
    Watched,
    attempt,
    task,
    trimer,
)

#: Each would take an attempt a second or more to import; an optimiser brings torch._dynamo.
PRELOAD = [HERE, "labkit.training.trainer", "labkit.potentials", "lightning_fabric", "torch._dynamo"]
MD = {"explore": "md", "duration_fs": 60.0, "timestep_fs": 2.0, "sample_every_fs": 10.0}
STAGES = (
    "round 0, label: 5 labelled",
    "round 0, train: member 2",
    "round 0, calibrate",
    "round 1, explore: .*20 of 60 fs",
    "round 1, select",
    "round 1, label: 2 labelled",
    "round 1, train: member 1",
    "round 1, decide",
)


@pytest.fixture(scope="module")
def processes():
    """Processes that begin with torch in memory, each of them one attempt at a run."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOAD)
    return context


#: A climb of one level, killed before there is a committee, while workers explore and label, and at the promotion.
CLIMB = (
    "round 0, explore",
    "round 0, select",
    "round 0, label: 3 labelled",
    "round 1, explore: 1 of 2",
    "round 1, label: 2 labelled",
    "round 2, explore",
    "round 2, select",
    "round 2, label: 5 labelled",
    "round 2, train: member 1",
)


def worked_on(run, processes, mark=""):
    child = processes.Process(target=attempt, args=(str(run.folder), sys.path, mark))
    child.start()
    child.join(120)
    assert child.exitcode is not None
    return child.exitcode


def assert_same_ends(whole, killed):
    for name in ("rounds", "grades", "members", "reliability"):
        one, other = (run.table(name).drop(columns=cpu, errors="ignore") for run in (whole, killed)
                      for cpu in [["explore_cpu_s", "label_cpu_s", "train_cpu_s"]])  # fmt: skip
        assert one.equals(other), name
    for number in whole.table("rounds")["step"]:
        selected = [read_frames(run.folder / f"rounds/{number:03d}/selected.extxyz") for run in (whole, killed)]
        for one, other in zip(*selected, strict=True):
            np.testing.assert_array_equal(one.positions, other.positions)
    weights = [Committee.from_folder(run.result()["committee"], "cpu").members for run in (whole, killed)]
    for one, other in zip(*weights, strict=True):
        for name, values in one.network.state_dict().items():
            np.testing.assert_array_equal(values.numpy(), other.network.state_dict()[name].numpy())


def test_killed_in_every_stage_the_loop_buys_no_label_twice_and_ends_the_same(tmp_path, processes):
    ends = {}
    for kind, events in (("whole", []), ("killed", [f"{stage} -> kill" for stage in STAGES])):
        log = tmp_path / f"{kind}.log"
        level = {"options": {"log": str(log)}, "max_rounds": 1, "temperatures_K": [200.0, 600.0], "select_eV_A": 1e-3}
        loop = task(Watched, events=events, level=level, **MD)
        store = Store(tmp_path / kind)
        run = Run(store.new_folder(loop, None))
        codes = [worked_on(run, processes)]
        while run.state != "finished" and len(codes) <= len(STAGES):
            codes.append(worked_on(run, processes))
        assert codes == [*[-9] * len(events), 0]
        calls = Counter(log.read_text().split("\n")[:-1])
        ends[kind] = (run, calls)
    (whole, calls), (killed, again) = ends["whole"], ends["killed"]
    died = (killed.folder / "events.txt").read_text().splitlines()
    assert [stage.split(":")[0] for stage in died] == [stage.split(":")[0] for stage in STAGES]
    assert set(again) == set(calls)
    # a label that was being computed when its loop was killed had not been bought yet
    assert sum(again.values()) <= sum(calls.values()) + 2
    assert 12 < len(calls) == whole.result()["labels_total"] == killed.result()["labels_total"]
    assert_same_ends(whole, killed)
    assert whole.n_frames == killed.n_frames == 2


def test_killed_with_its_workers_and_in_a_promotion_the_loop_ends_the_same(tmp_path, processes, until):
    ends = {}
    for kind, events in (("whole", []), ("killed", [f"{stage} -> kill" for stage in CLIMB])):
        log = tmp_path / f"{kind}.log"
        common = {"reference": MORSE, "model": SMALL, "max_rounds": 1, "select_eV_A": 1e-3, "break_eV_A": 5.0}
        ladder = [
            QualityLevel(options={"log": str(log), "depth": 0.4}, **common),
            QualityLevel(options={"log": str(log), "depth": 0.8}, structures=[trimer(3.0)], **common),
        ]
        loop = task(Watched, events=events, levels=ladder, processes=2, starts=2, epochs=3, initial_labels=8, **MD)
        run = Run(Store(tmp_path / kind).new_folder(loop, None))
        codes = []
        while not codes or (run.state != "finished" and len(codes) <= len(CLIMB)):
            codes.append(worked_on(run, processes, kind))
            until(lambda: not marked(kind))  # noqa: B023 - workers end with the loop, however that ended
        assert codes == [*[-9] * len(events), 0]
        ends[kind] = (run, Counter(log.read_text().split("\n")[:-1]))
    (whole, calls), (killed, again) = ends["whole"], ends["killed"]
    assert set(again) == set(calls)
    assert sum(again.values()) <= sum(calls.values()) + 2 * 3  # two under way in each of three kills while labelling
    assert len(calls) == whole.result()["labels_total"] == killed.result()["labels_total"]
    assert killed.result()["levels_reached"] == 2
    assert_same_ends(whole, killed)


def marked(mark):
    """The living processes with this mark in their environment."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get(MARK) == mark and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
    return found


def test_a_reference_that_crashes_for_one_structure_in_twenty_does_not_stop_the_loop(tmp_path):
    level = {"options": {"shares": [0.02, 0.015, 0.015]}, "max_rounds": 1}
    run = task(initial_labels=80, epochs=2, seed=2, level=level).run(store=Store(tmp_path))
    failures = read_failures(run.folder / "rounds" / "000" / "labels")
    kinds = {one.kind for one in failures}
    assert kinds == {"WorkerDied", "NotConverged"}
    assert any("not finite" in one.reason for one in failures)  # the NaN
    assert any("in circles" in one.reason for one in failures)
    table, result = run.table("rounds"), run.result()
    assert 1 <= len(failures) <= 12
    assert table["label_failures"].iloc[0] == len(failures)
    assert table["labelled"].iloc[0] == 80 - len(failures)
    assert result["label_failures"] == table["label_failures"].sum()
    assert result["labels_total"] == table["labelled"].sum()
    assert "has no label: WorkerDied" in run.log()


def test_a_reference_that_labels_nothing_ends_the_loop_with_its_reason(tmp_path, monkeypatch):
    monkeypatch.setattr(rounds, "Crew", InThreads)
    with pytest.raises(RunFailed, match=r"none of 12 structures could be labelled.*in circles"):
        task(level={"options": {"shares": [0, 1, 0]}}).run(store=Store(tmp_path))


@pytest.mark.parametrize(
    "where", ["round 0, label: 2", "round 0, train: member 1", "round 1, explore: .*fs", "round 1, calibrate"]
)
def test_stop_ends_the_loop_within_a_second(tmp_path, monkeypatch, where):
    monkeypatch.setattr(rounds, "Crew", InThreads)
    loop = task(
        Watched, events=[f"{where} -> stop"], epochs=30, level={"max_rounds": 1}, **{**MD, "duration_fs": 200.0}
    )
    store = Store(tmp_path)
    with pytest.raises(RunCancelled):
        loop.run(store=store)
    assert time.process_time() - STOPPED[-1] < 1.0  # processor time, since a test machine may be busy
    (run,) = store.runs()
    assert run.state == "cancelled"


def test_a_paused_loop_waits_and_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(rounds, "Crew", InThreads)
    store, seen = Store(tmp_path), []

    def unpause():
        while not seen or seen[-1] != "paused":
            time.sleep(0.02)
            runs = store.runs()
            seen.append(runs[0].state if runs else "none")
        write_controls(store.runs()[0].folder, {"paused": False})

    friend = threading.Thread(target=unpause, daemon=True)
    friend.start()
    run = task(Watched, events=["round 1, explore -> paused=1"], epochs=2, level={"max_rounds": 1}).run(store=store)
    friend.join(5)
    assert seen[-1] == "paused"
    assert run.state == "finished"


def test_the_loop_stops_when_its_labels_are_used_up_or_the_error_is_small_enough(tmp_path, monkeypatch):
    monkeypatch.setattr(rounds, "Crew", InThreads)
    run = task(max_labels=15, epochs=2, level={"max_rounds": 5, "select_eV_A": 1e-6}).run(store=Store(tmp_path))
    assert run.result()["reason"] == "the 15 labels are used up (15 in all)."
    assert run.table("rounds")["labelled"].tolist() == [12, 3]
    run = task(target_eV_A=1e3, epochs=2, level={"select_eV_A": 1e-6}).run(store=Store(tmp_path))
    assert run.result()["reason"].endswith("is below the target of 1000 eV/Å.")
    assert len(run.table("rounds")) == 2
    run = task(epochs=2, level={"select_eV_A": 1e5, "break_eV_A": 1e6}).run(store=Store(tmp_path))
    assert "selects nothing: none of 12 structures lies between 1e+05 and 1e+06 eV/Å" in run.result()["reason"]
    assert run.table("rounds")["selected"].tolist() == [12, 0]


def test_exploration_and_labels_go_to_a_dask_cluster_and_are_the_same_after_kills(tmp_path, processes):
    distributed = pytest.importorskip("distributed", reason="needs the extra labkit-mlip[dask]")
    level = {"max_rounds": 1, "temperatures_K": [200.0, 600.0], "select_eV_A": 1e-3}
    events = [f"{stage} -> kill" for stage in ("round 0, label: 4 labelled", "round 1, explore: 1 of 2")]
    here = task(level=level, starts=2, epochs=3, **MD).run(store=Store(tmp_path / "here"))
    options = {"n_workers": 2, "threads_per_worker": 1, "processes": True, "dashboard_address": ":0"}
    with distributed.LocalCluster(**options) as cluster:
        far = {"scheduler": cluster.scheduler_address, "processes": 2}
        loop = task(Watched, events=events, level=level, starts=2, epochs=3, **MD, **far)
        there = Run(Store(tmp_path / "there").new_folder(loop, None))
        assert [worked_on(there, processes, "dask") for _ in range(3)] == [-9, -9, 0]
    for name in ("grades", "members"):
        assert here.table(name).equals(there.table(name)), name
    assert there.result()["labels_total"] == here.result()["labels_total"]


def test_processes_of_this_machine_explore_the_same_and_end_with_the_loop(tmp_path):
    level = {"max_rounds": 1, "temperatures_K": [200.0, 600.0], "select_eV_A": 1e-3}
    loop = task(level=level, starts=2, epochs=3, **MD)
    one = loop.run(store=Store(tmp_path / "one"))
    two = loop.model_copy(update={"processes": 2}).run(store=Store(tmp_path / "two"))
    assert one.table("grades").equals(two.table("grades"))
    left = [child for child in psutil.Process().children() if "spawn_main" in " ".join(child.cmdline())]
    assert not [child for child in left if "resource_tracker" not in " ".join(child.cmdline())]
