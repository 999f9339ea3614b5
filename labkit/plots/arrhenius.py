"""Figure of an Arrhenius fit, with the extrapolated part drawn as such."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from labkit.plots.axes import finish, new_axes
from labkit.plots.palette import ink

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from labkit.analysis import Arrhenius


def arrhenius(result: Arrhenius, ax: Axes | None = None, *, down_to_K: float | None = None) -> Axes:
    """Draw D (cm²/s, logarithmic) against 1000/T (1/K) with the fit and its 95 % band.

    `down_to_K` continues the line to a lower temperature, dashed and called extrapolated.
    """
    ax = new_axes(ax)
    T = np.array(result.temperatures_K)
    spans = [
        (T.max(), T.min(), "-", f"Ea = {result.activation_energy_eV:.3f} ± {result.activation_energy_error_eV:.3f} eV")
    ]
    if down_to_K is not None and down_to_K < T.min():
        spans.append((T.min(), down_to_K, "--", f"extrapolated to {down_to_K:g} K"))
    for hot, cold, dash, label in spans:
        grid = 1.0 / np.linspace(1 / hot, 1 / cold, 50)
        points = [result.at(value) for value in grid]
        ax.plot(1000 / grid, [point.D_cm2_s for point in points], dash, color=ink(ax, "vermillion"), label=label)
        low, high = [point.low_cm2_s for point in points], [point.high_cm2_s for point in points]
        ax.fill_between(1000 / grid, low, high, color=ink(ax, "vermillion"), alpha=0.15, linewidth=0)
    ax.errorbar(
        1000 / T, result.D_cm2_s, yerr=result.errors_cm2_s, fmt="o", color=ink(ax, "blue"), capsize=3, label="simulated"
    )
    ax.set_yscale("log", nonpositive="clip")
    return finish(ax, "1000 / T (1/K)", "D (cm²/s)")
