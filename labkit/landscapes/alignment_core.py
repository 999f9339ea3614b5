"""Rotations and permutations of one pair of structures, many starting rotations at once.

The one idea: from each start, the best permutation and the best rotation are found in turn until nothing changes; most
starts end in the same permutation, so only the different ones are carried on.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.spatial.transform import Rotation

#: Alternations of permutation and rotation; four are usual.
ROUNDS = 30
#: Numbers in the largest array of squared distances, 32 MB.
CHUNK = 4_000_000


def kabsch(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The proper rotations R (s, 3, 3) that make d = ‖first - second Rᵀ‖ smallest, and d² (s,) Å².

    first: (n, 3), second: (s, n, 3), both about their centroids. With U S Vᵀ = firstᵀ second: R = U diag(1, 1, ±1) Vᵀ,
    d² = ‖first‖² + ‖second‖² - 2 (S₁ + S₂ ± S₃) (W. Kabsch, Acta Cryst. A32, 922 (1976)). The same as
    `scipy.spatial.transform.Rotation.align_vectors`, which takes one pair at a time, for a hundred at once.
    """
    left, values, right = np.linalg.svd(first.T @ second)
    signs = np.sign(np.linalg.det(left) * np.linalg.det(right))
    left[:, :, 2] *= signs[:, None]
    values[:, 2] *= signs
    return left @ right, (first**2).sum() + (second**2).sum(axis=(1, 2)) - 2.0 * values.sum(axis=1)


def assignments(costs: np.ndarray) -> np.ndarray:
    """The permutation of least cost for each of (s, n, n) costs: (s, n), the Hungarian method only where it is needed.

    Where the nearest atoms of all rows differ, they are the answer already.
    """
    nearest = costs.argmin(axis=2)
    ordered = np.sort(nearest, axis=1)
    for s in np.flatnonzero((ordered != np.arange(costs.shape[1])).any(axis=1)):
        nearest[s] = linear_sum_assignment(costs[s])[1]
    return nearest


def refine(
    first: np.ndarray, second: np.ndarray, rotations: np.ndarray, forbidden: np.ndarray
) -> tuple[float, np.ndarray, np.ndarray]:
    """The smallest ‖first - P second Rᵀ‖ (Å) reached from rotations (s, 3, 3), with its P (n,) and R (3, 3).

    forbidden: (n, n), atoms of different classes.
    """
    n = len(first)
    # |a_i - R b_j|² = |a_i|² + |b_j|² - 2 a_i R b_j, and the last term is one product of matrices for all rotations
    fixed = np.where(forbidden, np.inf, (first**2).sum(-1)[:, None] + (second**2).sum(-1)[None, :])
    outer = 2.0 * (first[:, None, :, None] * second[None, :, None, :]).reshape(n * n, 9).T
    seen: set[bytes] = set()
    best: tuple[float, np.ndarray, np.ndarray] = (np.inf, np.arange(n), np.eye(3))
    for _ in range(ROUNDS):
        costs = fixed - (rotations.reshape(-1, 9) @ outer).reshape(-1, n, n)
        fresh = {p.tobytes(): p for p in assignments(costs)}
        permutations = [p for key, p in fresh.items() if key not in seen]
        if not permutations:
            break
        seen.update(fresh)
        rotations, squares = kabsch(first, second[np.array(permutations)])
        at = int(squares.argmin())
        # the sum above cancels to 1e-7 Å at the best; the difference itself does not
        length = float(np.linalg.norm(first - second[permutations[at]] @ rotations[at].T))
        if length < best[0]:
            best = length, permutations[at], rotations[at]
    return best


def chunks(rotations: np.ndarray, atoms: int, at_once: int) -> list[np.ndarray]:
    """The rotations in batches of `at_once`, fewer where the distances would not fit in memory."""
    size = max(1, min(at_once, CHUNK // max(atoms * atoms, 1)))
    return [rotations[i : i + size] for i in range(0, len(rotations), size)]


@lru_cache(maxsize=16)
def random_rotations(count: int, seed: int) -> np.ndarray:
    """(count, 3, 3), uniform over all orientations; the same array at every call, not to be written to."""
    matrices = Rotation.random(count, rng=np.random.default_rng(seed)).as_matrix() if count else np.zeros((0, 3, 3))
    matrices.flags.writeable = False
    return matrices


def frame_rotations(
    first: np.ndarray,
    second: np.ndarray,
    classes: np.ndarray,
    second_classes: np.ndarray,
    tolerance_A: float,
    most: int,
) -> np.ndarray:
    """The rotations (s, 3, 3) that lay two far atoms of `second` along two of `first`, every pair of the right classes.

    Among them is, up to the small angle that the deviation leaves, the best one of any pair of structures closer than
    `tolerance_A`: no atom is then further from the centre by more than the tolerance. At most `most`, nearest first.
    """
    i, j = _anchors(first, classes)
    radii, others = np.linalg.norm(first, axis=1), np.linalg.norm(second, axis=1)
    a = np.flatnonzero((second_classes == classes[i]) & (np.abs(others - radii[i]) <= tolerance_A))
    b = np.flatnonzero((second_classes == classes[j]) & (np.abs(others - radii[j]) <= tolerance_A))
    p, q = (grid.ravel() for grid in np.meshgrid(a, b, indexing="ij"))
    gap = np.linalg.norm(second[p] - second[q], axis=1) - np.linalg.norm(first[i] - first[j])
    badness = np.abs(gap) + np.abs(others[p] - radii[i]) + np.abs(others[q] - radii[j])
    # |u_i - u_j| <= sqrt(2) times the norm of the whole deviation
    keep = np.flatnonzero((p != q if i != j else p == q) & (np.abs(gap) <= 1.5 * tolerance_A))
    keep = keep[np.argsort(badness[keep], kind="stable")][:most]
    frame = _frames(first[[i]], first[[j]])[0]
    return np.einsum("ki,skj->sij", frame, _frames(second[p[keep]], second[q[keep]]))


def _anchors(first: np.ndarray, classes: np.ndarray) -> tuple[int, int]:
    """Two atoms far from the centre and from each other's direction, of classes with few members."""
    radii = np.linalg.norm(first, axis=1)
    sizes = np.array([np.sum(classes == c) for c in classes])
    far = np.flatnonzero(radii >= 0.5 * radii.max())
    i = far[np.lexsort((-radii[far], sizes[far]))[0]]
    if radii[i] < 1e-9:
        return int(i), int(i)
    aside = np.linalg.norm(first - np.outer(first @ first[i] / radii[i] ** 2, first[i]), axis=1)
    if aside.max() < 1e-3:
        return int(i), int(i)
    far = np.flatnonzero(aside >= 0.5 * aside.max())
    return int(i), int(far[np.lexsort((-aside[far], sizes[far]))[0]])


def _frames(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Right-handed orthonormal frames (s, 3, 3), rows: along a, towards b, their normal; any where b is along a."""
    x = _unit(a, np.array([1.0, 0.0, 0.0]))
    y = b - (b * x).sum(-1, keepdims=True) * x
    spare = np.eye(3)[np.abs(x).argmin(-1)]
    spare = spare - (spare * x).sum(-1, keepdims=True) * x
    y = _unit(y, spare / np.linalg.norm(spare, axis=-1, keepdims=True))
    return np.stack([x, y, np.cross(x, y)], axis=1)


def _unit(vectors: np.ndarray, instead: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.where(lengths > 1e-9, vectors / np.where(lengths > 1e-9, lengths, 1.0), instead)
