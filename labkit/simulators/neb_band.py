"""Forces on a nudged elastic band: what pulls each image down to the minimum-energy path and keeps images apart.

Pure functions of arrays: where the energies and forces come from is no matter here.
"""

from __future__ import annotations

import numpy as np

_TINY = 1e-12


def tangents(positions: np.ndarray, energies: np.ndarray) -> np.ndarray:
    """Unit tangents (M, n, 3) at the M inner images of a band of M + 2.

    Henkelman & Jónsson, J. Chem. Phys. 113, 9978 (2000), eqs. 8 to 11: with τ+ = R(i+1) - R(i) and τ- = R(i) - R(i-1),
    the tangent is the difference to the neighbour of higher energy; at an extremum both, weighted with ΔE_max for the
    higher neighbour and ΔE_min for the lower.

    positions: (M + 2, n, 3) Å, continuous (unwrapped). energies: (M + 2,) eV.
    """
    steps = np.diff(positions, axis=0)
    behind, ahead = steps[:-1], steps[1:]
    rise_ahead, rise_behind = energies[2:] - energies[1:-1], energies[:-2] - energies[1:-1]
    high = np.maximum(abs(rise_ahead), abs(rise_behind))
    low = np.minimum(abs(rise_ahead), abs(rise_behind))
    flat = high < _TINY
    ahead_is_higher = energies[2:] > energies[:-2]
    level = energies[2:] == energies[:-2]
    weight_ahead = np.where(level, 1.0, np.where(ahead_is_higher, high, low))
    weight_behind = np.where(level, 1.0, np.where(ahead_is_higher, low, high))
    weight_ahead, weight_behind = np.where(flat, 1.0, weight_ahead), np.where(flat, 1.0, weight_behind)
    rising = (rise_ahead > 0) & (rise_behind < 0)
    falling = (rise_ahead < 0) & (rise_behind > 0)
    weight_ahead = np.where(rising, 1.0, np.where(falling, 0.0, weight_ahead))
    weight_behind = np.where(rising, 0.0, np.where(falling, 1.0, weight_behind))
    along = weight_ahead[:, None, None] * ahead + weight_behind[:, None, None] * behind
    norms = np.sqrt((along**2).sum(axis=(1, 2)))
    return along / np.maximum(norms, _TINY)[:, None, None]


def climber(energies: np.ndarray) -> int | None:
    """The image (1 ... M) that climbs: the highest, when it stands above both ends; else None."""
    highest = int(np.argmax(energies))
    return highest if 0 < highest < len(energies) - 1 else None


def band_forces(
    positions: np.ndarray, energies: np.ndarray, forces: np.ndarray, spring_eV_A2: float, climbing: int | None = None
) -> np.ndarray:
    """Forces (M, n, 3) eV/Å on the inner images of a nudged elastic band.

    F = F⊥ + k (|τ+| - |τ-|) τ̂ (the same paper, eqs. 4 and 12); the climbing image feels no spring and sees the
    potential upside down along the band, F - 2 (F·τ̂) τ̂ (Henkelman, Uberuaga & Jónsson, J. Chem. Phys. 113, 9901 (2000),
    eq. 5).

    positions: (M + 2, n, 3) Å. energies: (M + 2,) eV. forces: (M + 2, n, 3) eV/Å. climbing: index of 1 ... M.
    """
    along = tangents(positions, energies)
    lengths = np.sqrt((np.diff(positions, axis=0) ** 2).sum(axis=(1, 2)))
    parallel = (forces[1:-1] * along).sum(axis=(1, 2))
    pull = spring_eV_A2 * (lengths[1:] - lengths[:-1]) - parallel
    if climbing is not None:
        pull[climbing - 1] = -2 * parallel[climbing - 1]
    return forces[1:-1] + pull[:, None, None] * along


def largest(forces: np.ndarray) -> float:
    """The largest force (eV/Å) on one atom in (..., n, 3); 0 of nothing."""
    return float(np.sqrt((forces**2).sum(axis=-1).max())) if forces.size else 0.0
