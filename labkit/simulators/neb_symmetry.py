"""Symmetry of paths and sameness of end states: what need not be computed twice.

An operation of the frame that maps the initial state on the final one and the path on its own reverse makes image
M + 1 - i a copy of image i, so half of the images say everything.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.geometry import find_mic
from scipy.spatial import cKDTree

from labkit.simulators.neb_start import unwrap

#: Positions (Å) that count as the same, and how far (Å) a start path may be from its mirror image to be made symmetric.
SAME_A, PATH_A = 0.02, 1.0
#: Start images must agree with their mirror images to this: energies (eV) and forces (eV/Å).
ENERGY_EV, FORCE_EV_A = 2e-3, 0.02


@dataclass(frozen=True)
class Mirror:
    """x'[permutation[a]] = rotation x[a] + translation[a], an operation that is its own inverse.

    rotation: (3, 3) Cartesian. translation: (n, 3) Å, lattice vectors included, so that continuous paths stay so.
    """

    rotation: np.ndarray
    translation: np.ndarray
    permutation: np.ndarray

    def positions(self, positions: np.ndarray) -> np.ndarray:
        """Map positions (n, 3) Å of image i on those of image M + 1 - i."""
        mapped = np.empty_like(positions)
        mapped[self.permutation] = positions @ self.rotation.T + self.translation
        return mapped

    def forces(self, forces: np.ndarray) -> np.ndarray:
        """Map forces (n, 3) like the positions."""
        mapped = np.empty_like(forces)
        mapped[self.permutation] = forces @ self.rotation.T
        return mapped

    def symmetrise(self, path: np.ndarray) -> np.ndarray | None:
        """The path (M + 2, n, 3) Å made exactly symmetric; None when it is too far from it."""
        mirrored = np.array([self.positions(image) for image in path[::-1]])
        if np.abs(mirrored - path).max() > PATH_A:
            return None
        path = (path + mirrored) / 2
        half = len(path) // 2
        path[-half:] = [self.positions(image) for image in path[:half][::-1]]
        return path

    def centre(self, positions: np.ndarray) -> np.ndarray:
        """Positions (n, 3) Å of the image in the middle, made exactly symmetric."""
        return (positions + self.positions(positions)) / 2


def find_mirror(initial: Atoms, final: Atoms, tolerance_A: float = SAME_A) -> Mirror | None:
    """The operation that turns the straight path from `initial` to `final` around, or None.

    Such an operation is one of the symmetry operations of the structure half-way (spglib). Those that are their own
    inverse are tried; each must map both ends on each other, atom by atom, within `tolerance_A` (Å).
    """
    from labkit.structures import symmetry

    if not initial.pbc.any() or not initial.cell.complete().volume:
        return None
    end = unwrap(initial, final)
    middle = initial.copy()
    middle.positions = (initial.positions + end) / 2
    middle.cell = initial.cell.complete()
    found = symmetry.dataset(middle, tolerance_A)
    if found is None:
        return None
    cell = np.asarray(middle.cell)
    for rotation, translation in zip(found.rotations, found.translations, strict=True):
        if (rotation @ rotation != np.eye(3, dtype=int)).any():
            continue
        cartesian = cell.T @ rotation @ np.linalg.inv(cell.T)
        if np.abs(cartesian @ cartesian.T - np.eye(3)).max() > 1e-3:
            continue
        moved = initial.positions @ cartesian.T + translation @ cell
        partners = _partners(initial, moved, end, tolerance_A)
        if partners is None or (partners[partners] != np.arange(len(partners))).any():
            continue
        shifts = end[partners] - moved
        lattice = shifts - find_mic(shifts, initial.cell, initial.pbc)[0]
        mirror = Mirror(cartesian, translation @ cell + lattice, partners)
        if np.abs(mirror.positions(end) - initial.positions).max() <= tolerance_A:
            return mirror
    return None


def same_structure(known: Atoms, atoms: Atoms, tolerance_A: float = SAME_A) -> np.ndarray | None:
    """The permutation (n,) with atoms[a] = known[permutation[a]] up to lattice vectors; None for another structure."""
    if (
        len(known) != len(atoms)
        or (np.sort(known.numbers) != np.sort(atoms.numbers)).any()
        or (known.pbc != atoms.pbc).any()
        or not np.allclose(known.cell.array, atoms.cell.array, atol=1e-6)
    ):
        return None
    partners = _partners(atoms, atoms.positions, known.positions, tolerance_A, known.numbers)
    if partners is None:
        return None
    for key in ("initial_magmoms", "initial_charges"):
        if (key in known.arrays) != (key in atoms.arrays):
            return None
        if key in known.arrays and not np.allclose(known.arrays[key][partners], atoms.arrays[key]):
            return None
    return partners


def _partners(
    atoms: Atoms, positions: np.ndarray, others: np.ndarray, tolerance_A: float, numbers: np.ndarray | None = None
) -> np.ndarray | None:
    """For each of `positions` the index of the same place, up to lattice vectors, among `others`; None unless one to
    one and of the same element.
    """
    cell = np.asarray(atoms.cell.complete())
    box = np.where(atoms.pbc, 1.0, 0.0)

    def fractions(places: np.ndarray) -> np.ndarray:
        found = np.linalg.solve(cell.T, places.T).T
        found = np.where(atoms.pbc, found % 1.0, found)
        return np.where((box > 0) & (found >= 1.0), 0.0, found)  # -1e-17 % 1 is 1.0

    partners = cKDTree(fractions(others), boxsize=box).query(fractions(positions))[1]
    if len(np.unique(partners)) != len(partners):
        return None
    if (atoms.numbers != (atoms.numbers if numbers is None else numbers)[partners]).any():
        return None
    distances = find_mic(others[partners] - positions, atoms.cell, atoms.pbc)[1]
    return partners if distances.max() <= tolerance_A else None
