"""How an exploration grew: minima and transition states against the evaluations or the time that they cost."""

from __future__ import annotations

import numpy as np
import pandas as pd

from . import theme
from .curves import figure_layout
from .curves_model import thin
from .figure import Figure

EVALUATIONS, TIME = "evaluations", "time"
_CURVES = (
    ("minima", "minima", theme.BLUE, "solid"),
    ("transition_states", "transition states", theme.RED, "solid"),
    ("components", "separate parts", theme.GREY, "dot"),
)
_MINUTES_FROM_S = 600.0


class GrowthCurves(Figure):
    """Numbers of minima, transition states and separate parts of the network, as steps."""

    def __init__(self, height: int) -> None:
        layout = figure_layout(height, "Energy and force evaluations", "Found")
        layout["yaxis"] |= {"rangemode": "tozero", "tickformat": ",~d", "nticks": 6}
        layout["xaxis"] |= {"rangemode": "tozero", "nticks": 6}
        layout["legend"] |= {"traceorder": "normal"}
        super().__init__(layout, [_curve(name, colour, dash) for _, name, colour, dash in _CURVES])

    def draw(self, growth: pd.DataFrame, by: str = EVALUATIONS) -> None:
        """Show the table "growth" against `EVALUATIONS` or `TIME`."""
        x, title = abscissa(growth, by)
        with self.batch_update():
            for trace, (column, *_) in zip(self.data, _CURVES, strict=True):
                known = column in growth
                trace.x, trace.y = thin(x, growth[column].to_numpy(float)) if known else ([], [])
            if self.layout.xaxis.title.text != title:
                self.layout.xaxis.title.text = title


def abscissa(growth: pd.DataFrame, by: str) -> tuple[np.ndarray, str]:
    """Return values and title of the horizontal axis; steps of the run where it says neither cost."""
    if by == EVALUATIONS and "evaluations" in growth:
        return growth["evaluations"].to_numpy(float), "Energy and force evaluations"
    if "time_s" in growth:
        seconds = growth["time_s"].to_numpy(float)
        long = len(seconds) > 0 and np.nanmax(seconds) >= _MINUTES_FROM_S
        return (seconds / 60, "Time (min)") if long else (seconds, "Time (s)")
    return np.arange(len(growth), dtype=float), "Step"


def _curve(name: str, colour: str, dash: str) -> dict:
    line = {"color": colour, "width": 1.8, "dash": dash, "shape": "hv"}
    hover = "%{y:,} " + name + "<extra></extra>"
    return {"type": "scatter", "mode": "lines", "x": [], "y": [], "name": name, "line": line, "hovertemplate": hover}
