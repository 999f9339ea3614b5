"""The batched periodic graph, written once for every torch potential.

The one idea: the pair vectors are the only leaf of the energy. Forces and stress both follow from dE/dr_ij of a single
backward pass, in exact agreement with each other, for any cell, left-handed ones included, and training differentiates
through them once more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from ase import Atoms
from torch import Tensor


@dataclass(frozen=True)
class PeriodicGraph:
    """B structures with N atoms and P pairs in all; each pair within the cutoff stands once (i, j, not j, i as well).

    numbers: (N,) atomic numbers. owner: (N,) structure of each atom. pair_i, pair_j: (P,) atoms of each pair.
    vectors: (P, 3) Å, r_j + image - r_i, with gradient. distances: (P,) Å, without.
    volumes: (B,) Å^3, positive, NaN without a three-dimensional cell. sizes: atoms of each structure.
    """

    numbers: Tensor
    owner: Tensor
    pair_i: Tensor
    pair_j: Tensor
    vectors: Tensor
    distances: Tensor
    volumes: Tensor
    sizes: tuple[int, ...]

    @property
    def n_atoms(self) -> int:
        """Number of atoms of the whole batch."""
        return self.numbers.shape[0]

    @property
    def n_structures(self) -> int:
        """Number of structures of the batch."""
        return len(self.sizes)

    def sum_per_structure(self, values: Tensor) -> Tensor:
        """Sum atomic values (N,) to (B,)."""
        return values.new_zeros(self.n_structures).index_add(0, self.owner, values)


def neighbour_pairs(atoms: Atoms, cutoff_A: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Pairs within `cutoff_A` (Å), each once: i (P,), j (P,), vectors r_j + image - r_i (P, 3) Å, distances (P,) Å.

    By vesin's cell lists. A molecule (no periodic direction) needs no cell.
    """
    from vesin import NeighborList

    finder = NeighborList(cutoff=cutoff_A, full_list=False, n_threads=1)
    periodic = atoms.pbc.tolist()
    cell = atoms.cell.complete().array if any(periodic) else np.zeros((3, 3))
    i, j, vectors, distances = finder.compute(atoms.positions, cell, periodic, quantities="ijDd")
    return i.astype(np.int64), j.astype(np.int64), vectors, distances


def geometry_dtype(device: str | torch.device) -> torch.dtype:
    """float64 for pair vectors wherever the device has it (MPS has not).

    Angles near 180° and high radial frequencies cost float32 its last useful digits in the stress; a network casts its
    basis functions, not the geometry.
    """
    return torch.float32 if torch.device(device).type == "mps" else torch.float64


@dataclass(frozen=True)
class Neighbourhood:
    """What a graph needs of one structure of n atoms with P pairs; kept over the epochs of a training.

    numbers: (n,). pair_i, pair_j: (P,). vectors: (P, 3) Å. distances: (P,) Å. volume: Å^3, NaN without a cell.
    """

    numbers: np.ndarray
    pair_i: np.ndarray
    pair_j: np.ndarray
    vectors: np.ndarray
    distances: np.ndarray
    volume: float


def neighbourhood(atoms: Atoms, cutoff_A: float) -> Neighbourhood:
    """The pairs of one structure within `cutoff_A` (Å)."""
    volume = float(atoms.cell.volume) if atoms.pbc.all() else float("nan")
    return Neighbourhood(atoms.numbers.copy(), *neighbour_pairs(atoms, cutoff_A), volume)


def join(parts: Sequence[Neighbourhood], device: str | torch.device = "cpu") -> PeriodicGraph:
    """One graph of B neighbourhoods on `device`."""
    sizes = tuple(len(part.numbers) for part in parts)
    offsets = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)
    pair_i = np.concatenate([part.pair_i + offset for part, offset in zip(parts, offsets, strict=True)])
    pair_j = np.concatenate([part.pair_j + offset for part, offset in zip(parts, offsets, strict=True)])
    numbers = np.concatenate([part.numbers for part in parts])
    real = {"dtype": geometry_dtype(device), "device": device}
    return PeriodicGraph(
        numbers=torch.as_tensor(numbers, dtype=torch.long, device=device),
        owner=torch.as_tensor(np.repeat(np.arange(len(sizes)), sizes), device=device),
        pair_i=torch.as_tensor(pair_i, device=device),
        pair_j=torch.as_tensor(pair_j, device=device),
        vectors=torch.as_tensor(np.concatenate([part.vectors for part in parts]), **real).requires_grad_(),
        distances=torch.as_tensor(np.concatenate([part.distances for part in parts]), **real),
        volumes=torch.as_tensor([part.volume for part in parts], **real),
        sizes=sizes,
    )


def build_graph(structures: Sequence[Atoms], cutoff_A: float, device: str | torch.device = "cpu") -> PeriodicGraph:
    """The graph of B structures on `device`, pairs within `cutoff_A` (Å)."""
    return join([neighbourhood(atoms, cutoff_A) for atoms in structures], device)


def forces_and_virial(energy: Tensor, graph: PeriodicGraph, *, create_graph: bool = False) -> tuple[Tensor, Tensor]:
    """Forces (N, 3) eV/Å and virial dE/dε (B, 3, 3) eV of the total energies (B,) eV, from one backward pass.

    With g = dE/dr_ij for r_ij = r_j - r_i: F_i = Σ_j g_ij - Σ_j g_ji and dE/dε = Σ_pairs r_ij ⊗ g_ij (symmetrised);
    the stress is the virial over the (positive) volume, tension positive as in ASE.
    """
    (gradient,) = torch.autograd.grad(energy.sum(), graph.vectors, create_graph=create_graph)
    vectors = graph.vectors if create_graph else graph.vectors.detach()
    forces = gradient.new_zeros(graph.n_atoms, 3).index_add(0, graph.pair_i, gradient)
    forces = forces.index_add(0, graph.pair_j, gradient, alpha=-1)
    outer = vectors.unsqueeze(2) * gradient.unsqueeze(1)
    virial = gradient.new_zeros(graph.n_structures, 3, 3).index_add(0, graph.owner[graph.pair_i], outer)
    return forces, (virial + virial.transpose(1, 2)) / 2
