"""Growing tables: one CSV file each, a header, one line for each reported step.

A step that is already recorded is skipped, so that the replay after a resume never duplicates a line.
"""

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labkit.runs.appending import Appender, last_line

if TYPE_CHECKING:
    import pandas as pd


class TableWriter:
    """The only writer of one table of a run."""

    def __init__(self, path: Path) -> None:
        """Open the table at `path`, dropping a torn last line; `last_step` is the last step recorded, or None."""
        self.path = path
        self.last_step: int | None = None
        self._columns: list[str] = []
        line, keep = last_line(path)
        if keep:
            with path.open(encoding="utf-8", newline="") as file:
                self._columns = next(csv.reader(file))
            cell = line.split(b",", 1)[0]
            self.last_step = None if cell == b"step" else int(cell)
        self._file = Appender(path, keep)

    def write(self, step: int, values: dict[str, Any]) -> bool:
        """Append one line; returns False when `step` was already recorded.

        Raises ValueError when the columns are not those of the first line, OSError when the disk is full.
        """
        if self.last_step is not None and step <= self.last_step:
            return False
        columns = ["step", *values]
        record = ""
        if not self._columns:
            self._columns = columns
            record = _line(columns)
        if columns != self._columns:
            if sorted(columns) != sorted(self._columns):
                message = (
                    f"table {self.path.stem!r} has the columns {', '.join(self._columns)}, but step {step} brought "
                    f"{', '.join(columns)}: give every row the same values, or use a second table"
                )
                raise ValueError(message)
            values = {name: values[name] for name in self._columns[1:]}
        record += _line([step, *values.values()])
        self._file.append(record.encode())
        self.last_step = step
        return True

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def read_table(path: Path) -> "pd.DataFrame":
    """Read the complete lines of a table; an empty frame when there is none yet."""
    import pandas as pd

    data = path.read_bytes() if path.exists() else b""
    whole = data[: data.rfind(b"\n") + 1]
    return pd.read_csv(io.BytesIO(whole)) if whole else pd.DataFrame()


def _line(cells: list[Any]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerow([_cell(cell) for cell in cells])
    return buffer.getvalue()


def _cell(value: Any) -> Any:
    if hasattr(value, "item") and getattr(value, "ndim", 0) == 0:
        value = value.item()
    if isinstance(value, float):
        return repr(value)
    # A line break inside a cell would look like the end of a record.
    return " ".join(value.split()) if isinstance(value, str) else value
