"""Atomic moments of CAMP-L: radial functions linear in their basis, scalar messages. Not the published model.

The one idea: with R_{u}(r) = Σ_b c_{u,b} Q_b(r), the sum over neighbours acts on products Q_b D_v that no layer and no
channel changes. They are formed once for all layers; each layer is then one batched matrix product with what the
neighbours send, and all mixing of channels happens on atoms, of which there are fifty times fewer than pairs.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from labkit.potentials.camp.geometry import Geometry, gather
from labkit.potentials.camp.mixing import Standardise, standardised, weight
from labkit.potentials.camp.tensors import component_counts


def pair_products(geometry: Geometry) -> Tensor:
    """Q_b D_v in every slot: (N, components x basis, K)."""
    n, _basis, k = geometry.basis.shape
    return (geometry.directions.unsqueeze(2) * geometry.basis.unsqueeze(1)).view(n, -1, k)


class SpeciesMoments(nn.Module):
    """First layer: M_{u,v}(i) = Σ_b Σ_j c_{u,v,b}(Z_i, Z_j) Q_b(r_ij) D_v."""

    def __init__(self, n_species: int, n_basis: int, channels: int, max_v: int) -> None:
        super().__init__()
        self.counts = component_counts(max_v)
        self.weights = nn.ParameterList(
            [weight(n_species, n_species * n_basis, channels, fan_in=n_basis) for _ in range(max_v + 1)]
        )
        self.standardise = Standardise(max_v + 1)

    def forward(self, products: Tensor, geometry: Geometry) -> list[Tensor]:
        """Moments of rank 0 to max_v, each (components of v, N, u)."""
        n = products.shape[0]
        n_species = geometry.neighbour_species.shape[2]
        summed = products.sum(2) if n_species == 1 else torch.bmm(products, geometry.neighbour_species)
        parts = summed.view(n, sum(self.counts), -1).split(self.counts, dim=1)
        weights = standardised(self.weights, self.standardise)
        if n_species == 1:
            return self.standardise([part.transpose(0, 1) @ w[0] for part, w in zip(parts, weights, strict=True)])
        return self.standardise(
            [
                torch.bmm(part, w.index_select(0, geometry.species)).transpose(0, 1)
                for part, w in zip(parts, weights, strict=True)
            ]
        )


class MessageMoments(nn.Module):
    """Later layers: M_{u,v}(i) = Σ_b Σ_u' w_{u,v,b,u'} Σ_j Q_b(r_ij) D_v m_{u'}(j), m a linear map of h."""

    def __init__(self, n_basis: int, channels: int, message_channels: int, max_v: int) -> None:
        super().__init__()
        self.counts = component_counts(max_v)
        self.send = weight(channels, message_channels, fan_in=channels)
        fan_in = n_basis * message_channels
        self.weights = nn.ParameterList([weight(fan_in, channels, fan_in=fan_in) for _ in range(max_v + 1)])
        self.standardise = Standardise(max_v + 1)

    def forward(self, features: Tensor, products: Tensor, geometry: Geometry) -> list[Tensor]:
        """features: scalars (N, u). Returns moments of rank 0 to max_v, each (components of v, N, u)."""
        n = products.shape[0]
        sent = gather(features @ self.send, geometry.neighbours)
        summed = torch.bmm(products, sent).view(n, sum(self.counts), -1)
        parts = summed.transpose(0, 1).split(self.counts)
        weights = standardised(self.weights, self.standardise)
        return self.standardise([part @ w for part, w in zip(parts, weights, strict=True)])
