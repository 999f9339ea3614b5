"""Files that only grow: each record goes out in one write, and a torn last record is cut off before writing goes on.

What a reader has once seen stays: the operating system keeps written bytes when the writer is killed.
"""

import os
from pathlib import Path

BLOCK = 1 << 16


class Appender:
    """An open file to which whole records are appended, unbuffered."""

    def __init__(self, path: Path, keep: int) -> None:
        """Open `path` for appending after its first `keep` bytes; the rest is a torn record and is dropped."""
        self.path = path
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            if os.fstat(self._descriptor).st_size > keep:
                os.ftruncate(self._descriptor, keep)
        except BaseException:
            self.close()
            raise

    def append(self, record: bytes) -> None:
        """Write one whole record; raises OSError, naming the file, when the disk is full."""
        rest = memoryview(record)
        while rest:
            try:
                rest = rest[os.write(self._descriptor, rest) :]
            except OSError as error:
                raise OSError(error.errno, os.strerror(error.errno or 0), str(self.path)) from error

    def close(self) -> None:
        """Close the file; closing twice does no harm."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


def last_line(path: Path) -> tuple[bytes, int]:
    """The last complete line of `path`, without its end, and the bytes up to its end; (b"", 0) without one."""
    if not path.exists():
        return b"", 0
    with path.open("rb") as file:
        position = file.seek(0, os.SEEK_END)
        tail = b""
        while position > 0:
            size = min(BLOCK, position)
            position = file.seek(position - size)
            tail = file.read(size) + tail
            end = tail.rfind(b"\n")
            start = tail.rfind(b"\n", 0, end) if end > 0 else -1
            if start >= 0 or (end >= 0 and position == 0):
                return tail[start + 1 : end], position + end + 1
    return b"", 0
