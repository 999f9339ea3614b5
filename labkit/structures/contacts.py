"""Find atoms that sit on top of each other, periodic images included.

A k-d tree over the cell and a thin shell of images: linear in the number of atoms even when all of them coincide, and
without importing torch (which vesin does), so that picking a structure stays fast.
"""

from __future__ import annotations

import itertools

import numpy as np
from ase import Atoms


def any_contact(atoms: Atoms, limit_A: float) -> bool:
    """Whether any two atoms, periodic images included, are nearer than `limit_A` (Å); for every step of a dynamics.

    Two atoms so near have coordinates along the normal of each face that differ by less than the limit: a tree over
    these, in which the cell is a box, asks for all pairs at once and nearly always finds none to measure.
    """
    from scipy.spatial import cKDTree

    cell = np.asarray(atoms.cell.complete()) if atoms.pbc.any() else np.eye(3)
    inverse = np.linalg.inv(cell)
    widths = 1 / np.linalg.norm(inverse, axis=0)
    if (widths[atoms.pbc] > 2 * limit_A).all():
        fractions = atoms.positions @ inverse
        fractions -= np.floor(fractions) * atoms.pbc
        points = fractions * widths
        points[atoms.pbc & (points >= widths)] = 0.0  # rounding took them to the end of the box, which is its beginning
        tree = cKDTree(points, boxsize=np.where(atoms.pbc, widths, 0.0))
        if not tree.query_pairs(limit_A * (1 + 1e-9), p=np.inf):
            return False
    return bool(nearest_contacts(atoms, limit_A))


def nearest_contacts(atoms: Atoms, limit_A: float) -> list[tuple[int, int, float]]:
    """Return the closest partner of every atom that has one below `limit_A` (Å), as (i, j, distance), closest first,
    each pair once.

    An atom next to its own image gives i == j. The cell must not be flat.
    """
    from scipy.spatial import cKDTree

    points, owners = _with_images(atoms, limit_A)
    n_atoms = len(atoms)
    distances, partners = cKDTree(points).query(points[:n_atoms], k=2, distance_upper_bound=limit_A)
    closest: dict[tuple[int, int], float] = {}
    for i in np.flatnonzero(np.isfinite(distances[:, 1])):
        # Of two coincident points the tree may return either one first.
        column = 0 if partners[i, 0] != i else 1
        j = int(owners[partners[i, column]])
        pair = (min(int(i), j), max(int(i), j))
        closest[pair] = min(float(distances[i, column]), closest.get(pair, np.inf))
    return sorted(((i, j, d) for (i, j), d in closest.items()), key=lambda contact: (contact[2], contact[:2]))


def _with_images(atoms: Atoms, limit_A: float) -> tuple[np.ndarray, np.ndarray]:
    if not atoms.pbc.any():
        return atoms.positions, np.arange(len(atoms))
    cell = np.asarray(atoms.cell.complete())
    fractions = np.linalg.solve(cell.T, atoms.positions.T).T
    fractions -= np.floor(fractions) * atoms.pbc
    margin = limit_A * np.linalg.norm(np.linalg.inv(cell), axis=0)  # the limit in fractions of each cell width
    reach = [
        range(-int(np.ceil(m)), int(np.ceil(m)) + 1) if p else range(1) for m, p in zip(margin, atoms.pbc, strict=True)
    ]
    points, owners = [fractions], [np.arange(len(atoms))]
    for shift in itertools.product(*reach):
        if not any(shift):
            continue
        moved = fractions + shift
        near = np.flatnonzero(np.all(~atoms.pbc | ((moved > -margin) & (moved < 1 + margin)), axis=1))
        points.append(moved[near])
        owners.append(near)
    return np.concatenate(points) @ cell, np.concatenate(owners)
