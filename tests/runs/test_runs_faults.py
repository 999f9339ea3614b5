import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from labkit.errors import LabkitError, RunFailed, RunLocked
from labkit.runs import Run, Store
from labkit.runs.worker import work
from tests.runs.tasks_for_tests import Add, FillsDisk, Sleepy, Walk

full_device = pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux has /dev/full, the device on which every write fails with a full disk"
)
SENTENCE = r"disk full while writing into .*: free space, then resume the run"


def test_a_store_below_a_file_says_where_and_what_to_do(tmp_path):
    (tmp_path / "file").write_text("")
    for root in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(
            LabkitError, match=r"cannot write in .*file.*: .*\. Set the environment variable LABKIT_RUNS"
        ):
            Add().launch(store=root)


@pytest.mark.parametrize("code", [errno.EROFS, errno.EACCES, errno.EPERM])
def test_a_read_only_store_says_where_and_what_to_do(tmp_path, monkeypatch, code):
    def refuse(self, *_, **__):
        raise OSError(code, os.strerror(code), str(self))

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(LabkitError, match=rf"cannot write in {tmp_path}: .*LABKIT_RUNS") as caught:
        Add().launch(store=tmp_path)
    assert os.strerror(code).lower() in str(caught.value)


def test_a_store_on_a_full_disk_says_so(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("labkit.runs.atomic.os.fsync", refuse)
    with pytest.raises(LabkitError, match=r"disk full: no run can be stored in .*Free space and launch again"):
        Add().launch(store=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_somebody_elses_run_can_be_read_but_not_cancelled(store, monkeypatch, until):
    run = Sleepy().launch(store=store)
    until(lambda: run.state == "running")

    def refuse(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr("labkit.runs.atomic.os.fsync", refuse)
        with pytest.raises(LabkitError, match="permission denied"):
            run.cancel()
        with pytest.raises(LabkitError, match="permission denied"):
            run.pause()
    assert run.state == "running"


@full_device
@pytest.mark.parametrize(("what", "name"), [("row", "thermo.csv"), ("frame", "frames.extxyz")])
def test_a_full_disk_under_a_growing_file_fails_with_a_sentence(store, what, name):
    folder = store.new_folder(FillsDisk(what=what))
    (folder / name).symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left") as caught:
        _raise(work(folder, own_process=False)[1])
    assert caught.value.filename.endswith(name)
    run = Run(folder)
    assert run.state == "failed"
    with pytest.raises(RunFailed, match=SENTENCE):
        run.result()
    assert "disk full" in run.log()


def test_a_full_disk_met_by_the_watcher_fails_the_task_with_a_sentence(store, monkeypatch):
    folder = store.new_folder(FillsDisk(what="status"))

    def refuse(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("labkit.runs.status.StatusWriter.write_if_due", refuse)
    state, error = work(folder, own_process=False)
    assert (state, error.errno) == ("failed", errno.ENOSPC)
    assert Run(folder).status().error_message.startswith("disk full")


def test_a_disk_too_full_for_the_status_is_reported_on_the_error_stream(store, monkeypatch, capsys):
    folder = store.new_folder(Add())

    def refuse(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def execute(*_):
        monkeypatch.setattr("labkit.runs.status.write_json", refuse)
        monkeypatch.setattr("labkit.runs.worker.write_json", refuse)
        monkeypatch.setattr("labkit.runs.worker.append_log", refuse)
        refuse()

    monkeypatch.setattr(Add, "execute", execute)
    assert work(folder, own_process=False)[0] == "failed"
    said = capsys.readouterr().err
    assert "disk full while writing into" in said
    assert "the status could not be written" in said
    assert Run(folder).state == "interrupted"


@full_device
def test_a_disk_that_really_fills_up_leaves_room_for_the_last_words(tmp_path, until):
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(small)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("a small file system can be mounted by root only")
    try:
        run = Walk(steps=1_000_000, checkpoint_every=1_000_000, frames=True).launch(store=small).wait(60)
        assert run.state == "failed"
        with pytest.raises(RunFailed, match=SENTENCE):
            run.result()
    finally:
        until(lambda: not psutil.pid_exists(run.status().pid))
        subprocess.run(["umount", str(small)], check=True)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("task.json", ""),
        ("task.json", "<html>"),
        ("task.json", "[]"),
        ("task.json", "{}"),
        ("status.json", '{"state": "runn'),
        ("status.json", '{"state": "dancing", "attempt": 1}'),
        ("status.json", '{"state": "running", "attempt": "x"}'),
        ("launch.json", "\x00\x00"),
        ("launch.json", '{"attempt": "one"}'),
        ("launch.json", '{"attempt": 1, "child": 5}'),
    ],
)
def test_a_broken_folder_is_skipped_and_reported(store, name, text):
    good = Add().run(store=store)
    bad = Add().run(store=store)
    (bad.folder / name).write_text(text)
    (store.root / "stray file").write_text("")
    assert [run.id for run in store.runs()] == [good.id]
    ((folder, reason),) = store.broken()
    assert folder == bad.folder
    assert name in reason


def test_a_folder_that_is_no_run_is_reported(store, tmp_path):
    (store.root / "holiday").mkdir(parents=True)
    assert store.runs() == []
    assert "it has no task.json" in store.broken()[0][1]
    with pytest.raises(LabkitError, match=r"is not a run: it has no task\.json"):
        Run(tmp_path)


def test_a_task_whose_code_is_gone_is_still_listed_and_fails_with_a_sentence_when_resumed(store):
    run = Walk(steps=30, kill_at=15).launch(store=store).wait(30)
    text = (run.folder / "task.json").read_text()
    (run.folder / "task.json").write_text(text.replace("tests.runs.tasks_for_tests:Walk", "left_the_group:Walk"))
    (found,) = store.runs()
    assert found.task is None
    assert found.task_dict["parameters"]["steps"] == 30
    found.resume().wait(30)
    with pytest.raises(RunFailed, match="left_the_group:Walk cannot be imported here"):
        found.result()


def test_a_result_that_json_cannot_hold_fails_with_a_sentence(store, monkeypatch):
    monkeypatch.setattr(Add, "execute", lambda *_: {"thing": object()})
    with pytest.raises(TypeError, match="cannot be written as JSON"):
        Add().run(store=store)
    assert store.runs()[0].state == "failed"


def test_an_owned_run_is_not_worked_on_twice_in_one_process(store, monkeypatch):
    from labkit.runs import lock

    monkeypatch.setattr(lock, "PATIENCE_S", 0.1)
    folder = store.new_folder(Add())
    with lock.own(folder), pytest.raises(RunLocked, match=f"owned by process {os.getpid()} on"):
        work(folder, own_process=False)
    assert work(folder, own_process=False)[0] == "finished"


def test_a_folder_deleted_by_hand_ends_the_waiting(store, until):
    run = Sleepy(seconds=3).launch(store=store)
    until(lambda: run.state == "running")
    run.cancel()
    shutil.rmtree(run.folder)
    with pytest.raises(LabkitError, match=r"task\.json is gone"):
        run.wait(5)
    assert Store(store.root).runs() == []


def _raise(error):
    raise error
