"""What a harmonic crystal answers with: modes, bands, a density of states, thermal functions, imaginary modes.

Plain data with a unit in every name; frequencies are in THz, and an imaginary frequency is a negative number.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Modes:
    """The 3n modes at k wave vectors.

    qpoints: (k, 3) in reduced coordinates. frequencies_THz: (k, 3n), ascending. eigenvectors: (k, 3n, n, 3) complex,
    orthonormal over the last two axes; atom j of the cell at lattice vector l moves along Re[e_j / sqrt(m_j)
    exp(i q.r_jl)].
    """

    qpoints: np.ndarray
    frequencies_THz: np.ndarray
    eigenvectors: np.ndarray


@dataclass(frozen=True, eq=False)
class Bands:
    """Frequencies along a path of m wave vectors.

    distances: (m,) 1/Å (without 2 pi), jumps of the path have no length. frequencies_THz: (m, 3n). qpoints: (m, 3)
    reduced. ticks: (distance, label) of the special points. segments: the slices without a jump.
    """

    distances: np.ndarray
    frequencies_THz: np.ndarray
    qpoints: np.ndarray
    ticks: list[tuple[float, str]]
    segments: list[slice]


@dataclass(frozen=True, eq=False)
class PhononDOS:
    """Density of states on an even grid of frequencies.

    frequencies_THz: (m,). total: (m,) modes per THz, its integral is 3n. projected: (n, m), its sum over atoms is the
    total.
    """

    frequencies_THz: np.ndarray
    total: np.ndarray
    projected: np.ndarray


@dataclass(frozen=True, eq=False)
class ThermalFunctions:
    """Harmonic thermodynamics at constant volume, for each primitive cell.

    temperatures_K, free_energy_eV (with the zero-point part), entropy_eV_K, heat_capacity_eV_K: (t,).
    imaginary_fraction is the part of all modes that has no place in these sums because its frequency is imaginary;
    above zero the numbers describe the rest of the modes only, and `warning` is a sentence that says so (else empty).
    """

    temperatures_K: np.ndarray
    free_energy_eV: np.ndarray
    entropy_eV_K: np.ndarray
    heat_capacity_eV_K: np.ndarray
    zero_point_eV: float
    imaginary_fraction: float

    @property
    def warning(self) -> str:
        """What these numbers leave out, in words; empty where they leave nothing out."""
        if not self.imaginary_fraction > 0:
            return ""
        return f"{percent(self.imaginary_fraction)} of the modes are imaginary and left out"


def percent(part: float) -> str:
    """A part in words, never rounded down to nothing: 0.03 %, 2.4 %, 33 %."""
    return f"{100 * part:.2g} %" if part < 0.1 else f"{100 * part:.0f} %"


@dataclass(frozen=True)
class ImaginaryMode:
    """An instability: degenerate modes whose energy falls when the crystal is distorted along them.

    label: special point ("R") or the wave vector itself. branch: first of the `degeneracy` branches at `qpoint`.
    text: one sentence that says all of it.
    """

    label: str
    qpoint: tuple[float, float, float]
    branch: int
    frequency_THz: float
    degeneracy: int
    text: str
