"""How long a training has worked: wall time and processor time over all attempts, pauses left out."""

from __future__ import annotations

import time


class Clock:
    """Runs from when it is made, after `before` seconds of earlier attempts."""

    def __init__(self, before_s: float = 0.0, cpu_before_s: float = 0.0) -> None:
        self._wall, self._cpu = time.monotonic() - before_s, time.process_time() - cpu_before_s
        self._paused: float | None = None

    def elapsed_s(self) -> float:
        """Wall time worked, seconds."""
        return (self._paused if self._paused is not None else time.monotonic()) - self._wall

    def cpu_s(self) -> float:
        """Processor time of this process, seconds."""
        return time.process_time() - self._cpu

    def pause(self) -> None:
        """Stop the wall time."""
        self._paused = time.monotonic()

    def unpause(self) -> None:
        """Let it go on."""
        if self._paused is not None:
            self._wall += time.monotonic() - self._paused
            self._paused = None
