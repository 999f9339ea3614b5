"""Boys-Bernardi counterpoise correction of a multimer: each molecule is charged for the basis functions it borrows.

The one idea: it is a sum over calculations of parts, some of their atoms ghosts, so any method that gives an energy
(and forces) for a part can be corrected here without knowing how the parts were cut.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from ase import Atoms
from ase.data import covalent_radii, ground_state_magnetic_moments
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from labkit.errors import InvalidStructure

#: Two atoms further apart than their covalent radii plus this (Å) belong to different molecules. It is wide on purpose:
#: a bond stretched by half must not turn into a gap, or a bond scan would have a step in it.
BOND_SLACK_A = 0.9
#: The array of `atoms` that names the molecules instead (one integer for each atom).
FRAGMENT = "fragment"

#: compute(atoms, real) -> energy (eV), forces (n, 3) eV/Å or None; atoms where `real` is False are ghosts.
Compute = Callable[[Atoms, np.ndarray], tuple[float, np.ndarray | None]]


def fragments(atoms: Atoms) -> list[np.ndarray]:
    """Return the atoms of each molecule, as arrays of indices in the order of their first atom.

    Taken from `atoms.arrays["fragment"]` if that is there, else from distances (no cell is looked at): molecules are
    the connected parts of the graph with an edge wherever |r_i - r_j| < R_i + R_j + 0.9 Å, R covalent radii. A part
    with an odd number of electrons, or a lone atom with an open shell, is half of a broken bond, not a molecule: then
    all atoms are one fragment. Raises InvalidStructure for named fragments of that kind.
    """
    named = FRAGMENT in atoms.arrays
    if named:
        labels = np.unique(np.asarray(atoms.arrays[FRAGMENT]), return_inverse=True)[1].reshape(-1)
    else:
        radii = covalent_radii[atoms.numbers]
        near = atoms.get_all_distances() < radii[:, None] + radii[None, :] + BOND_SLACK_A
        labels = connected_components(coo_matrix(near), directed=False)[1]
    groups = [np.flatnonzero(labels == label) for label in range(labels.max() + 1)]
    groups.sort(key=lambda group: group[0])
    broken = [group for group in groups if _open_shell(atoms.numbers[group])]
    if broken and named and len(groups) > 1:
        odd = "an odd number of electrons" if atoms.numbers[broken[0]].sum() % 2 else "an open shell"
        raise InvalidStructure(
            f"fragment {atoms[broken[0]].get_chemical_formula()} has {odd}; the counterpoise "
            "correction is for closed-shell molecules. Name other fragments, or pass counterpoise=False."
        )
    return [np.arange(len(atoms))] if broken else groups


def _open_shell(numbers: np.ndarray) -> bool:
    return bool(numbers.sum() % 2 or (len(numbers) == 1 and ground_state_magnetic_moments[numbers[0]] > 0))


def parts(atoms: Atoms) -> list[tuple[int, Atoms, np.ndarray, np.ndarray]]:
    """Return what must be computed for `corrected`: sign, atoms, which of them are real, their places in the whole."""
    whole, groups = np.arange(len(atoms)), fragments(atoms)
    found = [(1, atoms, np.ones(len(atoms), dtype=bool), whole)]
    if len(groups) > 1:
        for group in groups:
            found.append((1, atoms[group], np.ones(len(group), dtype=bool), group))
            found.append((-1, atoms, np.isin(whole, group), whole))
    return found


def corrected(atoms: Atoms, compute: Compute) -> tuple[float, np.ndarray | None, int]:
    """Return the counterpoise-corrected energy (eV), forces (n, 3) eV/Å or None, and the number of molecules.

    E_CP = E_AB..(AB..) + sum_m [E_m(m) - E_m(AB..)], the basis in brackets, all at the geometry of the multimer (Boys
    and Bernardi, Mol. Phys. 19, 553 (1970)). So E_CP - sum_m E_m(m) is the corrected interaction energy, and at large
    distance E_CP becomes the sum of the molecules' own energies.
    """
    energy, total = 0.0, np.zeros((len(atoms), 3))
    pieces = parts(atoms)
    for sign, piece, real, places in pieces:
        found, forces = compute(piece, real)
        energy += sign * found
        if forces is None:
            total = None
        elif total is not None:
            np.add.at(total, places, sign * forces)
    return energy, total, max(1, len(pieces) // 2)
