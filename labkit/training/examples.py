"""Labelled structures, prepared once: neighbours, labels, and the order in which a training sees them.

The one idea: the order of an epoch follows from (seed, epoch) alone, so a resumed training sees what the uninterrupted
one would have seen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from labkit.errors import InvalidStructure, InvalidTask
from labkit.potentials.trainable import Batch, TrainablePotential
from labkit.training.loss import TERMS, Labels, Targets, collate


class Examples:
    """The records of one set, prepared for one potential."""

    def __init__(
        self,
        records: Sequence[Any],
        potential: TrainablePotential,
        terms: Sequence[str],
        *,
        name: str = "the training set",
        need_all: bool = True,
        report: Callable[[int], None] = lambda _: None,
    ) -> None:
        """Prepare every record; `report(done)` hears of it. Without `need_all`, terms without labels are left out.

        Raises InvalidTask when labels of a wanted term are missing everywhere or are not finite, InvalidStructure or
        UnsupportedElement for a structure that the potential refuses, each with the index of the record.
        """
        self.potential, self.terms = potential, tuple(terms)
        self.labels = [Labels.of(record) for record in records]
        self.groups = [str(record.group or "all") for record in records]
        self.names = [_name(index, record.atoms) for index, record in enumerate(records)]
        self.sizes = np.array([one.n_atoms for one in self.labels], dtype=int)
        self.counts = {term: np.array([one.count(term) for one in self.labels], dtype=int) for term in TERMS}
        if not need_all:
            self.terms = tuple(term for term in terms if self.counts[term].any())
        _refuse_bad_labels(self, name)
        self.prepared = []
        for index, record in enumerate(records):
            try:
                potential.require([record.atoms], ("energy",))
                self.prepared.append(potential.prepare(record.atoms))
            except InvalidStructure as error:
                raise type(error)(f"{name}, {self.names[index]}: {error}") from error
            report(index + 1)
        self.dtype = next(potential.network.parameters()).dtype

    def __len__(self) -> int:
        return len(self.labels)

    def count(self, indices: Sequence[int]) -> dict[str, int]:
        """Number of labels of each term in a batch."""
        return {term: int(self.counts[term][indices].sum()) for term in TERMS}

    def batch(self, indices: Sequence[int]) -> tuple[Batch, Targets]:
        """Collated structures and their labels."""
        batch = self.potential.collate([self.prepared[index] for index in indices])
        return batch, collate([self.labels[index] for index in indices], self.terms, self.potential.device, self.dtype)

    def parts(self, indices: Sequence[int], limit_atoms: int | None) -> list[list[int]]:
        """Cut a batch into parts of at most `limit_atoms` atoms, each of at least one structure."""
        if limit_atoms is None:
            return [[int(index) for index in indices]] if len(indices) else []
        parts: list[list[int]] = []
        atoms = 0
        for index in indices:
            size = int(self.sizes[index])
            if not parts or atoms + size > limit_atoms:
                parts.append([])
                atoms = 0
            parts[-1].append(int(index))
            atoms += size
        return parts


def order_of(n: int, batch_size: int, seed: int, epoch: int) -> list[np.ndarray]:
    """The batches of one epoch: a permutation of n that depends on (seed, epoch) alone, cut into batches."""
    order = np.random.default_rng([seed, epoch, 7]).permutation(n)
    return [order[start : start + batch_size] for start in range(0, n, batch_size)]


def _name(index: int, atoms: Any) -> str:
    name = atoms.info.get("name")
    return f"structure {index} ({name or atoms.get_chemical_formula()})"


def _refuse_bad_labels(examples: Examples, name: str) -> None:
    if not len(examples):
        raise InvalidTask(f"{name} is empty: there is nothing to learn from.")
    for term in examples.terms:
        if not examples.counts[term].any():
            raise InvalidTask(
                f"{name} has no labels of {term}, and its weight in the loss is not zero. "
                f"Set {term}_weight to 0 or name the key under which the file holds it."
            )
    for index, one in enumerate(examples.labels):
        for term in TERMS:
            value = getattr(one, term)
            if value is not None and not np.isfinite(value).all():
                raise InvalidTask(
                    f"{name}, {examples.names[index]}: the label of {term} is not a finite number. "
                    "Leave the structure out (dataset.without) or read the file with drop_faulty=True."
                )
            if term in ("forces", "magmoms") and value is not None and len(value) != one.n_atoms:
                raise InvalidTask(
                    f"{name}, {examples.names[index]}: {len(value)} labels of {term} for {one.n_atoms} atoms."
                )
