"""Mean-squared displacement, averaged over atoms and over all time origins.

The average over origins is done by fast Fourier transform, so that 10,000 frames cost milliseconds for each atom, not
minutes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import fft

from labkit.analysis.trajectory import Frames, checked, select, without_drift

# Bounds the memory of the transforms (about 8 copies of float64) to some 100 MB.
_CHUNK_VALUES = 2_000_000


@dataclass(frozen=True, eq=False)
class MSD:
    """Mean-squared displacement of the mobile atoms; see `msd` for the definition.

    lag_fs (L,), total_A2 (L,) = sum of per_direction_A2 (3, L) over x, y, z; spread_A2 (L,) is the standard deviation
    of the single atoms' MSD; positions_A (T, n_atoms, 3) are the drift-free positions behind it; neighbour_A is the
    mean distance from a mobile atom to the nearest mobile one in the first frame (None for a single atom): the length
    of a typical hop.
    """

    lag_fs: np.ndarray
    total_A2: np.ndarray
    per_direction_A2: np.ndarray
    spread_A2: np.ndarray
    species: tuple[str, ...]
    n_atoms: int
    n_frames: int
    frame_interval_fs: float
    drift: str | None
    neighbour_A: float | None
    positions_A: np.ndarray = field(repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the positions in JSON-able form."""
        return {
            "lag_fs": self.lag_fs.tolist(),
            "total_A2": self.total_A2.tolist(),
            "per_direction_A2": self.per_direction_A2.tolist(),
            "spread_A2": self.spread_A2.tolist(),
            "species": list(self.species),
            "n_atoms": self.n_atoms,
            "n_frames": self.n_frames,
            "frame_interval_fs": self.frame_interval_fs,
            "drift": self.drift,
            "neighbour_A": self.neighbour_A,
        }


def windowed_msd(positions_A: np.ndarray) -> np.ndarray:
    """Return the origin-averaged squared displacement of each atom and direction, (L = T, n, 3) in Å^2, from (T, n,
    3) in Å.

    MSD(m) = 1/(T-m) sum_k [x(k+m) - x(k)]^2 = S1(m) - 2 S2(m), where S2 is an autocorrelation (done by FFT with zero
    padding) and S1 follows by recursion from the squares; Calandrini et al., Collection SFN 12 (2011) 201,
    10.1051/sfn/201112010.
    """
    x = positions_A - positions_A[:1]  # large offsets would cancel badly between S1 and S2
    x = x - x.mean(axis=0)
    frames = len(x)
    spectrum = fft.rfft(x, n=fft.next_fast_len(2 * frames, real=True), axis=0)
    correlation = fft.irfft(np.abs(spectrum) ** 2, n=fft.next_fast_len(2 * frames, real=True), axis=0)[:frames]
    squares = x**2
    # Sum over origins k of x(k)^2 + x(k+m)^2: the squares that leave at either end as the lag m grows.
    leaving = np.zeros_like(squares)
    leaving[1:] = np.cumsum(squares[::-1][:-1] + squares[:-1], axis=0)
    both_ends = 2 * squares.sum(axis=0) - leaving
    origins = (frames - np.arange(frames))[:, None, None]
    result = (both_ends - 2 * correlation) / origins
    result[0] = 0.0
    return np.maximum(result, 0.0)  # rounding leaves -1e-16 for atoms at rest


def msd(
    frames: Frames,
    *,
    frame_interval_fs: float,
    species: str | Sequence[str] | None = None,
    drift: str | None = "auto",
    wrapped: bool | None = None,
) -> MSD:
    """Return the mean-squared displacement of `species` (None: all atoms), averaged over atoms and time origins.

    MSD(tau) = < |r_i(t+tau) - r_i(t)|^2 >_{i,t}, Å^2. `frame_interval_fs` is the time between two frames (not between
    MD steps). `drift` says whose centre-of-mass motion is taken out: "host" (all other species), "all", None; "auto"
    takes the host where there is one. `wrapped`: see `trajectory.positions`. The last lags rest on few origins and
    carry large errors. Raises InvalidStructure for a broken trajectory or an absent species and ValueError for a time
    step that is not positive.
    """
    if not np.isfinite(frame_interval_fs) or frame_interval_fs <= 0:
        raise ValueError(f"frame_interval_fs={frame_interval_fs} must be positive: the time between two frames in fs.")
    frames = checked(frames, minimum=2)
    mobile = select(frames[0], species)
    displaced, removed = without_drift(frames, mobile, drift, wrapped=wrapped)
    n_frames, n_atoms, _ = displaced.shape
    per_direction = np.zeros((3, n_frames))
    first, second = np.zeros(n_frames), np.zeros(n_frames)
    for chunk in atom_chunks(displaced):
        each = windowed_msd(chunk)
        per_direction += each.sum(axis=1).T
        first += each.sum(axis=(1, 2))
        second += (each.sum(axis=2) ** 2).sum(axis=1)
    total = first / n_atoms
    variance = np.maximum(second / n_atoms - total**2, 0.0) * (n_atoms / max(n_atoms - 1, 1))
    return MSD(
        lag_fs=np.arange(n_frames) * float(frame_interval_fs),
        total_A2=total,
        per_direction_A2=per_direction / n_atoms,
        spread_A2=np.sqrt(variance),
        species=tuple(sorted(set(frames[0].symbols[mobile]))),
        n_atoms=n_atoms,
        n_frames=n_frames,
        frame_interval_fs=float(frame_interval_fs),
        drift=removed,
        neighbour_A=_nearest(frames[0][mobile]),
        positions_A=displaced,
    )


def atom_chunks(positions_A: np.ndarray) -> list[np.ndarray]:
    """Return views of (T, n, 3) split along the atoms so that one transform stays within memory."""
    width = max(1, _CHUNK_VALUES // (3 * len(positions_A)))
    return [positions_A[:, start : start + width] for start in range(0, positions_A.shape[1], width)]


def _nearest(atoms: Any) -> float | None:
    """Return the mean distance (Å) to the nearest other atom (or own image) within 6 Å, None where there is none."""
    from vesin import ase_neighbor_list

    single = atoms.copy()
    if single.cell.rank == 3:
        single.wrap()
    else:
        single.pbc = False
    first, distance = ase_neighbor_list("id", single, 6.0)
    if len(first) == 0:
        return None
    nearest = np.full(len(single), np.inf)
    np.minimum.at(nearest, first, distance)
    return float(nearest[np.isfinite(nearest)].mean())
