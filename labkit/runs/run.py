"""A run, as anybody sees it who opens its folder: the notebook that launched it, the same one restarted, a colleague.

Nothing is remembered here that the folder does not say, apart from the place up to which the trajectory has been read.
"""

import os
import signal
import sys
import threading
import time
from concurrent.futures import Executor, Future
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labkit.errors import InvalidTask, LabkitError, RunCancelled, RunFailed, RunLocked
from labkit.runs import folder as names
from labkit.runs import lock
from labkit.runs.atomic import read_json
from labkit.runs.controls import read_controls, request_cancel, write_controls
from labkit.runs.faults import writing
from labkit.runs.progress import ProgressLine
from labkit.runs.reading import read_status
from labkit.runs.status import ACTIVE, RunStatus
from labkit.runs.task import Task, load_task

if TYPE_CHECKING:
    import pandas as pd
    from ase import Atoms

    from labkit.runs.frames import FrameReader

POLL_S = 0.05
KILL_AFTER_S = 1.8


class Run:
    """A run folder; open any with `Run(folder)` or `Store().get(id)`."""

    def __init__(self, folder: Path | str) -> None:
        """Open the run in `folder`; raises LabkitError when it is not a run."""
        self.folder = Path(folder).absolute()
        self.future: Future[str] | None = None  # of the executor that this very object was launched on
        self._frames: FrameReader | None = None
        self.task_dict = self._read(names.TASK)
        if not self.task_dict:
            message = f"{self.folder} is not a run: it has no {names.TASK}"
            raise LabkitError(message)
        self.name = str(self.task_dict.get("name") or self.id)
        self.kind = str(self.task_dict.get("kind") or "Task")

    def __repr__(self) -> str:
        """The id and the state."""
        try:
            return f"Run({self.id!r}, {self.state})"
        except LabkitError:
            return f"Run({self.id!r}, broken)"

    @property
    def id(self) -> str:
        """The name of the folder."""
        return self.folder.name

    @property
    def task(self) -> Task | None:
        """The task; None when its class or its parameters cannot be had here (`task_dict` still says what it was)."""
        try:
            return load_task(self.task_dict)
        except InvalidTask:
            return None

    @property
    def state(self) -> str:
        """One of queued, running, paused, finished, failed, cancelled, interrupted (its worker was killed)."""
        return self.status().state

    def status(self) -> RunStatus:
        """Everything the run says about itself at this moment; raises LabkitError when its files are broken."""
        try:
            return read_status(self.folder)
        except ValueError as error:
            message = f"run {self.id} cannot be read: {error}"
            raise LabkitError(message) from error

    def wait(self, timeout: float | None = None, progress: bool = False) -> "Run":
        """Wait until the run is over, or for `timeout` seconds (`state` tells); `progress` shows a line of text."""
        end = None if timeout is None else time.monotonic() + timeout
        with ProgressLine(sys.stderr if progress else None) as line:
            while True:
                status = self.status()
                line.show(self.name, status)
                if not status.active or (end is not None and time.monotonic() >= end):
                    return self
                time.sleep(POLL_S if end is None else max(0.0, min(POLL_S, end - time.monotonic())))

    def cancel(self, wait_s: float = 2.0) -> "Run":
        """Ask the run to stop and wait for it, at most `wait_s` seconds; a run that is over is left as it is.

        A process on this machine that does not react is ended after 1.8 s even when `wait_s` is shorter; on an executor
        the task itself has to react.
        """
        status = self.status()
        if not status.active:
            return self
        begin = time.monotonic()
        attempt = self._attempt()
        with writing(self.folder):
            request_cancel(self.folder, attempt)
        if self.future is not None:
            self.future.cancel()
        # Beside us, so that it comes to pass even when the caller does not want to wait.
        threading.Thread(target=self._kill_when_due, args=(attempt, begin + KILL_AFTER_S), daemon=True).start()
        while self.status().active and time.monotonic() - begin < wait_s:
            time.sleep(0.02)
        return self

    def resume(self, executor: Executor | None = None) -> "Run":
        """Start again from the last checkpoint, as a process or on `executor`.

        Raises RunLocked when it is still at work, LabkitError when it has finished.
        """
        from labkit.runs.launcher import next_attempt, start

        state = self.state
        if state in ACTIVE:
            message = f"run {self.id} is {state}: there is nothing to resume before it is over; cancel() stops it"
            raise RunLocked(message)
        if state == "finished":
            message = f"run {self.id} has finished: launch its task again for another run"
            raise LabkitError(message)
        with writing(self.folder):
            (self.folder / names.CANCEL).unlink(missing_ok=True)
        if read_controls(self.folder).get("paused"):
            self.unpause()
        self.future = start(self.folder, attempt=next_attempt(self.folder), executor=executor).future
        return self

    def delete(self, force: bool = False) -> None:
        """Delete the folder; refused (RunLocked) while the run is active, unless `force` cancels it first."""
        from labkit.runs.store import delete_run

        delete_run(self, force=force)

    def set_controls(self, **values: Any) -> None:
        """Change what can be changed while the run works, such as `temperature_K=600`; others are left as they are."""
        with writing(self.folder):
            write_controls(self.folder, values)

    def pause(self) -> None:
        """Let the run wait at its next step."""
        self.set_controls(paused=True)

    def unpause(self) -> None:
        """Let a paused run go on."""
        self.set_controls(paused=False)

    def table(self, name: str = "thermo") -> "pd.DataFrame":
        """The complete lines of a table so far; raises LabkitError when a run that is over has no such table."""
        from labkit.runs.tables import read_table

        path = self.folder / names.safe_name(name, ".csv")
        if not path.exists() and not self.status().active:
            message = f"run {self.id} has no table {name!r}; it has {', '.join(self.tables()) or 'none'}"
            raise LabkitError(message)
        return read_table(path)

    def tables(self) -> list[str]:
        """The names of the tables so far."""
        return sorted(path.stem for path in self.folder.glob("*.csv"))

    @property
    def n_frames(self) -> int:
        """How many whole frames the trajectory has by now."""
        return len(self._reader())

    def frame(self, index: int) -> "Atoms":
        """Frame `index` (negative counts from the end); raises IndexError when there is no such frame."""
        return self._reader().read(index)

    def frames(self, start: int = 0, stop: int | None = None, step: int = 1) -> "list[Atoms]":
        """The frames `start:stop:step` of the trajectory so far."""
        reader = self._reader()
        return [reader.read(index) for index in range(*slice(start, stop, step).indices(len(reader)))]

    def result(self) -> dict[str, Any]:
        """What the task returned.

        Raises RunFailed, with the task's own sentence, when it failed, was killed, or is not done, and RunCancelled
        when it was cancelled.
        """
        status = self.status()
        if status.state == "finished":
            return self._read(names.RESULT)
        if status.state == "cancelled":
            message = f"run {self.id} was cancelled and has no result; run.resume() continues it"
            raise RunCancelled(message)
        if status.state == "failed":
            message = f"run {self.id} failed: {status.error_type}: {status.error_message}"
        elif status.state == "interrupted":
            message = f"run {self.id} was interrupted: {status.error_message}; run.resume() continues it"
        else:
            message = f"run {self.id} is {status.state} and has no result yet; run.wait() waits for it"
        raise RunFailed(message)

    def log(self, lines: int = 50) -> str:
        """The last `lines` lines of the log."""
        path = self.folder / names.LOG
        if not path.exists():
            return ""
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - 400 * lines))
            text = file.read().decode(errors="replace")
        return "\n".join(text.splitlines()[-lines:])

    def json(self, name: str) -> dict[str, Any]:
        """What the task stored with `context.save_json(name, ...)`, or one of the run's own JSON files."""
        file_name = name if name.endswith(".json") else f"{name}.json"
        return self._read(file_name if file_name in names.RESERVED else names.safe_name(file_name))

    def _reader(self) -> "FrameReader":
        from labkit.runs.frames import FrameReader

        if self._frames is None:
            self._frames = FrameReader(self.folder / names.FRAMES)
        self._frames.poll()
        return self._frames

    def _read(self, name: str) -> dict[str, Any]:
        try:
            return read_json(self.folder / name) or {}
        except (OSError, ValueError) as error:
            message = f"{self.folder} cannot be read as a run: {error}"
            raise LabkitError(message) from error

    def _attempt(self) -> int:
        return max(int(self._read(name).get("attempt", 0)) for name in (names.LAUNCH, names.STATUS)) or 1

    def _kill_when_due(self, attempt: int, due: float) -> None:
        with suppress(LabkitError):  # deleted meanwhile, which is as good as cancelled
            while self.status().active and self._attempt() == attempt:  # a resume meanwhile is not ours to end
                if time.monotonic() > due:
                    self._kill()
                    return
                time.sleep(POLL_S)

    def _kill(self) -> None:
        """End a worker process of this machine that neither reacted nor left."""
        launch, status = self._read(names.LAUNCH), self._read(names.STATUS)
        spoken = status.get("attempt", 0) >= launch.get("attempt", 1)
        worker = status if spoken else launch.get("child", {})
        owned = status.get("own_process") if spoken else launch.get("mode") == "process"
        if not owned or not worker or lock.is_alive(worker) is not True or worker["pid"] == os.getpid():
            return
        with suppress(ProcessLookupError):  # it left by itself between the question and the kill
            if os.getpgid(worker["pid"]) == worker["pid"]:
                os.killpg(worker["pid"], signal.SIGKILL)
            else:  # started by a batch script, whose group is not ours to end
                os.kill(worker["pid"], signal.SIGKILL)
