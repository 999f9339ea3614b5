"""`Grid`: a table with tens of thousands of rows of which the browser draws only those in sight.

Rows travel once, as columns of doubles; later messages carry changed rows only. Sorting, filters and scrolling happen
in the browser and stay there; what the user sees and ticks comes back as candidate numbers.
"""

from __future__ import annotations

import json
import struct
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib import resources
from typing import Any

import anywidget
import numpy as np
import traitlets

NOTHING = -1
#: Rows of one message: about 2 MB, because Jupyter closes a connection above 10 MB.
CHUNK = 10_000
NUMBERS = ("number", "integer")


@dataclass(frozen=True)
class Column:
    """One column: `kind` is integer, number, choice, formula, text or long; `colours` are dots before the choices."""

    name: str
    title: str
    kind: str
    unit: str = ""
    help: str = ""
    choices: tuple[str, ...] = ()
    colours: Mapping[str, str] = field(default_factory=dict)
    fixed: bool = False

    def empty(self) -> Any:
        """Return what stands in a cell without a value."""
        return np.nan if self.kind in NUMBERS else ""


def _program() -> str:
    folder = resources.files("labkit_widgets").joinpath("static")
    parts = ("screening_store.js", "screening_filter.js", "screening_grid.js")
    return "\n".join(folder.joinpath(part).read_text(encoding="utf-8") for part in parts)


def _sheet() -> str:
    return resources.files("labkit_widgets").joinpath("static/screening_grid.css").read_text(encoding="utf-8")


class Grid(anywidget.AnyWidget):
    """Shows rows (mappings with a whole number `candidate`) under `columns`; `write` may be called from any thread.

    `selected` are the ticked candidates, `active` is the one that was clicked (or NOTHING), `shown` those that pass the
    filters, in the order on the screen, `query` holds sorting and filters.
    """

    _esm = _program()
    _css = _sheet()
    height = traitlets.Unicode("430px").tag(sync=True)
    selected = traitlets.List(traitlets.Int()).tag(sync=True)
    active = traitlets.Int(NOTHING).tag(sync=True)
    query = traitlets.Dict().tag(sync=True)
    order = traitlets.Bytes(None, allow_none=True).tag(
        sync=True, from_json=lambda value, _: None if value is None else bytes(value)
    )
    snapshot = traitlets.Bytes().tag(sync=True)

    def __init__(
        self, columns: Sequence[Column], rows: Sequence[Mapping[str, Any]] = (), *, height: str = "430px"
    ) -> None:
        """Show these rows; the first of them travel with the widget itself, so that they are there at first sight."""
        self._lock = threading.RLock()
        self._columns = tuple(columns)
        self._rows = [dict(row) for row in rows]
        self._version = 0
        self.sent_rows = 0
        first = range(min(len(self._rows), CHUNK))
        version = 0 if len(self._rows) <= CHUNK else NOTHING  # an incomplete one makes the browser ask for the rest
        super().__init__(height=height, snapshot=self._pack(first, version, fresh=True))
        self.on_msg(self._on_message)

    @property
    def shown(self) -> list[int]:
        """The candidates that pass the filters, in the order of the screen; all of them before a browser has spoken."""
        if self.order is None:
            return [int(row["candidate"]) for row in self._rows]
        return np.frombuffer(self.order, dtype="<i4").tolist()

    def write(self, changed: Mapping[int, Mapping[str, Any]], columns: Sequence[Column] | None = None) -> None:
        """Replace rows by position (new ones at the end) and perhaps the columns; only these rows are sent."""
        with self._lock:
            fresh_columns = columns is not None and tuple(columns) != self._columns
            if not changed and not fresh_columns:
                return
            self._columns = tuple(columns) if fresh_columns else self._columns
            for at in sorted(changed):
                if at > len(self._rows):
                    raise IndexError(f"row {at} cannot be added to a table of {len(self._rows)} rows")
                self._rows[at : at + 1] = [dict(changed[at])]
            self._send_rows(sorted(changed))

    def _send_rows(self, positions: Sequence[int], *, fresh: bool = False) -> None:
        for first in range(0, max(len(positions), 1), CHUNK):
            part = positions[first : first + CHUNK]
            self._version += 1
            self.send({"kind": "rows"}, [self._pack(part, self._version, fresh=fresh and first == 0)])
            self.sent_rows += len(part)

    def _pack(self, positions: Sequence[int], version: int, *, fresh: bool = False) -> bytes:
        """Return JSON and a matrix of doubles (numeric columns, rows) behind one another."""
        rows = [self._rows[at] for at in positions]
        numeric = [column for column in self._columns if column.kind in NUMBERS]
        matrix = np.array([[_number(row.get(column.name)) for row in rows] for column in numeric], dtype="<f8")
        texts = {
            column.name: [str(row.get(column.name) or "") for row in rows]
            for column in self._columns
            if column.kind not in NUMBERS
        }
        columns = [asdict(column) for column in self._columns]
        head = {"version": version, "base": version - 1, "fresh": fresh, "columns": columns, "texts": texts}
        text = json.dumps({**head, "at": list(positions)}, ensure_ascii=False).encode()
        text += b" " * (-len(text) % 8)
        return struct.pack("<II", len(text), 0) + text + matrix.tobytes()

    def _on_message(self, _: Any, content: Mapping[str, Any], __: Any) -> None:
        # A page that has just opened, or that missed a message, says which version it has.
        if content.get("kind") == "ready" and content.get("version") != self._version:
            with self._lock:
                self._send_rows(range(len(self._rows)), fresh=True)


def _bytes(value: memoryview | bytes | None) -> bytes | None:
    return None if value is None else bytes(value)


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float | np.number) else np.nan
