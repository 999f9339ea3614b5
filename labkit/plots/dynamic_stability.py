"""Figures of dynamic stability: order parameter over temperature, skewness of atoms, mean force, displacements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from ase import units

from labkit.plots.axes import finish, new_axes
from labkit.plots.palette import CYCLE, ink

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from labkit.analysis.anharmonicity import Anharmonicity, PotentialOfMeanForce
    from labkit.analysis.critical_temperature import CriticalTemperature

#: 95 % of a Gaussian lies within so many standard errors.
BAR = 1.96
QUANTITIES = {"order": ("order", "order_error", "order parameter η"), "D": ("corrected_A", "D_error_A", "D (Å)")}
_AXES = "xyz"


def order_parameter(
    points: Mapping[str, Sequence[Mapping[str, Any]]],
    ax: Axes | None = None,
    *,
    quantity: str = "order",
    critical: Mapping[str, CriticalTemperature | None] | None = None,
    published_K: float | None = None,
) -> Axes:
    """Draw η (or D, Å, with quantity="D") of each structure against temperature (K), with 95 % bars.

    points: name -> mappings with temperature_K and the fields of `StructuralDescriptor`, as in the result of
    `DynamicStability`. critical: name -> where η crosses one half, drawn with its 95 % interval. published_K: a
    vertical line. Raises ValueError for another quantity, or when no point has it.
    """
    if quantity not in QUANTITIES:
        raise ValueError(f"quantity={quantity!r} is unknown; use 'order' or 'D'.")
    key, error, label = QUANTITIES[quantity]
    ax = new_axes(ax)
    drawn = 0
    for number, (name, own) in enumerate(points.items()):
        shown = sorted((one for one in own if one[key] is not None), key=lambda one: one["temperature_K"])
        if not shown:
            continue
        drawn += 1
        T, values, errors = (np.array([one[what] for one in shown]) for what in ("temperature_K", key, error))
        colour = CYCLE[number % len(CYCLE)]
        ax.errorbar(T, values, yerr=BAR * errors, fmt="o-", color=colour, capsize=3, linewidth=1, label=name)
        found = None if critical is None else critical.get(name)
        if quantity == "order" and found is not None and found.T_K is not None:
            low, high = (end if end is not None else T[at] for end, at in zip(found.interval_K, (0, -1), strict=True))
            ax.plot([low, high], [found.level] * 2, color=colour, linewidth=6, alpha=0.3, solid_capstyle="butt")
            ax.plot(found.T_K, found.level, "D", color=colour, mfc="none", label=f"{name}: $T_c$")
    if not drawn:
        raise ValueError(f"no point has {label}: a structure that is stable at 0 K has no order parameter, but has D.")
    if published_K is not None:
        ax.axvline(published_K, color=ink(ax, "orange"), linestyle="--", label=f"published, {published_K:g} K")
    ax.axhline(0, color=ax.xaxis.label.get_color(), linewidth=0.5)
    ax.set_xlim(left=0)
    return finish(ax, "temperature (K)", label)


def skewness(
    results: Sequence[Anharmonicity],
    distances_A: Sequence[float],
    ax: Axes | None = None,
    *,
    labels: Sequence[str] | None = None,
    quantity: str = "skewness",
) -> Axes:
    """Draw a bar with its 95 % error for each atom or class of atoms, coloured by the distance to the vacancy (Å).

    quantity: "skewness" or "excess_kurtosis"; both are 0 for harmonic motion. Raises ValueError for unequal lengths.
    """
    import matplotlib as mpl

    if quantity not in ("skewness", "excess_kurtosis"):
        raise ValueError(f"quantity={quantity!r} is unknown; use 'skewness' or 'excess_kurtosis'.")
    if not len(results) == len(distances_A) > 0:
        raise ValueError(f"{len(results)} results and {len(distances_A)} distances; give one distance for each.")
    ax = new_axes(ax)
    order = np.argsort(distances_A, kind="stable")
    values = np.array([getattr(results[k], quantity) for k in order])
    errors = BAR * np.array([getattr(results[k], f"{quantity}_error") for k in order])
    far = np.asarray(distances_A, dtype=float)[order]
    span = mpl.colors.Normalize(far.min(), far.max() if far.max() > far.min() else far.min() + 1)
    colours = mpl.colormaps["viridis"](span(far))
    ax.bar(np.arange(len(far)), values, yerr=errors, color=colours, ecolor=ax.xaxis.label.get_color(), capsize=3)
    names = [f"{one:.2f}" for one in far] if labels is None else [labels[k] for k in order]
    ax.set_xticks(np.arange(len(far)), names, rotation=0 if len(far) < 9 else 90)
    ax.axhline(0, color=ax.xaxis.label.get_color(), linewidth=0.8)
    ax.figure.colorbar(mpl.cm.ScalarMappable(span, "viridis"), ax=ax, label="distance to the nearest vacancy (Å)")
    what = "distance (Å)" if labels is None else "atom"
    return finish(ax, what, quantity.replace("_", " "), legend=False)


def mean_force(
    curves: Sequence[PotentialOfMeanForce],
    ax: Axes | None = None,
    *,
    labels: Sequence[str] | None = None,
    harmonic: bool = False,
) -> Axes:
    """Draw -kT ln p(u) (meV) against the displacement (Å), with a band of 95 %; dotted: the Gaussian of equal width.

    harmonic: whether that parabola is drawn, so that what is not harmonic can be seen.
    """
    ax = new_axes(ax)
    for number, one in enumerate(curves):
        colour = CYCLE[number % len(CYCLE)]
        label = labels[number] if labels is not None else f"{one.temperature_K:g} K"
        energies, band = 1000 * one.energies_eV, 1000 * BAR * one.errors_eV
        ax.plot(one.displacements_A, energies, color=colour, label=label)
        ax.fill_between(one.displacements_A, energies - band, energies + band, color=colour, alpha=0.2, linewidth=0)
        if harmonic:
            mean = np.average(one.displacements_A, weights=one.counts)
            width2 = np.average((one.displacements_A - mean) ** 2, weights=one.counts)
            parabola = 1000 * units.kB * one.temperature_K * (one.displacements_A - mean) ** 2 / (2 * width2)
            ax.plot(one.displacements_A, parabola, color=colour, linestyle=":")
    ax.set_ylim(bottom=0)
    return finish(ax, "displacement (Å)", "−kT ln p (meV)")


def displacement_cloud(
    displacements_A: np.ndarray, ax: Axes | None = None, *, plane: str = "xy", bins: int = 50, title: str = ""
) -> Axes:
    """Draw the displacements (T, 3) of one atom, or of k equivalent ones (T, k, 3), as a 2-D histogram in a plane.

    plane: two of x, y, z. Both axes in Å with the same scale. Raises ValueError for another plane.
    """
    if len(plane) != 2 or not set(plane) <= set(_AXES) or plane[0] == plane[1]:
        raise ValueError(f"plane={plane!r} is none of xy, xz, yz and their reverses.")
    ax = new_axes(ax, figsize=(4.2, 3.8))
    first, second = (np.asarray(displacements_A)[..., _AXES.index(one)].ravel() for one in plane)
    reach = 1.05 * max(abs(first).max(), abs(second).max(), 1e-3)
    counts, x, y = np.histogram2d(first, second, bins=bins, range=[[-reach, reach]] * 2, density=True)
    mesh = ax.pcolormesh(x, y, counts.T, cmap="viridis", rasterized=True)
    ax.figure.colorbar(mesh, ax=ax, label="density (1/Å²)")
    ax.set_aspect("equal")
    ax.set_title(title, fontsize="medium")
    finish(ax, f"{plane[0]} (Å)", f"{plane[1]} (Å)", legend=False)
    ax.grid(False)
    return ax
