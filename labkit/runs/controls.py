"""What a notebook leaves for a working run: the request to cancel, and controls that can be changed meanwhile.

Both are small JSON files. The worker asks the file system only whether they changed, so asking at every step is cheap.
"""

from pathlib import Path
from typing import Any

from labkit.runs import folder as names
from labkit.runs import lock
from labkit.runs.atomic import read_json, write_json


def write_controls(folder: Path, values: dict[str, Any]) -> None:
    """Merge `values` into the controls of the run in `folder`; several notebooks may do so at once."""
    requests = folder / names.REQUESTS
    requests.mkdir(exist_ok=True)
    with lock.exclusive(requests / "control.lock"):
        write_json(folder / names.CONTROL, {**read_controls(folder), **values})


def read_controls(folder: Path) -> dict[str, Any]:
    """The controls left so far; an unreadable file counts as none."""
    try:
        return read_json(folder / names.CONTROL) or {}
    except ValueError:
        return {}


def request_cancel(folder: Path, attempt: int) -> None:
    """Ask attempt `attempt` of the run in `folder` to stop."""
    (folder / names.REQUESTS).mkdir(exist_ok=True)
    write_json(folder / names.CANCEL, {"attempt": attempt, "time": names.now(), "by": lock.identity()})


def cancel_requested(folder: Path, attempt: int) -> bool:
    """Tell whether somebody asked attempt `attempt` (or a later one) of the run in `folder` to stop."""
    try:
        request = read_json(folder / names.CANCEL)
    except ValueError:
        return True  # half a wish is a wish
    if request is None:
        return False
    meant = request.get("attempt")
    return not isinstance(meant, int) or meant >= attempt


class ControlReader:
    """The worker's view of the controls."""

    def __init__(self, folder: Path) -> None:
        """Look at the controls of the run in `folder`."""
        self._folder = folder
        self._path = folder / names.CONTROL
        self._seen: tuple[int, ...] | None = None
        self._values: dict[str, Any] = {}

    def changed(self) -> bool:
        """Tell whether the controls changed since `read` was last called."""
        return self._stamp() != self._seen

    def read(self) -> dict[str, Any]:
        """The merged controls."""
        stamp = self._stamp()
        if stamp != self._seen:
            self._values, self._seen = read_controls(self._folder), stamp
        return dict(self._values)

    def _stamp(self) -> tuple[int, ...] | None:
        try:
            stat = self._path.stat()
        except FileNotFoundError:
            return None
        return stat.st_mtime_ns, stat.st_size, stat.st_ino
