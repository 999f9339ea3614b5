"""Which labels a level of the loop has, and which structures it begins with.

The one idea: labels are never copied from place to place; the training set of a level is what lies under the rounds
that count for it, so labels of two levels of theory cannot get into one set.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms

from labkit.active_learning.levels import own_pool, rattled
from labkit.active_learning.round_folder import LABELS, ROUNDS, RoundFolder, read_frames
from labkit.structures import bare

if TYPE_CHECKING:
    from labkit.active_learning.loop import ActiveLearning
    from labkit.datasets import Dataset, Record

GIVEN, DATASET = "initial.extxyz", "dataset.extxyz"


class LabelBook:
    """The labels of a run."""

    def __init__(self, folder: Path, task: ActiveLearning) -> None:
        self.folder, self.task = folder, task

    def given(self) -> Dataset:
        """The set named in `initial`, as it was when the run began, since the file may have changed."""
        from labkit import datasets

        path = self.folder / GIVEN
        if not path.exists():
            datasets.load(self.task.initial).refuse_faults().write(path)
        return datasets.load(path)

    def of(self, rounds: Sequence[int], *, given: bool) -> Dataset:
        """The labels of these rounds, after the given ones if they count; raises InvalidDataset for mixed levels."""
        from labkit.datasets import Dataset

        records: list[Record] = list(self.given()) if given else []
        for number in rounds:
            records += self.of_round(number)
        return Dataset(records, "dataset", provenance=f"active learning in {self.folder.name}")

    def of_round(self, number: int) -> list[Record]:
        """The labels that a round bought."""
        from labkit.references.label_store import LABELLED, read_labelled

        folder = RoundFolder(self.folder, number).path / LABELS
        return list(read_labelled(folder)) if (folder / LABELLED).exists() else []

    def refused(self) -> list[Atoms]:
        """What a reference could not label in any round so far; it is not asked for again."""
        from labkit.references.label_store import FAILED

        found = sorted((self.folder / ROUNDS).glob(f"*/{LABELS}/{FAILED}/*.extxyz"))
        return [atoms for path in found for atoms in read_frames(path)]

    def beginning(
        self, level: int, rounds: Sequence[int], level_of_theory: str, *, given: bool
    ) -> tuple[list[Atoms], bool, str]:
        """What a level has to label before it explores, whether the given set counts as labelled, and a sentence.

        rounds, given: the labels of the level before. The first level begins with the given set, whose labels count if
        they are of its own level of theory, or with rattled copies; a later one with the active set, that is all that
        was labelled before, unless its reference is the same, and with rattled copies of what it adds to the pool.
        """
        task = self.task
        new = own_pool(task.structures, task.levels, level)
        copies = rattled(new, task.initial_labels, task.rattle_A, task.strain, [task.seed, level, 3])
        if level > 0:
            if task.levels[level].labels_as(task.levels[level - 1]):
                return copies, given, f"the reference stays, {len(copies)} copies of what is new in the pool"
            active = [_named(one.atoms, "active set") for one in self.of(rounds, given=given)]
            return active + copies, False, f"{len(active)} structures of the active set are labelled anew"
        if not task.initial:
            return copies, False, f"{len(copies)} rattled copies of the pool"
        found = self.given()
        if found.level_of_theory == level_of_theory and all(one.forces is not None for one in found):
            return [], True, f"the {len(found)} labels given are of {level_of_theory} and count"
        order = np.random.default_rng([task.seed, 4]).permutation(len(found))[
            : min(task.initial_labels, task.max_labels)
        ]
        chosen = [_named(found[int(index)].atoms, f"given structure {index}") for index in sorted(order)]
        said = found.level_of_theory or "an unknown level of theory"
        return chosen, False, f"the set given is of {said}, not {level_of_theory}: {len(chosen)} are labelled anew"


def _named(atoms: Atoms, source: str) -> Atoms:
    """A bare copy that says where it comes from."""
    made = bare(atoms)
    kept = {key: atoms.info[key] for key in ("source", "structure") if key in atoms.info}
    made.info |= {"source": source, **kept}
    return made
