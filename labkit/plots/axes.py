"""Where a figure comes from and how a table is read: the two things that all plot functions share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def new_axes(ax: Axes | None, **figure: Any) -> Axes:
    """Return `ax`, or the axes of a new figure.

    The figure is made through pyplot, as in seaborn: a notebook then shows it at the end of the cell. Pass `ax` to
    keep pyplot out.
    """
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots(layout="constrained", **{"figsize": (5.6, 3.6), **figure})[1]


def new_stack(axes: Sequence[Axes] | None, rows: int, **figure: Any) -> list[Axes]:
    """Return `axes` (checked to be `rows` of them) or that many stacked axes with a common x axis in a new figure."""
    if axes is not None:
        given = list(np.ravel(np.asarray(axes, dtype=object)))
        if len(given) != rows:
            raise ValueError(f"ax holds {len(given)} axes; this figure needs {rows}, from top to bottom.")
        return given
    import matplotlib.pyplot as plt

    options = {"figsize": (5.6, 4.6), **figure}
    return list(plt.subplots(rows, 1, sharex=True, layout="constrained", **options)[1])


def column(table: Mapping[str, Any] | Any, name: str) -> np.ndarray:
    """Return a column of `table` (DataFrame or mapping) as numbers; ValueError names the columns present."""
    if name not in table:
        raise ValueError(f"the table has no column {name}; it has: {', '.join(map(str, table)) or 'none'}.")
    return np.asarray(table[name], dtype=float)


def finish(ax: Axes, x: str, y: str, *, legend: bool = True) -> Axes:
    """Label the axes (each with its unit), draw a faint grid, and a legend if there is something to name."""
    ax.set_xlabel(x)
    ax.set_ylabel(y)
    ax.grid(True, linewidth=0.5, alpha=0.6)
    ax.set_axisbelow(True)
    if legend and ax.get_legend_handles_labels()[1]:
        ax.legend(frameon=False, fontsize="small")
    return ax
