"""The rows of the run browser, without a widget: what the store holds, filtered, and what is broken with its reason."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from labkit.runs import Run, Store

COLUMNS = ("Name", "Kind", "State", "Progress", "Started", "Run")


@dataclass(frozen=True)
class RunRow:
    """One run as the table shows it."""

    name: str
    kind: str
    state: str
    progress: str
    started: str
    id: str

    def cells(self) -> tuple[str, ...]:
        """Return the cells in the order of COLUMNS."""
        return (self.name, self.kind, self.state, self.progress, self.started, self.id)


class BrowserModel:
    """A store seen through a filter; `refresh` reads it again and says whether anything changed."""

    def __init__(self, store: Store | None = None) -> None:
        self.store = store if store is not None else Store()
        self.state: str | None = None
        self.kind: str | None = None
        self.text = ""
        self.rows: list[RunRow] = []
        self.runs: dict[str, Run] = {}
        self.broken: list[tuple[Path, str]] = []
        self.kinds: tuple[str, ...] = ()

    def refresh(self) -> bool:
        """Read the store; True when the rows, the kinds or the broken folders differ from before."""
        runs, broken = self.store.scan()
        everything = [(run, _row(run)) for run in runs]
        words = self.text.lower().split()

        def wanted(row: RunRow) -> bool:
            hay = f"{row.name} {row.kind} {row.id}".lower()
            return (
                self.state in (None, row.state) and self.kind in (None, row.kind) and all(one in hay for one in words)
            )

        before = (self.rows, self.broken, self.kinds)
        self.rows = [row for _, row in everything if wanted(row)]
        self.runs = {row.id: run for run, row in everything}
        self.kinds = tuple(sorted({row.kind for _, row in everything}))
        self.broken = broken
        return before != (self.rows, self.broken, self.kinds)


def _row(run: Run) -> RunRow:
    status = run.status()
    progress = "" if status.fraction is None else f"{100 * status.fraction:.0f} %"
    return RunRow(run.name, run.kind, status.state, progress, _moment(status.started), run.id)


def _moment(text: str | None) -> str:
    """Return an ISO time as the clock on the wall shows it."""
    if not text:
        return ""
    try:
        return datetime.fromisoformat(text).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    except ValueError:
        return text
