"""The figure of a phonon view: bands, and beside them, on the same frequency axis, the density of states.

The number of lines is fixed when the figure is made (crystals laid over each other, elements); what is not needed is
empty. Numbers are kept in THz, so that another unit is one message.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from . import theme
from .curves import figure_layout
from .figure import Figure
from .phonon_model import UNITS

#: How many crystals are drawn over each other, and how many elements have a line.
MOST_CRYSTALS, MOST_ELEMENTS = 6, 8
#: Where bands end and the density of states begins, as parts of the width.
_BANDS, _DOS = (0.0, 0.72), (0.76, 1.0)
_SHADE = "rgba(213,94,0,0.13)"
_EMPTY = {"type": "scatter", "x": [], "y": [], "showlegend": False}


@dataclass(frozen=True)
class Curve:
    """Bands (m, 3n) of one crystal in THz at `distances` (m,), density of states (k,) per THz at `grid_THz` (k,)."""

    name: str
    colour: str
    distances: np.ndarray
    bands_THz: np.ndarray
    grid_THz: np.ndarray
    dos: np.ndarray


class BandFigure(Figure):
    """Bands and density of states; `on_pick(name, point, branch)` says which point of which band was clicked."""

    def __init__(self, height: int, on_pick: Callable[[str, int, int], None]) -> None:
        self._on_pick, self._unit = on_pick, "THz"
        self._curves: list[Curve] = []
        self._places: list[tuple[np.ndarray, np.ndarray]] = []
        self._lines: dict[int, tuple[np.ndarray, np.ndarray, str]] = {}
        self._ring: tuple[float, float] | None = None
        traces = [{**_EMPTY, "mode": "lines", "showlegend": True} for _ in range(MOST_CRYSTALS)]
        mark = {"size": 13, "symbol": "circle-open", "color": theme.RED, "line": {"width": 2.5}}
        traces.append({**_EMPTY, "mode": "markers", "marker": mark, "hoverinfo": "skip"})
        side = {**_EMPTY, "xaxis": "x2", "mode": "lines", "hoverinfo": "skip"}
        # Who has a place in the legend is said here once: a message about some traces resets it for the others.
        traces += [{**side, "showlegend": at >= MOST_CRYSTALS} for at in range(MOST_CRYSTALS + MOST_ELEMENTS)]
        super().__init__(_layout(height), traces)
        for trace in self.data[:MOST_CRYSTALS]:
            trace.on_click(self._clicked)

    def show(
        self,
        curves: Sequence[Curve],
        ticks: Sequence[tuple[float, str]],
        segments: Sequence[slice],
        elements: dict[str, np.ndarray],
        unit: str,
    ) -> None:
        """Draw these crystals, the first one solid; `elements` are parts (k,) of its density of states."""
        self._curves, self._unit, self._ring = list(curves[:MOST_CRYSTALS]), unit, None
        self._places, self._lines = [], {}
        for slot, one in enumerate(self._curves):
            at, branch = _walk(segments, one.bands_THz.shape[1])
            gap = at < 0
            x, y = one.distances[at].astype("f4"), one.bands_THz[at, branch].astype("f4")
            x[gap] = y[gap] = np.nan
            self._places.append((at, branch))
            self._lines[slot] = (x, y, "bands")
            self._lines[MOST_CRYSTALS + 1 + slot] = (one.dos.astype("f4"), one.grid_THz.astype("f4"), "dos")
        names = list(elements)[:MOST_ELEMENTS]
        for slot, name in enumerate(names):
            place = 2 * MOST_CRYSTALS + 1 + slot
            self._lines[place] = (elements[name].astype("f4"), self._curves[0].grid_THz.astype("f4"), "dos")
        low, high = self._reach()
        with self.batch_update():
            self._colour(names)
            self.layout.xaxis.tickvals = [distance for distance, _ in ticks]
            self.layout.xaxis.ticktext = [theme.escape(label) for _, label in ticks]
            self.layout.xaxis.range = (float(ticks[0][0]), float(ticks[-1][0]))
            self.layout.shapes[0].visible = bool(low < 0)
            self.layout.annotations[0].visible = bool(low < -0.05 * high)
            self._write()

    def use(self, unit: str) -> None:
        """Write everything in another unit."""
        self._unit = unit
        with self.batch_update():
            self._write()

    def ring(self, distance: float | None, frequency_THz: float = 0.0) -> None:
        """Put a ring around a point of a band, or take it away."""
        self._ring = None if distance is None else (distance, frequency_THz)
        with self.batch_update():
            self._write_ring()

    def _reach(self) -> tuple[float, float]:
        """The frequency axis in THz: a little below zero only, unless something is imaginary."""
        values = np.concatenate([one.bands_THz.ravel() for one in self._curves])
        low, high = float(values.min()), 1.04 * float(max(values.max(), 1e-3))
        return (1.08 * low if low < -0.02 * high else 0.0), high

    def _colour(self, elements: Sequence[str]) -> None:
        taken = {one.colour for one in self._curves}
        colours = [colour for colour in theme.palette() if colour not in taken] or theme.palette()
        self.layout.showlegend = len(self._curves) > 1 or len(elements) > 0
        for slot, one in enumerate(self._curves):
            bands, dos = self.data[slot], self.data[MOST_CRYSTALS + 1 + slot]
            look = {"color": one.colour, "width": 1.8 if slot == 0 else 1.2, "dash": "solid" if slot == 0 else "dash"}
            bands.line, dos.line, bands.name, dos.name = look, look, one.name, f"{one.name}: density"
        for slot, name in enumerate(elements):
            trace = self.data[2 * MOST_CRYSTALS + 1 + slot]
            trace.name = name
            trace.line = {"color": colours[slot % len(colours)], "width": 1.3}

    def _write(self) -> None:
        factor = UNITS[self._unit]
        low, high = self._reach()
        for place, trace in enumerate(self.data):
            if place == MOST_CRYSTALS:
                continue
            if place not in self._lines:
                if trace.x is not None and len(trace.x):
                    trace.x, trace.y = [], []
                continue
            x, y, kind = self._lines[place]
            y = (y * np.float32(factor)).astype("f4")
            trace.x, trace.y = (x, y) if kind == "bands" else ((x / np.float32(factor)).astype("f4"), y)
            if kind == "bands":
                name = theme.escape(self._curves[place].name)
                trace.hovertemplate = f"%{{y:.2f}} {self._unit}<extra>{name}</extra>"
        self.layout.yaxis.title.text = f"Frequency ({self._unit})"
        self.layout.xaxis2.title.text = f"States (1/{self._unit})"
        self.layout.yaxis.range = (low * factor, high * factor)
        self._write_ring()

    def _write_ring(self) -> None:
        trace, factor = self.data[MOST_CRYSTALS], UNITS[self._unit]
        trace.x, trace.y = ([], []) if self._ring is None else ([self._ring[0]], [self._ring[1] * factor])

    def _clicked(self, trace: object, points: object, _state: object) -> None:
        if points.point_inds and points.trace_index < len(self._places):
            at, branch = (part[points.point_inds[0]] for part in self._places[points.trace_index])
            if at >= 0:
                self._on_pick(self._curves[points.trace_index].name, int(at), int(branch))


def _walk(segments: Sequence[slice], branches: int) -> tuple[np.ndarray, np.ndarray]:
    """Return point and branch of each vertex of the one line that draws all bands; -1 is a gap."""
    row = np.concatenate([np.append(np.arange(one.start, one.stop), -1) for one in segments])
    return np.tile(row, branches), np.repeat(np.arange(branches), len(row))


def _layout(height: int) -> dict:
    layout = figure_layout(height, "Wave vector", "Frequency (THz)")
    right = {**layout["xaxis"], "title": {"text": "States (1/THz)"}, "domain": list(_DOS), "anchor": "y"}
    layout["xaxis2"] = {**right, "rangemode": "tozero", "nticks": 4}
    walls = {"gridcolor": "rgba(138,143,152,0.8)", "ticks": "", "domain": list(_BANDS), "tickmode": "array"}
    layout["xaxis"] |= {**walls, "tickvals": [], "ticktext": [], "mirror": True}
    layout["yaxis"] |= {"zeroline": True, "zerolinecolor": "rgba(138,143,152,0.9)", "zerolinewidth": 1}
    layout |= {"hovermode": "closest", "clickmode": "event"}
    layout["margin"] = {**layout["margin"], "t": 30}
    shade = {"type": "rect", "xref": "paper", "yref": "y", "x0": 0, "x1": 1, "y0": -1e5, "y1": 0, "layer": "below"}
    layout["shapes"] = [{**shade, "fillcolor": _SHADE, "line": {"width": 0}, "visible": False}]
    words = {"text": "imaginary", "showarrow": False, "xref": "paper", "yref": "paper", "x": 0.004, "y": 0}
    words |= {"xanchor": "left", "yanchor": "bottom", "font": {"size": 11, "color": theme.RED}, "visible": False}
    layout["annotations"] = [words]
    return layout
