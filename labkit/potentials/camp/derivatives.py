"""Forces and stresses of the whole model from one backward pass.

Short-range leaves are the pair vectors; the long range adds the positions and a strain. All are differentiated at once.
"""

from __future__ import annotations

import torch
from torch import Tensor

from labkit.potentials.camp.neighbours import PaddedBatch
from labkit.potentials.ewald import LatentEwald, strained


class Derivatives:
    """The leaves of one evaluation; made before the network runs, read after it."""

    def __init__(self, batch: PaddedBatch, ewald: LatentEwald | None, *, gradients: bool) -> None:
        self.batch, self.ewald = batch, ewald
        self.positions = self.strain = None
        if batch.long_range is not None:
            # fresh leaves: two evaluations of one batch must not share a graph
            self.positions = batch.long_range.positions.detach().requires_grad_(gradients)
            self.strain = torch.zeros_like(batch.long_range.cells).requires_grad_(gradients)

    def long_range(self, charges: Tensor) -> Tensor:
        """Energies (B,) eV of latent charges (N, channels) e."""
        part = self.batch.long_range
        positions, cells = strained(self.positions, part.cells, self.strain, self.batch.owner)
        return self.ewald.energy(charges, positions, cells, part.batch)

    def forces_and_stresses(
        self, energies: Tensor, *, create_graph: bool, stress: bool
    ) -> tuple[Tensor, Tensor | None]:
        """Forces (N, 3) eV/Å and, if asked for, stresses (B, 3, 3) eV/Å^3 of the total energies (B,) eV.

        With g = dE/dr_ik for r_ik = r_neighbour - r_centre: F_i = Σ_k g_ik - Σ of g over all slots that i fills, and
        the virial is Σ r_ik ⊗ g_ik; both minus, and plus, what positions and strain add.
        """
        batch = self.batch
        leaves = [batch.vectors] if self.positions is None else [batch.vectors, self.positions, self.strain]
        gradient, *rest = torch.autograd.grad(energies.sum(), leaves, create_graph=create_graph, allow_unused=True)
        received = gradient.transpose(1, 2).reshape(-1, 3)
        forces = gradient.sum(2).index_add(0, batch.neighbours.view(-1), received, alpha=-1)
        if rest and rest[0] is not None:
            forces = forces - rest[0]
        if not stress:
            return forces, None
        vectors = batch.vectors if create_graph else batch.vectors.detach()
        atomic = torch.bmm(vectors, gradient.transpose(1, 2))
        virial = atomic.new_zeros(len(batch.sizes), 3, 3).index_add(0, batch.owner, atomic)
        if rest and rest[1] is not None:
            virial = virial + rest[1]
        return forces, (virial + virial.transpose(1, 2)) / (2 * batch.volumes.view(-1, 1, 1))
