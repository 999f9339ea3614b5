"""Figure of how many structures are accurate, candidates for a label, or failed, with both thresholds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from labkit.plots.axes import finish, new_axes
from labkit.plots.palette import PALETTE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_PARTS = (("accurate", "green"), ("candidate", "orange"), ("failed", "vermillion"))


def grade_histogram(
    values: Sequence[float],
    lower: float,
    upper: float = np.inf,
    ax: Axes | None = None,
    *,
    quantity: str = "extrapolation grade",
    unit: str = "1",
    bins: int = 40,
) -> Axes:
    """Draw the histogram of grades or uncertainties (n,) and the lower and break thresholds, in `unit`.

    Bins are equal on a logarithmic axis. Values that are not finite or not positive are counted in the legend only.
    Raises ValueError unless lower < upper.
    """
    if not lower < upper:
        raise ValueError(f"the lower threshold {lower:g} is not below the break threshold {upper:g}.")
    values = np.asarray(values, dtype=float)
    failed = ~np.isfinite(values) | (values >= upper)
    parts = {"accurate": ~failed & (values < lower), "candidate": ~failed & (values >= lower), "failed": failed}
    ax = new_axes(ax)
    usable = np.isfinite(values) & (values > 0)
    drawn = values[usable] if usable.any() else np.array([lower])
    edges = np.geomspace(drawn.min() * 0.99, drawn.max() * 1.01, bins + 1)
    for name, colour in _PARTS:
        chosen = values[parts[name] & usable]
        ax.hist(chosen, edges, color=PALETTE[colour], label=f"{name} ({int(parts[name].sum())})")
    ax.axvline(lower, color=PALETTE["blue"], linestyle="--", linewidth=1, label=f"lower threshold {lower:g}")
    if np.isfinite(upper):
        ax.axvline(upper, color=PALETTE["purple"], linestyle="--", linewidth=1, label=f"break threshold {upper:g}")
    ax.set_xscale("log")
    return finish(ax, f"{quantity} ({unit})", "structures (1)")
