"""Cut a crystal along a plane: a slab with vacuum, as surfaces and interfaces begin."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from ase import Atoms
from ase.build import make_supercell

from labkit.errors import InvalidStructure
from labkit.structures.build_cell import cell_widths, conventional, primitive
from labkit.structures.check import MAX_ATOMS, ask_for_budget, check


def slab(
    atoms: Atoms, miller: Sequence[int], min_thickness_A: float, vacuum_A: float, *, max_atoms: int = MAX_ATOMS
) -> Atoms:
    """Return a slab normal to the plane (h k l) of the conventional cell, at least `min_thickness_A` (Å) thick.

    Thickness is measured from the first to the last atom, along the normal, which is z. Whole layers of the oriented
    primitive cell are stacked, so the composition is that of the crystal; `vacuum_A` (Å) separates the slab from its
    image along c, and the result is periodic in three directions, which is what CHGNet needs. The termination is the
    first that comes; polar ones are not repaired. Raises InvalidStructure for an impossible plane and BudgetExceeded
    for too many atoms.
    """
    indices = [int(h) for h in miller]
    if (
        len(indices) != 3
        or not any(indices)
        or any(h != g for h, g in zip(indices, miller, strict=True))
        or max(map(abs, indices)) > 9
    ):
        raise InvalidStructure(
            f"A plane has three whole Miller indices between -9 and 9, not all zero; not {tuple(miller)}."
        )
    if not (0 < min_thickness_A < 1e4 and 0 <= vacuum_A < 1e4):
        raise InvalidStructure(
            f"Thickness must be positive and vacuum at least 0 Å, both below 10,000 Å; not {min_thickness_A} and "
            f"{vacuum_A}."
        )
    crystal = primitive(atoms)
    rows = _oriented_rows(_primitive_indices(np.array(indices), atoms, crystal), np.asarray(crystal.cell))
    oriented = make_supercell(crystal, rows)
    # A layer that straddles the face must not be cut in two by rounding.
    oriented.wrap(eps=1e-4)
    period = cell_widths(oriented)[2]
    n_layers = max(1, 1 + math.ceil((min_thickness_A - _extent(oriented)) / period - 1e-9))
    ask_for_budget(len(oriented) * n_layers, max_atoms)
    return check(_with_vacuum(oriented.repeat((1, 1, n_layers)), vacuum_A), max_atoms=max_atoms)


def _primitive_indices(indices: np.ndarray, atoms: Atoms, crystal: Atoms) -> np.ndarray:
    """Return the same plane in the indices of the primitive cell: (1 0 0) of a face-centred cell is (0 1 1), say."""
    to_primitive = np.asarray(crystal.cell) @ np.linalg.inv(np.asarray(conventional(atoms).cell))
    # Centred lattices have points at halves and thirds, so six times an index is whole.
    whole = np.round(6 * to_primitive @ indices).astype(int)
    return whole // math.gcd(*whole.tolist())


def _extent(atoms: Atoms) -> float:
    """Return the distance in Å between the outermost atoms along the normal of the a-b plane."""
    normal = np.cross(atoms.cell[0], atoms.cell[1])
    return float(np.ptp(atoms.positions @ (normal / np.linalg.norm(normal))))


def _oriented_rows(plane: np.ndarray, cell: np.ndarray) -> np.ndarray:
    """Return integer rows (3, 3): two shortest lattice vectors in the plane and one that steps to the next plane."""
    reach = range(-int(np.abs(plane).max()) - 1, int(np.abs(plane).max()) + 2)
    grid = np.array([(i, j, k) for i in reach for j in reach for k in reach if (i, j, k) != (0, 0, 0)])
    lengths = np.linalg.norm(grid @ cell, axis=1)
    grid = grid[np.lexsort((*(-grid.T), np.round(lengths, 6)))]
    in_plane = grid[grid @ plane == 0]
    first = in_plane[0]
    second = next(
        row for row in in_plane if np.linalg.norm(np.cross(first, row)) > 0 and _primitive_pair(first, row, plane)
    )
    step = grid[grid @ plane == 1][0]
    rows = np.array([first, second, step])
    return rows if np.linalg.det(rows @ cell) > 0 else np.array([second, first, step])


def _primitive_pair(first: np.ndarray, second: np.ndarray, plane: np.ndarray) -> bool:
    # Two vectors span every lattice point of the plane when their cross product is the plane itself.
    return bool(np.array_equal(np.abs(np.cross(first, second)), np.abs(plane)))


def _with_vacuum(atoms: Atoms, vacuum_A: float) -> Atoms:
    cell = np.asarray(atoms.cell)
    a = cell[0] / np.linalg.norm(cell[0])
    normal = np.cross(cell[0], cell[1])
    normal /= np.linalg.norm(normal)
    axes = np.array([a, np.cross(normal, a), normal])  # rotate: a along x, the normal along z
    positions = atoms.positions @ axes.T
    turned = cell @ axes.T
    turned[np.abs(turned) < 1e-12] = 0.0
    if vacuum_A > 0:
        turned[2] = [0.0, 0.0, np.ptp(positions[:, 2]) + vacuum_A]
        positions[:, 2] += vacuum_A / 2 - positions[:, 2].min()
    else:
        # The slab is the crystal again; c must step to the next layer and leans as little as the lattice allows.
        lean = np.linalg.solve(turned[:2, :2].T, turned[2, :2])
        turned[2] -= np.round(lean) @ turned[:2]
    result = atoms.copy()
    result.set_cell(turned, scale_atoms=False)
    result.positions = positions
    return result
