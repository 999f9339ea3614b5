"""The long range of molecules: smeared charges that interact pair by pair, without a cell.

The one idea: structures of a batch are padded to the largest of them, so that all pairs are one dense product; padding
carries no charge and stands one Å away from everything, where nothing is singular.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from labkit.potentials.ewald_plan import COULOMB_eV_A


def pair_energy(charges: Tensor, positions: Tensor, present: Tensor, sigma_A: float) -> Tensor:
    """E = Σ_{i<j} q_i q_j erf(r_ij / √2 σ) / (4 pi eps0 r_ij), (b,) eV, summed over channels; no self term.

    The limit of the reciprocal sum in an infinite cell (methods A.5). charges: (b, n, Q) e. positions: (b, n, 3) Å.
    present: (b, n), True where there is an atom. sigma_A: σ, Å.
    """
    difference = positions.unsqueeze(2) - positions.unsqueeze(1)
    pairs = present.unsqueeze(2) & present.unsqueeze(1)
    pairs = pairs & ~torch.eye(present.shape[1], dtype=torch.bool, device=present.device)
    distance = torch.where(pairs, difference.square().sum(-1), 1.0).sqrt()
    kernel = torch.where(pairs, torch.erf(distance / (math.sqrt(2) * sigma_A)) / distance, 0.0)
    return COULOMB_eV_A / 2 * (charges * (kernel @ charges)).sum((1, 2))
