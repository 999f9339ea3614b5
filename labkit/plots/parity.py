"""Figure of predicted against reference numbers: on the diagonal where the potential is right."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from labkit.plots.axes import finish, new_axes
from labkit.plots.palette import CYCLE, ink

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from labkit.datasets import Comparison

MAX_POINTS = 5000
#: quantity -> (name in a Comparison, name in the file of a training run, axis, unit, unit of the error)
_QUANTITIES = {
    "energy": ("energies", "energy", "energy per atom", "eV/atom", "meV/atom"),
    "forces": ("forces", "forces", "force component", "eV/Å", "meV/Å"),
}


def parity(
    result: Comparison | Mapping[str, Any], quantity: str = "forces", ax: Axes | None = None, *, limit: int = MAX_POINTS
) -> Axes:
    """Draw predicted against reference energies (eV/atom) or force components (eV/Å), at most `limit` points, the
    largest errors among them.

    `result` is a `labkit.datasets.Comparison`, coloured by group, or the parity.json of a training run. The legend
    gives MAE and RMSE over all points, drawn or not. Raises ValueError for another quantity.
    """
    from labkit.datasets.summary import thinned

    if quantity not in _QUANTITIES:
        raise ValueError(f"there is no quantity {quantity!r}; give one of {', '.join(_QUANTITIES)}.")
    name, short, title, unit, small = _QUANTITIES[quantity]
    if isinstance(result, Mapping):
        reference, predicted = (np.asarray(result[f"{short}_{one}"], dtype=float) for one in ("reference", "predicted"))
        groups = np.zeros(len(reference), dtype=int)
        names = [""]
    else:
        reference, predicted = getattr(result, f"{name}_reference"), getattr(result, f"{name}_predicted")
        owners = result.energy_index if quantity == "energy" else result.force_index
        names = list(dict.fromkeys(result.groups))
        groups = np.array([names.index(group) for group in result.groups], dtype=int)[owners]
    ax = new_axes(ax, figsize=(4.4, 4.2))
    error = 1000 * (predicted - reference)
    drawn = thinned(len(reference), limit, np.abs(error))
    for number, group in enumerate(names):
        chosen = drawn[groups[drawn] == number]
        look = {"color": CYCLE[number % len(CYCLE)], "markersize": 3, "alpha": 0.7}
        label = group if len(names) > 1 else None
        ax.plot(reference[chosen], predicted[chosen], ".", label=label or None, **look)
    if len(reference):
        ends = [min(reference.min(), predicted.min()), max(reference.max(), predicted.max())]
        text = f"MAE {np.abs(error).mean():.3g}, RMSE {np.sqrt((error**2).mean()):.3g} {small}"
        ax.plot(ends, ends, "--", linewidth=1, color=ink(ax, "vermillion"), label=text)
    return finish(ax, f"reference {title} ({unit})", f"predicted {title} ({unit})")
