"""The plots of minimum-energy paths: energy along the path, of one source or two, and the force by optimiser step."""

from __future__ import annotations

import numpy as np

from labkit.runs import Run

from . import theme
from .curves import LiveCurves, figure_layout
from .curves_model import Plot
from .figure import Figure
from .neb_model import BandPicture

_PURPLE = theme.PALETTE["purple"]
_CURVE, _POINTS, _OTHER, _OTHER_POINTS, _PLACE = range(5)


class ProfileFigure(Figure):
    """Energy along the path: images as points, the spline through them, a second source dashed, and where we are."""

    def __init__(self, height: int) -> None:
        layout = figure_layout(height, "Distance along the path (Å)", "Energy relative to the start (eV)")
        traces = [
            _trace("lines", {"color": theme.BLUE, "width": 2}),
            _trace("markers", {"color": theme.BLUE, "size": 8}),
            _trace("lines", {"color": theme.RED, "width": 2, "dash": "dash"}),
            _trace("markers", {"color": theme.RED, "size": 8, "symbol": "diamond-open", "line": {"width": 1.6}}),
            _trace("markers", {"color": _PURPLE, "size": 15, "symbol": "circle-open", "line": {"width": 2.4}}),
        ]
        for number in (_CURVE, _OTHER):
            traces[number]["showlegend"] = True
        layout["showlegend"] = False
        super().__init__(layout, traces)

    def draw(self, band: BandPicture, label: str, other: BandPicture | None = None, other_label: str = "") -> None:
        """Show a band and, dashed, that of another source; each on its own distance along the path."""
        with self.batch_update():
            self._put(_CURVE, band, label)
            self._put(_OTHER, other, other_label)
            self.layout.showlegend = other is not None

    def mark(self, distance_A: float | None, energy_eV: float | None) -> None:
        """Ring the place that the 3D view shows; None takes the ring away."""
        ring = self.data[_PLACE]
        known = distance_A is not None and energy_eV is not None and np.isfinite(energy_eV)
        with self.batch_update():
            ring.x, ring.y = ([distance_A], [energy_eV]) if known else ([], [])

    def _put(self, first: int, band: BandPicture | None, label: str) -> None:
        curve, points = self.data[first], self.data[first + 1]
        none = np.zeros(0)
        curve.x, curve.y = (band.curve_A, band.curve_eV) if band is not None else (none, none)
        points.x, points.y = (band.distances_A, band.energies_eV) if band is not None else (none, none)
        curve.name = label


class ForceCurve(LiveCurves):
    """The largest force of the bands that are still in the batch, by optimiser step."""

    known_tables = ("neb",)

    def __init__(self, run: Run, *, height: int = 180) -> None:
        super().__init__(run, height=height, max_panels=1)

    def plots_of(self, columns: list[str]) -> list[Plot]:
        """One plot, of the forces."""
        return [Plot(("max_force_eV_A",), "Largest force (eV/Å)", log=True)] if "max_force_eV_A" in columns else []


def _trace(mode: str, look: dict) -> dict:
    kind = "line" if mode == "lines" else "marker"
    words = "%{x:.2f} Å, %{y:.3f} eV<extra></extra>"
    return {
        "type": "scatter", "x": [], "y": [], "mode": mode, kind: look, "showlegend": False, "hovertemplate": words,
    }  # fmt: skip
