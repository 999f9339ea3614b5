"""The dial of an attack, which moves from the predicted error towards the wanted one, and its curve over the steps."""

from __future__ import annotations

import numpy as np

from . import theme
from .curves import figure_layout
from .error_view import round_up
from .figure import Figure

_INK = "#8a8f98"
#: Steps of the curve that have a dot each; more of them make the page slow.
MOST_MARKERS = 150


class Dial(Figure):
    """A gauge: the largest predicted error, the wanted one as a line, and what counts as reached as a band."""

    def __init__(self, height: int) -> None:
        axis = {"range": [0, 1], "tickfont": {"size": 11}, "nticks": 6, "tickcolor": _INK}
        gauge = {
            "axis": axis, "bar": {"color": theme.BLUE, "thickness": 0.6}, "borderwidth": 1, "bordercolor": _INK,
            "bgcolor": "rgba(0,0,0,0)", "threshold": {"line": {"color": theme.RED, "width": 4}, "thickness": 1.0},
        }  # fmt: skip
        trace = {"type": "indicator", "mode": "gauge", "value": 0, "gauge": gauge}
        # Its own number would stand where the first one had its middle.
        number = {"text": "", "x": 0.5, "y": 0.0, "xref": "paper", "yref": "paper", "yanchor": "bottom",
                  "showarrow": False, "font": {"size": 20}}  # fmt: skip
        layout = figure_layout(height, "", "")
        for name in ("xaxis", "yaxis"):
            layout.pop(name)
        super().__init__({**layout, "margin": {"l": 34, "r": 34, "t": 26, "b": 8}, "annotations": [number]}, [trace])

    def draw(self, predicted: float, wanted: float, tolerance: float) -> None:
        """Show the newest predicted error and the wanted one, eV/Å; `tolerance` is a share of the wanted one."""
        shown = predicted if np.isfinite(predicted) else 0.0
        end = round_up(1.5 * wanted)
        end = end if shown <= end else round_up(shown)
        near = bool(np.isfinite(predicted)) and abs(predicted - wanted) <= tolerance * wanted
        band = {"range": [wanted * (1 - tolerance), wanted * (1 + tolerance)], "color": "rgba(0,158,115,0.35)"}
        with self.batch_update():
            trace = self.data[0]
            trace.value = shown
            text = f"{predicted:.3f} eV/Å" if np.isfinite(predicted) else "no step yet"
            self.layout.annotations[0].text = text
            trace.gauge.axis.range = [0, end]
            trace.gauge.steps = [band]
            trace.gauge.threshold.value = wanted
            trace.gauge.bar.color = theme.GREEN if near else theme.BLUE


class AttackCurve(Figure):
    """Predicted and wanted error over the steps of all structures, with a gap between structures."""

    def __init__(self, height: int) -> None:
        layout = figure_layout(height, "Step", "Predicted error (eV/Å)")
        layout["yaxis"] |= {"rangemode": "tozero"}
        hover = "structure %{customdata}, step %{x}<br>predicted %{y:.3f} eV/Å<extra></extra>"
        wanted = {"color": theme.RED, "width": 1.6, "dash": "dash", "shape": "hv"}
        shared = {"type": "scatter", "x": [], "y": []}
        lines = [
            {**shared, "mode": "lines", "name": "wanted", "line": wanted, "hoverinfo": "skip"},
            {**shared, "mode": "lines+markers", "name": "predicted", "line": {"color": theme.BLUE, "width": 1.8},
             "marker": {"size": 4}, "customdata": [], "hovertemplate": hover, "connectgaps": False},
        ]  # fmt: skip
        super().__init__(layout, lines)

    def draw(self, step: np.ndarray, predicted: np.ndarray, wanted: np.ndarray, structure: np.ndarray) -> None:
        """Show these steps; errors in eV/Å."""
        with self.batch_update():
            self.data[0].x, self.data[0].y = step, wanted
            self.data[1].x, self.data[1].y = step, predicted
            self.data[1].mode = "lines+markers" if len(step) <= MOST_MARKERS else "lines"
            self.data[1].customdata = structure.astype(int)
