"""Structures with charges, and the two derivatives that tests compare."""

import numpy as np
import torch
from ase import Atoms
from ase.build import bulk

from labkit.potentials.coulomb import PointCharges
from labkit.potentials.ewald import EwaldPlan, LatentEwald, strained


def ions() -> PointCharges:
    """Point charges that know a few elements, for `load("tests.potentials.charged:ions")`."""
    return PointCharges(elements={"Li", "Na", "K", "Cl", "O"})


def rattled_salt() -> Atoms:
    """NaCl, conventional cell, sheared and rattled, with charges of ±1 e."""
    atoms = bulk("NaCl", "rocksalt", a=5.64, cubic=True)
    atoms.set_cell(atoms.cell.array @ [[1.02, 0.03, 0], [0, 1, 0], [0, 0.02, 0.99]], scale_atoms=True)
    atoms.rattle(0.15, seed=5)
    atoms.set_initial_charges(np.where(atoms.symbols == "Na", 1.0, -1.0))
    return atoms


def random_ions(n: int, edge_A: float, seed: int, *, skew: float = 0.0) -> Atoms:
    """n ions with random charges (not neutral) in a cell that is sheared by `skew`."""
    generator = np.random.default_rng(seed)
    cell = edge_A * (np.eye(3) + skew * np.array([[0, 0, 0], [1, 0, 0], [-0.4, 0.7, 0]]))
    atoms = Atoms(f"Na{n}", positions=generator.random((n, 3)) @ cell, cell=cell, pbc=True)
    atoms.set_initial_charges(generator.normal(size=n))
    return atoms


def tensors(structures: list[Atoms]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Charges (N, 1), positions (N, 3), cells (B, 3, 3), owner (N,)."""
    charges = np.concatenate([atoms.get_initial_charges() for atoms in structures])[:, None]
    positions = np.concatenate([atoms.positions for atoms in structures])
    cells = np.stack([atoms.cell.array for atoms in structures])
    owner = np.repeat(np.arange(len(structures)), [len(atoms) for atoms in structures])
    return tuple(torch.as_tensor(array) for array in (charges, positions, cells, owner))


def evaluate(
    les: LatentEwald, structures: list[Atoms], plans: list[EwaldPlan] | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Energies (B,), forces (N, 3) and virials (B, 3, 3) of the initial charges."""
    charges, positions, cells, owner = tensors(structures)
    plans = plans or [les.prepare(atoms.cell.array, atoms.pbc) for atoms in structures]
    positions.requires_grad_()
    strain = torch.zeros_like(cells).requires_grad_()
    batch = les.collate(plans, [len(atoms) for atoms in structures])
    energies = les.energy(charges, *strained(positions, cells, strain, owner), batch)
    gradient, virial = torch.autograd.grad(energies.sum(), (positions, strain), allow_unused=True)
    return energies.detach().numpy(), -gradient.numpy(), virial.numpy()
