"""Where a trajectory view stands, without its widgets: how many frames there are, which one is shown, and whether to
follow.

Frames come from a run that may still be writing, or from a list; a reader is only ever used under this model's lock.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

from ase import Atoms

from labkit.runs import FrameReader, Run

FRAMES_FILE = "frames.extxyz"


class TrajectoryModel:
    """Frames of a `Run` or of a sequence; `following` means that the newest frame is the one to show."""

    def __init__(self, source: Run | Sequence[Atoms]) -> None:
        self._lock = threading.RLock()
        self.run: Run | None = source if isinstance(source, Run) else None
        self._frames = [] if self.run else list(source)
        self._reader = FrameReader(self.run.folder / FRAMES_FILE) if self.run else None
        self.following = self.run is not None
        self.index = 0
        self.poll()

    def __len__(self) -> int:
        with self._lock:
            return len(self._reader) if self._reader is not None else len(self._frames)

    def poll(self) -> bool:
        """Look for new frames; True when the shown frame changed (a follower moves to the newest)."""
        if self._reader is None:
            return False
        with self._lock:
            before, shown = len(self._reader), self.index
            self._reader.poll()
            count = len(self._reader)
            if self.following or self.index >= count:
                self.index = max(0, count - 1)
            return self.index != shown or (before == 0 and count > 0)

    def go(self, index: int) -> None:
        """Show frame `index`; going to the newest frame of a run follows it, going back stops following."""
        with self._lock:
            last = max(0, len(self) - 1)
            self.index = min(max(0, index), last)
            self.following = self.run is not None and self.index == last

    def follow(self, on: bool = True) -> None:
        """Follow the newest frame, or stay where we are."""
        with self._lock:
            self.following = on
            if on:
                self.index = max(0, len(self) - 1)

    def current(self) -> Atoms | None:
        """Return the shown frame, or None before the first one is written."""
        with self._lock:
            if len(self) == 0:
                return None
            return self._reader.read(self.index) if self._reader is not None else self._frames[self.index]

    def caption(self, atoms: Atoms | None) -> str:
        """Return the text under the picture: frame, step, time, temperature or energy where the frame knows them."""
        if atoms is None:
            return "waiting for the first frame"
        info = atoms.info
        parts = [f"frame {self.index + 1} of {len(self)}"]
        parts += [f"step {int(info['step'])}"] if "step" in info else []
        time_fs = _number(info.get("time_fs"))
        if time_fs is None and "step" in info:
            timestep = self.timestep_fs()
            time_fs = None if timestep is None else timestep * int(info["step"])
        if time_fs is not None:
            parts.append(f"{time_fs / 1000:.3f} ps" if time_fs >= 1000 else f"{time_fs:.1f} fs")
        temperature = _number(info.get("temperature_K"))
        parts += [f"{temperature:.0f} K"] if temperature is not None else []
        return " · ".join(parts)

    def timestep_fs(self) -> float | None:
        """Return the time step of the run's task, if it has one."""
        parameters = self.run.task_dict.get("parameters", {}) if self.run else {}
        return _number(parameters.get("timestep_fs"))


def _number(value: Any) -> float | None:
    try:
        return None if value is None else float(value)
    except (TypeError, ValueError):
        return None
