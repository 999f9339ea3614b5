"""A growing trajectory in one extended-XYZ file, with a reader that follows it by byte offset.

The index is never stored: counting line ends finds the frames faster than a disk delivers them, and a torn last frame
is simply not there yet.
"""

import os
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.io.extxyz import key_val_str_to_dict

from labkit.runs.appending import Appender
from labkit.runs.extxyz import read_frame, write_frame

CHUNK = 1 << 24


class FrameReader:
    """Follows a trajectory file that somebody else may still be writing."""

    def __init__(self, path: Path | str) -> None:
        """Open the trajectory at `path`, which need not exist yet."""
        self.path = Path(path)
        self.problem = ""  # why reading stopped before the end of the file, if it did
        self._offsets = [0]  # where each frame starts, and where the next one will

    def __len__(self) -> int:
        """The number of whole frames known."""
        return len(self._offsets) - 1

    @property
    def end(self) -> int:
        """The byte at which the last whole frame ends."""
        return self._offsets[-1]

    def poll(self) -> int:
        """Look for frames that were added; returns how many whole ones are new."""
        before = len(self)
        try:
            with self.path.open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                if size < self.end:  # replaced by a shorter file: what we knew is void
                    self._offsets, before = [0], 0
                self.problem = ""
                want = CHUNK
                while self.end < size and not self.problem:
                    file.seek(self.end)
                    data = file.read(want)
                    found = self._index(data)
                    if not found and len(data) < want:
                        break
                    want = CHUNK if found else want * 2
        except FileNotFoundError:
            self._offsets, before = [0], 0
        return len(self) - before

    def read(self, index: int) -> Atoms:
        """Return frame `index` (negative counts from the end); raises IndexError when there is no such frame."""
        count = len(self)
        place = index + count if index < 0 else index
        if not 0 <= place < count:
            message = f"frame {index} was asked for, but {self.path.name} has {count} so far"
            raise IndexError(message)
        return read_frame(self._bytes(place))

    def latest(self) -> Atoms | None:
        """Return the newest whole frame known after `poll`, or None."""
        return self.read(-1) if len(self) else None

    def last_step(self) -> int | None:
        """The `step` of the newest whole frame, or None."""
        if not len(self):
            return None
        step = key_val_str_to_dict(self._bytes(len(self) - 1).split(b"\n", 2)[1].decode()).get("step")
        return None if step is None else int(step)

    def _bytes(self, place: int) -> bytes:
        start, end = self._offsets[place : place + 2]
        with self.path.open("rb") as file:
            file.seek(start)
            return file.read(end - start)

    def _index(self, data: bytes) -> int:
        """Note the whole frames at the start of `data`, which begins where the last known frame ends."""
        base, found, line, start = self.end, 0, 0, 0
        ends = np.flatnonzero(np.frombuffer(data, dtype=np.uint8) == ord("\n"))
        while line < len(ends):
            head = data[start : ends[line]].strip()
            if not head.isdigit() or len(head) > 9:
                self.problem = f"{self.path.name} stops being a trajectory at byte {base + start}"
                break
            line += int(head) + 2
            if line > len(ends):
                break
            start = int(ends[line - 1]) + 1
            self._offsets.append(base + start)
            found += 1
        return found


class FrameWriter:
    """The only writer of the trajectory of a run."""

    def __init__(self, path: Path) -> None:
        """Open the trajectory, cutting off a torn last frame; `last_step` is the last one recorded, or None."""
        reader = FrameReader(path)
        reader.poll()
        self.last_step = reader.last_step()
        self._file = Appender(path, reader.end)

    def write(self, atoms: Atoms, step: int) -> bool:
        """Append `atoms`; returns False when `step` was already recorded; raises OSError when the disk is full."""
        if self.last_step is not None and step <= self.last_step:
            return False
        self._file.append(write_frame(atoms, step))
        self.last_step = step
        return True

    def close(self) -> None:
        """Close the file."""
        self._file.close()
