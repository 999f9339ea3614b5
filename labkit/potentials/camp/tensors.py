"""Symmetric Cartesian tensors kept by their distinct components: 1, 3, 6, 10 numbers for ranks 0, 1, 2, 3.

Every moment of the model is symmetric in all of its indices, so the (v + 1)(v + 2)/2 distinct components carry the same
information as the 3^v of the full tensor; a contraction weighs each with the number of index orders that it stands for.
"""

from __future__ import annotations

from functools import cache
from itertools import combinations_with_replacement
from math import factorial

import torch
from torch import Tensor


@cache
def components(rank: int) -> tuple[tuple[int, ...], ...]:
    """Index tuples of the distinct components: ((),), ((0,), (1,), (2,)), ((0, 0), (0, 1), ...)."""
    return tuple(combinations_with_replacement(range(3), rank))


def component_counts(max_v: int) -> list[int]:
    """Number of distinct components of each rank: 1, 3, 6, 10."""
    return [len(components(rank)) for rank in range(max_v + 1)]


@cache
def multiplicity(rank: int) -> tuple[int, ...]:
    """How many entries of the full tensor each distinct component stands for: rank 2 gives 1, 2, 2, 1, 2, 1."""
    return tuple(
        factorial(rank) // (factorial(c.count(0)) * factorial(c.count(1)) * factorial(c.count(2)))
        for c in components(rank)
    )


@cache
def _weights(rank: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    return torch.tensor(multiplicity(rank), dtype=dtype, device=device)


@cache
def _selection(rank_a: int, rank_b: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """0/1 matrix ((components of a - b) x (components of b), components of a): which entry of a meets which of b."""
    position = {c: n for n, c in enumerate(components(rank_a))}
    rows = [
        position[tuple(sorted(left + summed))] for left in components(rank_a - rank_b) for summed in components(rank_b)
    ]
    return torch.eye(len(position), dtype=dtype, device=device)[rows]


def contract(a: Tensor, b: Tensor, rank_a: int, rank_b: int) -> Tensor:
    """Contract all indices of `b` (components of rank b, N, u) with indices of `a` (components of rank a, N, u).

    Returns (components of rank a - b, N, u): result_{i...} = Σ_{j...} a_{i... j...} b_{j...}. The entries of `a` are
    spread by a product with a constant matrix, whose derivatives are matrix products again, not scatters.
    """
    if rank_b == 0:
        return a * b
    weighed = b if rank_b == 1 else b * _weights(rank_b, a.dtype, a.device).view(-1, 1, 1)
    if rank_a == rank_b:
        return (a * weighed).sum(0, keepdim=True)
    spread = torch.mm(_selection(rank_a, rank_b, a.dtype, a.device), a.reshape(a.shape[0], -1))
    return (spread.view(-1, b.shape[0], *a.shape[1:]) * weighed).sum(1)


def directions(unit: Tensor, max_v: int) -> Tensor:
    """D_v = r̂ ⊗ ... ⊗ r̂ of unit vectors (N, 3, K), v = 0 to `max_v`, distinct components: (N, 1 + 3 + 6 + ..., K)."""
    x, y, z = unit.unbind(1)
    power: dict[tuple[int, ...], Tensor] = {(): torch.ones_like(x), (0,): x, (1,): y, (2,): z}
    for rank in range(2, max_v + 1):
        for c in components(rank):
            power[c] = power[c[:-1]] * power[c[-1:]]
    return torch.stack([power[c] for rank in range(max_v + 1) for c in components(rank)], dim=1)
