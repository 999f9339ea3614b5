"""A button that writes the tie-lines of a diagram beside the notebook, and says where."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import ipywidgets as w

from . import theme
from .panel import Panel, button, muted

if TYPE_CHECKING:
    import pandas as pd


class TableExport(Panel):
    """Writes what `table()` returns as CSV; `last` is the path that was written last."""

    def __init__(self, table: Callable[[], pd.DataFrame], name: str, tooltip: str) -> None:
        self._table, self.last = table, None
        self.name = w.Text(value=name, layout=w.Layout(width="230px"))
        self.name.tooltip = "Path without its ending; beside the notebook if it is no whole path"
        self.csv = button("CSV", tooltip, width="74px")
        self.csv.on_click(lambda _: self.export())
        self.note = w.HTML()
        line = w.HBox([w.HTML(muted("export as")), self.name, self.csv, self.note])
        line.layout = w.Layout(flex_flow="row wrap", align_items="center")
        super().__init__([line], width="auto")

    def export(self) -> None:
        """Write the table."""
        try:
            path = Path(f"{self.name.value.strip() or 'table'}.csv").absolute()
            self._table().to_csv(path, index=False)
            self.last = path
            self.note.value = muted(f"written to {path}")
        except Exception as error:
            self.note.value = theme.message(f"It could not be exported: {error}")
