"""The plot of one disconnectivity tree, or of two beside or above each other: all branches of a tree are one line.

What changes often (superbasins below the cut, the ring around the chosen minimum, the fastest path) lies in lines of
its own on top, so that the tree itself travels to the page once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from . import theme
from .curves import figure_layout
from .figure import Figure
from .landscape_drawing import Drawing

MATCHED, MISSING, SPURIOUS, PLAIN = "matched", "missing", "spurious", "minima"
#: Colour and symbol of a leaf: never colour alone.
LOOKS = {
    PLAIN: (theme.GREY, "circle"),
    MATCHED: (theme.BLUE, "circle"),
    MISSING: (theme.ORANGE, "diamond"),
    SPURIOUS: (theme.PALETTE["purple"], "x"),
}
#: Above this number of leaves their points are not drawn (each is an element of the page) but can still be clicked.
MANY = 400
_WAY, _RING, _CUT = theme.RED, theme.RED, theme.GREY
_SIDE, _ABOVE = ((0.0, 0.485), (0.515, 1.0)), ((0.54, 1.0), (0.0, 0.46))
_TITLE = "Energy above the lowest minimum (eV)"


class TreeFigure(Figure):
    """Trees of `drawings` (one or two); `on_pick(tree, minimum)` and `on_cut(energy_eV)` say what the user did."""

    def __init__(
        self,
        drawings: Sequence[Drawing],
        titles: Sequence[str],
        height: int,
        *,
        colours: Sequence[str],
        on_pick: Callable[[int, int], None],
        on_cut: Callable[[float], None],
    ) -> None:
        self._drawings, self._on_pick, self._on_cut = list(drawings), on_pick, on_cut
        self._colours, self._height = list(colours), height
        self._statuses = [(PLAIN,)] if len(drawings) == 1 else [(MATCHED, MISSING), (MATCHED, SPURIOUS)]
        self._places: dict[str, int] = {}
        self._leaves: dict[int, tuple[int, np.ndarray]] = {}
        traces: list[dict] = []
        for tree in range(len(drawings)):
            for name, trace in self._traces(tree):
                self._places[f"{tree} {name}"] = len(traces)
                traces.append(trace)
        super().__init__(self._layout_of(titles, height), traces)
        self._config = {**self._config, "edits": {"shapePosition": True}}
        for tree in range(len(drawings)):
            for status in self._statuses[tree]:
                self._trace(tree, status).on_click(self._clicked)
        self.observe(self._dragged, "_js2py_relayout")

    def draw_leaves(self, tree: int, groups: Mapping[str, np.ndarray], words: Mapping[int, str]) -> None:
        """Colour leaves: `groups` are the minima of each status, `words` what a leaf says beside its energy."""
        drawing = self._drawings[tree]
        with self.batch_update():
            for status in self._statuses[tree]:
                at = drawing.leaves(groups.get(status, np.zeros(0, int)))
                minima = drawing.minima[at]
                trace = self._trace(tree, status)
                points = np.stack([drawing.x[at], drawing.energies_eV[at]], axis=1)
                trace.x, trace.y = _columns(points)
                trace.customdata = minima.astype("i4")
                if words:
                    trace.text = [words.get(minimum, "") for minimum in minima.tolist()]
                self._leaves[self._places[f"{tree} {status}"]] = (tree, minima)
                if status != PLAIN:
                    trace.name = f"{status} ({len(at)})"
                    if len(drawing.minima) <= MANY:
                        self._put(tree, f"stems {status}", drawing.stems(at))

    def draw_cut(self, tree: int, energy_eV: float, basins: Sequence[np.ndarray | None]) -> None:
        """Move the cut, and draw the line (p, 2) of each colour on top; None leaves the tree grey."""
        with self.batch_update():
            shape = self.layout.shapes[tree]
            shape.x0, shape.x1, shape.y0, shape.y1 = 0, 1, energy_eV, energy_eV
            for slot in range(len(self._colours)):
                line = basins[slot] if slot < len(basins) else None
                self._put(tree, f"basin {slot}", np.zeros((0, 2)) if line is None else line)

    def draw_way(self, tree: int, line: np.ndarray) -> None:
        """Draw a path (p, 2) through the tree; an empty one takes it away."""
        with self.batch_update():
            self._put(tree, "way", line)

    def show_stems(self, on: bool) -> None:
        """Show the stems of matched, missing and spurious leaves in their colours, or leave them to superbasins."""
        with self.batch_update():
            for name, place in self._places.items():
                if " stems " in f" {name}" and self.data[place].visible != on:
                    self.data[place].visible = on

    def ring(self, tree: int, minima: Iterable[int]) -> None:
        """Ring the leaves of these minima; none takes the ring away."""
        places = [place for one in minima if (place := self._drawings[tree].place(one)) is not None]
        with self.batch_update():
            self._put(tree, "ring", np.array(places, dtype=float).reshape(-1, 2))

    def arrange(self, above: bool) -> None:
        """Put two trees above each other, or side by side."""
        if len(self._drawings) == 2:
            with self.batch_update():
                self.layout.update(self._arranged(above))
                self.layout.height = self._height * (1.7 if above else 1)

    # What the user did in the page.

    def _clicked(self, trace: Any, points: Any, _: Any) -> None:
        if points.point_inds:
            tree, minima = self._leaves[points.trace_index]
            self._on_pick(tree, int(minima[points.point_inds[0]]))

    def _dragged(self, change: dict) -> None:
        moved = (change["new"] or {}).get("relayout_data") or {}
        ends = [
            float(value) for key, value in moved.items() if key.startswith("shapes[") and key[-3:] in (".y0", ".y1")
        ]
        if ends:
            self._on_cut(float(np.mean(ends)))

    # How the plot is made.

    def _trace(self, tree: int, name: str) -> Any:
        return self.data[self._places[f"{tree} {name}"]]

    def _put(self, tree: int, name: str, points: np.ndarray) -> None:
        trace = self._trace(tree, name)
        if len(points) or (trace.x is not None and len(trace.x)):
            trace.x, trace.y = _columns(points)

    def _traces(self, tree: int) -> list[tuple[str, dict]]:
        drawing = self._drawings[tree]
        many = len(drawing.minima) > MANY
        axes = {"xaxis": f"x{tree + 1 if tree else ''}", "yaxis": f"y{tree + 1 if tree else ''}"}
        base = {"type": "scatter", "showlegend": False, **axes}

        def line(colour: str, width: float, points: np.ndarray | None = None, **more: Any) -> dict:
            x, y = _columns(np.zeros((0, 2)) if points is None else points)
            look = {"color": colour, "width": width}
            return {**base, "mode": "lines", "x": x, "y": y, "line": look, "hoverinfo": "skip", **more}

        thin = 1.0 if many else 1.4
        made = [("branches", line(theme.GREY, thin, drawing.walk))]
        made += [(f"stems {s}", line(LOOKS[s][0], thin + 1)) for s in self._statuses[tree] if s != PLAIN]
        made += [(f"basin {k}", line(colour, thin + 0.8)) for k, colour in enumerate(self._colours)]
        made.append(("way", line(_WAY, 3.0, opacity=0.75)))
        for status in self._statuses[tree]:
            colour, symbol = LOOKS[status]
            look = {"mode": "markers", "marker": {"color": colour, "symbol": symbol, "size": 9}}
            if many:  # a line without width is not seen, and its points can be clicked all the same
                look = {"mode": "lines", "line": {"width": 0, "color": colour}}
            name = "" if status == PLAIN else status
            hover = f"minimum %{{customdata}} · %{{y:.3f}} eV<br>%{{text}}<extra>{name}</extra>"
            leaf = {**base, **look, "x": [], "y": [], "hovertemplate": hover}
            # Matched leaves of both trees are one entry of the legend.
            leaf |= {"name": status, "showlegend": status != PLAIN and not (tree == 1 and status == MATCHED)}
            made.append((status, {**leaf, "legendgroup": status}))
        ring = {"color": _RING, "size": 16, "symbol": "circle-open", "line": {"width": 2.6}}
        made.append(("ring", {**base, "mode": "markers", "x": [], "y": [], "marker": ring, "hoverinfo": "skip"}))
        return made

    def _layout_of(self, titles: Sequence[str], height: int) -> dict:
        layout = figure_layout(height, "", _TITLE)
        layout["xaxis"] |= {"showticklabels": False, "showgrid": False, "ticks": "", "showline": False}
        layout |= {"hovermode": "closest", "dragmode": "pan"}
        layout["margin"] = {**layout["margin"], "t": 56 if titles else 10, "b": 12}
        layout["legend"]["y"] = 1.08
        suffixes = [""] if len(self._drawings) == 1 else ["", "2"]
        line = {"type": "line", "x0": 0, "x1": 1, "y0": 0, "y1": 0, "line": {"color": _CUT, "width": 2, "dash": "dot"}}
        title = {"showarrow": False, "font": {"size": 13}, "x": 0.5, "y": 1.0, "yanchor": "bottom"}
        layout |= {"shapes": [], "annotations": []}
        for suffix, drawing, text in zip(suffixes, self._drawings, titles or [""], strict=True):
            layout[f"xaxis{suffix}"] = {**layout["xaxis"], "range": _around(drawing.x)}
            layout[f"yaxis{suffix}"] = {**layout["yaxis"]}
            layout["shapes"].append({**line, "xref": f"x{suffix} domain", "yref": f"y{suffix}"})
            if text:
                place = {"xref": f"x{suffix} domain", "yref": f"y{suffix} domain"}
                layout["annotations"].append({**title, **place, "text": theme.escape(text)})
        if len(suffixes) == 2:
            for name, more in self._arranged(above=False).items():
                layout[name] |= more
        return layout

    def _arranged(self, above: bool) -> dict[str, dict]:
        """The axes of two trees one above the other or side by side, where they share the energy's numbers."""
        made: dict[str, dict] = {}
        for tree, suffix in enumerate(("", "2")):
            x, y = ((0.0, 1.0), _ABOVE[tree]) if above else (_SIDE[tree], (0.0, 1.0))
            shared = tree == 1 and not above
            made[f"xaxis{suffix}"] = {"domain": list(x), "anchor": f"y{suffix}"}
            made[f"yaxis{suffix}"] = {
                "domain": list(y), "anchor": f"x{suffix}", "showticklabels": not shared,
                "title": {"text": "" if shared else _TITLE},
            }  # fmt: skip
        made["yaxis2"]["matches"] = "y"
        return made


def _columns(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return x and y of a line (p, 2) as 32-bit floats: half the bytes to send."""
    return np.ascontiguousarray(points[:, 0], dtype="f4"), np.ascontiguousarray(points[:, 1], dtype="f4")


def _around(x: np.ndarray) -> list[float]:
    low, high = float(x.min()), float(x.max())
    room = 0.04 * (high - low) or 0.5
    return [low - room, high + room]
