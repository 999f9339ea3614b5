"""The process (or executor thread) that owns a run: `python -m labkit.runs.worker FOLDER`, also in a batch script.

It takes the lock, executes the task, and writes down how it ended, whatever happens.
"""

import os
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

from labkit.errors import LabkitError, RunCancelled, RunLocked
from labkit.runs import folder as names
from labkit.runs import lock
from labkit.runs.atomic import read_json, write_file, write_json
from labkit.runs.context import RunContext, append_log
from labkit.runs.faults import disk_full_sentence
from labkit.runs.status import StatusWriter
from labkit.runs.task import Task, load_task
from labkit.runs.watcher import EXIT_CANCELLED, Watcher

EXIT_CODES = {"finished": 0, "failed": 1, "cancelled": EXIT_CANCELLED}
EXIT_LOCKED = 3

# Room that is given back when a run ends, so that even on a full disk it can still say why.
RESERVE = ".reserve"
RESERVE_BYTES = 1 << 16
SEARCH_PATH = "LABKIT_SYS_PATH"


def work(folder: Path, *, own_process: bool, task: Task | None = None) -> tuple[str, BaseException | None]:
    """Own the run in `folder`, execute its task, and return the final state and the error, if there was one.

    Raises RunLocked when another worker owns it. A run that has already finished is left alone.
    """
    with lock.own(folder):
        before, launch = _known(folder / names.STATUS), _known(folder / names.LAUNCH)
        if before.get("state") == "finished":
            append_log(folder, "this run has already finished; nothing to do")
            return "finished", None
        attempt = max(int(launch.get("attempt", 1)), int(before.get("attempt", 0)) + 1)
        _clean(folder)
        status = StatusWriter(folder, attempt, own_process, float(before.get("elapsed_s", 0.0)))
        context = RunContext(folder, attempt, status)
        if own_process:
            signal.signal(signal.SIGTERM, lambda *_: context.stop.set())
        try:
            state, error = _execute(context, task, own_process)
        finally:
            context.close()
        _finish(context, state, error)
        return state, error


def run_in_executor(folder: str, attempt: int, search_path: list[str]) -> str:
    """Do the work in a worker of an executor; returns the final state. `attempt` makes calls of one folder differ."""
    # Appended, for on another machine nothing of the launching process may shadow what is installed there.
    sys.path.extend(entry for entry in search_path if entry not in sys.path)
    return work(Path(folder), own_process=False)[0]


def main(arguments: list[str] | None = None) -> int:
    """Work on the run in the folder named on the command line; returns the exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if len(arguments) != 1 or not (Path(arguments[0]) / names.TASK).is_file():
        print("usage: python -m labkit.runs.worker FOLDER, where FOLDER holds a task.json", file=sys.stderr)
        return 2
    if SEARCH_PATH in os.environ:  # find every module where the launching process found it
        theirs = os.environ[SEARCH_PATH].split(os.pathsep)
        sys.path[:] = theirs + [entry for entry in sys.path if entry not in theirs]
    folder = Path(arguments[0]).resolve()
    try:
        return EXIT_CODES[work(folder, own_process=True)[0]]
    except RunLocked as error:
        print(error, file=sys.stderr)
        return EXIT_LOCKED
    except OSError as error:
        print(disk_full_sentence(error, folder) or f"run {folder.name}: {error}", file=sys.stderr)
        return 1


def _execute(context: RunContext, task: Task | None, own_process: bool) -> tuple[str, BaseException | None]:
    try:
        with Watcher(context, may_exit=own_process):
            context.raise_if_stopped()
            write_file(context.folder / RESERVE, lambda file: file.write(os.urandom(RESERVE_BYTES)))
            task = load_task(context.folder) if task is None else task
            context.log(f"attempt {context.attempt}: {task.kind}, process {os.getpid()}")
            result = task.execute(context)
            context.raise_if_stopped()
            write_json(context.folder / names.RESULT, {} if result is None else result)
    except (RunCancelled, KeyboardInterrupt) as error:
        return "cancelled", error
    except BaseException as error:  # SystemExit too: a task must not end its worker unseen
        return "failed", error
    return "finished", None


def _finish(context: RunContext, state: str, error: BaseException | None) -> None:
    _try(lambda: (context.folder / RESERVE).unlink(missing_ok=True))
    kind, message = (None, None) if error is None else (type(error).__name__, _message(error, context.folder))
    if state == "failed":
        trace = "".join(traceback.format_exception(error))
        _say(context.folder, trace)
        details = {"type": kind, "message": message, "traceback": trace, "attempt": context.attempt}
        _try(lambda: write_json(context.folder / names.ERROR, details))
    if not _try(lambda: context.status.finish(state, kind, message)):
        _say(context.folder, f"{state}: {message or ''} (and the status could not be written)")
    else:
        _say(context.folder, f"{state}{': ' + message if message else ''}")


def _message(error: BaseException, folder: Path) -> str:
    sentence = disk_full_sentence(error, folder) if isinstance(error, Exception) else None
    if sentence or isinstance(error, LabkitError):
        return sentence or str(error)
    if isinstance(error, KeyboardInterrupt):
        return "interrupted from the keyboard"
    if isinstance(error, SystemExit):
        return f"the task called sys.exit({error.code!r})"
    return str(error) or type(error).__name__


def _try(action: Any) -> bool:
    try:
        action()
    except OSError as error:
        print(f"labkit: {error}", file=sys.stderr, flush=True)
        return False
    return True


def _say(folder: Path, text: str) -> None:
    if not _try(lambda: append_log(folder, text)):
        print(text, file=sys.stderr, flush=True)


def _known(path: Path) -> dict[str, Any]:
    try:
        return read_json(path) or {}
    except ValueError:
        return {}  # it is about to be written anew


def _clean(folder: Path) -> None:
    # What a killed worker left half written, and what an earlier attempt complained about.
    for leftover in folder.glob(".*.tmp"):
        if not leftover.name.startswith((f".{names.CONTROL}", f".{names.LAUNCH}")):
            leftover.unlink(missing_ok=True)
    (folder / names.ERROR).unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(main())
