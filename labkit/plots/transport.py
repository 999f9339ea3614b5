"""Figures of ionic transport: Arrhenius points of several structures, where the ions are, how they jump."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from labkit.plots.axes import finish, new_axes
from labkit.plots.palette import CYCLE, ink

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from labkit.analysis.probability_density import ProbabilityDensity
    from labkit.analysis.site_jumps import SiteJumps
    from labkit.analysis.transport import TransportPoint

_AXES = "xyz"


def transport(
    points: Sequence[TransportPoint],
    ax: Axes | None = None,
    *,
    quantity: str = "D",
    down_to_K: float | None = 300.0,
    doubtful: bool = False,
    experiment: Mapping[str, Sequence[tuple[float, float]]] | None = None,
) -> Axes:
    """Draw D (cm²/s) or σT (S K/cm) of each structure against 1000/T (1/K), logarithmic, with 95 % bars and bands.

    Points that carry a warning are hollow and fitted only where `doubtful`; the line is dashed and called extrapolated
    beyond the fitted temperatures. `experiment`: label -> points (temperature in K, D in cm²/s or σ in S/cm). Raises
    ValueError for another quantity.
    """
    from labkit.analysis.transport import arrhenius_of, conductivity_of

    if quantity not in ("D", "sigmaT"):
        raise ValueError(f"quantity={quantity!r} is unknown; use 'D' or 'sigmaT'.")
    by_sigma = quantity == "sigmaT"
    ax = new_axes(ax)
    for number, name in enumerate(dict.fromkeys(point.name for point in points)):
        colour, own = CYCLE[number % len(CYCLE)], [point for point in points if point.name == name]
        for trusted, face in ((True, colour), (False, "none")):
            shown = [point for point in own if point.trusted == trusted and point.D_cm2_s > 0]
            if not shown:
                continue
            T = np.array([point.temperature_K for point in shown])
            values = np.array(
                [point.sigma_S_cm * point.temperature_K if by_sigma else point.D_cm2_s for point in shown]
            )
            relative = np.array([1.96 * (point.error_cm2_s or 0.0) / point.D_cm2_s for point in shown])
            bars = np.stack([np.minimum(relative, 0.9) * values, relative * values])
            label = name if trusted else f"{name}, doubtful"
            ax.errorbar(1000 / T, values, yerr=bars, fmt="o", color=colour, mfc=face, capsize=3, label=label)
        try:
            fit = (conductivity_of if by_sigma else arrhenius_of)(own, doubtful=doubtful)
        except ValueError:  # too few points for a line: the points themselves say so
            continue
        hot, low = max(fit.temperatures_K), min(fit.temperatures_K)
        spans = [(hot, low, "-", _energy(name, fit))]
        if down_to_K is not None and down_to_K < low:
            spans.append((low, down_to_K, "--", f"{name}: extrapolated to {down_to_K:g} K"))
        for start, end, dash, label in spans:
            grid = 1 / np.linspace(1 / start, 1 / end, 50)
            at = [fit.at(float(one)) for one in grid]
            scale = grid if by_sigma else np.ones_like(grid)
            names = ("sigma_S_cm", "low_S_cm", "high_S_cm") if by_sigma else ("D_cm2_s", "low_cm2_s", "high_cm2_s")
            middle, below, above = (np.array([getattr(one, name) for one in at]) * scale for name in names)
            ax.plot(1000 / grid, middle, dash, color=colour, label=label)
            ax.fill_between(1000 / grid, below, above, color=colour, alpha=0.12, linewidth=0)
    marks = "*Ds^v"
    for number, (label, given) in enumerate((experiment or {}).items()):
        T, heights = np.array(given, dtype=float).reshape(-1, 2).T
        heights = heights * T if by_sigma else heights
        ax.plot(1000 / T, heights, marks[number % len(marks)], color=ink(ax, "black"), mfc="none", ms=9, label=label)
    ax.set_yscale("log", nonpositive="clip")
    return finish(ax, "1000 / T (1/K)", "σT (S K/cm)" if by_sigma else "D (cm²/s)")


def _energy(name: str, fit: Any) -> str:
    return f"{name}: Ea = {fit.activation_energy_eV:.2f} ± {fit.activation_energy_error_eV:.2f} eV"


def density(
    result: ProbabilityDensity,
    ax: Axes | None = None,
    *,
    along: str = "z",
    slab_A: tuple[float, float] | None = None,
) -> Axes:
    """Draw the ions per area (1/Å²), summed along x, y or z, of an orthogonal cell; the other atoms are rings.

    `slab_A` (from, to) takes only what lies between two heights in Å along that direction, atoms too; it may reach
    across a face. Raises ValueError for a skew cell, whose picture is the iso-surface.
    """
    if along not in _AXES or len(along) != 1:
        raise ValueError(f"along={along!r} must be 'x', 'y' or 'z'.")
    edges = np.diag(result.cell)
    if not np.allclose(result.cell, np.diag(edges), atol=1e-6):
        raise ValueError("the cell is skew; look at its iso-surface, or fold into an orthogonal cell.")
    ax = new_axes(ax, figsize=(4.6, 4.0))
    axis = _AXES.index(along)
    first, second = (k for k in range(3) if k != axis)
    low, high = (0.0, float(edges[axis])) if slab_A is None else slab_A
    count = result.density_1_A3.shape[axis]
    layers = (np.arange(count) * edges[axis] / count - low) % edges[axis] < high - low
    summed = result.density_1_A3.compress(layers, axis=axis).sum(axis=axis) * edges[axis] / count
    closed = np.pad(summed, [(0, 1)] * 2, mode="wrap")
    extent = (0, edges[first], 0, edges[second])
    picture = ax.imshow(closed.T, origin="lower", extent=extent, cmap="cividis", interpolation="bilinear", vmin=0)
    ax.figure.colorbar(picture, ax=ax, label=f"{', '.join(result.species)} per area (1/Å²)")
    if result.host is not None:
        for number, symbol in enumerate(sorted(set(result.host.symbols))):
            places = result.host.positions[result.host.symbols == symbol]
            places = places[(places[:, axis] - low) % edges[axis] < high - low] % edges
            if not len(places):
                continue
            look = {"ms": 7, "mfc": "none", "color": CYCLE[(number + 1) % len(CYCLE)], "label": symbol}
            ax.plot(places[:, first], places[:, second], "o", **look)
    finish(ax, f"{_AXES[first]} (Å)", f"{_AXES[second]} (Å)", legend=False)
    ax.grid(False)
    ax.legend(frameon=False, fontsize="small", loc="upper center", bbox_to_anchor=(0.5, 1.1), ncols=4)
    return ax


def jump_rates(results: Mapping[str, SiteJumps], ax: Axes | None = None) -> Axes:
    """Draw the jump rate of one ion (1/ps) between each pair of kinds of sites, with 95 % Poisson bars.

    `results`: label -> what `site_jumps` found, such as one for each structure.
    """
    ax = new_axes(ax)
    found = {label: one.rates_by_kind() for label, one in results.items()}
    pairs = list(dict.fromkeys(pair for rates in found.values() for pair in rates))
    width = 0.8 / max(1, len(found))
    for number, (label, rates) in enumerate(found.items()):
        here = [k for k, pair in enumerate(pairs) if pair in rates]
        values = np.array([rates[pairs[k]].rate_1_ps for k in here])
        bars = np.array([[rates[pairs[k]].low_1_ps, rates[pairs[k]].high_1_ps] for k in here]).reshape(-1, 2).T
        place = np.array(here) + (number - (len(found) - 1) / 2) * width
        ax.bar(place, values, width, color=CYCLE[number % len(CYCLE)], label=label)
        spread = np.abs(bars - values)
        ax.errorbar(place, values, yerr=spread, fmt="none", color=ink(ax, "black"), capsize=3, linewidth=1)
    ax.set_xticks(range(len(pairs)), [" → ".join(pair) for pair in pairs])
    return finish(ax, "from site → to site", "jumps of an ion there (1/ps)")
