"""Who owns a run: an advisory lock that the operating system itself drops when the owner dies.

A lock on an open file needs no cleaning up after `kill -9`, and the file's text tells a person who holds it.
"""

import fcntl
import json
import os
import socket
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

import psutil

from labkit.errors import RunLocked
from labkit.runs import folder as names

# How long a new owner waits: a reader that probes the lock, or a cancelled worker on its way out, holds it briefly.
PATIENCE_S = 1.0

_held: "weakref.WeakSet[TextIO]" = weakref.WeakSet()


def identity(pid: int | None = None) -> dict[str, Any]:
    """Name a process so that a reused process id is not mistaken for it: pid, host and time of creation (s)."""
    pid = os.getpid() if pid is None else pid
    created = None
    with suppress(psutil.Error):  # it may already be gone; then there is no time to compare with
        created = psutil.Process(pid).create_time()
    return {"pid": pid, "host": socket.gethostname(), "create_time": created}


def is_alive(who: dict[str, Any]) -> bool | None:
    """Tell whether the process named by `identity` still runs; None when it lives on another host."""
    if who.get("host") != socket.gethostname():
        return None
    try:
        process = psutil.Process(int(who["pid"]))
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        created = who.get("create_time")
        return created is None or abs(process.create_time() - created) < 5.0
    except (psutil.NoSuchProcess, psutil.ZombieProcess, KeyError, TypeError, ValueError):
        return False
    except psutil.AccessDenied:
        return True


@contextmanager
def own(folder: Path) -> Iterator[None]:
    """Hold the lock of the run in `folder`; raises RunLocked, naming the owner, when another worker holds it."""
    with (folder / names.OWNER).open("a+", encoding="utf-8") as file:
        deadline = time.monotonic() + PATIENCE_S
        while not _try_lock(file, fcntl.LOCK_EX):
            if time.monotonic() > deadline:
                raise RunLocked(_owner_sentence(folder))
            time.sleep(0.05)
        file.truncate(0)
        json.dump(identity(), file)
        file.flush()
        _held.add(file)
        try:
            yield
        finally:
            _held.discard(file)


def is_held(folder: Path) -> bool:
    """Tell whether a worker holds the run in `folder`, without disturbing it."""
    try:
        with (folder / names.OWNER).open(encoding="utf-8") as file:
            return not _try_lock(file, fcntl.LOCK_SH)
    except FileNotFoundError:
        return False


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Serialise short read-modify-write work of several notebooks through the lock file `path`."""
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _try_lock(file: TextIO, kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _owner_sentence(folder: Path) -> str:
    owner = "another process"
    with suppress(OSError, ValueError, KeyError):  # the owner may be writing its name just now
        who = json.loads((folder / names.OWNER).read_text(encoding="utf-8"))
        owner = f"process {who['pid']} on {who['host']}"
    return f"run {folder.name} is owned by {owner}: wait until it ends, or cancel it first (run.cancel())"


def _forget_in_child() -> None:
    # A forked child shares the open file and would keep the run locked after its parent died.
    for file in list(_held):
        file.close()


os.register_at_fork(after_in_child=_forget_in_child)
