"""The network: geometry once, layers, readouts, scale and shift for each element; latent charges if wanted."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from labkit.potentials.camp.charges import ChargeHead
from labkit.potentials.camp.geometry import geometry
from labkit.potentials.camp.layers import CAMPLayer, CAMPLLayer
from labkit.potentials.camp.linear_moments import pair_products
from labkit.potentials.camp.mixing import Readout, Standardise, weight
from labkit.potentials.camp.neighbours import PaddedBatch
from labkit.potentials.camp.settings import CAMPSettings

#: Atomic energies of a fresh network are this fraction of the scale: small against what is learned, not zero.
INITIAL_SIZE = 0.3


class CAMPNetwork(nn.Module):
    """E = Σ_i (scale_Z e_i + shift_Z) with e_i = Σ over layers of a readout of the scalar features.

    Scale (eV) and shift (eV) are buffers in float64, fitted from data before training.
    """

    def __init__(self, settings: CAMPSettings, n_species: int) -> None:
        super().__init__()
        self.settings, self.n_species = settings, n_species
        n, linear = settings.n_layers, settings.architecture == "CAMP-L"
        self.embedding = None if linear else weight(n_species, settings.channels, fan_in=1)
        self.layers = nn.ModuleList(
            [
                CAMPLLayer(settings, n_species, first=i == 0)
                if linear
                else CAMPLayer(settings, n_species, first=i == 0, last=i == n - 1)
                for i in range(n)
            ]
        )
        self.readouts = nn.ModuleList(
            [Readout(settings.channels, settings.readout_hidden if linear or i == n - 1 else None) for i in range(n)]
        )
        self.charge_head = (
            ChargeHead(n * settings.channels, settings.charge_channels, n_species) if settings.long_range else None
        )
        self.register_buffer("scale", torch.ones(n_species, dtype=torch.float64))
        self.register_buffer("shift", torch.zeros(n_species, dtype=torch.float64))
        self.to(getattr(torch, settings.dtype))
        for name in ("scale", "shift"):
            setattr(self, name, getattr(self, name).double())

    def features(self, batch: PaddedBatch) -> list[Tensor]:
        """Scalar features (N, u) after every layer."""
        s = self.settings
        linear = s.architecture == "CAMP-L"
        around = geometry(
            batch, s.cutoff_A, s.max_v, self.n_species, "bessel" if linear else "chebyshev", s.radial_degree
        )
        scalars: list[Tensor] = []
        if linear:
            products = pair_products(around)
            for layer in self.layers:
                scalars.append(layer(scalars[-1] if scalars else None, products, around))
            return scalars
        features = [self.embedding.index_select(0, batch.species).unsqueeze(0)]
        for layer in self.layers:
            features = layer(features, around)
            scalars.append(features[0].squeeze(0))
        return scalars

    def forward(self, batch: PaddedBatch) -> tuple[Tensor, Tensor | None]:
        """Short-range energies (B,) eV, float64, and latent charges (N, charge channels) in e or None."""
        scalars = self.features(batch)
        atomic = sum(readout(h) for readout, h in zip(self.readouts, scalars, strict=True)) * INITIAL_SIZE
        energies = atomic.double() * self.scale[batch.species] + self.shift[batch.species]
        charges = self.charge_head(torch.cat(scalars, dim=1), batch.species) if self.charge_head else None
        return batch.sum_per_structure(energies), charges

    @torch.no_grad()
    def calibrate(self, batch: PaddedBatch) -> None:
        """Measure the size of all moments on `batch`, layer by layer, and keep it as the unit of each."""
        standards = [module for module in self.modules() if isinstance(module, Standardise)]
        for module in standards:
            module.calibrating = True
        self.features(batch)
        for module in standards:
            module.calibrating = False
