"""Latent charges: a small network from scalar features to charges that no label names (LES)."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn
from torch.nn.functional import silu

from labkit.potentials.camp.mixing import drawn, weight

HIDDEN = (32, 16)
#: Fresh charges are small, so that training starts near the short-range model.
INITIAL_SIZE = 0.1


class ChargeHead(nn.Module):
    """SiLU network features -> 32 -> 16 -> channels plus a linear skip, times 0.1, plus a charge of each element; in e.

    Latent Ewald summation (B. Cheng, npj Comput. Mater., 2025); this head as methods A.5 of the design notes states it.
    The charge of the element is ours: features of an atom without neighbours are zero, so that without it two ions
    beyond the cut-off, Na and Cl say, would have the same charge and repel.
    """

    def __init__(self, n_features: int, channels: int, n_species: int) -> None:
        super().__init__()
        sizes = (n_features, *HIDDEN, channels)
        self.weights = nn.ParameterList([weight(a, b, fan_in=a) for a, b in itertools.pairwise(sizes)])
        self.biases = nn.ParameterList([nn.Parameter(torch.zeros(b)) for b in sizes[1:]])
        self.skip = weight(n_features, channels, fan_in=n_features)
        self.element = drawn(lambda *sizes: INITIAL_SIZE * torch.randn(*sizes), n_species, channels)

    def forward(self, features: Tensor, species: Tensor) -> Tensor:
        """(N, features) and elements (N,) to (N, channels)."""
        x = features
        for n, (w, b) in enumerate(zip(self.weights, self.biases, strict=True)):
            x = torch.addmm(b, x, w)
            if n < len(HIDDEN):
                x = silu(x)
        return INITIAL_SIZE * (x + features @ self.skip) + self.element.index_select(0, species)
