"""Atomic moments of the published model: a radial network for every path, messages of all ranks.

M_{u,v,p}(i) = Σ_j R_{u,p}(f(r_ij)) [h_{u,v1}(j) : D_{v1}] D_v for the path p = (v, v1): the paper's D of rank v + v1
factorises, since it is a product of unit vectors. Sums over neighbours are batched matrix products; its constant
n_avg^{-1/2} is the measured size of each moment (`Standardise`).
Source: M. Wen et al., npj Comput. Mater. 11, 128 (2025).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import silu

from labkit.potentials.camp.geometry import Geometry, gather
from labkit.potentials.camp.mixing import Standardise, drawn, standardised, weight
from labkit.potentials.camp.paths import moment_paths
from labkit.potentials.camp.tensors import component_counts, multiplicity


class RadialNetwork(nn.Module):
    """f_u(r) = Σ_b c_{u,b}(Z_i, Z_j) Q_b(r), then a SiLU network n_u -> hidden -> n_u for each path, without biases.

    Without biases R(0) = 0, so every radial function ends at the cut-off as smoothly as the envelope does.
    """

    def __init__(self, n_species: int, n_basis: int, channels: int, hidden: int, n_paths: int) -> None:
        super().__init__()
        # U(-1/√n, 1/√n) over the basis functions
        shape = n_species, n_species * n_basis, channels
        self.coefficients = drawn(lambda *sizes: (2 * torch.rand(*sizes) - 1) / n_basis**0.5, *shape)
        self.first = weight(channels, n_paths * hidden, fan_in=channels)
        self.second = weight(n_paths, hidden, channels, fan_in=hidden)

    def forward(self, geometry: Geometry) -> Tensor:
        """R_{u,p} in every slot: (paths, N, K, u)."""
        n, _basis, k = geometry.basis.shape
        spread = geometry.neighbour_species.unsqueeze(3) * geometry.basis.transpose(1, 2).unsqueeze(2)
        f = torch.bmm(spread.view(n, k, -1), self.coefficients.index_select(0, geometry.species))
        hidden = silu(f.view(n * k, -1) @ self.first).view(n * k, len(self.second), -1)
        return torch.bmm(hidden.transpose(0, 1), self.second).view(len(self.second), n, k, -1)


class AtomicMoments(nn.Module):
    """Moments of rank 0 to max_v from scalar features (first layer) or features of all ranks."""

    def __init__(self, n_species: int, n_basis: int, channels: int, hidden: int, max_v: int, message_rank: int) -> None:
        super().__init__()
        self.paths = moment_paths(max_v, message_rank)
        self.counts = component_counts(max_v)
        self.radial = RadialNetwork(n_species, n_basis, channels, hidden, len(self.paths))
        self.combine = weight(len(self.paths), channels, fan_in=1)
        self.standardise = Standardise(max_v + 1)
        self.mix = nn.ParameterList([weight(channels, channels, fan_in=channels) for _ in range(max_v + 1)])

    def forward(self, features: list[Tensor], geometry: Geometry) -> list[Tensor]:
        """features: rank 0 to v1, each (components, N, u). Returns moments, each (components of v, N, u)."""
        mixes = standardised(self.mix, self.standardise)
        radial = self.radial(geometry) * self.combine.view(len(self.paths), 1, 1, -1)
        by_rank = geometry.directions.split(self.counts, dim=1)
        messages = [self._message(h, by_rank[v1], v1, geometry) for v1, h in enumerate(features)]
        moments = []
        for v, mix in enumerate(mixes):
            terms = [radial[p] * messages[v1] for p, (rank, v1) in enumerate(self.paths) if rank == v]
            moment = torch.bmm(by_rank[v], sum(terms[1:], terms[0]))
            moments.append((moment @ mix).transpose(0, 1))
        return self.standardise(moments)

    @staticmethod
    def _message(feature: Tensor, direction: Tensor, rank: int, geometry: Geometry) -> Tensor:
        """h_{v1}(j) : D_{v1} in every slot, (N, K, u)."""
        total = None
        for n, count in enumerate(multiplicity(rank)):
            term = gather(feature[n], geometry.neighbours)
            if rank:
                term = term * (count * direction[:, n].unsqueeze(2))
            total = term if total is None else total + term
        return total
