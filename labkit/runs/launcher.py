"""Starting runs: a process of its own for each run, or a place in any `concurrent.futures.Executor`.

The process gets a session of its own, so neither a kernel restart nor a closed terminal takes it along.
"""

import os
import subprocess
import sys
import threading
from concurrent.futures import CancelledError, Executor, Future
from contextlib import suppress
from pathlib import Path
from typing import Any

from labkit.errors import RunLocked
from labkit.runs import folder as names
from labkit.runs import lock
from labkit.runs.atomic import read_json, write_json
from labkit.runs.faults import writing
from labkit.runs.run import Run
from labkit.runs.store import Store
from labkit.runs.task import Task, check_importable
from labkit.runs.worker import SEARCH_PATH, run_in_executor, work

# One thread for each run: several runs share a machine. glibc otherwise returns every tensor's memory to the system at
# each step; keeping it is worth 1.05x (64 atoms) to 1.7x (256 atoms), and other allocators ignore the names.
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "MALLOC_MMAP_THRESHOLD_": "4294967296",
    "MALLOC_TRIM_THRESHOLD_": "8589934592",
    "MALLOC_TOP_PAD_": "268435456",
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",  # large pages where the kernel offers them: 8 % at 256 atoms
    "PYTHONUNBUFFERED": "1",
}


def launch(
    task: Task, *, store: Store | Path | str | None = None, executor: Executor | None = None, name: str | None = None
) -> Run:
    """Make a run folder for `task` and start it; returns at once. See `Task.launch`."""
    check_importable(task)
    return start(_store(store).new_folder(task, name), attempt=1, executor=executor)


def run_here(task: Task, *, store: Store | Path | str | None = None, name: str | None = None) -> Run:
    """Execute `task` in this thread, in a run folder of its own; raises the task's own error. See `Task.run`."""
    folder = _store(store).new_folder(task, name)
    _note(folder, {"attempt": 1, "mode": "here"})
    _, error = work(folder, own_process=False, task=task)
    if error is not None:
        raise error
    return Run(folder)


def start(folder: Path, *, attempt: int, executor: Executor | None = None) -> Run:
    """Start attempt `attempt` of the run in `folder` as a process, or on `executor`."""
    run = Run(folder)
    with writing(folder):
        if executor is None:
            _start_process(folder, attempt)
        else:
            run.future = _submit(folder, attempt, executor)
    return run


def _start_process(folder: Path, attempt: int) -> None:
    _note(folder, {"attempt": attempt, "mode": "process"})
    with (folder / names.LOG).open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "labkit.runs.worker", str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=_environment(),
        )
    # Reaped by a thread of its own: no zombie is left, and none of the children keeps this process from ending.
    threading.Thread(target=process.wait, name=f"labkit-reaper-{process.pid}", daemon=True).start()
    _note(folder, {"attempt": attempt, "mode": "process", "child": lock.identity(process.pid)})


def _submit(folder: Path, attempt: int, executor: Executor) -> "Future[str]":
    place = {"attempt": attempt, "mode": "executor", "executor": type(executor).__name__}
    _note(folder, place)
    future = executor.submit(run_in_executor, str(folder), attempt, _search_path())

    def note_failure(done: "Future[str]") -> None:
        # A worker that dies before its first word leaves nothing in the folder but this.
        try:
            error = done.exception()
        except CancelledError:
            return
        if error is None or isinstance(error, RunLocked):
            return
        with suppress(OSError, ValueError):  # the run may have been deleted meanwhile
            if (read_json(folder / names.LAUNCH) or {}).get("attempt") == attempt:
                _note(folder, {**place, "error": f"{type(error).__name__}: {error}"})

    future.add_done_callback(note_failure)
    return future


def _note(folder: Path, values: dict[str, Any]) -> None:
    write_json(folder / names.LAUNCH, {**values, "submitted": names.now(), "launcher": lock.identity()}, durable=False)


def next_attempt(folder: Path) -> int:
    """The number of the next attempt at the run in `folder`."""
    attempts = [int((read_json(folder / name) or {}).get("attempt", 0)) for name in (names.LAUNCH, names.STATUS)]
    return max(attempts) + 1


def _environment() -> dict[str, str]:
    environment = dict(os.environ)
    for key, value in ENVIRONMENT.items():
        environment.setdefault(key, value)
    environment[SEARCH_PATH] = os.pathsep.join(_search_path())
    home = str(Path(__file__).resolve().parents[2])
    if "site-packages" not in home:  # a checkout that is not installed must be found before anything of it is imported
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, (environment.get("PYTHONPATH"), home)))
    return environment


def _search_path() -> list[str]:
    return [str(Path(entry or ".").resolve()) for entry in sys.path]


def _store(store: Store | Path | str | None) -> Store:
    return store if isinstance(store, Store) else Store(store)
