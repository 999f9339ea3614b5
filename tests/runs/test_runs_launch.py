import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from labkit.errors import LabkitError, RunFailed, RunLocked
from labkit.runs import Run, Store
from tests.runs.tasks_for_tests import Add, Exits, Fails, Sleepy, Walk

HERE = Path(__file__).parents[2]


def test_a_run_is_launched_at_once_and_brings_its_result(store):
    begin = time.monotonic()
    run = Add(a=2, b=3).launch(store=store)
    assert time.monotonic() - begin < 1.0
    assert run.state in {"queued", "running", "finished"}
    result = run.wait(30).result()
    assert result["sum"] == 5
    assert result["pid"] != os.getpid()
    assert run.state == "finished"
    assert run.status().fraction == 1.0
    assert run.task == Add(a=2, b=3)
    assert (run.name, run.kind) == ("2 + 3", "Add")


def test_launching_imports_neither_torch_nor_pandas_nor_ase(tmp_path):
    code = (
        "import sys, tests.runs.tasks_for_tests as t; run = t.Add().launch(store=sys.argv[1]);"
        "print(*{'torch', 'pandas', 'ase', 'IPython'} & set(sys.modules)); run.wait(30); print(run.state)"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["", "finished"]


def test_a_finished_child_leaves_no_zombie(store, until):
    run = Add().launch(store=store).wait(30)
    pid = run.status().pid
    until(lambda: all(child.pid != pid for child in psutil.Process().children()))


def test_a_run_survives_the_process_that_launched_it_and_is_found_again(store, until):
    code = (
        "import sys, tests.runs.tasks_for_tests as t; print(t.Walk(steps=40, nap_s=0.02).launch(store=sys.argv[1]).id)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(store.root)], cwd=HERE, capture_output=True, text=True, check=True
    )
    run = store.get(done.stdout.strip())
    assert run.state in {"queued", "running"}
    assert run.wait(30).result()["steps"] == 40
    assert [found.id for found in store.runs()] == [run.id]


def test_a_run_survives_when_the_kernel_that_launched_it_is_killed_with_its_whole_group(store, until):
    code = (
        "import sys, time, tests.runs.tasks_for_tests as t;"
        "print(t.Walk(steps=40, nap_s=0.02).launch(store=sys.argv[1]).id, flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", code, str(store.root)]
    with subprocess.Popen(command, cwd=HERE, stdout=subprocess.PIPE, text=True, start_new_session=True) as kernel:
        run = store.get(kernel.stdout.readline().strip())
        os.killpg(kernel.pid, signal.SIGKILL)
    assert run.wait(30).result()["steps"] == 40


def test_a_run_folder_can_be_read_by_a_person(store):
    run = Walk(steps=12, frames=True).launch(store=store, name="first try").wait(60)
    assert run.name == "first try"
    assert "-walk-first-try-" in run.id
    names = {path.name for path in run.folder.iterdir()}
    assert {
        "task.json",
        "status.json",
        "result.json",
        "log.txt",
        "walk.csv",
        "frames.extxyz",
        "checkpoint.npz",
    } <= names
    assert not any(name.endswith(".tmp") or name == ".reserve" for name in names)
    assert run.tables() == ["walk"]
    assert run.table("walk")["step"].tolist() == list(range(1, 13))
    assert (run.n_frames, len(run.frames(2, None, 3)), run.frame(-1).info["step"]) == (12, 4, 12)
    assert "finished" in run.log()
    assert run.json("result") == run.result()
    with pytest.raises(LabkitError, match="has no table 'thermo'; it has walk"):
        run.table()


def test_a_failing_task_says_why_without_a_traceback_and_the_log_has_it(store):
    run = Fails().launch(store=store).wait(30)
    assert run.state == "failed"
    assert (run.status().error_type, run.status().error_message) == ("ArithmeticError", "the cell of atom 3 exploded")
    with pytest.raises(RunFailed, match="failed: ArithmeticError: the cell of atom 3 exploded") as caught:
        run.result()
    assert "Traceback" not in str(caught.value)
    assert "Traceback" in run.log()
    assert "Traceback" in run.json("error")["traceback"]


def test_a_task_that_exits_is_a_failure(store):
    run = Exits().launch(store=store).wait(30)
    assert (run.state, run.status().error_message) == ("failed", "the task called sys.exit(4)")


def test_a_task_run_here_raises_its_own_error_and_leaves_the_same_folder(store):
    with pytest.raises(ArithmeticError, match="atom 3"):
        Fails().run(store=store)
    (run,) = store.runs(state="failed")
    assert run.status().pid == os.getpid()
    assert run.table("thermo")["value"].tolist() == [1.0]


def test_the_result_of_a_run_that_is_not_done_is_an_error(store):
    run = Sleepy().launch(store=store)
    with pytest.raises(RunFailed, match="has no result yet"):
        run.result()
    assert run.wait(0.05).state in {"queued", "running"}


def test_a_folder_with_only_a_task_is_queued_and_can_be_worked_on_by_a_batch_script(store):
    run = Run(store.new_folder(Add()))
    assert run.state == "queued"
    environment = {**os.environ, "PYTHONPATH": str(HERE)}
    command = [sys.executable, "-m", "labkit.runs.worker", str(run.folder)]
    assert subprocess.run(command, env=environment, check=False).returncode == 0
    assert run.result()["sum"] == 3
    assert subprocess.run(command, env=environment, check=False).returncode == 0
    assert "already finished" in run.log()


def test_the_worker_explains_itself_when_it_is_called_wrongly(tmp_path):
    command = [sys.executable, "-m", "labkit.runs.worker", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "holds a task.json" in done.stderr


def test_two_processes_cannot_own_one_run(store, until):
    run = Sleepy().launch(store=store)
    until(lambda: run.state == "running")
    command = [sys.executable, "-m", "labkit.runs.worker", str(run.folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert f"is owned by process {run.status().pid} on" in done.stderr
    assert run.state == "running"
    with pytest.raises(RunLocked, match="cancel"):
        run.resume()


def test_progress_has_a_stage_a_share_and_an_estimate(store, until):
    run = Walk(steps=60, nap_s=0.05).launch(store=store)
    until(lambda: run.status().eta_s is not None and run.status().step > 10)
    status = run.status()
    assert status.stage == "walking"
    assert status.fraction == pytest.approx(status.step / 60)
    assert status.eta_s == pytest.approx((60 - status.step) * 0.05, rel=0.5)
    run.cancel()


def test_a_silent_task_still_gives_a_sign_of_life(store, until):
    run = Sleepy().launch(store=store)
    until(lambda: (run.folder / "asleep.txt").exists())
    first = run.status().heartbeat
    until(lambda: run.status().heartbeat > first, seconds=3)
    assert run.status().elapsed_s > 0


def test_the_progress_line_is_plain_text(store, capsys):
    Walk(steps=20, nap_s=0.02).launch(store=store).wait(30, progress=True)
    text = capsys.readouterr().err
    assert "walking" in text
    assert "finished" in text
    assert text.endswith("\n")


def test_runs_are_listed_newest_first_and_filtered(store):
    first = Add().run(store=store)
    second = Walk(steps=1).run(store=store, name="Needle")
    assert [run.id for run in store.runs()] == [second.id, first.id]
    assert [run.id for run in store.runs(kind="Add")] == [first.id]
    assert [run.id for run in store.runs(text="needle")] == [second.id]
    assert store.runs(state="failed") == []
    assert store.get(second.id[-4:]).id == second.id
    for wrong in ("zzzz", "..", "../x", "", "/"):
        with pytest.raises(LabkitError, match="there is no run"):
            store.get(wrong)
    with pytest.raises(LabkitError, match="could be any of"):
        store.get("20")


def test_a_run_that_works_is_not_deleted_unless_forced(store, until):
    run = Sleepy().launch(store=store)
    until(lambda: (run.folder / "asleep.txt").exists())
    with pytest.raises(RunLocked, match="cancel it first, or delete it with force=True"):
        run.delete()
    run.delete(force=True)
    assert list(store.root.iterdir()) == []
    with pytest.raises(LabkitError, match="deleted"):
        run.status()


def test_the_default_store_is_named_by_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("LABKIT_RUNS", str(tmp_path / "mine"))
    assert Store().root == tmp_path / "mine"
    assert Store().runs() == []
    monkeypatch.delenv("LABKIT_RUNS")
    assert Store().root == Path.home() / "labkit-runs"


def test_launch_notes_are_json(store):
    run = Add().launch(store=store).wait(30)
    launch = json.loads((run.folder / "launch.json").read_text())
    assert launch["child"]["pid"] == run.status().pid


def test_what_a_killed_process_left_in_the_store_is_swept_after_a_day(store):
    store.root.mkdir(parents=True, exist_ok=True)
    old, fresh = store.root / ".new-dead", store.root / ".deleted-now"
    old.mkdir()
    fresh.mkdir()
    os.utime(old, (0, 0))
    Add().run(store=store)
    assert not old.exists()
    assert fresh.exists()


def test_a_store_deletes_only_its_own_runs(store, tmp_path):
    foreign = Add().run(store=tmp_path / "elsewhere")
    with pytest.raises(LabkitError, match="is not of this store"):
        store.delete(foreign)
    assert foreign.folder.exists()


def test_a_folder_that_another_launch_renames_meanwhile_does_not_disturb(store, monkeypatch):
    store.root.mkdir(parents=True, exist_ok=True)
    vanished = store.root / ".new-just-renamed"
    glob = Path.glob
    monkeypatch.setattr(Path, "glob", lambda self, pattern: [vanished] if pattern == ".new-*" else glob(self, pattern))
    assert Add().run(store=store).state == "finished"
