"""The convex hull of a binary system at 0 K: energies of formation over composition, the hull as a line below them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from . import theme
from .curves import figure_layout
from .figure import Figure

_LINE, _ABOVE, _STABLE, _DROP, _RING = range(5)


class HullFigure(Figure):
    """Points of `table` (x, meV/atom); `on_pick(row)` is called with the row of the one that was clicked."""

    def __init__(self, table: pd.DataFrame, second: str, height: int, on_pick: Callable[[int], None]) -> None:
        layout = figure_layout(height, f"Atomic fraction of {second}", "Energy of formation (meV/atom)")
        layout |= {"showlegend": True, "hovermode": "closest", "clickmode": "event"}
        layout["margin"] = {**layout["margin"], "t": 34}
        layout["xaxis"] |= {"range": [-0.03, 1.03]}
        x, y = table["x"].to_numpy(float), 1e3 * table["formation_eV_atom"].to_numpy(float)
        self._y, self._x, self._on_pick = y, x, on_pick
        stable = table["stable"].to_numpy(bool)
        self._rows = {_STABLE: np.flatnonzero(stable), _ABOVE: np.flatnonzero(~stable)}
        line = self._rows[_STABLE][np.argsort(x[stable], kind="stable")]
        self._hull = x[line], y[line]
        base = {"type": "scatter", "hoverinfo": "skip", "showlegend": False}
        green, red = theme.GREEN, theme.RED
        ring = {"size": 19, "symbol": "circle-open", "color": red, "line": {"width": 2.5}}
        super().__init__(
            layout,
            [
                {**base, "mode": "lines", "x": x[line], "y": y[line], "line": {"color": green, "width": 2}},
                self._dots(table, _ABOVE, "above the hull", {"color": theme.ORANGE, "symbol": "diamond", "size": 8}),
                self._dots(table, _STABLE, "stable", {"color": green, "symbol": "circle", "size": 11}),
                {**base, "mode": "lines", "x": [], "y": [], "line": {"color": red, "width": 1.5, "dash": "dot"}},
                {**base, "mode": "markers", "x": [], "y": [], "marker": ring},
            ],
        )
        for which in (_ABOVE, _STABLE):
            self.data[which].on_click(lambda _, points, __, which=which: self._clicked(which, points))

    def _dots(self, table: pd.DataFrame, which: int, name: str, marker: dict) -> dict:
        rows = self._rows[which]
        words = [
            f"{theme.escape(one.name)}<br>{1e3 * one.above_hull_eV_atom:.1f} meV/atom above the hull"
            for one in table.iloc[rows].itertuples(index=False)
        ]
        return {
            "type": "scatter", "mode": "markers", "name": f"{name} ({len(rows)})", "marker": marker,
            "x": self._x[rows], "y": self._y[rows], "text": words, "cliponaxis": False,
            "hovertemplate": "%{text}<br>%{y:.1f} meV/atom<extra></extra>",
        }  # fmt: skip

    def ring(self, row: int) -> None:
        """Ring an entry, with a dotted line down to the hull."""
        x, y = float(self._x[row]), float(self._y[row])
        with self.batch_update():
            self.data[_DROP].x, self.data[_DROP].y = [x, x], [y, float(np.interp(x, *self._hull))]
            self.data[_RING].x, self.data[_RING].y = [x], [y]

    def _clicked(self, which: int, points: object) -> None:
        if points.point_inds:
            self._on_pick(int(self._rows[which][points.point_inds[0]]))
