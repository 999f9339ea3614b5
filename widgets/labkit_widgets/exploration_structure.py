"""Stationary points in 3D one after the other: each is turned onto the one before, and drawn with its own bonds."""

from __future__ import annotations

import numpy as np
from ase import Atoms

from . import scene
from .viewer import AtomsView


class StationaryView(AtomsView):
    """Shows the structures of one network; a transition state has other bonds than its minima, so they are redrawn."""

    def show(self, atoms: Atoms) -> None:
        """Show these atoms, turned and moved as a whole onto those on the screen."""
        with self._lock:
            before = self._atoms
            if before is not None and np.array_equal(before.numbers, atoms.numbers):
                atoms = turned_onto(atoms, before)
                if not np.array_equal(_bonds(atoms), _bonds(before)):
                    self._atoms = None
            super().show(atoms)


def turned_onto(atoms: Atoms, other: Atoms) -> Atoms:
    """A copy of `atoms` moved and rotated, without mirroring, to lie closest to `other` atom by atom.

    The rotation is that of W. Kabsch, Acta Cryst. A32, 922 (1976); scipy's warns of planar and linear molecules, where
    any of several rotations is as good.
    """
    moved = atoms.copy()
    if np.isfinite(atoms.positions).all():
        centre = other.positions.mean(axis=0)
        own = atoms.positions - atoms.positions.mean(axis=0)
        left, _, right = np.linalg.svd(own.T @ (other.positions - centre))
        left[:, 2] *= np.sign(np.linalg.det(left @ right))
        moved.positions = own @ left @ right + centre
    return moved


def _bonds(atoms: Atoms) -> np.ndarray:
    return np.sort(np.sort(scene.bonds(atoms), axis=1), axis=0) if len(atoms) else np.zeros((0, 2))
