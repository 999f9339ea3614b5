"""A committee as an attack sees it: energy, every member's forces, and the gradient of any number made of those forces.

The one idea: a number g(F_1, ..., F_M) enters only through its derivatives w_m = ∂g/∂F_m, so one contract serves
autograd through CAMP members and, for potentials without autograd, two more force evaluations for each member.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from ase import Atoms

    from labkit.potentials.committee import Committee
    from labkit.potentials.interface import Potential

#: From forces (M, n, 3) eV/Å to ∂g/∂F (M, n, 3).
Adjoint = Callable[[np.ndarray], np.ndarray]
#: The longest move (Å) of an atom in a finite difference.
DIFFERENCE_A = 1e-3


@dataclass(frozen=True)
class Look:
    """energy: mean over members, eV. forces: (M, n, 3) eV/Å. gradient: ∂g/∂R (n, 3), in units of g per Å."""

    energy: float
    forces: np.ndarray
    gradient: np.ndarray


class Surface(Protocol):
    """What an attack needs of a committee."""

    def look(self, atoms: Atoms, adjoint: Adjoint) -> Look:
        """Energy, forces and Σ_m Σ_i w_mi · ∂F_mi/∂R of one structure."""
        ...


class ByAutograd:
    """Differentiates twice through CAMP members, latent charges included; all members are in memory at once."""

    def __init__(self, committee: Committee) -> None:
        self.committee = committee

    def look(self, atoms: Atoms, adjoint: Adjoint) -> Look:
        """See `Surface.look`.

        Pair vectors (n, 3, K) and, with latent charges, positions (n, 3) are the leaves; with h = ∂g/∂r_ik for
        r_ik = r_neighbour - r_centre: ∂g/∂R_i = Σ over slots that i fills of h - Σ_k h_ik, plus ∂g/∂positions.
        """
        import torch

        from labkit.potentials.camp.derivatives import Derivatives

        first, members = self.committee.members[0], self.committee.members
        self.committee.require([atoms], ("energy", "forces"))
        batch = first.collate([first.prepare(atoms)])
        leaves = Derivatives(batch, first.ewald, gradients=True)
        energies, forces = [], []
        with torch.enable_grad():
            for member in members:
                energy, charges = member.network(batch)
                if charges is not None:
                    energy = energy + leaves.long_range(charges)
                forces.append(leaves.forces_and_stresses(energy, create_graph=True, stress=False)[0])
                energies.append(float(energy.detach()))
            stacked = torch.stack(forces)
            values = stacked.detach().double().cpu().numpy()
            weights = torch.as_tensor(adjoint(values), dtype=stacked.dtype, device=stacked.device)
            wanted = [batch.vectors] if leaves.positions is None else [batch.vectors, leaves.positions]
            pulled, *rest = torch.autograd.grad(stacked, wanted, grad_outputs=weights, allow_unused=True)
        received = pulled.transpose(1, 2).reshape(-1, 3)
        gradient = (-pulled.sum(2)).index_add(0, batch.neighbours.view(-1), received)
        if rest and rest[0] is not None:
            gradient = gradient + rest[0]
        return Look(float(np.mean(energies)), values, gradient.detach().double().cpu().numpy())


class ByDifferences:
    """Central differences of each member's forces along its own direction w_m: exact to second order for any potential.

    Forces are gradients, so their Jacobian is symmetric and Σ_i w_i · ∂F_i/∂R is the derivative of F along w.
    """

    def __init__(self, members: Sequence[Potential]) -> None:
        self.members = list(members)

    def look(self, atoms: Atoms, adjoint: Adjoint) -> Look:
        """See `Surface.look`."""
        answers = [member.predict([atoms], ("energy", "forces")) for member in self.members]
        forces = np.stack([answer.forces[0] for answer in answers])
        gradient = np.zeros((len(atoms), 3))
        for member, weights in zip(self.members, adjoint(forces), strict=True):
            longest = np.linalg.norm(weights, axis=1).max()
            if longest == 0:
                continue
            moved = []
            for sign in (1, -1):
                one = atoms.copy()
                one.positions += sign * DIFFERENCE_A / longest * weights
                moved.append(one)
            ahead, behind = member.predict(moved, ("energy", "forces")).forces
            gradient += (ahead - behind) * longest / (2 * DIFFERENCE_A)
        return Look(float(np.mean([answer.energies[0] for answer in answers])), forces, gradient)


def surface_of(committee: Committee | Sequence[Potential]) -> Surface:
    """Autograd for a labkit committee, differences for a list of other potentials (at least two)."""
    if hasattr(committee, "predict_members"):
        return ByAutograd(committee)
    if len(committee) < 2:
        raise ValueError("an attack needs a committee of at least two members; one potential cannot disagree.")
    return ByDifferences(committee)
