"""One structure laid upon another: the best rotation, permutation and inversion, and the distance that is left.

The one idea: cheap lower bounds settle nearly all pairs of structures, and only the rest is aligned.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from labkit.errors import InvalidStructure, InvalidTask
from labkit.landscapes.alignment_bounds import fingerprints, lower_bounds
from labkit.landscapes.alignment_core import chunks, frame_rotations, random_rotations, refine

#: Random starting rotations beyond those that lay two far atoms upon two others.
STARTS = 60
#: Such rotations of two far atoms at most.
FRAMES = 150
#: Starts carried together before it is asked whether one is good enough; two lengths (Å) closer than EXACT are one.
AT_ONCE, EXACT = 50, 1e-7


@dataclass(frozen=True)
class Alignment:
    """The second structure laid upon the first.

    distance_A: ‖first - positions‖, the norm of the 3N vector (not the root mean square per atom). positions: (n, 3) Å,
    the second moved, atom by atom the partner of the first's. permutation: (n,), atom i's partner is
    `second[permutation[i]]`. inverted: whether the mirror image was taken.
    """

    distance_A: float
    positions: np.ndarray
    permutation: np.ndarray
    inverted: bool


def align(
    first: np.ndarray,
    second: np.ndarray,
    classes: Sequence[int] | None = None,
    *,
    second_classes: Sequence[int] | None = None,
    inversion: bool = True,
    threshold_A: float | None = None,
    starts: int = STARTS,
    seed: int = 0,
) -> Alignment:
    """The best alignment found of two structures of n atoms, d = min ‖A - P B Rᵀ‖ over rotations R, permutations P.

    first, second: (n, 3) Å. classes: (n,), atoms of one class may change places (None: none may); second_classes: the
    second's, when its atoms stand in another order. inversion: the mirror image counts as the same structure.
    threshold_A: no random rotations are tried once an alignment is closer than this. starts: their number, with `seed`.

    No method of polynomial cost is sure of the global optimum; structures closer than about a quarter of a bond are
    found from the first starts, far ones may be given a distance that is too long by a little.
    Raises InvalidStructure for shapes that do not fit, InvalidTask for classes that have no partners.
    """
    a, b = stacked(first, "first")[0], stacked(second, "second")[0]
    if a.shape != b.shape:
        raise InvalidStructure(f"{len(a)} atoms cannot be laid upon {len(b)}; both structures need the same atoms.")
    left = np.arange(len(a)) if classes is None else np.asarray(classes)
    right = left if second_classes is None else np.asarray(second_classes)
    if left.shape != (len(a),) or not np.array_equal(np.sort(left), np.sort(right)):
        raise InvalidTask(
            f"the classes have the shapes {left.shape} and {right.shape} for {len(a)} atoms, or count unlike atoms; "
            "each class needs as many atoms in one structure as in the other."
        )
    centre = a.mean(axis=0)
    a, b = a - centre, b - b.mean(axis=0)
    bound = float(
        lower_bounds(fingerprints(a[None], left), fingerprints(b[None], right), len(a))[0, 0],
    )
    best = (np.inf, np.arange(len(a)), np.eye(3), 1.0)
    forbidden = left[:, None] != right[None, :]
    reach = np.inf if threshold_A is None else threshold_A
    for kind in ("frames", "random"):
        for parity in (1.0, -1.0) if inversion else (1.0,):
            rotations = (
                frame_rotations(a, parity * b, left, right, reach, FRAMES)
                if kind == "frames"
                else random_rotations(starts, seed)
            )
            for some in chunks(rotations, len(a), AT_ONCE):
                found = refine(a, parity * b, some, forbidden)
                if found[0] < best[0]:
                    best = (*found, parity)
                if best[0] < bound + EXACT:
                    return _alignment(best, b, centre)
        # a nearly symmetric structure has a second alignment below the threshold: all frames are seen first
        if best[0] < reach and threshold_A is not None:
            break
    return _alignment(best, b, centre)


def distances(
    references: np.ndarray,
    candidates: np.ndarray,
    classes: Sequence[int] | None = None,
    *,
    inversion: bool = True,
    threshold_A: float | None = None,
    starts: int = STARTS,
    seed: int = 0,
) -> np.ndarray:
    """Aligned distances (m, k) in Å of all pairs; with a threshold, inf for every pair that is not closer than it.

    references: (m, n, 3), candidates: (k, n, 3) Å, atoms in the same order of `classes` (n,). The rest as in `align`.
    """
    left, right = stacked(references, "references"), stacked(candidates, "candidates")
    if not len(left) or not len(right):
        return np.zeros((len(left), len(right)))
    if left.shape[1:] != right.shape[1:]:
        raise InvalidStructure(f"structures of {left.shape[1]} and of {right.shape[1]} atoms cannot be compared.")
    kinds = np.arange(left.shape[1]) if classes is None else np.asarray(classes)
    centred = [all_ - all_.mean(axis=1, keepdims=True) for all_ in (left, right)]
    result = np.full((len(left), len(right)), np.inf)
    bounds = lower_bounds(*(fingerprints(all_, kinds) for all_ in centred), left.shape[1])
    reach = np.inf if threshold_A is None else threshold_A
    for i, j in np.argwhere(bounds < reach):
        options = {"inversion": inversion, "threshold_A": threshold_A, "starts": starts, "seed": seed}
        length = align(left[i], right[j], kinds, **options).distance_A
        result[i, j] = length if length < reach else np.inf
    return result


def _alignment(best: tuple[float, np.ndarray, np.ndarray, float], b: np.ndarray, centre: np.ndarray) -> Alignment:
    length, permutation, rotation, parity = best
    return Alignment(length, parity * b[permutation] @ rotation.T + centre, permutation, parity < 0)


def stacked(given: Sequence[np.ndarray] | np.ndarray, name: str, dimensions: int = 0) -> np.ndarray:
    """(m, n, 3) finite numbers."""
    try:
        array = np.asarray(given, dtype=float)
    except (ValueError, TypeError) as wrong:
        raise InvalidStructure(
            f"the {name} are not arrays of n positions each with the same n (of ase.Atoms give atoms.positions)."
        ) from wrong
    if array.size == 0:
        return np.zeros((0, 0, 3))
    array = array[None] if array.ndim == 2 and not dimensions else array
    if array.ndim != 3 or array.shape[2] != 3:
        raise InvalidStructure(f"the {name} have the shape {array.shape}; n positions in three dimensions are needed.")
    if not np.isfinite(array).all():
        raise InvalidStructure(f"the {name} hold {int(np.sum(~np.isfinite(array)))} numbers that are not finite.")
    return array
