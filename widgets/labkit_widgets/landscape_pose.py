"""How a molecule is turned for the eye: the first one flat towards the reader, each next one like the one before.

Only the picture is turned. Atoms are compared one by one, without exchanging equal ones, because the reader follows
atoms, too.
"""

from __future__ import annotations

import numpy as np
from ase import Atoms
from scipy.spatial.transform import Rotation

from . import scene


class Pose:
    """Turns atoms for a picture; remembers how the last ones stood."""

    def __init__(self) -> None:
        self._last: Atoms | None = None
        self._turn, self._centre = Rotation.identity(), np.zeros(3)

    def take(self, atoms: Atoms) -> None:
        """Find the turn for a new structure; all frames of its film keep it."""
        self._centre = atoms.positions.mean(axis=0)
        placed = atoms.positions - self._centre
        if len(atoms) < 3:
            self._turn, self._centre = Rotation.identity(), np.zeros(3)
        elif self._last is not None and np.array_equal(self._last.numbers, atoms.numbers):
            self._turn = _towards(self._last.positions - self._last.positions.mean(axis=0), placed)
        else:
            self._turn = _flat(placed)
        self._last = self.turned(atoms)

    def turned(self, atoms: Atoms) -> Atoms:
        """Return the atoms as they are drawn."""
        made = atoms.copy()
        made.positions = self._turn.apply(atoms.positions - self._centre) + self._centre
        return made


def _towards(fixed: np.ndarray, moved: np.ndarray) -> Rotation:
    """The rotation that lays `moved` (n, 3) best onto `fixed`, both centred (W. Kabsch, Acta Cryst. A32, 922, 1976)."""
    u, _, vt = np.linalg.svd(fixed.T @ moved)
    return Rotation.from_matrix(u @ np.diag([1, 1, np.sign(np.linalg.det(u @ vt))]) @ vt)


def _flat(placed: np.ndarray) -> Rotation:
    """The rotation that brings the longest axis across the picture and the shortest towards the reader."""
    axes = np.linalg.svd(placed, full_matrices=False)[2]
    axes[2] *= np.sign(np.linalg.det(axes))
    return Rotation.from_quat(scene.ORIENTATION).inv() * Rotation.from_matrix(axes)
