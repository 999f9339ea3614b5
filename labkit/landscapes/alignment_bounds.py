"""How far two structures are apart at the least, without aligning them.

The one idea: distances from the centre and between atoms do not change under rotations, and sorting them within the
classes undoes any permutation; their differences bound the aligned distance from below, for thousands of pairs at once.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial.distance import cdist


def fingerprints(structures: np.ndarray, classes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sorted radii (m, n) and sorted interatomic distances (m, n (n - 1) / 2), sorted within classes and class pairs.

    structures: (m, n, 3) Å about their centroids. classes: (n,).
    """
    radii = np.linalg.norm(structures, axis=2)
    i, j = np.triu_indices(len(classes), 1)
    distances = np.linalg.norm(structures[:, i] - structures[:, j], axis=2)
    _, ranks = np.unique(classes, return_inverse=True)
    low, high = np.minimum(ranks[i], ranks[j]), np.maximum(ranks[i], ranks[j])
    return _sorted_within(radii, ranks), _sorted_within(distances, low * len(classes) + high)


def lower_bounds(first: tuple[np.ndarray, np.ndarray], second: tuple[np.ndarray, np.ndarray], atoms: int) -> np.ndarray:
    """(m, k) Å; no rotation, inversion or permutation within classes brings the structures closer than this.

    With deviations u_i of aligned atoms, ||a_i| - |b_i|| <= |u_i| and ||a_i - a_j| - |b_i - b_j|| <= |u_i - u_j|;
    Σ_{i<j} |u_i - u_j|² = n Σ |u_i|², as both centroids lie at the origin. Of all bijections within a class, sorting
    gives the least sum of squares.
    """
    if atoms < 2:
        return np.zeros((len(first[0]), len(second[0])))
    return np.maximum(cdist(first[0], second[0]), cdist(first[1], second[1]) / np.sqrt(atoms))


def _sorted_within(values: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Columns ordered by group; within each group every row sorted."""
    order = np.argsort(groups, kind="stable")
    values = values[:, order]
    edges = np.flatnonzero(np.diff(groups[order])) + 1
    return np.concatenate([np.sort(part, axis=1) for part in np.split(values, edges, axis=1)], axis=1)
