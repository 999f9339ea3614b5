"""Structures that occur more than once, whatever their orientation, origin, numbering of atoms or energy.

Two structures are duplicates when they have the same composition and when, for each pair of elements, their sorted
lists of distances agree. A few ranks of the list, looked up in a k-d tree, leave few pairs for the full comparison.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from ase import Atoms

from labkit.datasets.record import Record

TOLERANCE_A = 0.001  # thermal motion is a hundred times larger, what a text file rounds away a hundred times smaller
N_RANKS = 8
NEIGHBOURS = 30  # of each atom, on average, in a crystal
MAX_CUTOFF_A = 8.0


def duplicates(records: Sequence[Record], tolerance_A: float = TOLERANCE_A) -> list[tuple[int, ...]]:
    """Return the sets of indices whose structures agree, each with at least two members, in ascending order.

    All sorted distances must agree within `tolerance_A` (Å): all of them in a molecule, those up to a cutoff, about 30
    neighbours, in a crystal. Mirror images count as the same; a supercell is another structure than its cell.
    Structures whose numbers are not finite are never duplicates.
    """
    kinds: dict[tuple, list[int]] = {}
    for index, record in enumerate(records):
        atoms = record.atoms
        if np.isfinite(atoms.positions).all() and np.isfinite(atoms.cell.array).all():
            kinds.setdefault((record.composition, tuple(atoms.pbc)), []).append(index)
    links: list[tuple[int, int]] = []
    for members in kinds.values():
        if len(members) > 1:
            links += _links([records[index].atoms for index in members], members, tolerance_A)
    return _components(links)


def _links(structures: list[Atoms], members: list[int], tolerance_A: float) -> list[tuple[int, int]]:
    from scipy.spatial import cKDTree

    cutoff = _cutoff(structures)
    lists = [_distances(atoms, cutoff) for atoms in structures]
    # Sorted lists that agree within a tolerance agree within it at every rank. The edge of the cell comes first: where
    # nothing lies within the cutoff it is all there is to compare.
    edges = [abs(np.linalg.det(atoms.cell.complete())) ** (1 / 3) if atoms.pbc.all() else 0.0 for atoms in structures]
    shortest = [np.sort(np.concatenate([*one.values(), np.zeros(0)])) for one in lists]
    count = min(map(len, shortest))
    ranks = np.unique(np.linspace(0, max(count - 1, 0), N_RANKS).astype(int))[:count]
    points = np.array([[edge, *one[ranks]] for edge, one in zip(edges, shortest, strict=True)])
    pairs = cKDTree(points).query_pairs(tolerance_A * 1.001, p=np.inf, output_type="ndarray")
    return [(members[i], members[j]) for i, j in pairs if _agree(lists[i], lists[j], cutoff, tolerance_A)]


def _agree(one: dict, other: dict, cutoff: float, tolerance_A: float) -> bool:
    if not np.isfinite(cutoff) and set(one) != set(other):
        return False
    for kind in one.keys() | other.keys():
        first, second = one.get(kind, np.zeros(0)), other.get(kind, np.zeros(0))
        common = min(len(first), len(second))
        # A distance at the cutoff may be inside for one and just outside for the other.
        rest = max(first, second, key=len)[common:]
        if (rest < cutoff - tolerance_A).any() or (np.abs(first[:common] - second[:common]) > tolerance_A).any():
            return False
    return True


def _cutoff(structures: list[Atoms]) -> float:
    atoms = structures[0]
    if not atoms.pbc.any():
        return np.inf
    volume = max(abs(np.linalg.det(one.cell.complete())) for one in structures)
    radius = (3 * NEIGHBOURS * volume / (4 * np.pi * len(atoms))) ** (1 / 3)
    return float(np.clip(radius, 3.0, MAX_CUTOFF_A))


def _distances(atoms: Atoms, cutoff: float) -> dict[tuple[int, int], np.ndarray]:
    """Return the sorted distances of each pair of elements (every pair is met from both of its ends in a crystal)."""
    from scipy.spatial import cKDTree
    from scipy.spatial.distance import pdist

    if not np.isfinite(cutoff):
        first, second = np.triu_indices(len(atoms), 1)
        lengths = pdist(atoms.positions)
    else:
        points, owners = _with_images(atoms, cutoff)
        near = cKDTree(atoms.positions if len(points) == len(atoms) else points[: len(atoms)])
        found = near.sparse_distance_matrix(cKDTree(points), cutoff, output_type="ndarray")
        first, second, lengths = found["i"], owners[found["j"]], found["v"]
        apart = found["i"] != found["j"]
        first, second, lengths = first[apart], second[apart], lengths[apart]
    one, other = atoms.numbers[first], atoms.numbers[second]
    low, high = np.minimum(one, other), np.maximum(one, other)
    return {
        (int(a), int(b)): np.sort(lengths[(low == a) & (high == b)])
        for a, b in sorted({(int(a), int(b)) for a, b in np.unique(np.stack([low, high], axis=1), axis=0)})
    }


def _with_images(atoms: Atoms, cutoff: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the atoms, wrapped, then their images that may lie within `cutoff` of one of them, with their owners."""
    cell = np.asarray(atoms.cell.complete())
    fractions = np.linalg.solve(cell.T, atoms.positions.T).T
    fractions -= np.floor(fractions) * atoms.pbc
    margin = cutoff * np.linalg.norm(np.linalg.inv(cell), axis=0)
    reach = [
        range(-int(np.ceil(m)), int(np.ceil(m)) + 1) if p else range(1) for m, p in zip(margin, atoms.pbc, strict=True)
    ]
    points, owners = [fractions], [np.arange(len(atoms))]
    for shift in itertools.product(*reach):
        if any(shift):
            moved = fractions + shift
            inside = np.flatnonzero(np.all(~atoms.pbc | ((moved > -margin) & (moved < 1 + margin)), axis=1))
            points.append(moved[inside])
            owners.append(inside)
    return np.concatenate(points) @ cell, np.concatenate(owners)


def _components(links: list[tuple[int, int]]) -> list[tuple[int, ...]]:
    sets: dict[int, set[int]] = {}
    for one, other in links:
        merged = sets.get(one, {one}) | sets.get(other, {other})
        for index in merged:
            sets[index] = merged
    return sorted({tuple(sorted(found)) for found in sets.values()})
