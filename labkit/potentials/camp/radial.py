"""Radial bases of the moments: Chebyshev polynomials or Bessel functions, times an envelope smooth at the cut-off."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def envelope(x: Tensor) -> Tensor:
    """1 - 28 x^6 + 48 x^7 - 21 x^8 for x = r / r_cut: zero with its first two derivatives at x = 1, and zero beyond.

    Gasteiger et al., arXiv 2003.03123, eq. 8 with p = 6.
    """
    x2 = x * x
    x6 = x2 * x2 * x2
    return (1 - x6 * (28 - x * (48 - 21 * x))) * (x < 1)


def chebyshev_basis(x: Tensor, degree: int) -> Tensor:
    """Q_b = T_b(x) u(x), b = 0 to `degree`, stacked along dimension 1 of x (N, K): (N, degree + 1, K).

    T_b are Chebyshev polynomials of the first kind (b = 0 to 8 in the paper), u the envelope.
    """
    smooth = envelope(x)
    basis = [smooth, x * smooth]
    twice = 2 * x
    for _ in range(2, degree + 1):
        basis.append(twice * basis[-1] - basis[-2])
    return torch.stack(basis[: degree + 1], dim=1)


def bessel_basis(x: Tensor, count: int) -> Tensor:
    """Q_n = √2 sin(n π x)/x u(x), n = 1 to `count`, stacked along dimension 1 of x (N, K): (N, count, K).

    Gasteiger et al., arXiv 2003.03123, eq. 7, with x = r / r_cut and the envelope u.
    """
    n = torch.arange(1, count + 1, dtype=x.dtype, device=x.device) * math.pi
    return torch.sin(n.view(1, -1, 1) * x.unsqueeze(1)) * (math.sqrt(2) * envelope(x) / x).unsqueeze(1)
