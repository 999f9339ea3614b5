"""Rattled structures on which nothing cancels by symmetry, one for each potential's chemistry."""

import numpy as np
from ase import Atoms
from ase.build import bulk, molecule


def rattled_copper() -> Atoms:
    """Four atoms in a sheared cell."""
    atoms = bulk("Cu", cubic=True)
    atoms.set_cell(atoms.cell.array @ [[1, 0.04, 0], [0, 1, 0.02], [0.01, 0, 0.98]], scale_atoms=True)
    atoms.rattle(0.08, seed=3)
    return atoms


def rattled_argon() -> Atoms:
    """32 atoms, wide enough for the cut-off."""
    atoms = bulk("Ar", a=5.3, cubic=True).repeat(2)
    atoms.rattle(0.1, seed=4)
    return atoms


def rattled_rocksalt() -> Atoms:
    """LiCl, primitive, sheared."""
    atoms = bulk("LiCl", "rocksalt", a=5.1)
    atoms.set_cell(atoms.cell.array @ [[1.02, 0.03, 0], [0, 1, 0], [0, 0.02, 0.99]], scale_atoms=True)
    atoms.rattle(0.1, seed=5)
    return atoms


def left_handed(atoms: Atoms) -> Atoms:
    """The same crystal described by a left-handed cell: first two lattice vectors swapped."""
    swapped = atoms.copy()
    swapped.set_cell(atoms.cell.array[[1, 0, 2]])
    assert np.linalg.det(swapped.cell.array) < 0
    return swapped


def water() -> Atoms:
    """A molecule without a cell."""
    return molecule("H2O")
