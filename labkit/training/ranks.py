"""The other processes of a training on several devices: started by the run's own worker, ended with it.

The one idea: each rank reads the same task.json and sees the same data in the same order, so nothing but gradients has
to travel. A rank whose parent is gone ends itself.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, Self

from labkit.errors import RunCancelled, RunFailed
from labkit.training.quiet import Quiet

#: What Lightning Fabric reads in each process.
RANK, ADDRESS, PORT = "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT"
SEARCH_PATH = "LABKIT_SYS_PATH"
LOG = "ranks.log"
PATIENCE_S = 10.0


class Follower(Quiet):
    """The context of every rank but the first: reads the run's checkpoint, writes nothing."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    def row(self, table: str, step: int, **values: Any) -> None:
        """The first rank writes."""

    def load_checkpoint(self) -> Any:
        """The run's newest intact checkpoint."""
        from labkit.runs import checkpoint

        return checkpoint.load(self.folder, lambda _: None)


class Followers:
    """Starts ranks 1 to n - 1 of the run in `folder` and makes this process rank 0, as long as the context lasts."""

    def __init__(self, folder: Path, n: int) -> None:
        self.folder, self.n = folder, n
        self._children: list[subprocess.Popen[bytes]] = []
        self._before: dict[str, str | None] = {}

    def __enter__(self) -> Self:
        self._before = {name: os.environ.get(name) for name in (RANK, ADDRESS, PORT)}
        os.environ.update({ADDRESS: "127.0.0.1", PORT: str(_free_port()), RANK: "0"})
        environment = {**os.environ, SEARCH_PATH: os.pathsep.join(entry for entry in sys.path if entry)}
        command = [sys.executable, "-m", "labkit.training.ranks", str(self.folder)]
        with (self.folder / LOG).open("ab") as log:
            for rank in range(1, self.n):
                # The pipe is a lifeline: it breaks when this process is gone, however it went.
                child = subprocess.Popen(
                    command,
                    env={**environment, RANK: str(rank)},
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                )
                self._children.append(child)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        for name, value in self._before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        failed = []
        for rank, child in enumerate(self._children, start=1):
            try:
                code = child.wait(timeout=PATIENCE_S)
            except subprocess.TimeoutExpired:
                child.kill()
                code = child.wait() and 0
            if child.stdin is not None:
                child.stdin.close()
            if code != 0:
                failed.append(rank)
        # A sum that one rank has left fails in all the others, as a RuntimeError about a connection.
        if failed and isinstance(error, RuntimeError):
            raise RunFailed(
                f"rank {failed[0]} of {self.n} ended before the training did; its last words are in {LOG} of the run. "
                "run.resume() continues from the last checkpoint."
            ) from error


def follow(folder: Path) -> int:
    """Be one of the other ranks of the run in `folder`; returns the exit status."""
    from labkit.runs import load_task
    from labkit.training.task import Training
    from labkit.training.workers import Workers

    task = load_task(folder)
    if not isinstance(task, Training):
        print(f"{folder} holds a {task.kind}, which has no ranks", file=sys.stderr)
        return 2
    workers = Workers(task.device, task.precision, task.n_devices)
    try:
        task.train(Follower(folder), workers)  # type: ignore[arg-type]
    except RunCancelled:
        return 0
    finally:
        workers.close()
    return 0


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(1)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


if __name__ == "__main__":
    if SEARCH_PATH in os.environ:  # find every module where the run's worker found it
        sys.path[:0] = [entry for entry in os.environ[SEARCH_PATH].split(os.pathsep) if entry not in sys.path]
    threading.Thread(target=_end_with_parent, daemon=True).start()
    sys.exit(follow(Path(sys.argv[1])))
