"""Which files of a run have changed since somebody last looked, so that a view reads a long table only when it grew."""

from __future__ import annotations

from pathlib import Path


class Changes:
    """Remembers size and time of the files of a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen: dict[str, tuple[int, int]] = {}

    def of(self, name: str) -> bool:
        """Whether the file `name` is there and other than when this was last asked."""
        try:
            stat = (self._folder / name).stat()
        except FileNotFoundError:
            return False
        now = (stat.st_mtime_ns, stat.st_size)
        if self._seen.get(name) == now:
            return False
        self._seen[name] = now
        return True
