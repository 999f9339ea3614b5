"""Figures of phonons: bands with their imaginary part shaded, the density of states beside, what heat does to them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from labkit.plots.axes import finish, new_axes
from labkit.plots.palette import CYCLE, ink, ramp
from labkit.simulators.phonons_data import percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from labkit.simulators.phonons_data import Bands, PhononDOS, ThermalFunctions
    from labkit.simulators.phonons_quasi_harmonic_result import QuasiHarmonicResult

KELVIN = "temperature (K)"
#: Frequencies above this (THz) are not called imaginary by the shade: rounding at Γ.
QUIET_THz = -0.05


def phonon_bands(bands: Bands, ax: Axes | None = None, *, colour: str | None = None, label: str | None = None) -> Axes:
    """Draw frequencies (THz) along the path; below zero, where they are imaginary, the ground is shaded."""
    ax = new_axes(ax)
    colour = colour or ink(ax, "blue")
    for piece in bands.segments:
        lines = ax.plot(bands.distances[piece], bands.frequencies_THz[piece], color=colour, linewidth=1.1)
        if label is not None:
            lines[0].set_label(label)
            label = None
    low, high = float(bands.frequencies_THz.min()), float(bands.frequencies_THz.max())
    _range(ax, low, high)
    for distance, _ in bands.ticks:
        ax.axvline(distance, color="grey", linewidth=0.6, alpha=0.7)
    ax.set_xlim(bands.distances[0], bands.distances[-1])
    finish(ax, "wave vector", "frequency (THz), imaginary below 0" if low < QUIET_THz else "frequency (THz)")
    ax.set_xticks([distance for distance, _ in bands.ticks], [label for _, label in bands.ticks])
    ax.grid(False)
    return ax


def phonon_dos(
    dos: PhononDOS, ax: Axes | None = None, *, symbols: Sequence[str] | None = None, upright: bool = False
) -> Axes:
    """Draw the density of states (modes per THz) against the frequency (THz).

    symbols: element of each atom, for one line an element. upright: frequencies along y, as beside a band structure.
    """
    ax = new_axes(ax)
    frequencies = dos.frequencies_THz

    def draw(values: np.ndarray, **style: object) -> None:
        ax.plot(*((values, frequencies) if upright else (frequencies, values)), **style)

    fill = ax.fill_betweenx if upright else ax.fill_between
    fill(frequencies, dos.total, color="grey", alpha=0.25, linewidth=0)
    draw(dos.total, color="grey", linewidth=1.0, label="all" if symbols is not None else None)
    if symbols is not None:
        if len(symbols) != len(dos.projected):
            raise ValueError(f"{len(symbols)} symbols were given for {len(dos.projected)} atoms.")
        for number, symbol in enumerate(dict.fromkeys(symbols)):
            rows = [place for place, one in enumerate(symbols) if one == symbol]
            draw(dos.projected[rows].sum(axis=0), color=CYCLE[number % len(CYCLE)], linewidth=1.2, label=symbol)
    names = "frequency (THz)", "states (1/THz)"
    if upright:
        ax.set_xlim(left=0)
        return finish(ax, names[1], names[0])
    ax.set_ylim(bottom=0)
    return finish(ax, *names)


def bands_and_dos(
    bands: Bands, dos: PhononDOS, axes: Sequence[Axes] | None = None, *, symbols: Sequence[str] | None = None
) -> list[Axes]:
    """Draw the bands, and the density of states beside them on the same frequencies."""
    if axes is None:
        import matplotlib.pyplot as plt

        figure = {"figsize": (6.8, 3.8), "sharey": True, "width_ratios": (3, 1), "layout": "constrained"}
        axes = list(plt.subplots(1, 2, **figure)[1])
    if len(axes) != 2:
        raise ValueError(f"axes holds {len(axes)} axes; this figure needs 2, from left to right.")
    phonon_bands(bands, axes[0])
    phonon_dos(dos, axes[1], symbols=symbols, upright=True)
    low = min(float(bands.frequencies_THz.min()), 0.0)
    _range(axes[1], low, float(bands.frequencies_THz.max()))
    axes[1].set_ylabel("")
    return list(axes)


def thermal_functions(thermal: ThermalFunctions, ax: Axes | None = None) -> Axes:
    """Draw free energy (eV), and entropy and heat capacity (k_B) on a second axis, against temperature."""
    from ase.units import kB

    ax = new_axes(ax)
    temperatures = thermal.temperatures_K
    ax.plot(temperatures, thermal.free_energy_eV, color=ink(ax, "blue"), label="free energy")
    beside = ax.twinx()
    beside.plot(temperatures, thermal.entropy_eV_K / kB, color=CYCLE[2], linestyle="--", label="entropy")
    beside.plot(temperatures, thermal.heat_capacity_eV_K / kB, color=CYCLE[1], linestyle=":", label="heat capacity")
    beside.set_ylabel("entropy, heat capacity (k_B per cell)")
    beside.set_ylim(bottom=0)
    beside.grid(False)
    handles = [one for axes in (ax, beside) for one in axes.get_legend_handles_labels()[0]]
    finish(ax, KELVIN, "free energy (eV per cell)", legend=False)
    names = [one.get_label() for one in handles]
    ax.legend(handles, names, frameon=False, fontsize="small", loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3)
    if thermal.warning:
        ax.set_xlabel(f"{KELVIN}\n{thermal.warning}")
    return ax


def quasi_harmonic(result: QuasiHarmonicResult, axes: Sequence[Axes] | None = None, *, curves: int = 6) -> list[Axes]:
    """Draw four panels: F(V) at some temperatures with the minima, V(T), the thermal expansion, and B(T).

    The band around B is its standard error, from how the free energies scatter from volume to volume; temperatures at
    which that is too much are shaded.
    """
    if axes is None:
        import matplotlib.pyplot as plt

        axes = list(np.ravel(plt.subplots(2, 2, figsize=(7.6, 5.6), layout="constrained")[1]))
    if len(axes) != 4:
        raise ValueError(f"axes holds {len(axes)} axes; this figure needs 4.")
    temperatures = result.temperatures_K
    chosen = np.unique(np.linspace(0, len(temperatures) - 1, curves).round().astype(int))
    shades = ramp(axes[0], "cividis")(np.linspace(0, 0.9, len(chosen)))
    for number, place in enumerate(chosen):
        energies = result.helmholtz_eV[place]
        axes[0].plot(result.volumes_A3, energies, ".-", color=shades[number], linewidth=1)
        name = f" {temperatures[place]:.0f} K"
        axes[0].annotate(name, (result.volumes_A3[-1], energies[-1]), fontsize="x-small", va="center")
    axes[0].plot(result.volume_A3[chosen], result.gibbs_eV[chosen], "+", color=ink(axes[0], "vermillion"), markersize=9)
    axes[0].margins(x=0.12)
    finish(axes[0], "volume (Å³ per cell)", "free energy (eV per cell)")
    if result.left_out.max() > 0:
        axes[0].set_xlabel(f"volume (Å³ per cell)\nimaginary modes, up to {percent(result.left_out.max())}, left out")
    curves_of = (
        (result.volume_A3, "volume (Å³ per cell)"),
        (result.thermal_expansion_1_K * 1e6, "thermal expansion (10⁻⁶/K)"),
        (result.bulk_modulus_GPa, "bulk modulus (GPa)"),
    )
    for ax, (values, name) in zip(axes[1:], curves_of, strict=True):
        ax.plot(temperatures, values, color=ink(ax, "blue"))
        finish(ax, KELVIN, name)
        if result.uncertain.any():
            ax.axvspan(temperatures[result.uncertain][0], temperatures[-1], color=CYCLE[1], alpha=0.12, linewidth=0)
            ax.set_xlabel(f"{KELVIN}; shaded: not to be trusted")
    band = result.bulk_modulus_error_GPa
    low, high = result.bulk_modulus_GPa - band, result.bulk_modulus_GPa + band
    axes[3].fill_between(temperatures, low, high, color=ink(axes[3], "blue"), alpha=0.2, linewidth=0)
    return list(axes)


def _range(ax: Axes, low: float, high: float) -> None:
    """Frequencies from the lowest to the highest, and a shade where they are imaginary."""
    margin = 0.03 * max(high - low, 0.1)
    imaginary = low < QUIET_THz
    bottom = low - margin if imaginary else 0.0
    if imaginary:
        ax.axhspan(bottom, 0.0, color=CYCLE[1], alpha=0.12, linewidth=0, zorder=0)
        ax.axhline(0.0, color="grey", linewidth=0.8)
    ax.set_ylim(bottom, high + margin)
