"""From explored structures to those that get a label: graded, rid of near duplicates, and chosen by the task's rule.

Rules that look at structures (farthest-point, maxvol) compare the committee's own view of them: the scalar features
that the first member's last layer gives to each atom, averaged over the atoms of each element.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms

from labkit.active_learning import selection
from labkit.active_learning.selection import Choice, Verdict

if TYPE_CHECKING:
    from labkit.potentials.committee import Committee

#: Structures whose sorted distances agree within this (Å) are one and the same for a label.
SAME_A = 0.02
#: Candidates that a rule on structures may choose from, for each label, when the lower threshold adapts.
CHOICE = 3


@dataclass(frozen=True)
class Picked:
    """What was chosen, how everything was sorted, the lower threshold that was used, and a remark ("" for none)."""

    choices: list[Choice]
    verdict: Verdict
    lower: float
    remark: str = ""


def pick(
    rule: str,
    frames: Sequence[Atoms],
    values: np.ndarray,
    thresholds: tuple[float, float],
    most: int,
    *,
    adaptive: bool,
    known: Sequence[Atoms],
    describe: Callable[[Sequence[Atoms]], np.ndarray],
    seed: int,
) -> Picked:
    """Choose at most `most` of `frames`; values: their predicted errors (n,) eV/Å, infinite where there is no physics.

    known: structures that have labels already. With `adaptive` the lower threshold rises until the candidates are as
    many as are needed. Where nothing lies between the thresholds but something beyond, the least bad of that is taken:
    else a loop whose first committee is poor would end with nothing learned.
    """
    lower, upper = thresholds
    if adaptive and rule != "random":
        lower = selection.adaptive_lower(
            values, most * (CHOICE if rule in ("farthest-point", "maxvol") else 1), lower, upper
        )
    verdict, remark = selection.sort_out(values, lower, upper), ""
    eligible = verdict.candidate if rule != "random" else np.sort(np.r_[verdict.accurate, verdict.candidate])
    if rule != "random":
        eligible = eligible[np.argsort(-values[eligible], kind="stable")]  # of two that are equal, keep the worse
    if not len(eligible) and (physical := [index for index in verdict.failed if np.isfinite(values[index])]):
        eligible = np.array(sorted(physical, key=lambda index: values[index]))
        remark = (
            f"nothing lies between {lower:g} and {upper:g} eV/Å, but {len(verdict.failed)} structures lie beyond: the "
            "nearest of them are labelled. Lower temperatures or a higher break threshold would help."
        )
        eligible = _different(eligible, frames, known)[:most]
        return Picked([Choice(int(i), "the nearest beyond the break threshold", values[i]) for i in eligible],
                      verdict, lower, remark)  # fmt: skip
    eligible = _different(eligible, frames, known)
    chosen = _by_rule(rule, eligible, frames, values, (lower, upper), most, known, describe, seed)
    return Picked(chosen, verdict, lower, remark)


def descriptors(committee: Committee, structures: Sequence[Atoms]) -> np.ndarray:
    """(B, elements x channels): features of the last layer of the first member, averaged over the atoms of an element;
    zero for an element that a structure does not have.
    """
    import torch

    from labkit.potentials.trainable import in_groups

    first, rows = committee.members[0], []
    with torch.no_grad():
        for group in in_groups(structures, first.batch_atoms[first.device.split(":")[0]]):
            batch = first.collate([first.prepare(atoms) for atoms in group])
            features = first.network.features(batch)[-1].double().cpu().numpy()
            species = batch.species.cpu().numpy()
            ends = np.cumsum([len(atoms) for atoms in group])[:-1]
            for part, kinds in zip(np.split(features, ends), np.split(species, ends), strict=True):
                means = [part[kinds == kind].mean(axis=0) if (kinds == kind).any() else np.zeros(part.shape[1])
                         for kind in range(len(first.elements))]  # fmt: skip
                rows.append(np.concatenate(means))
    return np.array(rows)


def _by_rule(
    rule: str,
    eligible: np.ndarray,
    frames: Sequence[Atoms],
    values: np.ndarray,
    thresholds: tuple[float, float],
    most: int,
    known: Sequence[Atoms],
    describe: Callable[[Sequence[Atoms]], np.ndarray],
    seed: int,
) -> list[Choice]:
    if not len(eligible) or most < 1:
        return []
    own = values[eligible]
    if rule == "random":
        found = selection.at_random(len(eligible), most, seed)
    elif rule == "threshold":
        found = selection.by_threshold(own, *thresholds, most=most, seed=seed)
    elif rule == "top-k":
        found = selection.top_k(own, most)
    else:
        rows = describe([*known, *(frames[index] for index in eligible)])
        rows = (rows - rows.mean(axis=0)) / np.maximum(rows.std(axis=0), 1e-9)
        before, new = rows[: len(known)], rows[len(known) :]
        if rule == "farthest-point":
            found = selection.farthest_point(new, most, known=before, seed=seed)
        else:
            found = selection.by_volume(new, known=before if len(before) else None, k=most)
    return [Choice(int(eligible[one.index]), one.reason, float(values[eligible[one.index]])) for one in found]


def _different(eligible: np.ndarray, frames: Sequence[Atoms], known: Sequence[Atoms]) -> np.ndarray:
    """Those that are not nearly equal to one that is kept before them, or that has a label already."""
    from labkit.datasets import Record
    from labkit.datasets.duplicates import duplicates

    records = [Record(atoms) for atoms in (*known, *(frames[index] for index in eligible))]
    gone: set[int] = set()
    for family in duplicates(records, SAME_A):  # a chain of neighbours, whose ends need not be equal
        kept = [family[0]]
        for place in family[1:]:
            if any(duplicates([records[one], records[place]], SAME_A) for one in kept):
                gone.add(place)
            else:
                kept.append(place)
    return np.array([index for place, index in enumerate(eligible, len(known)) if place not in gone], dtype=int)
