"""CHGNet's smooth radial Bessel and Fourier bases (Deng et al. 2023, Methods; envelope of Gasteiger et al. 2020)."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def envelope(scaled: Tensor, p: int) -> Tensor:
    """Polynomial cut-off u(x) = 1 - (p+1)(p+2)/2 x^p + p(p+2) x^(p+1) - p(p+1)/2 x^(p+2), zero from x = 1 on."""
    power = scaled**p
    value = 1 + power * (-(p + 1) * (p + 2) / 2 + scaled * (p * (p + 2) - scaled * (p * (p + 1) / 2)))
    return torch.where(scaled < 1, value, torch.zeros_like(scaled))


def radial_bessel(distance: Tensor, frequencies: Tensor, cutoff_A: float, p: int) -> Tensor:
    """Radial basis sqrt(2/c) sin(f_n r/c)/r u(r/c) of distances (P,) Å: (P, n)."""
    scaled = (distance / cutoff_A).unsqueeze(1)
    amplitude = math.sqrt(2 / cutoff_A) * envelope(scaled, p) / distance.unsqueeze(1)
    return amplitude * torch.sin(scaled * frequencies)


def fourier(angle: Tensor, frequencies: Tensor) -> Tensor:
    """Fourier basis [1/sqrt 2, sin f_n a, cos f_n a] / sqrt π of angles (A,) rad: (A, 2n + 1)."""
    phase = angle.unsqueeze(1) * frequencies
    constant = phase.new_full((phase.shape[0], 1), 1 / math.sqrt(2))
    return torch.cat([constant, torch.sin(phase), torch.cos(phase)], dim=1) / math.sqrt(math.pi)
