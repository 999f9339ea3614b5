"""Hyper moments: atomic moments of one atom contracted with one another, which raises the body order."""

from __future__ import annotations

import torch
from torch import Tensor

from labkit.potentials.camp.paths import hyper_moment_paths
from labkit.potentials.camp.tensors import contract

#: Moments of a repeated product stay below this many times their usual size.
LARGEST = 3.0


def bounded(moments: list[Tensor]) -> list[Tensor]:
    """M_v / √(1 + |M_v|²/LARGEST²) for rank 0 to max_v, each (components of v, N, channels); |M_v| of the full tensor.

    A product of products is a polynomial of a high degree, which a few hot configurations would otherwise drive to
    errors of eV/Å; |M_v| is invariant, so moments co-rotate as before.
    """
    return [m * torch.rsqrt(1 + contract(m, m, v, v) * LARGEST**-2) for v, m in enumerate(moments)]


def hyper_moments(moments: list[Tensor], max_output: int) -> list[list[Tensor]]:
    """Hyper moments of each output rank v <= `max_output`, one tensor (components of v, N, channels) a path.

    moments: atomic moments of rank 0 to max_v, each (components of v, N, channels); all factors of a product share the
    channel u. Paths in the order of `hyper_moment_paths`. Contractions that paths share are computed once.
    """
    known: dict[tuple[int, ...], Tensor] = {}

    def product(largest: int, rest: tuple[int, ...]) -> Tensor:
        """The largest moment contracted with the others, largest of the others first."""
        if not rest:
            return moments[largest]
        key = (largest, *rest)
        if key not in known:
            rank = largest - sum(rest[:-1])
            known[key] = contract(product(largest, rest[:-1]), moments[rest[-1]], rank, rest[-1])
        return known[key]

    paths = hyper_moment_paths(len(moments) - 1)
    return [[product(path[-1], path[-2::-1]) for path in paths[v]] for v in range(max_output + 1)]
