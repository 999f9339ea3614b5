"""What every layer needs of the pair vectors, computed once: distances, radial basis, direction tensors."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from labkit.potentials.camp.neighbours import PaddedBatch
from labkit.potentials.camp.radial import bessel_basis, chebyshev_basis
from labkit.potentials.camp.tensors import directions


@dataclass(frozen=True)
class Geometry:
    """N atoms with K slots. basis: (N, b, K) radial. directions: (N, c, K), all ranks up to max_v.

    neighbours: (N, K). species: (N,). neighbour_species: (N, K, S), one-hot.
    """

    basis: Tensor
    directions: Tensor
    neighbours: Tensor
    species: Tensor
    neighbour_species: Tensor


def geometry(
    batch: PaddedBatch, cutoff_A: float, max_v: int, n_species: int, radial: str, radial_degree: int
) -> Geometry:
    """`radial` is "chebyshev" (T_0 to T_degree) or "bessel" (`radial_degree` functions)."""
    distance = batch.vectors.square().sum(1).sqrt()
    x = distance / cutoff_A
    return Geometry(
        basis=chebyshev_basis(x, radial_degree) if radial == "chebyshev" else bessel_basis(x, radial_degree),
        directions=directions(batch.vectors / distance.unsqueeze(1), max_v),
        neighbours=batch.neighbours,
        species=batch.species,
        neighbour_species=torch.nn.functional.one_hot(batch.species, n_species)
        .to(batch.vectors.dtype)
        .index_select(0, batch.neighbours.view(-1))
        .view(*batch.neighbours.shape, n_species),
    )


def gather(features: Tensor, neighbours: Tensor) -> Tensor:
    """Features (N, u) of the atom in every slot: (N, K, u)."""
    return features.index_select(0, neighbours.view(-1)).view(*neighbours.shape, features.shape[-1])
