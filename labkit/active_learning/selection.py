"""Which structures are worth a label: by threshold, the worst few, the most different, or those that span the most.

The one idea: every rule returns `Choice`s, an index with the reason in words and the number behind it, so a report can
say why each label was bought. All of them give the same answer for the same seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Choice:
    """A structure chosen for a label: its index, why, and the number the rule looked at."""

    index: int
    reason: str
    value: float


@dataclass(frozen=True)
class Verdict:
    """Indices below the lower threshold, between the thresholds, and at or above the break threshold or not finite."""

    accurate: np.ndarray
    candidate: np.ndarray
    failed: np.ndarray


def sort_out(values: Sequence[float], lower: float, upper: float = np.inf) -> Verdict:
    """Accurate below `lower`, candidate from there, failed from `upper` on (the terms of DP-GEN); values (n,).

    At the break threshold `upper` a structure is too far out to be worth a label, and exploration stops. Values that
    are not finite have failed. Raises ValueError unless lower < upper.
    """
    if not lower < upper:
        raise ValueError(f"the lower threshold {lower:g} is not below the break threshold {upper:g}.")
    values = _numbers(values)
    failed = ~np.isfinite(values) | (values >= upper)
    accurate = ~failed & (values < lower)
    return Verdict(*(np.flatnonzero(each) for each in (accurate, ~failed & ~accurate, failed)))


def by_threshold(
    values: Sequence[float], lower: float, upper: float = np.inf, most: int | None = None, seed: int = 0
) -> list[Choice]:
    """The candidates between the thresholds; more than `most` are thinned at random, as in DP-GEN."""
    values = _numbers(values)
    candidates = sort_out(values, lower, upper).candidate
    reason = f"at or above the lower threshold {lower:g}"
    if most is not None and len(candidates) > most:
        reason += f", drawn from {len(candidates)}"
        candidates = np.sort(np.random.default_rng(seed).choice(candidates, most, replace=False))
    return [Choice(int(index), reason, float(values[index])) for index in candidates]


def adaptive_lower(values: Sequence[float], count: int, lower: float, upper: float = np.inf) -> float:
    """The lower threshold that leaves `count` candidates, never below `lower` nor above `upper`.

    With a fixed threshold the first rounds select everything and the last ones nothing; this one falls with the errors.
    """
    verdict = sort_out(values, lower, upper)
    inside = np.sort(_numbers(values)[verdict.candidate])[::-1]
    return float(inside[count - 1]) if len(inside) > count > 0 else lower


def top_k(values: Sequence[float], k: int, upper: float = np.inf) -> list[Choice]:
    """The k largest values below `upper`, largest first; ties in the order of their indices."""
    values = _numbers(values)
    usable = np.flatnonzero(np.isfinite(values) & (values < upper))
    order = usable[np.argsort(-values[usable], kind="stable")][: max(k, 0)]
    return [
        Choice(int(index), f"rank {rank + 1} of {len(usable)}", float(values[index]))
        for rank, index in enumerate(order)
    ]


def farthest_point(
    descriptors: np.ndarray, k: int, known: np.ndarray | None = None, seed: int = 0, least: float = 0.0
) -> list[Choice]:
    """k rows of `descriptors` (n, p), each the farthest (Euclidean) from all that are chosen or `known` (m, p).

    Without known rows the first is drawn at random. Stops early when no row is farther than `least` from the others.
    """
    rows = _rows(descriptors)
    chosen: list[Choice] = []
    if known is not None and len(known):
        known = _rows(known)
        distances = np.min([np.linalg.norm(rows - one, axis=1) for one in known], axis=0)
    elif k > 0 and len(rows):
        first = int(np.random.default_rng(seed).integers(len(rows)))
        chosen.append(Choice(first, "drawn at random as the first point", float("inf")))
        distances = np.linalg.norm(rows - rows[first], axis=1)
    while len(chosen) < min(k, len(rows)):
        index = int(np.argmax(distances))
        if not distances[index] > least:
            break
        chosen.append(Choice(index, "farthest from everything chosen or known", float(distances[index])))
        distances = np.minimum(distances, np.linalg.norm(rows - rows[index], axis=1))
    return chosen


def by_volume(descriptors: np.ndarray, known: np.ndarray | None = None, k: int | None = None) -> list[Choice]:
    """Rows (n, p) that maxvol puts into the active set of `known` (m, p) and `descriptors` together.

    The value is the extrapolation grade against the known rows (infinite without any); the largest `k` are kept.
    """
    from labkit.active_learning.extrapolation import ActiveSet

    rows = _rows(descriptors)
    before = np.zeros((0, rows.shape[1])) if known is None else _rows(known)
    active = ActiveSet.of(np.vstack([before, rows])).rows
    new = active[active >= len(before)] - len(before)
    grades = ActiveSet.of(before).grades(rows[new]) if len(before) and len(new) else np.full(len(new), np.inf)
    order = np.argsort(-grades, kind="stable")[:k]
    return [Choice(int(new[i]), "enlarges the volume of the active set", float(grades[i])) for i in order]


def at_random(n: int, k: int, seed: int = 0) -> list[Choice]:
    """k of n structures without looking at them: what every other rule has to beat."""
    order = np.random.default_rng(seed).permutation(n)[: max(k, 0)]
    return [Choice(int(index), "drawn at random", float("nan")) for index in order]


def _numbers(values: Sequence[float]) -> np.ndarray:
    values = np.asarray(values, dtype=float)
    if values.ndim != 1:
        raise ValueError(f"values have the shape (n,), one for each structure, not {values.shape}.")
    return values


def _rows(descriptors: np.ndarray) -> np.ndarray:
    rows = np.asarray(descriptors, dtype=float)
    if rows.ndim != 2 or not np.isfinite(rows).all():
        raise ValueError(f"descriptors are finite numbers of the shape (n, p), not {rows.shape}.")
    return rows
