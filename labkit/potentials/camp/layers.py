"""One layer of each architecture: moments, hyper moments, update of the features."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import silu

from labkit.potentials.camp.geometry import Geometry
from labkit.potentials.camp.hyper_moments import bounded, hyper_moments
from labkit.potentials.camp.linear_moments import MessageMoments, SpeciesMoments
from labkit.potentials.camp.mixing import PathMixing, drawn, weight
from labkit.potentials.camp.moments import AtomicMoments
from labkit.potentials.camp.paths import hyper_moment_paths
from labkit.potentials.camp.settings import CAMPSettings


class CAMPLayer(nn.Module):
    """h' = Lin(H) + Lin(h), with hyper moments H of the atomic moments; the residual only after the first layer."""

    def __init__(self, settings: CAMPSettings, n_species: int, *, first: bool, last: bool) -> None:
        super().__init__()
        u, v = settings.channels, settings.max_v
        self.max_output = 0 if last else v
        paths = hyper_moment_paths(v)
        self.moments = AtomicMoments(
            n_species, settings.radial_degree + 1, u, settings.radial_hidden, v, 0 if first else v
        )
        self.mixing = nn.ModuleList([PathMixing(len(paths[rank]), u) for rank in range(self.max_output + 1)])
        self.residual = (
            None if first else nn.ParameterList([weight(u, u, fan_in=u) for _ in range(self.max_output + 1)])
        )

    def forward(self, features: list[Tensor], geometry: Geometry) -> list[Tensor]:
        """features of rank 0 upwards, each (components, N, u), to the same for the next layer."""
        hyper = hyper_moments(self.moments(features, geometry), self.max_output)
        updated = []
        for rank, paths in enumerate(hyper):
            h = self.mixing[rank](paths)
            updated.append(h if self.residual is None else h + features[rank] @ self.residual[rank])
        return updated


class CAMPLLayer(nn.Module):
    """h' = h + SiLU(Lin(H) + a_Z) - SiLU(a_Z) on scalars only, so that an atom without neighbours keeps h = 0."""

    def __init__(self, settings: CAMPSettings, n_species: int, *, first: bool) -> None:
        super().__init__()
        u, v, b = settings.channels, settings.max_v, settings.radial_degree
        self.moments = (
            SpeciesMoments(n_species, b, u, v) if first else MessageMoments(b, u, settings.message_channels, v)
        )
        paths = hyper_moment_paths(v)
        self.again = nn.ModuleList(
            [
                nn.ModuleList([PathMixing(len(paths[rank]), u, full=True) for rank in range(v + 1)])
                for _ in range(settings.products - 1)
            ]
        )
        self.mixing = PathMixing(len(paths[0]), u, full=True)
        self.embedding = drawn(lambda *sizes: 0.5 * torch.randn(*sizes), n_species, u)

    def forward(self, features: Tensor | None, products: Tensor, geometry: Geometry) -> Tensor:
        """Scalars (N, u), None in the first layer, to scalars (N, u)."""
        moments = self.moments(products, geometry) if features is None else self.moments(features, products, geometry)
        for mixing in self.again:  # M <- M + Lin(H) for all ranks: the next product has twice the body order
            hyper = hyper_moments(moments, len(moments) - 1)
            moments = bounded([m + mix(paths) for m, mix, paths in zip(moments, mixing, hyper, strict=True)])
        (paths,) = hyper_moments(moments, 0)
        offset = self.embedding.index_select(0, geometry.species)
        # SiLU of equally shaped tensors: rounding depends on an entry's place, and the difference must be exactly zero
        update = silu(self.mixing(paths).squeeze(0) + offset) - silu(offset)
        return update if features is None else features + update
