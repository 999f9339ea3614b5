"""The diagram: coloured fields of one phase, gaps hatched with their tie-lines, the isotherm, a pinned tie-line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from labkit.phase_diagrams.binary_invariants import Invariant
from labkit.phase_diagrams.phases import Phase

from . import theme
from .curves import figure_layout
from .figure import Figure
from .phase_diagram_drawing import INK, Content, colours, faint, fields, limits_of
from .phase_diagram_pin import Pin, edits, marks
from .phase_diagram_rows import COMPOSITION, Row
from .phase_diagram_words import potential

_LINE = {"type": "scatter", "x": [], "y": [], "mode": "lines", "hoverinfo": "skip", "showlegend": False}
#: About as wide as the picture is on a screen; only the room for names depends on it.
_WIDTH, _MARGIN = 520, {"l": 60, "r": 14, "t": 30, "b": 44}


class PlainFigure(Figure):
    """A figure whose pointer is somebody else's: no hover, no zoom, one button that saves the picture.

    `traces` by name; what they hold at first is given with them, what changes goes through `put`.
    """

    def __init__(self, layout: dict, traces: dict[str, dict], content: Content, css: str) -> None:
        """`content` holds what `traces` show at first, `css` is the class that the page knows the figure by."""
        self._at = {name: number for number, name in enumerate(traces)}
        layout |= {"hovermode": False, "dragmode": False, "showlegend": False, "margin": _MARGIN}
        super().__init__(
            layout, [_filled({**_LINE, "name": name, **one}, content[name]) for name, one in traces.items()]
        )
        # A tap on a touch screen reaches plotly as two clicks, and two clicks would fit the axes to the lines.
        self._config = {**self._config, "modeBarButtons": [["toImage"]], "doubleClick": False}
        self.add_class(css)

    def trace(self, name: str) -> Any:
        """Return a trace by its name."""
        return self.data[self._at[name]]

    def put(self, content: Content, layout: dict[str, Any]) -> None:
        """Change what traces hold, and parts of the layout (`xaxis.range`), with one message.

        Every trace of the message gets every value of it: `batch_update` leaves out what has not changed, and a page
        that has not drawn the figure yet takes that for a wish to delete it.
        """
        named = {
            name: what for name, what in content.items()
            if len(what["x"]) or len(self._data[self._at[name]].get("x", ()))
        }  # fmt: skip
        keys = dict.fromkeys(key for what in named.values() for key in what)
        restyle = {key: [what.get(key) for what in named.values()] for key in keys}
        self.plotly_update(restyle, layout, [self._at[name] for name in named])


def _filled(trace: dict, content: dict[str, Any]) -> dict:
    """Return a trace with its content; `marker.color` goes into its marker."""
    made = dict(trace)
    for key, value in content.items():
        outer, _, inner = key.partition(".")
        made[outer] = {**made.get(outer, {}), inner: value} if inner else value
    return made


class MapFigure(PlainFigure):
    """Temperature over composition, or over chemical potential, for phases between `elements`."""

    def __init__(
        self, phases: Sequence[Phase], elements: Sequence[str], height: int, rows: Sequence[Row],
        found: Sequence[Invariant], pinned: Pin,
    ) -> None:  # fmt: skip
        self._phases, self._elements, self._axis = phases, elements, COMPOSITION
        self._limits, self._size = (0.0, 1.0), (_WIDTH, height - _MARGIN["t"] - _MARGIN["b"])
        layout = figure_layout(height, self._title, "Temperature (K)")
        layout["xaxis"] |= {"range": self._limits, "showgrid": False}
        layout["yaxis"] |= {"range": (rows[0].temperature_K, rows[-1].temperature_K), "showgrid": False}
        content = fields(phases, rows, found, COMPOSITION, self._size)
        made = marks(pinned, self._limits, colours(len(phases)), shown=True)
        layout |= made
        self._drawn = edits(made)
        super().__init__(layout, self._traces(), content, "lk-pd-map")

    @property
    def _title(self) -> str:
        over_c = self._axis == COMPOSITION
        return f"Atomic fraction of {self._elements[1]}" if over_c else f"{potential(self._elements)} (eV)"

    def _traces(self) -> dict[str, dict]:
        shades, made = colours(len(self._phases)), {}
        for at, colour in enumerate(shades):
            made[f"field {at}"] = {
                "line": {"width": 0, "color": colour}, "fill": "toself", "fillcolor": faint(colour, 0.42)
            }  # fmt: skip
        made["hatch"] = {"line": {"width": 0.7, "color": faint(theme.GREY, 0.7)}}
        made["edges"] = {"line": {"width": 1.5, "color": INK}}
        made["three"] = {"line": {"width": 1.8, "color": INK}}
        for at, phase in enumerate(self._phases):
            if phase.line:
                made[f"line {at}"] = {"line": {"width": 4, "color": shades[at]}}
        made["names"] = {"mode": "text", "textfont": {"size": 13, "color": INK}, "cliponaxis": False}
        return made

    def draw(self, rows: Sequence[Row], found: Sequence[Invariant], axis: str, pinned: Pin) -> None:
        """Draw fields, gaps and their names, and what is pinned."""
        self._axis, self._limits = axis, limits_of(rows, axis)
        ends = [rows[0].temperature_K, rows[-1].temperature_K]
        axes = {"xaxis.range": list(self._limits), "yaxis.range": ends, "xaxis.title.text": self._title}
        self.put(fields(self._phases, rows, found, axis, self._size), axes | self._edits(pinned))

    def pin(self, pinned: Pin) -> None:
        """Draw the isotherm, and over composition the tie-line through a point."""
        self.plotly_relayout(self._edits(pinned))

    def _edits(self, pinned: Pin) -> dict[str, Any]:
        shown = self._axis == COMPOSITION
        now = edits(marks(pinned, self._limits, colours(len(self._phases)), shown=shown))
        changed = {key: value for key, value in now.items() if self._drawn.get(key) != value}
        self._drawn = now
        return changed
