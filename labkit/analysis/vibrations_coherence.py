"""Which modes of a host move in step with which modes of its guest.

Two modes that exchange energy keep a phase between them at the frequencies where they do; the coherence of their
velocities is that memory, from 0 (none) to 1 (one motion), and what chance alone gives is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from labkit.analysis.vibrations_aliasing import folded_warning
from labkit.analysis.vibrations_modes import ModeVelocities, together
from labkit.analysis.vibrations_velocities import response
from labkit.analysis.vibrations_welch import overlap_correlation, segment_length, segment_starts
from labkit.errors import InvalidStructure

if TYPE_CHECKING:
    from labkit.analysis.vibrations_lorentzian import ModeLine


@dataclass(frozen=True, eq=False)
class Coherence:
    """frequencies_THz (F,); values (A, B, F): |S_ab|²/(S_aa S_bb); first_power (A, F), second_power (B, F): spectral
    densities in eV/THz; first, second: numbers of the modes; zero_level: what modes without coupling show, 1/n of
    independent segments; warning: of modes too fast for the frame interval, or "".
    """

    frequencies_THz: np.ndarray
    values: np.ndarray
    first_power: np.ndarray
    second_power: np.ndarray
    first: np.ndarray
    second: np.ndarray
    n_segments: int
    zero_level: float
    segment_ps: float
    warning: str = ""

    def level(self, probability: float = 0.95) -> float:
        """What uncoupled modes stay below with this probability at one frequency, 1 - (1 - p)^(1/(n - 1)), n the
        number of independent segments (Carter, Knapp and Nuttall, IEEE Trans. Audio 21 (1973) 337).
        """
        n = 1 / self.zero_level
        return 1 - (1 - probability) ** (1 / (n - 1)) if n > 1 else 1.0

    @property
    def strength(self) -> np.ndarray:
        """Coherence of each pair, (A, B), averaged over frequency with the weight sqrt(S_aa S_bb): where both move."""
        weight = np.sqrt(self.first_power[:, None] * self.second_power)
        return (weight * self.values).sum(axis=2) / np.maximum(weight.sum(axis=2), 1e-300)

    @property
    def spectrum(self) -> np.ndarray:
        """Coupling spectrum (F,): coherence averaged over the pairs at each frequency with weight sqrt(S_aa S_bb)."""
        weight = np.sqrt(self.first_power[:, None] * self.second_power)
        return (weight * self.values).sum(axis=(0, 1)) / np.maximum(weight.sum(axis=(0, 1)), 1e-300)

    def table(self) -> Any:
        """DataFrame: first, second, strength, peak_THz, peak; the highest coherence of each pair where both have at
        least a hundredth of their highest power.
        """
        import pandas as pd

        rows = []
        for a, one in enumerate(self.first):
            for b, other in enumerate(self.second):
                shared = (self.first_power[a] > 0.01 * self.first_power[a].max()) & (
                    self.second_power[b] > 0.01 * self.second_power[b].max()
                )
                inside = np.where(shared, self.values[a, b], 0.0)
                at = int(np.argmax(inside))
                rows.append((int(one), int(other), self.strength[a, b], self.frequencies_THz[at], inside[at]))
        return pd.DataFrame(rows, columns=["first", "second", "strength", "peak_THz", "peak"])


@dataclass(frozen=True)
class LineChange:
    """How a line differs from another: shift_THz and broadening_rad_ps, each with its standard error."""

    shift_THz: float
    shift_error_THz: float
    broadening_rad_ps: float
    broadening_error_rad_ps: float


def guest_weight(vectors: np.ndarray, guest: Sequence[int] | np.ndarray) -> np.ndarray:
    """Return P_k = sum_{i in guest} |e_ki|², (K,), of mass-weighted eigenvectors (K, n, 3); 1: the guest moves alone.

    `guest`: indices or mask (n,) of the guest's atoms. The sum over all modes is three times their number. Raises
    InvalidStructure for vectors of another shape and ValueError for atoms that are not there or no atoms.
    """
    vectors = np.asarray(vectors)
    if vectors.ndim != 3 or vectors.shape[2] != 3:
        raise InvalidStructure(f"eigenvectors of shape {vectors.shape} need the shape (modes, atoms, 3).")
    atoms = np.asarray(guest)
    atoms = np.flatnonzero(atoms) if atoms.dtype == bool else atoms.astype(int)
    if len(atoms) == 0 or atoms.min() < 0 or atoms.max() >= vectors.shape[1]:
        raise ValueError(f"guest={atoms.tolist()} must name atoms from 0 to {vectors.shape[1] - 1}.")
    return (np.abs(vectors[:, np.unique(atoms)]) ** 2).sum(axis=(1, 2))


def coherence(
    projected: ModeVelocities | Sequence[ModeVelocities],
    first: Sequence[int],
    second: Sequence[int],
    *,
    resolution_THz: float | None = None,
    window: str = "hann",
) -> Coherence:
    """Return g²_ab(ν) = |S_ab|²/(S_aa S_bb) between two groups of modes, by Welch's averages (`scipy.signal.csd`).

    `first`, `second`: numbers of the modes, such as those with the guest's weight and without; `resolution_THz`:
    1/length of the segments, which overlap by half, by itself such that a trajectory gives 8. Without coupling
    <g²> = 1/n, n the independent segments. The vectors should not mix the groups already: project on modes of guest
    and host each by itself, since normal modes of the whole are uncoupled by definition. Segments longer than the
    lifetimes are independent; shorter ones show coherence between sharp lines of like frequency that is none. Raises
    ValueError for fewer than 3 segments or modes not projected on.
    """
    pieces = together(projected)
    interval = pieces[0].frame_interval_fs
    length = segment_length(min(len(one.values) for one in pieces), interval, resolution_THz)
    counts = [len(segment_starts(len(one.values), length)) for one in pieces]
    total = sum(counts)
    if not len(first) or not len(second):
        raise ValueError("a group has no modes; name at least one of the first and one of the second.")
    from scipy import signal

    if total < 3:
        raise ValueError(f"{total} segments make every coherence near 1; take a coarser resolution_THz or run longer.")
    rows, columns = ([pieces[0].place(mode) for mode in modes] for modes in (first, second))
    options = {"fs": 1e3 / interval, "window": window, "nperseg": length, "noverlap": length - max(1, length // 2)}
    options |= {"detrend": False}
    named = np.array([*first, *second], int)
    own, other, cross = 0.0, 0.0, 0.0
    for piece, count in zip(pieces, counts, strict=True):
        x, y = piece.values[:, rows].T, piece.values[:, columns].T
        share = count / total
        grid, power = signal.welch(x, **options)
        own, other = own + share * power, other + share * signal.welch(y, **options)[1]
        cross = cross + share * np.array([signal.csd(one[None], y, **options)[1] for one in x])
    if pieces[0].differences:
        lost = response(grid, interval)
        own, other, cross = own / lost, other / lost, cross / lost
    # Where neither moves the ratio means nothing: 0 by convention.
    below = own[:, None] * other
    values = np.divide(np.abs(cross) ** 2, below, out=np.zeros(below.shape), where=below > 1e-24 * below.max())
    effective = total / (1 + 2 * overlap_correlation(length, window) * (1 - len(pieces) / total))
    return Coherence(
        frequencies_THz=grid,
        values=values,
        first_power=own,
        second_power=other,
        first=np.array(first, int),
        second=np.array(second, int),
        n_segments=total,
        zero_level=float(1 / effective),
        segment_ps=length * interval * 1e-3,
        warning=folded_warning(named, pieces[0].harmonic_THz[rows + columns], interval),
    )


def line_change(guest: ModeLine, isolated: ModeLine) -> LineChange:
    """Return what the host does to a line of its guest: `guest` in the crystal minus `isolated`, the free molecule."""
    return LineChange(
        guest.frequency_THz - isolated.frequency_THz,
        float(np.hypot(guest.frequency_error_THz, isolated.frequency_error_THz)),
        guest.width_rad_ps - isolated.width_rad_ps,
        float(np.hypot(guest.width_error_rad_ps, isolated.width_error_rad_ps)),
    )
