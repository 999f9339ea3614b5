"""The symmetry operations of an ideal structure as turns of displacements and permutations of atoms.

Free internal coordinates shift when a crystal warms up without any symmetry being broken; with these operations that
shift can be taken out of a displacement before it counts as a distortion.
"""

from __future__ import annotations

import numpy as np
from ase import Atoms
from ase.geometry import find_mic

from labkit.errors import InvalidStructure


def operations(ideal: Atoms, tolerance_A: float = 0.01) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return (rotation (3, 3) Cartesian, permutation (n,)) of every operation of the space group of a crystal.

    Pure translations of a supercell count too. Raises InvalidStructure when spglib finds none at this tolerance.
    """
    from labkit.structures.symmetry import dataset

    found = dataset(ideal, tolerance_A) if ideal.cell.rank == 3 else None
    if found is None:
        raise InvalidStructure(f"no symmetry was found at {tolerance_A:g} Å; has this crystal three cell vectors?")
    cell, scaled = ideal.cell.array, ideal.get_scaled_positions()
    result = []
    for rotation, translation in zip(found.rotations, found.translations, strict=True):
        images = scaled @ rotation.T + translation
        steps = (images[:, None] - scaled[None]).reshape(-1, 3) @ cell
        apart = find_mic(steps, ideal.cell)[1].reshape(len(ideal), len(ideal))
        apart[ideal.numbers[:, None] != ideal.numbers[None]] = np.inf
        result.append((cell.T @ rotation @ np.linalg.inv(cell.T), apart.argmin(axis=1)))
    return result
