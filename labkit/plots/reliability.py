"""Figure of observed against predicted errors: on the diagonal where an uncertainty can be trusted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from labkit.plots.axes import finish, new_axes
from labkit.plots.palette import CYCLE, ink

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def reliability(results: Any | Sequence[Any], ax: Axes | None = None) -> Axes:
    """Draw one or several `labkit.active_learning.Reliability` (eV/Å, logarithmic), ENCE and rms z in the legend.

    Below the diagonal the predicted errors are too large, above it too small (overconfident). Raises ValueError for
    nothing to draw.
    """
    results = list(results) if isinstance(results, Sequence) else [results]
    if not results:
        raise ValueError("there is no reliability diagram to draw; give at least one.")
    from matplotlib.ticker import LogLocator, NullFormatter

    ax = new_axes(ax, figsize=(4.6, 4.2))
    for number, one in enumerate(results):
        text = f"{one.label or 'predicted'}: ENCE {one.ence:.2f}, rms z {one.rms_z:.2f}"
        ax.plot(one.predicted, one.observed, "o-", markersize=4, color=CYCLE[number % len(CYCLE)], label=text)
    both = np.concatenate([np.concatenate([one.predicted, one.observed]) for one in results])
    ends = [both[both > 0].min(), both.max()]
    ax.plot(ends, ends, "--", linewidth=1, color=ink(ax, "black"), label="perfect")
    ax.set_xscale("log")
    ax.set_yscale("log")
    for axis in (ax.xaxis, ax.yaxis):  # less than a decade has one power of ten at most: name 2 and 5 as well
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter("{x:g}")
        axis.set_minor_formatter(NullFormatter())
    return finish(ax, "predicted error (eV/Å)", "observed error (eV/Å)")
