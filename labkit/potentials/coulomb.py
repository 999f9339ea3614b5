"""Point charges and nothing else: the exact Coulomb energy of given charges, as a potential like any other.

The one idea: Ewald's split. The smooth part is the latent Ewald sum at a fine dl, the rest erfc(r / √2 σ) / r over near
pairs; together they do not depend on σ. It labels data for long-range models and teaches what 1/r does to a crystal.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
import torch
from ase import Atoms
from torch import Tensor

from labkit.errors import InvalidStructure
from labkit.potentials.ewald import LatentEwald, strained
from labkit.potentials.ewald_plan import COULOMB_eV_A
from labkit.potentials.graph import PeriodicGraph, build_graph, forces_and_virial
from labkit.potentials.interface import DEFAULT_PROPERTIES, Potential, Prediction

#: Both parts are cut where they have fallen to erfc(5.2) = 2e-13 of their value.
CONVERGENCE = 5.2
#: Atoms of one pass.
BATCH_ATOMS = 1000


class PointCharges(Potential):
    """E = Σ_{i<j} q_i q_j / (4 pi eps0 r_ij) over all images, charges from `atoms.get_initial_charges()`.

    Crystals: Ewald's sum with tin-foil boundary conditions; a cell with a net charge has a neutralising background, its
    energy included. Molecules: the plain sum over pairs. cutoff_A: where the split hands over from pairs to waves, Å;
    the energy does not depend on it, the time does. elements: the symbols to accept, None for all.

    Unlike charges attract without limit: alone, this is no potential for dynamics.
    """

    def __init__(self, cutoff_A: float = 8.0, elements: Iterable[str] | None = None) -> None:
        if not 1 <= cutoff_A <= 50:
            raise ValueError(f"cutoff_A = {cutoff_A:g} Å is outside of 1 to 50 Å; 8 Å is usual.")
        self.name = "point-charges"
        self.level_of_theory = "Coulomb energy of given point charges (Ewald)"
        self.elements = None if elements is None else frozenset(elements)
        self.cutoff_A = cutoff_A
        sigma_A = cutoff_A / (math.sqrt(2) * CONVERGENCE)
        self.smooth = LatentEwald(sigma_A=sigma_A, dl_A=math.pi * cutoff_A / CONVERGENCE**2, mesh_above=None)

    def predict(self, structures: Sequence[Atoms], properties: Sequence[str] = DEFAULT_PROPERTIES) -> Prediction:
        """See `Potential.predict`; raises InvalidStructure for atoms without charges and for slabs and wires."""
        self.require(structures, properties)
        for index, atoms in enumerate(structures):
            if not atoms.has("initial_charges"):
                raise InvalidStructure(
                    f"structure {index} ({atoms.get_chemical_formula()}) has no charges; give each atom one "
                    "(in e) with atoms.set_initial_charges first."
                )
        energies, forces, stresses, start = [], [], [], 0
        while start < len(structures):
            end = start + 1
            while end < len(structures) and sum(map(len, structures[start : end + 1])) <= BATCH_ATOMS:
                end += 1
            group, start = structures[start:end], end
            energy, force, stress = self._evaluate(group)
            energies.append(energy)
            forces += np.split(force, np.cumsum([len(atoms) for atoms in group])[:-1])
            stresses.append(stress)
        return Prediction(
            energies=np.concatenate(energies) if energies else np.zeros(0),
            forces=forces if "forces" in properties else None,
            stresses=np.concatenate(stresses) if stresses and "stress" in properties else None,
            charges=[atoms.get_initial_charges() for atoms in structures] or None,
        )

    def _evaluate(self, structures: Sequence[Atoms]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Energies (B,) eV, forces (N, 3) eV/Å and stresses (B, 3, 3) eV/Å^3 of one batch."""
        plans = [self.smooth.prepare(atoms.cell.array, atoms.pbc) for atoms in structures]
        graph = build_graph(structures, self.cutoff_A)
        positions = torch.as_tensor(np.concatenate([atoms.positions for atoms in structures])).requires_grad_()
        charges = torch.as_tensor(np.concatenate([atoms.get_initial_charges() for atoms in structures]))
        cells = torch.as_tensor(np.stack([atoms.cell.array for atoms in structures]))
        strain = torch.zeros_like(cells).requires_grad_()

        moved, lattice = strained(positions, cells, strain, graph.owner)
        smooth = self.smooth.energy(charges.unsqueeze(1), moved, lattice, self.smooth.collate(plans, graph.sizes))
        gradient, smooth_virial = torch.autograd.grad(smooth.sum(), (positions, strain))
        near = self._near_pairs(charges, graph)
        forces, virial = forces_and_virial(near, graph)
        # What the split leaves of the background of a cell with net charge Q: -σ² Q² / (4 eps0 V).
        width = math.pi * self.smooth.sigma_A**2 * COULOMB_eV_A
        background = (-width * graph.sum_per_structure(charges).square() / graph.volumes).nan_to_num(0)

        virial = virial + smooth_virial - background[:, None, None] * torch.eye(3)
        stresses = virial / graph.volumes[:, None, None]
        return (smooth + near + background).detach().numpy(), (forces - gradient).numpy(), stresses.numpy()

    def _near_pairs(self, charges: Tensor, graph: PeriodicGraph) -> Tensor:
        """Σ q_i q_j erfc(r / √2 σ) / (4 pi eps0 r) over pairs within the cut-off, (B,) eV."""
        distance = graph.vectors.square().sum(1).sqrt()
        screened = torch.erfc(distance / (math.sqrt(2) * self.smooth.sigma_A)) / distance
        pairs = COULOMB_eV_A * charges[graph.pair_i] * charges[graph.pair_j] * screened
        return pairs.new_zeros(graph.n_structures).index_add(0, graph.owner[graph.pair_i], pairs)
