"""Molecular dynamics seen through harmonic eigenvectors: one velocity for each normal mode.

What a mode does at a temperature - its true frequency, its lifetime, its share of the energy - stands in the time
series of its projected velocity, which is a harmonic oscillation only as long as the potential is harmonic.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from ase import units
from scipy import fft

from labkit.analysis.luminescence_modes import NormalModes
from labkit.analysis.vibrations_aliasing import edge_warning, folded, folded_warning
from labkit.analysis.vibrations_eckart import eckart_frame
from labkit.analysis.vibrations_welch import noise_bandwidth_THz, power_density, segment_length, segment_starts
from labkit.errors import InvalidStructure

if TYPE_CHECKING:
    from labkit.analysis.vibrations_velocities import Velocities

__all__ = [
    "MEV_PER_THZ",
    "Equipartition",
    "ModeSpectra",
    "ModeVelocities",
    "eckart_frame",
    "equipartition",
    "mode_spectra",
    "project",
    "together",
]

#: Photon or phonon energy of 1 THz in meV, h of CODATA 2018.
MEV_PER_THZ = 4.135667696
#: Part of the hottest mode's mean square below which a mode is at rest.
_AT_REST = 1e-10


@dataclass(frozen=True, eq=False)
class ModeVelocities:
    """values (T, K): dQ_k/dt in eV^½, so that the square is in eV; indices (K,): which modes these are;
    harmonic_THz (K,): their harmonic frequencies, imaginary ones negative, NaN where unknown; differences: see
    `Velocities`.
    """

    values: np.ndarray
    frame_interval_fs: float
    indices: np.ndarray
    harmonic_THz: np.ndarray
    differences: bool = False

    def __len__(self) -> int:
        return self.values.shape[1]

    def place(self, mode: int) -> int:
        """The column of mode number `mode`; raises ValueError for one that was not projected on."""
        found = np.flatnonzero(self.indices == mode)
        if not len(found):
            raise ValueError(f"mode {mode} was not projected on; there are {self.indices.tolist()}.")
        return int(found[0])


@dataclass(frozen=True, eq=False)
class ModeSpectra:
    """frequencies_THz (F,); power (K, F) in eV/THz: one-sided spectral density of dQ_k/dt, whose integral is <Qdot²>;
    indices (K,): which modes; resolution_THz: equivalent noise bandwidth; warning: of modes too fast for the frame
    interval, or "".
    """

    frequencies_THz: np.ndarray
    power: np.ndarray
    indices: np.ndarray
    resolution_THz: float
    n_segments: int
    warning: str = ""

    def peak_THz(self) -> np.ndarray:
        """Frequency of the highest bin of each mode, (K,)."""
        return self.frequencies_THz[np.argmax(self.power, axis=1)]


@dataclass(frozen=True, eq=False)
class Equipartition:
    """temperatures_K (K,): <Qdot_k²>/k of each mode; errors_K (K,): standard errors from blocks of time; mean_K;
    warning: of modes whose temperature means nothing, or "".
    """

    temperatures_K: np.ndarray
    errors_K: np.ndarray
    indices: np.ndarray
    warning: str = ""

    @property
    def mean_K(self) -> float:
        """Mean temperature of the modes that move: translations and rotations that were taken out do not count."""
        known = np.nan_to_num(self.temperatures_K)
        moving = known > _AT_REST * known.max(initial=0.0)
        return float(known[moving].mean()) if moving.any() else 0.0


def project(
    velocities: Velocities,
    modes: NormalModes | np.ndarray,
    *,
    frequencies_THz: Sequence[float] | np.ndarray | None = None,
    only: Sequence[int] | None = None,
) -> ModeVelocities:
    """Return dQ_k/dt = sum_i sqrt(m_i) e_ki . v_i(t) for every mode, or those in `only`.

    `modes`: `NormalModes`, or orthonormal mass-weighted eigenvectors (K, n, 3) with their `frequencies_THz`; real
    ones: of a crystal, take the zone centre of the supercell. A crystal's velocities should be `without_drift()`, a
    molecule that may turn goes through `eckart_frame` first. In equilibrium <Qdot_k²> = kT for each mode. Raises
    InvalidStructure where atoms and vectors do not fit or the vectors are not orthonormal.
    """
    if isinstance(modes, NormalModes):
        vectors, known = modes.vectors, modes.energies_meV / MEV_PER_THZ
    else:
        vectors = np.asarray(modes)
        known = np.full(len(vectors), np.nan)
    known = known if frequencies_THz is None else np.asarray(frequencies_THz, float)
    if np.iscomplexobj(vectors):
        if np.abs(vectors.imag).max() > 1e-8:
            raise InvalidStructure(
                "the eigenvectors are complex: they belong to a wave vector of a primitive cell. Give the modes at the "
                "zone centre of the cell that moved."
            )
        vectors = vectors.real
    n = len(velocities.masses_amu)
    if vectors.ndim != 3 or vectors.shape[1:] != (n, 3) or known.shape != (len(vectors),):
        raise InvalidStructure(
            f"eigenvectors of shape {vectors.shape} with {known.shape} frequencies do not fit {n} moving atoms; they "
            "need the shape (modes, atoms, 3)."
        )
    chosen = np.arange(len(vectors)) if only is None else np.asarray(only, int)
    if len(chosen) == 0 or chosen.min() < 0 or chosen.max() >= len(vectors):
        raise ValueError(f"only={chosen.tolist()} must name modes from 0 to {len(vectors) - 1}.")
    flat = vectors[chosen].reshape(len(chosen), -1)
    fault = np.abs(flat @ flat.T - np.eye(len(flat))).max()
    if fault > 1e-3:
        raise InvalidStructure(
            f"the eigenvectors are not orthonormal (off by {fault:.2g}): give mass-weighted ones, not displacements."
        )
    weighted = velocities.values * np.sqrt(velocities.masses_amu)[:, None]
    values = weighted.reshape(len(weighted), -1) @ flat.T
    return ModeVelocities(values, velocities.frame_interval_fs, chosen, known[chosen], velocities.differences)


def together(projected: ModeVelocities | Sequence[ModeVelocities]) -> list[ModeVelocities]:
    """One trajectory or several as a list; ValueError for none, or where modes, interval or kind differ."""
    pieces = [projected] if isinstance(projected, ModeVelocities) else list(projected)
    if not pieces:
        raise ValueError("there is no trajectory; project at least one on the modes.")
    first = pieces[0]
    for number, one in enumerate(pieces[1:], start=1):
        same = np.isclose(one.frame_interval_fs, first.frame_interval_fs) and one.differences == first.differences
        if not same or not np.array_equal(one.indices, first.indices):
            raise ValueError(f"trajectory {number} differs from the first in modes, interval or kind of velocities.")
    return pieces


def mode_spectra(
    projected: ModeVelocities, *, resolution_THz: float | None = None, window: str = "hann", padding: int = 1
) -> ModeSpectra:
    """Return S_k(ν), the power of dQ_k/dt for each mode, averaged over half overlapping segments (Welch).

    Options as in `vibrations.vdos`; its ValueErrors. `warning` says where a mode is faster than the frames resolve, by
    its harmonic frequency or, where that is unknown, by power at the end of the band.
    """
    interval = projected.frame_interval_fs
    length = segment_length(len(projected.values), interval, resolution_THz)
    starts = segment_starts(len(projected.values), length)
    power = np.zeros((length * padding // 2 + 1, len(projected)))
    for start in starts:
        segment = projected.values[start : start + length]
        power += power_density(segment, interval, window, padding, projected.differences)[1]
    frequencies = fft.rfftfreq(length * padding, interval * 1e-3)
    warning = folded_warning(projected.indices, projected.harmonic_THz, interval)
    if not warning and np.isnan(projected.harmonic_THz).any():
        warning = edge_warning(frequencies, power.sum(axis=1))
    return ModeSpectra(
        frequencies_THz=frequencies,
        power=power.T / len(starts),
        indices=projected.indices,
        resolution_THz=noise_bandwidth_THz(length, interval, window),
        n_segments=len(starts),
        warning=warning,
    )


def equipartition(projected: ModeVelocities, *, blocks: int = 10) -> Equipartition:
    """Return the temperature of each mode, <Qdot_k²>/k, with the standard error from `blocks` equal blocks of time.

    All are alike in equilibrium; a mode that is colder or hotter by many errors has not exchanged its energy yet. An
    error needs blocks longer than that exchange takes. Differences of positions keep next to nothing of a mode faster
    than the frames resolve: its temperature is NaN, and `warning` says so. Raises ValueError for fewer than 2 blocks or
    4 frames in each.
    """
    length = len(projected.values) // max(blocks, 1)
    if blocks < 2 or length < 4:
        raise ValueError(f"blocks={blocks} of {length} frames; at least 2 blocks of 4 frames are needed.")
    pieces = projected.values[: blocks * length].reshape(blocks, length, -1)
    if projected.differences:
        step = 1e3 / (length * projected.frame_interval_fs)
        each = [power_density(one, projected.frame_interval_fs, "boxcar", 1, True)[1].sum(axis=0) for one in pieces]
        squares = np.array(each) * step
    else:
        squares = (pieces**2).mean(axis=1)
    squares /= units.kB
    warning = ""
    if projected.differences:
        squares[:, folded(projected.harmonic_THz, projected.frame_interval_fs)] = np.nan
        warning = folded_warning(projected.indices, projected.harmonic_THz, projected.frame_interval_fs)
    errors = squares.std(axis=0, ddof=1) / np.sqrt(blocks)
    return Equipartition(squares.mean(axis=0), errors, projected.indices, warning)
