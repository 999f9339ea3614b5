"""Figures of a dataset: what it is made of, its energies against volume, and how large its forces are.

They show at a glance what a potential trained on it can know: elements, densities, and how far from equilibrium.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from labkit.plots.axes import finish, new_axes
from labkit.plots.palette import CYCLE, ink

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from labkit.datasets import Dataset

MARKERS = "osD^vPX"
NO_GROUP = "(no group)"


def composition(dataset: Dataset, ax: Axes | None = None) -> Axes:
    """Draw the number of atoms of each element as stacked bars, one colour a group."""
    from labkit.datasets.summary import composition as count

    ax = new_axes(ax)
    counts = count(dataset)
    elements = list(dict.fromkeys(symbol for one in counts.values() for symbol in one))
    floor = np.zeros(len(elements))
    for number, (group, one) in enumerate(counts.items()):
        heights = np.array([one.get(symbol, 0) for symbol in elements], dtype=float)
        ax.bar(elements, heights, bottom=floor, color=CYCLE[number % len(CYCLE)], label=group or NO_GROUP, width=0.6)
        floor += heights
    return finish(ax, "element", "atoms", legend=len(counts) > 1)


def energy_volume(dataset: Dataset, ax: Axes | None = None) -> Axes:
    """Draw energy per atom (eV) against volume per atom (Å^3), one colour and marker a group.

    A set without any three-dimensional cell is drawn against the number of the record. In a set of several compositions
    the least-squares energies of the elements are taken off; the axis says so.
    """
    from labkit.datasets.summary import energy_axes

    ax = new_axes(ax)
    shown = energy_axes(dataset)
    for number, (group, indices) in enumerate(dataset.groups().items()):
        look = {"color": CYCLE[number % len(CYCLE)], "marker": MARKERS[number % len(MARKERS)]}
        ax.plot(shown.x[indices], shown.y[indices], linestyle="", markersize=4, label=group or NO_GROUP, **look)
    return finish(ax, shown.x_title, shown.y_title)


def force_histogram(dataset: Dataset, ax: Axes | None = None, *, bins: int = 60) -> Axes:
    """Draw how often each size of a force component (eV/Å) occurs, on a logarithmic axis."""
    from labkit.datasets.summary import force_bins

    ax = new_axes(ax)
    edges, counts = force_bins(dataset, bins)
    ax.stairs(counts, edges, fill=True, color=ink(ax, "blue"), alpha=0.7)
    if counts.any():
        ax.set_yscale("log", nonpositive="clip")
    return finish(ax, "force component (eV/Å)", "number of components", legend=False)
