"""Parity of a training: predicted against reference energies and forces of the validation set, and errors by group.

Both are refreshed from the run's files when they change, at most twice a second.
"""

from __future__ import annotations

import ipywidgets as w

from . import theme
from .curves import figure_layout
from .figure import Figure
from .panel import Panel, muted
from .potential_card import errors_table
from .training_model import Parity

#: Word, unit of the axes, unit of the errors, which are a thousand times smaller.
_QUANTITIES = {"energy": ("energy", "eV/atom", "meV/atom"), "forces": ("force", "eV/Å", "meV/Å")}


class ParityView(Panel):
    """Two parity plots side by side with their errors, and a table of errors by group; `parity` holds the numbers."""

    def __init__(self, *, height: int = 250) -> None:
        self._height = height
        self.parity: dict[str, Parity] = {}
        self.figures: dict[str, Figure] = {}
        self._texts: dict[str, w.HTML] = {}
        self._row = w.Box([], layout=w.Layout(flex_flow="row wrap", width="100%"))
        self.note = w.HTML(muted("waiting for the first validation"))
        self.groups = w.HTML()
        super().__init__([self._row, self.note, self.groups])

    def show_parity(self, found: dict[str, Parity]) -> None:
        """Draw these; figures are made when their quantity first appears."""
        self.parity = found
        for name, one in found.items():
            if name not in self.figures:
                self._add(name)
            figure, unit = self.figures[name], _QUANTITIES[name][2]
            ends = [float(one.reference.min()), float(one.reference.max())] if len(one.reference) else [0.0, 0.0]
            with figure.batch_update():
                figure.data[0].x, figure.data[0].y = ends, ends
                figure.data[1].x, figure.data[1].y = one.reference, one.predicted
                if one.index is not None:
                    figure.data[1].customdata = one.index
            parts = [f"MAE {1000 * one.mae:.3g} {unit}", f"RMSE {1000 * one.rmse:.3g} {unit}", f"{one.n:,} values"]
            parts += [f"epoch {one.epoch}"] if one.epoch is not None else []
            self._texts[name].value = muted(" · ".join(parts))
        self.note.value = "" if found else self.note.value

    def show_groups(self, found: dict[str, dict[str, float]]) -> None:
        """Show errors by group."""
        self.groups.value = errors_table(found, "validation, best epoch") if found else ""

    def _add(self, name: str) -> None:
        words, unit, _ = _QUANTITIES[name]
        layout = figure_layout(self._height, f"Reference {words} ({unit})", f"Predicted {words} ({unit})")
        hover = "reference %{x:.4f}<br>predicted %{y:.4f}" + ("<br>structure %{customdata}" if name == "energy" else "")
        marker = {"color": theme.palette()[0], "size": 4, "opacity": 0.55}
        shared = {"type": "scatter", "x": [], "y": [], "showlegend": False}
        diagonal = {"mode": "lines", "line": {"color": theme.GREY, "width": 1}, "hoverinfo": "skip"}
        points = {"mode": "markers", "marker": marker, "hovertemplate": hover + "<extra></extra>"}
        figure = Figure(layout, [{**shared, **diagonal}, {**shared, **points}])
        self.figures[name], self._texts[name] = figure, w.HTML()
        cell = w.Layout(display="block", flex="1 1 45%", min_width="280px", overflow="hidden")
        self._row.children = [*self._row.children, w.Box([figure, self._texts[name]], layout=cell)]

    def release(self) -> None:
        """Close the figures."""
        for figure in self.figures.values():
            figure.close()
