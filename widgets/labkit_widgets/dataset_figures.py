"""The figures of a dataset browser: a scatter plot whose points can be clicked, and bars.

Points are drawn as SVG, which works without a graphics card; there are at most a few thousand.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from labkit.datasets import Dataset
from labkit.datasets.summary import composition, force_bins

from . import theme
from .curves import figure_layout
from .dataset_browser_model import NO_GROUP, Picture
from .figure import Figure

SYMBOLS = ("circle", "square", "diamond", "triangle-up", "triangle-down", "cross", "x")
_QUIET = {"hoverinfo": "skip", "showlegend": False}


class ScatterFigure(Figure):
    """Shows a `Picture`; `opened(record)` is called when a point is clicked."""

    def __init__(self, height: int, opened: Callable[[int], None]) -> None:
        super().__init__(figure_layout(height, "", ""))
        self._opened, self._picture, self._keep = opened, None, []
        self._flagged: Any = None
        self._chosen: Any = None

    def draw(self, picture: Picture) -> None:
        """Replace what is shown."""
        colours = theme.palette()
        self.data = []
        self._picture, self._keep = picture, []
        with self.batch_update():
            self.layout.xaxis.title.text, self.layout.yaxis.title.text = picture.x_title, picture.y_title
        traces: list[dict[str, Any]] = []
        for number, one in enumerate(picture.series):
            marker = {
                "color": colours[number % len(colours)],
                "symbol": SYMBOLS[number % len(SYMBOLS)],
                "size": 6,
                "opacity": 0.75,
            }
            name = theme.escape(one.name)
            text = "record %{customdata}<br>%{x:.4g}, %{y:.4g}<extra>" + name.replace("{", "(") + "</extra>"
            traces.append({
                "x": one.x, "y": one.y, "customdata": one.records, "mode": "markers", "name": name, "marker": marker,
                "hovertemplate": text, "showlegend": len(picture.series) > 1,
            })  # fmt: skip
        if picture.diagonal is not None:
            line = {"color": theme.GREY, "width": 1, "dash": "dash"}
            ends = {"x": picture.diagonal, "y": picture.diagonal}
            traces.append({**ends, "mode": "lines", "line": line, "name": "equal", **_QUIET})
        flagged = {"symbol": "x-thin", "size": 9, "line": {"color": theme.RED, "width": 2}}
        chosen = {"symbol": "circle-open", "size": 14, "color": theme.GREY, "line": {"width": 2.5}}
        for name, marker in (("flagged", flagged), ("chosen", chosen)):
            traces.append({"x": [], "y": [], "mode": "markers", "name": name, "marker": marker, **_QUIET})
        # One message for all: a browser that is busy loses traces that come one by one.
        self.add_traces([{"type": "scatter", **one} for one in traces])
        for trace in self.data[: len(picture.series)]:
            trace.on_click(self._on_click)
        self._flagged, self._chosen = self.data[-2], self.data[-1]

    def mark(self, flagged: list[int], chosen: int | None) -> None:
        """Cross out the flagged records and put a ring around the chosen one."""
        if self._picture is None:
            return
        for trace, records in ((self._flagged, flagged), (self._chosen, [] if chosen is None else [chosen])):
            x, y = self._picture.of(records)
            if not np.array_equal(np.asarray(trace.x), x) or not np.array_equal(np.asarray(trace.y), y):
                with self.batch_update():
                    trace.x, trace.y = x, y
                    trace.marker.size = 9 if len(x) > 10 or trace is self._flagged else 14

    def _on_click(self, trace: Any, points: Any, _: Any) -> None:
        if points.point_inds:
            self._opened(int(self._picture.series[points.trace_index].records[points.point_inds[0]]))


def composition_figure(dataset: Dataset, height: int) -> Figure:
    """Return stacked bars: atoms of each element, one colour a group."""
    figure = Figure({**figure_layout(height, "Element", "Atoms"), "barmode": "stack"})
    colours = theme.palette()
    counts = composition(dataset)
    for number, (group, one) in enumerate(counts.items()):
        name, colour = theme.escape(group or NO_GROUP), colours[number % len(colours)]
        figure.add_bar(
            x=list(one),
            y=list(one.values()),
            name=name,
            marker={"color": colour},
            width=0.5,
            showlegend=len(counts) > 1,
        )
    return figure


def force_figure(dataset: Dataset, height: int) -> Figure:
    """Return the histogram of force components on a logarithmic axis."""
    figure = Figure(figure_layout(height, "Force component (eV/Å)", "Number of components"))
    edges, counts = force_bins(dataset)
    if counts.any():
        figure.add_bar(
            x=(edges[1:] + edges[:-1]) / 2, y=counts, width=np.diff(edges), name="force components",
            marker={"color": theme.BLUE}, showlegend=False,
        )  # fmt: skip
        figure.layout.yaxis.type = "log"
    return figure
