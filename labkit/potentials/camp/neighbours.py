"""Padded neighbours: every atom has the same number of slots, so sums over neighbours are matrix products.

The one idea: pair vectors (N, 3, K) are the only leaf of the short-range energy; an empty slot holds a vector just
beyond the cut-off, where the envelope and its first two derivatives vanish, so that no mask is needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from ase import Atoms
from torch import Tensor

from labkit.potentials.graph import neighbour_pairs

if TYPE_CHECKING:
    from labkit.potentials.ewald import EwaldBatch, LatentEwald
    from labkit.potentials.ewald_plan import EwaldPlan

#: Where an empty slot points, in units of the cut-off: at 1 exactly, a GPU's rounding of r / r_cut may fall below 1.
EMPTY = 1.01


@dataclass(frozen=True)
class Neighbours:
    """Neighbours of one structure with n atoms, sorted by centre (numpy; kept over epochs).

    numbers: (n,). centre, neighbour: (E,) atoms of each directed pair. slot: (E,) its place in the centre's row.
    vectors: (E, 3) Å, r_neighbour + image - r_centre. width: largest number of neighbours of any atom.
    volume: Å^3, NaN without a three-dimensional cell. positions (n, 3) Å, cell (3, 3) Å, and plan for the long range.
    """

    numbers: np.ndarray
    centre: np.ndarray
    neighbour: np.ndarray
    slot: np.ndarray
    vectors: np.ndarray
    width: int
    volume: float
    positions: np.ndarray
    cell: np.ndarray
    plan: EwaldPlan | None = None


@dataclass(frozen=True)
class LongRange:
    """What latent Ewald summation needs beside: positions (N, 3) Å, cells (B, 3, 3) Å and the wave vectors."""

    positions: Tensor
    cells: Tensor
    batch: EwaldBatch


@dataclass(frozen=True)
class PaddedBatch:
    """B structures with N atoms in all and K slots each.

    species: (N,) index into the potential's elements. owner: (N,). neighbours: (N, K), 0 where empty.
    vectors: (N, 3, K) Å, with gradient. sizes: atoms of each structure. volumes: (B,) Å^3.
    """

    species: Tensor
    owner: Tensor
    neighbours: Tensor
    vectors: Tensor
    sizes: tuple[int, ...]
    volumes: Tensor
    long_range: LongRange | None = None

    def sum_per_structure(self, values: Tensor) -> Tensor:
        """Sum atomic values (N,) to (B,)."""
        return values.new_zeros(len(self.sizes)).index_add(0, self.owner, values)


def find_neighbours(atoms: Atoms, cutoff_A: float, plan: EwaldPlan | None = None) -> Neighbours:
    """All directed pairs within `cutoff_A` (Å) by vesin's cell lists."""
    i, j, vectors, _ = neighbour_pairs(atoms, cutoff_A)
    n, pairs = len(atoms), len(i)
    order = np.argsort(np.concatenate([i, j]), kind="stable")
    centre, neighbour = np.concatenate([i, j])[order], np.concatenate([j, i])[order]
    counts = np.bincount(centre, minlength=n)
    starts = np.cumsum(counts) - counts
    return Neighbours(
        numbers=atoms.numbers.copy(),
        centre=centre,
        neighbour=neighbour,
        slot=np.arange(2 * pairs) - starts[centre],
        vectors=np.concatenate([vectors, -vectors])[order],
        width=int(counts.max(initial=0)),
        volume=float(atoms.cell.volume) if atoms.pbc.all() else np.nan,
        positions=atoms.positions.copy(),
        cell=atoms.cell.complete().array.copy() if atoms.pbc.any() else np.zeros((3, 3)),
        plan=plan,
    )


def pad(
    structures: Sequence[Neighbours],
    species_of: np.ndarray,
    cutoff_A: float,
    device: str,
    dtype: torch.dtype,
    ewald: LatentEwald | None = None,
) -> PaddedBatch:
    """One batch; `species_of` (119,) maps an atomic number to the index of its element; `ewald` adds the long range."""
    sizes = tuple(len(part.numbers) for part in structures)
    offsets = np.cumsum([0, *sizes[:-1]])
    n_atoms, width = sum(sizes), max((part.width for part in structures), default=0)
    vectors = np.zeros((n_atoms, 3, max(width, 1)))
    vectors[:, 0] = EMPTY * cutoff_A
    neighbours = np.zeros((n_atoms, max(width, 1)), dtype=np.int64)
    for part, offset in zip(structures, offsets, strict=True):
        rows = part.centre + offset
        neighbours[rows, part.slot] = part.neighbour + offset
        vectors[rows, :, part.slot] = part.vectors
    numbers = np.concatenate([part.numbers for part in structures])
    return PaddedBatch(
        species=torch.as_tensor(species_of[numbers], device=device),
        owner=torch.as_tensor(np.repeat(np.arange(len(sizes)), sizes), device=device),
        neighbours=torch.as_tensor(neighbours, device=device),
        vectors=torch.as_tensor(vectors, dtype=dtype, device=device).requires_grad_(),
        sizes=sizes,
        volumes=torch.as_tensor([part.volume for part in structures], dtype=dtype, device=device),
        long_range=_long_range(structures, sizes, device, dtype, ewald) if ewald else None,
    )


def _long_range(
    structures: Sequence[Neighbours], sizes: tuple[int, ...], device: str, dtype: torch.dtype, ewald: LatentEwald
) -> LongRange:
    return LongRange(
        positions=torch.as_tensor(np.concatenate([part.positions for part in structures]), dtype=dtype, device=device),
        cells=torch.as_tensor(np.stack([part.cell for part in structures]), dtype=dtype, device=device),
        batch=ewald.collate([part.plan for part in structures], sizes, device, dtype),
    )
