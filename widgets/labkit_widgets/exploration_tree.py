"""The disconnectivity tree of a network that still grows: drawn anew as a whole, in two lines that are replaced.

Minima that no transition state connects yet stand beside the tree as short lines of their own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from . import theme
from .curves import figure_layout
from .exploration_model import MINIMUM, Point
from .exploration_scales import CHOSEN_COLOUR, NEWEST_COLOUR
from .figure import Figure

if TYPE_CHECKING:
    from labkit.landscapes.network import KineticNetwork

_BRANCHES, _LEAVES, _NEWEST, _CHOSEN = range(4)


class GrowingTree(Figure):
    """Shows the tree of a network; `on_point` is called with the minimum whose leaf somebody clicks on."""

    def __init__(self, height: int, on_point: Callable[[Point], None]) -> None:
        self._minima = np.zeros(0, dtype=int)
        self._clicked = on_point
        layout = figure_layout(height, "", "Energy above the lowest (eV)")
        layout |= {"margin": {**layout["margin"], "b": 12}, "hovermode": "closest"}
        layout["xaxis"] |= {"showticklabels": False, "showgrid": False, "ticks": "", "showline": False}
        super().__init__(layout, [_branches(), _leaves(), _ring(NEWEST_COLOUR, 13), _ring(CHOSEN_COLOUR, 18)])
        self.data[_LEAVES].on_click(self._on_click)

    def draw(self, network: KineticNetwork) -> None:
        """Show the tree of all parts of a network with at least one minimum."""
        from labkit.landscapes.disconnectivity import DisconnectivityTree

        tree = DisconnectivityTree.of(network, component="all")
        found = tree.layout()
        lowest = network.global_minimum.energy_eV
        gaps = np.full((len(found.segments), 1, 2), np.nan)
        lines = np.concatenate([found.segments - [0, lowest], gaps], axis=1).reshape(-1, 2)
        self._minima = tree.minima
        heights = tree.energies_eV[: tree.n_leaves] - lowest
        words = [f"minimum {one}<br>{height:.3f} eV" for one, height in zip(tree.minima, heights, strict=True)]
        size = 8 if tree.n_leaves <= 100 else 4
        for number, values in (
            (_BRANCHES, {"x": lines[:, 0].astype("f4"), "y": lines[:, 1].astype("f4")}),
            (_LEAVES, {"x": found.x[: tree.n_leaves], "y": heights, "text": words, "marker": {"size": size}}),
        ):
            with self.batch_update():
                self.data[number].update(values)

    def mark(self, newest: Point | None, chosen: Point | None) -> None:
        """Ring the leaf that was found last and the one that is shown in 3D."""
        with self.batch_update():
            for place, point in ((_NEWEST, newest), (_CHOSEN, chosen)):
                at = np.flatnonzero(self._minima == point.number) if point and point.kind == MINIMUM else []
                leaves, ring = self.data[_LEAVES], self.data[place]
                ring.x, ring.y = ([leaves.x[at[0]]], [leaves.y[at[0]]]) if len(at) else ([], [])

    def _on_click(self, trace: Any, points: Any, _: Any) -> None:
        if points.point_inds and points.point_inds[0] < len(self._minima):
            self._clicked(Point(MINIMUM, int(self._minima[points.point_inds[0]])))


def _branches() -> dict:
    line = {"color": theme.BLUE, "width": 1.4}
    return {
        "type": "scatter",
        "mode": "lines",
        "x": [],
        "y": [],
        "line": line,
        "hoverinfo": "skip",
        "showlegend": False,
    }


def _leaves() -> dict:
    marker = {"color": theme.BLUE, "size": 8}
    return {"type": "scatter", "mode": "markers", "x": [], "y": [], "marker": marker, "showlegend": False,
            "text": [], "hovertemplate": "%{text}<extra></extra>"}  # fmt: skip


def _ring(colour: str, size: int) -> dict:
    marker = {"symbol": "circle-open", "size": size, "color": colour, "line": {"width": 3}}
    return {"type": "scatter", "mode": "markers", "x": [], "y": [], "marker": marker, "showlegend": False,
            "hoverinfo": "skip"}  # fmt: skip
