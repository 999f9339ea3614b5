"""Figures of a trajectory: temperature and energy, mean-squared displacement, displacement by direction, pair
distances.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from labkit.plots.axes import column, finish, new_axes, new_stack
from labkit.plots.palette import CYCLE, ink

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from labkit.analysis import MSD, RDF, Diffusion


def thermo(table: Mapping[str, Any] | Any, ax: Sequence[Axes] | None = None) -> list[Axes]:
    """Draw temperature (K) above and energies (eV, from their first value) below against time in ps; returns both axes.

    `table` is a DataFrame or mapping with time_fs, temperature_K, potential_energy_eV and total_energy_eV, as in
    `run.table("thermo")`; `ax` takes two axes, from top to bottom.
    """
    time = column(table, "time_fs") / 1000
    temperature = column(table, "temperature_K")
    energies = {"potential": column(table, "potential_energy_eV"), "total": column(table, "total_energy_eV")}
    upper, lower = new_stack(ax, 2)
    upper.plot(time, temperature, color=ink(upper, "vermillion"), linewidth=1.2)
    finish(upper, "", "temperature (K)")
    for (name, energy), colour in zip(energies.items(), ("blue", "orange"), strict=True):
        lower.plot(time, energy - energy[:1], color=ink(lower, colour), linewidth=1.2, label=name)
    finish(lower, "time (ps)", "energy − first value (eV)")
    return [upper, lower]


def msd(result: MSD, diffusion: Diffusion | None = None, ax: Axes | None = None) -> Axes:
    """Draw the mean-squared displacement (Å²) against lag time (ps); a band shows its standard error over atoms.

    With `diffusion` the fit window is shaded, the straight line drawn, and D ± its error put into the legend; if D
    covers only some directions, so does the curve. A warning of the fit becomes the title.
    """
    ax = new_axes(ax)
    lag = result.lag_fs / 1000
    directions = diffusion.directions if diffusion else "xyz"
    chosen = ["xyz".index(letter) for letter in directions]
    curve = result.per_direction_A2[chosen].sum(axis=0)
    name = ", ".join(result.species) + ("" if len(chosen) == 3 else f" along {directions}")
    ax.plot(lag, curve, color=ink(ax, "blue"), label=name)
    if len(chosen) == 3 and result.n_atoms > 1:
        band = result.spread_A2 / np.sqrt(result.n_atoms)
        ax.fill_between(lag, curve - band, curve + band, color=ink(ax, "blue"), alpha=0.2, linewidth=0)
    if diffusion is not None:
        window = np.array(diffusion.window_fs)
        slope = 2 * len(chosen) * diffusion.D_cm2_s / 0.1  # cm²/s back to Å²/fs
        error = "" if diffusion.error_cm2_s is None else f" ± {_scientific(diffusion.error_cm2_s)}"
        ax.axvspan(*(window / 1000), color=ink(ax, "sky_blue"), alpha=0.15, linewidth=0, label="fit window")
        ax.plot(
            window / 1000,
            diffusion.intercept_A2 + slope * window,
            color=ink(ax, "vermillion"),
            linestyle="--",
            label=f"D = {_scientific(diffusion.D_cm2_s)}{error} cm²/s",
        )
        if diffusion.warning:
            ax.set_title(diffusion.warning, fontsize="small", color=ink(ax, "vermillion"), wrap=True)
    ax.set_ylim(bottom=0)
    return finish(ax, "lag time (ps)", "mean-squared displacement (Å²)")


def displacement(result: MSD, ax: Axes | None = None) -> Axes:
    """Draw the mean-squared displacement along x, y and z (Å²) against lag time (ps): is the motion isotropic?"""
    ax = new_axes(ax)
    colours = (ink(ax, "blue"), ink(ax, "vermillion"), ink(ax, "green"))
    for letter, curve, colour, dash in zip("xyz", result.per_direction_A2, colours, ("-", "--", "-."), strict=True):
        ax.plot(
            result.lag_fs / 1000,
            curve,
            color=colour,
            linestyle=dash,
            label=f"{', '.join(result.species)} along {letter}",
        )
    ax.set_ylim(bottom=0)
    return finish(ax, "lag time (ps)", "mean-squared displacement (Å²)")


def rdf(result: RDF, ax: Axes | None = None, *, coordination: bool = False, label: str | None = None) -> Axes:
    """Draw g(r) (no unit) against distance (Å).

    Call it again with the same `ax` and another `label` to compare; `coordination=True` adds the running number of
    neighbours on a second axis.
    """
    ax = new_axes(ax)
    earlier = sum(not line.get_label().startswith("_") for line in ax.lines)
    pair = "–".join(result.pair) if result.pair else "all pairs"
    colour = ink(ax, "blue") if earlier == 0 else CYCLE[earlier % len(CYCLE)]
    ax.plot(result.r_A, result.g, color=colour, label=label or pair)
    if earlier == 0:
        ax.axhline(1.0, color=ink(ax, "sky_blue"), linewidth=0.8, linestyle=":")
    ax.set_ylim(bottom=0)
    if coordination:
        twin = ax.twinx()
        twin.plot(result.r_A + result.bin_A / 2, result.coordination, color=ink(ax, "orange"), linestyle="--")
        twin.set_ylabel("neighbours within r", color=ink(ax, "orange"))
        twin.spines["right"].set_visible(True)
        twin.set_ylim(bottom=0)
    return finish(ax, "distance r (Å)", "g(r) (dimensionless)")


def _scientific(value: float) -> str:
    """Return 1.2×10⁻⁶ for 1.23e-6; mathtext is left out so that the legend can be read by a screen reader."""
    mantissa, power = f"{value:.1e}".split("e")
    return (
        "0" if value == 0 else f"{mantissa}×10" + str(int(power)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    )
