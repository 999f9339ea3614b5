"""Figures of vibrations: the density of states with its error band, one mode's line and its fit, a coherence map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from labkit.analysis.vibrations import CM_PER_THZ, VDOS
from labkit.plots.axes import finish, new_axes
from labkit.plots.palette import CYCLE, ink

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from labkit.analysis.vibrations_coherence import Coherence
    from labkit.analysis.vibrations_committee import SpectrumBand
    from labkit.analysis.vibrations_lorentzian import ModeLine


def vdos(
    results: VDOS | SpectrumBand | Sequence[VDOS | SpectrumBand],
    ax: Axes | None = None,
    *,
    labels: Sequence[str] | None = None,
    groups: bool = False,
    unit: str = "THz",
    errors: float = 1.0,
    up_to_THz: float | None = None,
) -> Axes:
    """Draw each density of states (1/THz) against frequency, with a band of `errors` standard errors on either side.

    A `VDOS` has its statistical error, a `SpectrumBand` a committee's too (its 95 % take `errors=t_factor(members)`). A
    warning stands above the figure. `groups` adds the parts of a single `VDOS`;
    `unit`: "THz" or "cm" (wave numbers, the density then counts per 1/cm). Raises ValueError for nothing to draw,
    labels of another number, or another unit.
    """
    results = list(results) if isinstance(results, Sequence) else [results]
    if not results:
        raise ValueError("there is no density of states to draw; give at least one.")
    if labels is not None and len(labels) != len(results):
        raise ValueError(f"{len(labels)} labels were given for {len(results)} densities of states.")
    if unit not in ("THz", "cm"):
        raise ValueError(f"unit={unit!r} is unknown; use 'THz' or 'cm'.")
    if groups and (len(results) > 1 or not isinstance(results[0], VDOS)):
        raise ValueError("groups are drawn for a single VDOS only.")
    ax, scale = new_axes(ax), 1.0 if unit == "THz" else CM_PER_THZ
    top = up_to_THz or max(_reach(one) for one in results)
    for number, one in enumerate(results):
        shown = one.frequencies_THz <= top
        x, middle = (
            one.frequencies_THz[shown] * scale,
            (one.total if isinstance(one, VDOS) else one.mean)[shown] / scale,
        )
        spread = np.nan_to_num(errors * one.error[shown] / scale)
        colour = ink(ax, "black") if groups else CYCLE[number % len(CYCLE)]
        label = labels[number] if labels is not None else "all atoms" if groups else None
        ax.fill_between(x, np.maximum(middle - spread, 0), middle + spread, color=colour, alpha=0.25, linewidth=0)
        ax.plot(x, middle, color=colour, linewidth=1.3, label=label)
        if groups and isinstance(one, VDOS):
            for place, (name, part) in enumerate(one.groups.items()):
                ax.plot(x, part[shown] / scale, color=CYCLE[place % len(CYCLE)], linewidth=1.1, label=name)
    ax.set_xlim(0, top * scale)
    ax.set_ylim(bottom=0)
    _doubts(ax, [one.warning for one in results if isinstance(one, VDOS)])
    names = ("frequency (THz)", "density of states (1/THz)")
    return finish(ax, *(names if unit == "THz" else ("wave number (1/cm)", "density of states (cm)")))


def mode_line(line: ModeLine, ax: Axes | None = None) -> Axes:
    """Draw the spectrum of a mode (eV/THz) within the range of its fit, the fitted line, and the harmonic frequency.

    The bar at half height is the width of the vibration itself, Γ/2π, without the broadening of the window. Raises
    ValueError for a mode that has no line.
    """
    if not len(line.power):
        raise ValueError(f"mode {line.mode} has no line to draw: {line.warning}")
    ax = new_axes(ax)
    ax.plot(line.frequencies_THz, line.power, ".", color=ink(ax, "blue"), label="dynamics", markersize=5)
    ax.plot(line.frequencies_THz, line.fitted, color=ink(ax, "vermillion"), label=_fit_label(line), linewidth=1.5)
    if np.isfinite(line.harmonic_THz):
        said = f"harmonic, {line.harmonic_THz:.2f} THz"
        ax.axvline(line.harmonic_THz, color=ink(ax, "black"), linestyle="--", linewidth=1, label=said)
    half, height = line.width_THz / 2, line.fitted.max() / 2
    ax.plot([line.frequency_THz - half, line.frequency_THz + half], [height, height], "|-", color=ink(ax, "green"))
    ax.set_ylim(0, 1.35 * max(line.power.max(), line.fitted.max()))  # room for the legend
    _doubts(ax, [line.warning])
    return finish(ax, "frequency (THz)", f"spectrum of mode {line.mode} (eV/THz)")


def coherence(result: Coherence, ax: Axes | None = None, *, at_THz: float | None = None) -> Axes:
    """Draw a heat map of the coherence of each pair of modes, first group upwards, second to the right.

    By itself the mean over frequency (`Coherence.strength`), with `at_THz` the one at that frequency. The mark on the
    colour bar is what uncoupled modes show. Raises ValueError for a frequency outside of the spectrum.
    """
    ax = new_axes(ax, figsize=(5.2, 4.0))
    values, said = result.strength, "coherence, mean over frequency"
    if at_THz is not None:
        grid = result.frequencies_THz
        if not grid[0] <= at_THz <= grid[-1]:
            raise ValueError(f"at_THz={at_THz} lies outside of 0 to {grid[-1]:.3g} THz.")
        place = int(np.argmin(np.abs(grid - at_THz)))
        values, said = result.values[:, :, place], f"coherence at {grid[place]:.2f} THz"
    top = max(float(values.max()), 4 * result.zero_level)  # what is below chance shall not look like something
    look = {"origin": "lower", "cmap": "cividis", "aspect": "auto", "interpolation": "nearest"}
    picture = ax.imshow(values, vmin=0, vmax=top, **look)
    bar = ax.figure.colorbar(picture, ax=ax, label=said)
    bar.ax.axhline(result.zero_level, color=ink(ax, "vermillion"), linewidth=2)
    for axis, names in ((ax.xaxis, result.second), (ax.yaxis, result.first)):
        step = max(1, len(names) // 10)
        axis.set_ticks(range(0, len(names), step), [str(one) for one in names[::step]])
    _doubts(ax, [result.warning])
    finish(ax, "mode of the second group", "mode of the first group", legend=False)
    ax.grid(False)
    return ax


def _doubts(ax: Axes, warnings: Sequence[str]) -> None:
    """Write above the figure why not to trust it."""
    said = " ".join(dict.fromkeys(filter(None, warnings)))
    if said:
        ax.set_title(said, fontsize="small", color=ink(ax, "vermillion"), wrap=True)


def _reach(one: VDOS | SpectrumBand) -> float:
    """The frequency (THz) below which 99.9 % of the density lies, and a little more."""
    filled = np.cumsum(one.total if isinstance(one, VDOS) else one.mean)
    return 1.05 * float(one.frequencies_THz[np.searchsorted(filled, 0.999 * filled[-1])])


def _fit_label(line: ModeLine) -> str:
    low, high = line.lifetime_interval_ps
    return f"fit: {line.frequency_THz:.2f} THz, τ = {line.lifetime_ps:.2g} ps ({low:.2g} to {high:.2g})"
