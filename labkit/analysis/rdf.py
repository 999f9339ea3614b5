"""Radial distribution functions of periodic systems, resolved by pair of species.

Neighbour lists count every periodic image, so that `r_max_A` may exceed half of the cell and skew cells need no
special care.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms

from labkit.analysis.trajectory import Frames, checked, select
from labkit.errors import BudgetExceeded, InvalidStructure

_MAX_NEIGHBOURS = 50_000_000  # of one frame; about 3 GB of neighbour list


@dataclass(frozen=True, eq=False)
class RDF:
    """A radial distribution function: r_A (B,) bin centres, g (B,), averaged over frames.

    coordination (B,) is the mean number of second-species neighbours of a first-species atom up to the outer edge of
    each bin.
    """

    r_A: np.ndarray
    g: np.ndarray
    coordination: np.ndarray
    pair: tuple[str, str] | None
    bin_A: float
    n_frames: int

    @property
    def peak_A(self) -> float | None:
        """The distance of the highest bin in Å, None where there is no pair within r_max."""
        return float(self.r_A[np.argmax(self.g)]) if self.g.any() else None

    def coordination_at(self, r_A: float) -> float:
        """Return the mean number of neighbours within `r_A` (Å), interpolated between bin edges; ValueError beyond
        r_max.
        """
        edges = np.concatenate([[0.0], self.r_A + self.bin_A / 2])
        if not 0 <= r_A <= edges[-1] + 1e-9:
            raise ValueError(f"r_A={r_A} lies outside of 0 to {edges[-1]:g} Å; compute the RDF with a larger r_max_A.")
        return float(np.interp(r_A, edges, np.concatenate([[0.0], self.coordination])))

    def to_dict(self) -> dict[str, Any]:
        """Return the fields in JSON-able form."""
        return {
            "r_A": self.r_A.tolist(),
            "g": self.g.tolist(),
            "coordination": self.coordination.tolist(),
            "pair": list(self.pair) if self.pair else None,
            "bin_A": self.bin_A,
            "n_frames": self.n_frames,
        }


def rdf(frames: Frames | Atoms, *, r_max_A: float = 8.0, bins: int = 200, pair: tuple[str, str] | None = None) -> RDF:
    """Return g(r) = <n_ab(r)> / (N_a rho_b V_shell(r)) between the species of `pair` (None: all atoms), averaged over
    frames.

    n_ab(r) is the number of ordered pairs in the shell, rho_b = N_b/V of the frame and V_shell = 4/3 pi (r_out^3 -
    r_in^3), so that g of an ideal gas is 1 (1 - 1/N for a finite one, by the usual convention rho = N/V). One frame
    may be given alone. Raises InvalidStructure for a frame that is not periodic in all directions, whose volume means
    nothing, or an absent species; BudgetExceeded where a frame would have more than 50 million neighbours; ValueError
    for r_max_A or bins that are not positive.
    """
    from vesin import NeighborList

    if not np.isfinite(r_max_A) or r_max_A <= 0:
        raise ValueError(f"r_max_A={r_max_A} must be a positive distance in Å.")
    if bins < 1:
        raise ValueError(f"bins={bins} must be at least 1.")
    frames = checked(frames, minimum=1)
    first = select(frames[0], None if pair is None else pair[0])
    second = select(frames[0], None if pair is None else pair[1])
    edges = np.linspace(0.0, r_max_A, bins + 1)
    shells = 4 / 3 * np.pi * np.diff(edges**3)
    neighbours = NeighborList(cutoff=float(r_max_A), full_list=True)
    g, counts = np.zeros(bins), np.zeros(bins)
    for index, frame in enumerate(frames):
        volume = _volume(frame, index)
        expected = len(frame) ** 2 / volume * 4 / 3 * np.pi * r_max_A**3
        if expected > _MAX_NEIGHBOURS:
            raise BudgetExceeded(
                f"frame {index} ({len(frame)} atoms) would have about {expected:.0e} neighbours within {r_max_A:g} Å, "
                f"over {_MAX_NEIGHBOURS:.0e}; take a smaller r_max_A."
            )
        i, j, distance = neighbours.compute(
            points=frame.get_positions(wrap=True), box=frame.cell.array, periodic=True, quantities="ijd", copy=True
        )
        if pair is not None:
            distance = distance[first[i] & second[j]]
        # A distance of exactly r_max belongs to no bin.
        count = np.bincount((distance * (bins / r_max_A)).astype(int), minlength=bins)[:bins]
        counts += count
        g += count * volume / (first.sum() * second.sum() * shells)
    return RDF(
        r_A=(edges[:-1] + edges[1:]) / 2,
        g=g / len(frames),
        coordination=np.cumsum(counts) / (len(frames) * first.sum()),
        pair=None if pair is None else (pair[0], pair[1]),
        bin_A=float(r_max_A / bins),
        n_frames=len(frames),
    )


def _volume(frame: Atoms, index: int) -> float:
    volume = float(abs(np.linalg.det(frame.cell.array)))
    if not frame.pbc.all() or volume < 1e-6:
        raise InvalidStructure(
            f"frame {index} is not periodic in three directions (pbc {frame.pbc.tolist()}, volume {volume:g} Å³), "
            "so it has no density to compare with; put it into a periodic cell first."
        )
    return volume
