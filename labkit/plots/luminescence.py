"""Figures of a luminescence: the spectrum, the Huang-Rhys factor of each mode, the spectral function."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from labkit.plots.axes import finish, new_axes
from labkit.plots.palette import CYCLE, ink, ramp

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from labkit.analysis.luminescence import HuangRhys
    from labkit.analysis.luminescence_lineshape import Lineshape
    from labkit.analysis.luminescence_measurement import MeasuredSpectrum

#: Localisation N/IPR that has the darkest colour: a mode of a few atoms among hundreds.
COLOUR_MAP = "cividis_r"


def spectrum(
    lines: Lineshape | Sequence[Lineshape],
    ax: Axes | None = None,
    *,
    measured: MeasuredSpectrum | None = None,
    labels: Sequence[str] | None = None,
) -> Axes:
    """Draw intensity (1/eV, area 1) against photon energy (eV), one line for each `Lineshape`.

    `measured` is scaled onto the first line; `labels` are the names of the lines, else their own name and temperature.
    """
    lines = list(lines) if isinstance(lines, Sequence) else [lines]
    if not lines:
        raise ValueError("there is no line shape to draw; give at least one.")
    if labels is not None and len(labels) != len(lines):
        raise ValueError(f"{len(labels)} labels were given for {len(lines)} line shapes.")
    ax = new_axes(ax)
    for number, one in enumerate(lines):
        name = labels[number] if labels is not None else ", ".join(filter(None, [one.name, f"{one.temperature_K:g} K"]))
        colour = CYCLE[number % len(CYCLE)]
        ax.plot(one.energies_eV, one.intensity, color=colour, label=name, linewidth=1.3)
    if measured is not None:
        scaled = measured.scaled_to(lines[0].energies_eV, lines[0].intensity)
        ax.plot(measured.energies_eV, scaled, ".", color=ink(ax, "orange"), label="measured", markersize=3)
    spans = np.array([one.span_eV() for one in lines])
    ax.set_xlim(spans[:, 0].min() - 0.02, spans[:, 1].max() + 0.02)
    ax.set_ylim(bottom=0)
    return finish(ax, "photon energy (eV)", f"{lines[0].kind} (1/eV)")


def huang_rhys_stems(
    factors: HuangRhys, ax: Axes | None = None, *, least: float = 1e-4, sigma_meV: float | None = 6.0
) -> Axes:
    """Draw S_k against the energy of its mode (meV), coloured by the localisation N/IPR.

    Modes below `least` are left out of the picture. With `sigma_meV` the spectral function S(E) (1/meV) stands behind,
    on an axis of its own.
    """
    from matplotlib.colors import LogNorm

    ax = new_axes(ax)
    shown = factors.factors >= least
    energies, values, local = (one[shown] for one in (factors.energies_meV, factors.factors, factors.localisation))
    top = max(float(factors.localisation.max(initial=1.0)), 2.0)
    norm, colours = LogNorm(1.0, top), ramp(ax, COLOUR_MAP)
    ax.vlines(energies, 0, values, color=colours(norm(local)), linewidth=1.0)
    dots = ax.scatter(energies, values, c=local, cmap=colours, norm=norm, s=14, zorder=3)
    bar = ax.figure.colorbar(dots, ax=ax, label="localisation N/IPR", pad=0.12 if sigma_meV else 0.02)
    ticks = [tick for tick in (1, 2, 5, 10, 20, 50, 100, 200, 500) if tick <= top]
    bar.set_ticks(ticks, labels=[str(tick) for tick in ticks])
    bar.minorticks_off()
    ax.set_ylim(bottom=0)
    if sigma_meV:
        behind = ax.twinx()
        spectral_function(factors, behind, sigma_meV=sigma_meV)
        behind.grid(False)
        behind.set_zorder(ax.get_zorder() - 1)
        ax.patch.set_visible(False)
    return finish(ax, "mode energy (meV)", "partial Huang-Rhys factor S_k")


def spectral_function(
    factors: HuangRhys | Sequence[HuangRhys], ax: Axes | None = None, *, sigma_meV: float = 6.0
) -> Axes:
    """Draw S(E) = sum_k S_k g_σ(E - E_k) (1/meV) against the phonon energy (meV), one line for each set of phonons."""
    from labkit.analysis.luminescence_overlap import spectral_density

    ax = new_axes(ax)
    several = isinstance(factors, Sequence)
    for number, one in enumerate(factors if several else [factors]):
        grid = np.linspace(0.0, one.energies_meV.max() + 5 * sigma_meV, 600)
        density = spectral_density(one.energies_meV, one.factors, grid, sigma_meV)
        if several:
            ax.plot(grid, density, color=CYCLE[number % len(CYCLE)], label=one.name or None)
        else:
            ax.fill_between(grid, density, color=ink(ax, "sky_blue"), alpha=0.35, linewidth=0)
    ax.set_ylim(bottom=0)
    return finish(ax, "phonon energy (meV)", "S(E) (1/meV)")
