"""The curves of a training: loss, errors of energy and forces, learning rate by epoch; the loss of batches by step.

They are `LiveCurves` over the training's tables, side by side, at most two updates a second.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import ipywidgets as w
import numpy as np

from labkit.runs import Run

from .curves import LiveCurves
from .curves_model import Plot
from .figure import Figure

if TYPE_CHECKING:
    import pandas as pd

INTERVAL_S = 0.5
_ERRORS = (
    ("energy_mae_meV_atom", "Energy MAE (meV/atom)"),
    ("forces_mae_meV_A", "Force MAE (meV/Å)"),
)


class _SideBySide(LiveCurves):
    """Curves whose figures stand beside one another as far as there is room."""

    interval_s = INTERVAL_S

    def arranged(self, figures: list[Figure]) -> list[w.Widget]:
        """Return each figure in a box that shares the row."""
        cell = {"flex": "1 1 45%", "min_width": "280px", "overflow": "hidden"}
        boxes = [w.Box([one], layout=w.Layout(display="block", **cell)) for one in figures]
        return [w.Box(boxes, layout=w.Layout(flex_flow="row wrap", width="100%"))]


class TrainingCurves(_SideBySide):
    """Loss on a logarithmic axis, errors of energy (meV/atom) and forces (meV/Å), learning rate, by epoch."""

    known_tables = ("training",)

    def __init__(self, run: Run, *, height: int = 190) -> None:
        super().__init__(run, height=height, max_panels=4)

    def plots_of(self, columns: list[str]) -> list[Plot]:
        """Return loss, energy error, force error and learning rate, as far as the table has them."""
        plots = []
        losses = [("train_loss", "training"), ("validation_loss", "validation")]
        losses = [(column, name) for column, name in losses if column in columns]
        if losses:
            plots.append(Plot(tuple(c for c, _ in losses), "Loss", tuple(n for _, n in losses), log=True))
        for column, title in _ERRORS:
            both = [(f"train_{column}", "training"), (column, "validation")]
            both = [(one, name) for one, name in both if one in columns]
            if both:
                plots.append(Plot(tuple(c for c, _ in both), title, tuple(n for _, n in both), log=True))
        if "learning_rate" in columns:
            plots.append(Plot(("learning_rate",), "Learning rate", log=True))
        return plots

    def abscissa_of(self, table: pd.DataFrame) -> tuple[np.ndarray, str]:
        """Return the epochs."""
        return table["epoch" if "epoch" in table else "step"].to_numpy(float), "Epoch"


class BatchCurves(_SideBySide):
    """Loss and gradient norm of single batches by optimiser step: they move within an epoch, too."""

    known_tables = ("batches",)

    def __init__(self, run: Run, *, height: int = 190) -> None:
        super().__init__(run, height=height, max_panels=2)

    def plots_of(self, columns: list[str]) -> list[Plot]:
        """Return the loss of the batches and the norm of their gradients, as far as the table has them."""
        wanted = (("loss", "Loss of a batch"), ("gradient_norm", "Gradient norm"))
        return [Plot((column,), title, log=True) for column, title in wanted if column in columns]

    def abscissa_of(self, table: pd.DataFrame) -> tuple[np.ndarray, str]:
        """Return the optimiser's steps."""
        return table["step"].to_numpy(float), "Optimiser step"
