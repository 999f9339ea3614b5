"""The reciprocal sum itself, over all wave vectors of a few padded structures at once.

The one idea: exp(i k.r) factorises over the three lattice directions. Cosines and sines of n θ along each axis are few
(of the order of K^(1/3) an atom, not K); products over two axes and one matrix product over atoms with the third give
every S(k) at the speed of a matrix multiplication, and so do its first and second derivatives.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from labkit.potentials.ewald_plan import RECIPROCAL_eV_A, octant_products, octant_signs


@dataclass(frozen=True)
class Harmonics:
    """Integers of the sum for b structures padded to common bounds (n1, n2, n3); K = (n1 + 1)(n2 + 1)(n3 + 1).

    reduction: (b, 3, 3). axes: (3, n1 + n2 + n3 + 3), the integers of the three axes as a block-diagonal matrix.
    products: (6, 4 K), see `octant_products`. signs: (8, 8), see `octant_signs`. multiplicity: (b, 4, K).
    """

    bounds: tuple[int, int, int]
    reduction: Tensor
    axes: Tensor
    products: Tensor
    signs: Tensor
    multiplicity: Tensor


@lru_cache(maxsize=64)
def shared_integers(bounds: tuple[int, int, int], device: str, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    """`axes`, `products` and `signs` of `Harmonics`; they depend on the bounds alone."""
    axes = torch.block_diag(*(torch.arange(bound + 1, dtype=dtype) for bound in bounds)) * 2 * math.pi
    products = torch.as_tensor(octant_products(bounds), dtype=dtype, device=device)
    return axes.to(device), products, torch.as_tensor(octant_signs(), dtype=dtype, device=device)


def reciprocal_lattice(cells: Tensor) -> tuple[Tensor, Tensor]:
    """Reciprocal rows (b, 3, 3) without 2 pi, and positive volumes (b,), of lattice rows (b, 3, 3).

    Cross products, not a matrix inverse: cheaper to differentiate twice, and good for cells of either hand.
    """
    crossed = torch.linalg.cross(cells[:, [1, 2, 0]], cells[:, [2, 0, 1]])
    signed = (cells[:, 0] * crossed[:, 0]).sum(-1)
    return crossed / signed[:, None, None], signed.abs()


def metric(reciprocal: Tensor) -> Tensor:
    """(b, 6): g11, g22, g33, 2 g12, 2 g13, 2 g23 of reciprocal rows (b, 3, 3), for `octant_products`."""
    first, second = reciprocal[:, [0, 1, 2, 0, 0, 1]], reciprocal[:, [0, 1, 2, 1, 2, 2]]
    twice = reciprocal.new_tensor([1.0, 1.0, 1.0, 2.0, 2.0, 2.0])
    return (first * second).sum(-1) * twice


def wrapped_fractions(positions: Tensor, reciprocal: Tensor) -> Tensor:
    """Fractional coordinates (b, n, 3) in [-1/2, 1/2]: small arguments keep cosines exact far from the origin."""
    fractions = positions @ reciprocal.transpose(1, 2)
    return fractions - fractions.detach().round()


def direct_energy(charges: Tensor, positions: Tensor, cells: Tensor, harmonics: Harmonics, sigma_A: float) -> Tensor:
    """E = 1/(2 eps0 V) Σ_{0<|k|<=kc} exp(-σ² k²/2) / k² |S(k)|², (b,) eV, summed over channels; self terms included.

    (methods A.5; S(k) = Σ_i q_i exp(i k.r_i).) charges: (b, n, Q) e, zero where there is no atom. positions: (b, n, 3)
    Å. cells: (b, 3, 3) Å.
    """
    structures, atoms, channels = charges.shape
    n1, n2, n3 = (bound + 1 for bound in harmonics.bounds)
    reciprocal, volumes = reciprocal_lattice(harmonics.reduction @ cells)
    angles = wrapped_fractions(positions, reciprocal) @ harmonics.axes
    waves = torch.stack([angles.cos(), angles.sin()], dim=2)
    first, second, third = waves.split([n1, n2, n3], dim=3)
    planes = first[:, :, :, :, None, None] * second[:, :, None, None]  # (b, n, 2, n1, 2, n2)
    lines = third.unsqueeze(4) * charges[:, :, None, None]  # (b, n, 2, n3, Q)
    sums = planes.reshape(structures, atoms, -1).transpose(1, 2) @ lines.reshape(structures, atoms, -1)
    sums = sums.view(structures, 2, n1, 2, n2, 2, n3, channels).permute(0, 1, 3, 5, 7, 2, 4, 6)
    amplitudes = harmonics.signs @ sums.reshape(structures, 8, -1)
    intensity = amplitudes.square().view(structures, 4, 2, channels, -1).sum((2, 3))
    squared = (2 * math.pi) ** 2 * (metric(reciprocal) @ harmonics.products).view(structures, 4, -1)
    # Vectors that do not count get k² + 1: never zero, so that their zero weight stays a number in every derivative.
    squared = squared + (harmonics.multiplicity == 0)
    weights = harmonics.multiplicity * torch.exp(-(sigma_A**2) / 2 * squared) / squared
    return RECIPROCAL_eV_A / volumes * (weights * intensity).sum((1, 2))
