"""Free energy over composition at one temperature: a curve or a point for each phase, tangents, the hull's points."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from labkit.phase_diagrams.phases import Phase

from . import theme
from .curves import figure_layout
from .phase_diagram_drawing import INK, Content, colours, points
from .phase_diagram_fields import joined
from .phase_diagram_isotherm import Isotherm
from .phase_diagram_map import PlainFigure


class CurvesFigure(PlainFigure):
    """f(c) of `phases`, one trace each and first of all: the page drags a curve by its place among the traces."""

    def __init__(
        self, phases: Sequence[Phase], elements: Sequence[str], height: int, isotherm: Isotherm, x: float
    ) -> None:
        self._phases, self._shades = phases, colours(len(phases))
        self._range = isotherm.limits()
        layout = figure_layout(height, f"Atomic fraction of {elements[1]}", "Free energy (meV/atom)")
        layout["xaxis"] |= {"range": [0, 1]}
        layout["yaxis"] |= {"range": self._range}
        dashed = {"color": theme.RED, "width": 1.2, "dash": "dash"}
        layout["shapes"] = [{"type": "line", "yref": "paper", "x0": x, "x1": x, "y0": 0, "y1": 1, "line": dashed}]
        super().__init__(layout, self._traces(), self._content(isotherm), "lk-pd-curves")

    def _traces(self) -> dict[str, dict]:
        made: dict[str, dict] = {}
        for number, phase in enumerate(self._phases):
            colour = self._shades[number]
            look = {"mode": "lines", "line": {"color": colour, "width": 2}}
            if phase.line:
                marker = {"color": colour, "size": 12, "symbol": "diamond", "line": {"color": "white", "width": 1}}
                look = {"mode": "markers", "marker": marker}
            made[f"phase {number}"] = look
        made["tangents"] = {"line": {"color": INK, "width": 1.8, "dash": "dot"}}
        dots = {"size": 9, "symbol": "circle-open", "color": INK, "line": {"width": 2}}
        made["hull"] = {"mode": "markers", "marker": dots, "cliponaxis": False}
        made["names"] = {"mode": "text", "textposition": "top center", "textfont": {"size": 12}}
        return made

    def _content(self, isotherm: Isotherm) -> Content:
        made: Content = {}
        for number, curve in enumerate(isotherm.curves):
            made[f"phase {number}"] = points(np.zeros((0, 2)) if curve is None else np.column_stack(curve))
        made["tangents"] = points(joined(isotherm.tangents()))
        made["hull"] = points(np.array([one[1:] for one in isotherm.vertices()]))
        names = isotherm.labels(self._range)
        made["names"] = {
            "x": [one[1] for one in names], "y": [one[2] for one in names],
            "text": [theme.escape(self._phases[one[0]].name) for one in names],
            "textfont.color": [self._shades[one[0]] for one in names],
        }  # fmt: skip
        return made

    def draw(self, isotherm: Isotherm, x: float, *, fit: bool = True) -> None:
        """Draw the free energies at a temperature; without `fit` the energy axis only grows."""
        limits = isotherm.limits()
        if not fit:
            limits = (min(limits[0], self._range[0]), max(limits[1], self._range[1]))
        self._range = limits
        self.put(self._content(isotherm), {"yaxis.range": list(limits), **_here(x)})

    def move_here(self, x: float) -> None:
        """Put the dashed line at another composition."""
        self.plotly_relayout(_here(x))


def _here(x: float) -> dict[str, float]:
    return {"shapes[0].x0": x, "shapes[0].x1": x}
