"""How a run is doing: what the worker writes into `status.json`, and the typed view that readers get.

The main thread only notes its progress; the watcher writes it down a few times a second, so that a step of a simulation
never waits for a disk.
"""

import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labkit.runs import folder as names
from labkit.runs import lock
from labkit.runs.atomic import write_json

FINAL = frozenset({"finished", "failed", "cancelled"})
ACTIVE = frozenset({"queued", "running", "paused"})
STATES = ("queued", "running", "paused", "finished", "failed", "cancelled", "interrupted")

PROGRESS_EVERY_S = 0.2
HEARTBEAT_EVERY_S = 1.0


@dataclass(frozen=True)
class RunStatus:
    """The state of a run at one moment; times in s, `started` and `heartbeat` in ISO 8601 (UTC)."""

    state: str
    fraction: float | None = None
    stage: str = ""
    eta_s: float | None = None
    elapsed_s: float = 0.0
    step: int | None = None
    total: int | None = None
    started: str | None = None
    heartbeat: str | None = None
    pid: int | None = None
    host: str | None = None
    attempt: int = 1
    error_type: str | None = None
    error_message: str | None = None

    @property
    def active(self) -> bool:
        """Whether the run is waiting, working or paused."""
        return self.state in ACTIVE


class Clock:
    """Time spent and time to go; pauses do not count."""

    def __init__(self) -> None:
        """Start now."""
        self._begin = time.monotonic()
        self._paused_since: float | None = None
        self._anchor: tuple[float, float] | None = None  # (elapsed, done) from which the pace is measured
        self._last: tuple[float, float, float] | None = None  # (elapsed, done, total) of the newest report

    def elapsed(self) -> float:
        """Working seconds since the start."""
        return (self._paused_since or time.monotonic()) - self._begin

    def pause(self) -> None:
        """Stop the clock."""
        self._paused_since = self._paused_since or time.monotonic()

    def unpause(self) -> None:
        """Let the clock go on."""
        if self._paused_since is not None:
            self._begin += time.monotonic() - self._paused_since
            self._paused_since = None

    def report(self, done: float, total: float) -> None:
        """Note progress; a new total or a step back starts a new measurement of the pace."""
        elapsed = self.elapsed()
        if self._anchor is None or self._last is None or total != self._last[2] or done < self._last[1]:
            self._anchor = (elapsed, done)
        self._last = (elapsed, done, total)

    def eta(self) -> float | None:
        """Seconds to go at the mean pace; None until there is one."""
        if self._anchor is None or self._last is None:
            return None
        seconds, steps = self._last[0] - self._anchor[0], self._last[1] - self._anchor[1]
        return None if steps <= 0 else max(0.0, (self._last[2] - self._last[1]) * seconds / steps)


class StatusWriter:
    """The only writer of `status.json`, shared by the main thread and the watcher."""

    def __init__(self, folder: Path, attempt: int, own_process: bool, elapsed_before_s: float) -> None:
        """Begin attempt `attempt`; `own_process` says that the process may be ended with the run."""
        self._path = folder / names.STATUS
        self._mutex = threading.Lock()
        self._clock = Clock()
        self._before = elapsed_before_s
        self._dirty, self._written, self.closed = False, 0.0, False
        self._values: dict[str, Any] = {
            "state": "running",
            "attempt": attempt,
            "own_process": own_process,
            "started": names.now(),
            **lock.identity(),
            **dict.fromkeys(("step", "total", "fraction", "error_type", "error_message")),
            "stage": "starting",
        }
        with self._mutex:
            self._write(durable=True)

    def progress(self, done: int, total: int, stage: str) -> None:
        """Note progress; written by the watcher soon."""
        self._clock.report(done, total)
        fraction = min(1.0, max(0.0, done / total)) if total > 0 else None
        self._values.update(step=int(done), total=int(total), fraction=fraction, stage=stage)
        self._dirty = True

    def set_state(self, state: str) -> None:
        """Write down "running" or "paused" at once."""
        (self._clock.pause if state == "paused" else self._clock.unpause)()
        with self._mutex:
            if not self.closed and self._values["state"] != state:
                self._values["state"] = state
                self._write(durable=False)

    def write_if_due(self) -> None:
        """Write new progress five times a second, and a sign of life once a second."""
        age = time.monotonic() - self._written
        if age < (PROGRESS_EVERY_S if self._dirty else HEARTBEAT_EVERY_S):
            return
        with self._mutex:
            if not self.closed:
                self._write(durable=False)

    def finish(
        self, state: str, error_type: str | None = None, message: str | None = None, patience_s: float = -1
    ) -> bool:
        """Write down how the run ended; only the first ending counts, and False says that this one was not it."""
        if not self._mutex.acquire(timeout=patience_s):
            return False
        try:
            if self.closed:
                return False
            self._values.update(state=state, error_type=error_type, error_message=message, eta_s=None)
            if state == "finished":
                self._values["fraction"] = 1.0
            self._clock.pause()
            self._write(durable=True)
            self.closed = True
            return True
        finally:
            self._mutex.release()

    def _write(self, durable: bool) -> None:
        self._dirty = False
        final = self._values["state"] in FINAL
        eta = None if final else self._clock.eta()
        self._values.update(elapsed_s=self._before + self._clock.elapsed(), eta_s=eta, heartbeat=names.now())
        write_json(self._path, dict(self._values), durable=durable)
        self._written = time.monotonic()
