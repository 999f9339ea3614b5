"""The growing network as a graph: minima are discs, transition states are diamonds on the lines between them.

Places come from a `GraphLayout`, which never moves a minimum that stands; the frame of the picture grows in steps, so
that a look into a corner is not lost with every new minimum.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from .curves import figure_layout
from .exploration_layout import GraphLayout
from .exploration_lines import line_of
from .exploration_model import MINIMUM, TRANSITION_STATE, Point
from .exploration_scales import CHOSEN_COLOUR, DEEP, HIGH, NEWEST_COLOUR, SCALE, WIDTHS, Scales
from .figure import Figure

if TYPE_CHECKING:
    from labkit.landscapes.network import KineticNetwork

#: More minima than this are no picture; the lowest ones are drawn.
MAX_DRAWN = 400
COLUMNS = 26
_SADDLES, _MINIMA, _TRAY = len(SCALE), len(SCALE) + 1, len(SCALE) + 2
_OUTLINE = "#8a8f98"
_ROW_PX, _TRAY_HEAD_PX = 24, 26
_ASPECT = 1.6


class NetworkGraph(Figure):
    """Shows a network; `on_point` is called with the `Point` that somebody clicks on."""

    def __init__(self, height: int, on_point: Callable[[Point], None]) -> None:
        self._frame: tuple[np.ndarray, np.ndarray] | None = None
        self._drawn: list[tuple[int, list[Point]]] = []
        self._rings: tuple[Point | None, Point | None] = (None, None)
        self._generation: int | None = None
        self._keep = GraphLayout()
        self._clicked = on_point
        super().__init__(_layout(height), [*_lines(), _marks("diamond"), _marks("circle"), _marks("circle", "2")])
        for trace in self.data[_SADDLES:]:
            trace.on_click(self._on_click)

    @property
    def places(self) -> dict[int, tuple[float, float]]:
        """Where the connected minima stand, by number."""
        return {one: (float(x), float(y)) for one, (x, y) in self._keep.places.items()}

    def draw(self, network: KineticNetwork, scales: Scales, generation: int = 0) -> int:
        """Show a network, new points beside the old ones; returns how many minima are left out.

        Another `generation` says that it is not the old network grown, so that everything is placed anew.
        """
        kept = np.argsort(scales.heights_eV, kind="stable")[:MAX_DRAWN].tolist()
        shown = set(kept)
        saddles = [one for one in network.transition_states if shown.issuperset(one.minima)]
        if generation != self._generation:
            self._generation, self._keep, self._frame = generation, GraphLayout(), None
        self._keep.update(kept, [one.minima for one in saddles])
        self._put(network, saddles, scales)
        return network.n_minima - len(kept)

    def rearrange(self, network: KineticNetwork, scales: Scales) -> None:
        """Place everything anew."""
        self._generation, generation = None, self._generation or 0
        self.draw(network, scales, generation)

    def mark(self, newest: Point | None, chosen: Point | None) -> None:
        """Ring the point that was found last and the one that is shown in 3D."""
        if (newest, chosen) == self._rings:
            return
        self._rings = newest, chosen
        for number, points in self._drawn:
            self._ring(number, points)

    def _put(self, network: KineticNetwork, saddles: list[Any], scales: Scales) -> None:
        classes = scales.classes()
        lines, middles = _bundles(saddles, self._keep.places, classes)
        loose = sorted(self._keep.slots, key=self._keep.slots.__getitem__)
        placed = sorted(self._keep.places)
        minima = [_points(MINIMUM, numbers) for numbers in (placed, loose)]
        self._drawn = [(_SADDLES, _points(TRANSITION_STATE, [one for one, _ in middles]))]
        self._drawn += [(_MINIMA, minima[0]), (_TRAY, minima[1])]
        degrees = dict(network.graph.degree)
        for number, (x, y) in enumerate(lines):
            self._set(number, x=x, y=y)
        numbers = [one for one, _ in middles]
        x, y = _columns([at for _, at in middles])
        look = {"color": [SCALE[classes[one]] for one in numbers], "size": 0.62 * _size(len(placed))}
        self._set(_SADDLES, x=x, y=y, text=[saddle_words(network, one, scales) for one in numbers], marker=look)
        slots = np.array([self._keep.slots[one] for one in loose], dtype=int)
        at = {_MINIMA: _columns([self._keep.places[one] for one in placed])}
        at[_TRAY] = (slots % COLUMNS).astype(float), -(slots // COLUMNS).astype(float)
        for number, known in ((_MINIMA, placed), (_TRAY, loose)):
            heights = np.minimum(scales.heights_eV[known], scales.top_height_eV)
            look = {"color": heights, "cmax": scales.top_height_eV, "size": _size(len(placed))}
            look["symbol"] = ["star" if scales.heights_eV[one] == 0 else "circle" for one in known]
            text = [minimum_words(one, scales, degrees.get(one, 0)) for one in known]
            self._set(number, x=at[number][0], y=at[number][1], text=text, marker=look)
        for number, points in self._drawn:
            self._ring(number, points)
        with self.batch_update():
            self._fit(int(slots.max()) // COLUMNS + 1 if len(slots) else 0)

    def _set(self, number: int, **values: Any) -> None:
        """Change one trace, in a message of its own: one for several forgets what it does not name in each of them."""
        with self.batch_update():
            self.data[number].update(values)

    def _ring(self, number: int, points: list[Point]) -> None:
        newest, chosen = self._rings
        width = [3.4 if one in (newest, chosen) else 1.0 for one in points]
        colour = [CHOSEN_COLOUR if one == chosen else NEWEST_COLOUR if one == newest else _OUTLINE for one in points]
        self._set(number, marker={"line": {"width": width, "color": colour}})

    def _fit(self, rows: int) -> None:
        """Let everything be inside the frame, which grows with room to spare, and the tray below it."""
        low, high = self._keep.box()
        if self._frame is None or (low < self._frame[0] + 0.3).any() or (high > self._frame[1] - 0.3).any():
            self._frame = _framed(low, high, self._frame)
            for axis, (start, end) in zip(
                (self.layout.xaxis, self.layout.yaxis), np.stack(self._frame, 1), strict=True
            ):
                axis.range = [float(start), float(end)]
        share = min(0.5, (rows * _ROW_PX + _TRAY_HEAD_PX) / self.layout.height) if rows else 0.0
        if self.layout.yaxis.domain != (share, 1):
            self.layout.yaxis.domain = [share, 1]
            self.layout.yaxis2.domain = [0, max(0.01, share - _TRAY_HEAD_PX / self.layout.height)]
            self.layout.yaxis2.range = [0.5 - max(1, rows), 0.5]
            self.layout.annotations[0].y, self.layout.annotations[0].visible = share, bool(rows)

    def _on_click(self, trace: Any, points: Any, _: Any) -> None:
        known = next((named for number, named in self._drawn if number == points.trace_index), [])
        if points.point_inds and points.point_inds[0] < len(known):
            self._clicked(known[points.point_inds[0]])


def minimum_words(number: int, scales: Scales, edges: int) -> str:
    """What stands beside a minimum under the pointer."""
    height = scales.heights_eV[number]
    energy = "the lowest" if height == 0 else f"{height:.3f} eV above the lowest"
    return f"minimum {number}<br>{energy}<br>{edges} line{'s' * (edges != 1)} end here"


def saddle_words(network: KineticNetwork, number: int, scales: Scales) -> str:
    """What stands beside a transition state under the pointer: its minima and the barrier from each of them."""
    saddle = network.transition_states[number]
    i, j = saddle.minima
    if i == j:
        return f"transition state {number}<br>minimum {i} with itself<br>barrier {scales.barriers_eV[number]:.3f} eV"
    barriers = " and ".join(f"{saddle.energy_eV - network.minima[end].energy_eV:.3f}" for end in (i, j))
    return f"transition state {number}<br>minima {i} and {j}<br>barriers {barriers} eV"


def _bundles(saddles: list[Any], places: dict[int, np.ndarray], classes: np.ndarray) -> tuple[list, list]:
    """Lines of each barrier class as (x, y) with gaps, and (number, place of its diamond) of each saddle."""
    lines: list[list[np.ndarray]] = [[] for _ in SCALE]
    middles, seen = [], {}
    for saddle in saddles:
        pair = (min(saddle.minima), max(saddle.minima))
        order = seen[pair] = seen.get(pair, -1) + 1
        line, middle = line_of(places[pair[0]], places[pair[1]], order)
        lines[classes[saddle.index]] += [line, np.full((1, 2), np.nan)]
        middles.append((saddle.index, middle))
    return [_columns(np.concatenate(one) if one else []) for one in lines], middles


def _framed(low: np.ndarray, high: np.ndarray, before: Any) -> tuple[np.ndarray, np.ndarray]:
    """A frame around these corners and the one before with room to spare, about as wide as a picture is."""
    spare = 0.5 + 0.12 * (high - low)
    low, high = low - spare, high + spare
    if before is not None:
        low, high = np.minimum(before[0], low), np.maximum(before[1], high)
    short = np.array([_ASPECT, 1.0]) * max((high[0] - low[0]) / _ASPECT, high[1] - low[1]) - (high - low)
    return low - short / 2, high + short / 2


def _points(kind: str, numbers: list[int]) -> list[Point]:
    return [Point(kind, one) for one in numbers]


def _columns(points: Any) -> tuple[np.ndarray, np.ndarray]:
    array = np.array(points, dtype=float).reshape(-1, 2)
    return array[:, 0].copy(), array[:, 1].copy()


def _size(minima: int) -> float:
    return 15.0 if minima <= 40 else 11.0 if minima <= 150 else 8.0


def _lines() -> list[dict]:
    shared = {"type": "scatter", "mode": "lines", "x": [], "y": [], "hoverinfo": "skip", "showlegend": False}
    return [{**shared, "line": {"color": c, "width": w}} for c, w in zip(SCALE, WIDTHS, strict=True)]


def _marks(symbol: str, axis: str = "") -> dict:
    marker = {"symbol": symbol, "size": 12, "opacity": 1, "line": {"color": _OUTLINE, "width": 1}}
    if symbol == "circle":
        marker |= {"colorscale": [[0, DEEP], [1, HIGH]], "cmin": 0, "cmax": 1, "showscale": False}
    shared = {"type": "scatter", "mode": "markers", "x": [], "y": [], "text": [], "showlegend": False}
    hover = "%{text}<extra></extra>"
    return {**shared, "marker": marker, "xaxis": f"x{axis}", "yaxis": f"y{axis}", "hovertemplate": hover}


def _layout(height: int) -> dict:
    layout = figure_layout(height, "", "")
    bare = {"visible": False, "zeroline": False, "showgrid": False}
    layout |= {"margin": {"l": 4, "r": 4, "t": 4, "b": 4}, "hovermode": "closest", "dragmode": "pan"}
    layout["xaxis"] = {**bare, "range": [-1, 1]}
    layout["yaxis"] = {**bare, "range": [-1, 1], "domain": [0, 1]}
    layout["xaxis2"] = {**bare, "range": [-0.7, COLUMNS - 0.3], "anchor": "y2", "fixedrange": True}
    layout["yaxis2"] = {**bare, "range": [-0.5, 0.5], "domain": [0, 0.01], "anchor": "x2", "fixedrange": True}
    words = {"text": "no transition state known yet", "xref": "paper", "yref": "paper", "x": 0.01, "y": 0}
    layout["annotations"] = [{**words, "yanchor": "top", "xanchor": "left", "showarrow": False, "visible": False}]
    return layout
