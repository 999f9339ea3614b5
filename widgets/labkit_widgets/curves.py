"""`LiveCurves`: temperature, energies and whatever else a run writes, growing while it runs.

Each panel is one plotly axis; a panel appears when its column does. At most four updates a second, 2,000 points a
curve.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import ipywidgets as w

from labkit.runs import Run

from . import theme
from .curves_model import Plot, abscissa, curve, panels, split, thin
from .figure import Figure
from .panel import Panel, muted
from .ticker import IDLE_S, TICKER

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

INTERVAL_S = 0.3
TABLES = ("thermo", "relaxation")
_GREY, _BLUE = "#8a8f98", "#56B4E9"


class Curves(Panel):
    """Draws the columns of a table against time or step; `draw(table)` may be called again with a longer table."""

    def __init__(self, table: pd.DataFrame | None = None, *, height: int = 190, max_panels: int = 3) -> None:
        self._lock = threading.Lock()
        self._height, self._max_panels = height, max_panels
        self._panels: list[Plot] = []
        self.figures: list[Figure] = []
        self._plots = w.VBox(layout=w.Layout(width="100%"))
        self.note = w.HTML(muted("waiting for the first numbers"))
        self.error = w.HTML()
        super().__init__([self._plots, self.note, self.error])
        if table is not None:
            self.draw(table)

    def draw(self, table: pd.DataFrame) -> None:
        """Show this table; an empty one shows a sentence instead of empty axes."""
        if len(table) == 0:
            return
        with self._lock:
            wanted = self.plots_of([str(one) for one in table.columns])[: self._max_panels]
            if wanted != self._panels:
                self._rebuild(wanted)
            x, title = self.abscissa_of(table)
            for panel, figure in zip(self._panels, self.figures, strict=True):
                with figure.batch_update():
                    for trace, column in zip(figure.data, panel.columns, strict=True):
                        trace.x, trace.y = thin(x, curve(table, column))
                    if figure.layout.xaxis.title.text != title:
                        figure.layout.xaxis.title.text = title
            self.note.value = ""

    def plots_of(self, columns: list[str]) -> list[Plot]:
        """Return the plots that these columns give; a view of another kind of table has its own."""
        return panels(columns)

    def abscissa_of(self, table: pd.DataFrame) -> tuple[np.ndarray, str]:
        """Return values and title of the horizontal axis."""
        return abscissa(table)

    def arranged(self, figures: list[Figure]) -> list[w.Widget]:
        """Return the figures as they stand in the view: one below the other."""
        return list(figures)

    def _rebuild(self, wanted: list[Plot]) -> None:
        self._panels = wanted
        old, self.figures = self.figures, [_figure(panel, self._height) for panel in wanted]
        self._plots.children = self.arranged(self.figures)
        for figure in old:
            figure.close()

    def release(self) -> None:
        """Close the figures with the view."""
        for figure in self.figures:
            figure.close()


class LiveCurves(Curves):
    """The curves of a run's table, drawn again while the run writes; by itself the first table that grows step by
    step.
    """

    interval_s = INTERVAL_S
    known_tables: tuple[str, ...] = TABLES

    def __init__(self, run: Run, table: str | None = None, *, height: int = 190, max_panels: int = 2) -> None:
        self.run, self.table = run, table
        self._rows = -1
        super().__init__(height=height, max_panels=max_panels)
        self._poll()
        TICKER.subscribe(self._poll, self.interval_s)

    def _poll(self) -> None:
        over = not self.run.status().active
        tables = self.run.tables()
        if self.table is None:
            self.table = next((name for name in self.known_tables if name in tables), None)
        if self.table in tables:
            table = self.run.table(self.table)
            if len(table) != self._rows:
                self._rows = len(table)
                self.draw(table)
        elif over:
            self.note.value = muted(f"this run wrote no table {self.table or ' or '.join(self.known_tables)}")
        TICKER.pace(self._poll, IDLE_S if over else self.interval_s)

    def on_tick_error(self, error: Exception) -> None:
        """Show an error of the reader thread under the plots."""
        self.error.value = theme.message(f"The numbers could not be read: {error}")

    def release(self) -> None:
        """Stop following and close."""
        TICKER.unsubscribe(self._poll)
        super().release()


def figure_layout(height: int, x_title: str, y_title: str) -> dict:
    """Return a plotly layout that reads well on light and dark pages: transparent, grey ink, units on both axes."""
    axis = {
        "showline": True, "linecolor": _GREY, "gridcolor": "rgba(138,143,152,0.22)", "zeroline": False,
        "ticks": "outside", "tickcolor": _GREY, "automargin": True,
    }  # fmt: skip
    return {
        "height": height, "margin": {"l": 60, "r": 12, "t": 8, "b": 36}, "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)", "font": {"size": 12, "color": _GREY}, "autosize": True, "template": "none",
        "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "bgcolor": "rgba(0,0,0,0)"},
        "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": "rgba(138,143,152,0.75)", "activecolor": _BLUE},
        "xaxis": {**axis, "title": {"text": x_title}}, "yaxis": {**axis, "title": {"text": y_title}},
    }  # fmt: skip


def _figure(panel: Plot, height: int) -> Figure:
    colours = theme.palette()
    many = len(panel.columns) > 1
    layout = figure_layout(height + (20 if many else 0), "Time (fs)", panel.axis)
    if panel.log:
        # Whole numbers at every tick (0.0005, not a small 5 or 500µ); three make plotly choose 1, 2, 5 or decades.
        layout["yaxis"] |= {"type": "log", "tickformat": "~g", "nticks": 3}
    traces = []
    for number, column in enumerate(panel.columns):
        name = panel.names[number] if panel.names else split(column)[0].removesuffix(" energy")
        line = {"color": colours[(number + 1) % len(colours) if not many else number], "width": 1.6}
        traces.append({"type": "scatter", "x": [], "y": [], "mode": "lines", "name": name, "line": line})
        traces[-1]["showlegend"] = many
    return Figure(layout, traces)
