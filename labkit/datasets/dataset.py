"""A set of labelled structures that behaves like a list and knows what it holds.

Sets are never changed: `select`, `split`, `without` and `+` return new ones that share their records. Labels of two
levels of theory are not mixed unless somebody says so, since their energies have nothing to do with each other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, overload

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers

from labkit.datasets.duplicates import TOLERANCE_A, duplicates
from labkit.datasets.faults import MIN_DISTANCE_A, faults
from labkit.datasets.problems import Fault, InvalidDataset, listed
from labkit.datasets.record import Record
from labkit.datasets.split import By, split

if TYPE_CHECKING:
    import pandas as pd

NOT_STATED = "not stated"


class Dataset(Sequence[Record]):
    """Labelled structures. `name` and `provenance` say what and from where; `set[3]` is a `Record`, `set[:10]` a set.

    `level_of_theory` is stated for the records that do not state their own. Raises InvalidDataset for records of
    several levels of theory, unless `mix_levels`.
    """

    def __init__(
        self,
        records: Iterable[Record],
        name: str = "dataset",
        *,
        level_of_theory: str = "",
        provenance: str = "",
        mix_levels: bool = False,
    ) -> None:
        self._records = tuple(_stated(record, level_of_theory) for record in records)
        self.name, self.provenance, self.mix_levels = name, provenance, mix_levels
        if len(self.levels) > 1 and not mix_levels:
            levels = listed([one or NOT_STATED for one in self.levels])
            raise InvalidDataset(
                f"{name} mixes the levels of theory {levels}; their energies cannot be compared. State one with "
                "described(level_of_theory=...), or join the sets with joined(other, mix_levels=True) if you mean it."
            )

    def __len__(self) -> int:
        return len(self._records)

    @overload
    def __getitem__(self, index: int) -> Record: ...
    @overload
    def __getitem__(self, index: slice) -> Dataset: ...
    def __getitem__(self, index: int | slice) -> Record | Dataset:
        if isinstance(index, slice):
            return self._made_of(self._records[index])
        return self._records[index]

    def __repr__(self) -> str:
        level = self.level_of_theory or f"level of theory {NOT_STATED}"
        symbols = " ".join(sorted(self.elements, key=atomic_numbers.get))
        atoms = sum(len(record) for record in self)
        return f"<Dataset {self.name}: {len(self):,} records, {atoms:,} atoms, {symbols or 'no elements'}, {level}>"

    @property
    def levels(self) -> tuple[str, ...]:
        """The levels of theory that occur, "" for records that state none."""
        return tuple(sorted({record.level_of_theory for record in self}))

    @property
    def level_of_theory(self) -> str:
        """The level of theory of all records, "" when not stated; several are joined by " | "."""
        return " | ".join(one or NOT_STATED for one in self.levels) if len(self.levels) > 1 else "".join(self.levels)

    @property
    def elements(self) -> frozenset[str]:
        """The chemical symbols that occur."""
        return frozenset(symbol for record in self for symbol in set(record.atoms.symbols))

    @property
    def hash(self) -> str:
        """The SHA-256 (hex) of all records in their order: equal for equal numbers, on every machine."""
        return hashlib.sha256(b"".join(record.digest() for record in self)).hexdigest()

    def structures(self) -> list[Atoms]:
        """Return the structures themselves, not copies; change a copy only."""
        return [record.atoms for record in self]

    def groups(self) -> dict[str, list[int]]:
        """Return the indices of each group, in the order in which groups appear; records without one are in ""."""
        found: dict[str, list[int]] = {}
        for index, record in enumerate(self):
            found.setdefault(record.group, []).append(index)
        return found

    def select(self, indices: Iterable[int]) -> Dataset:
        """Return the records with these indices, in this order; raises IndexError for one that is not there."""
        return self._made_of([self._records[self._checked(index)] for index in indices])

    def without(self, indices: Iterable[int]) -> Dataset:
        """Return all records but those with these indices; raises IndexError for one that is not there."""
        gone = {self._checked(index) for index in indices}
        return self._made_of([record for index, record in enumerate(self) if index not in gone])

    def filter(self, wanted: Callable[[Record], bool]) -> Dataset:
        """Return the records for which `wanted(record)` is true."""
        return self._made_of([record for record in self if wanted(record)])

    def split(
        self,
        fractions: Sequence[float] = (0.9, 0.1),
        seed: int = 0,
        by: By = "random",
        stratify: By | None = None,
    ) -> tuple[Dataset, ...]:
        """Return one set for each fraction, the same again for the same seed.

        `by` "random" deals out single records; "group", "composition", "provenance" or a function of a record deal out
        whole families, so that no family is in two parts. `stratify` (only with "random") gives every part its share
        of each group. Fractions that sum to less than one leave the rest out. Raises InvalidDataset when a part would
        be empty.
        """
        parts = []
        for number, indices in enumerate(split(self, fractions, seed, by, stratify)):
            part = self.select(indices)
            part.name = f"{self.name}-{number + 1}of{len(fractions)}"
            kind = by if isinstance(by, str) else "a function"
            note = f"part {number + 1} of {len(fractions)} ({fractions[number]:.3g}) by {kind}, seed {seed}"
            part.provenance = f"{self.provenance}; {note}" if self.provenance else f"{self.name}; {note}"
            parts.append(part)
        return tuple(parts)

    def duplicates(self, tolerance_A: float = TOLERANCE_A) -> list[tuple[int, ...]]:
        """Return the indices of structures that agree within `tolerance_A`; see `labkit.datasets.duplicates`."""
        return duplicates(self, tolerance_A)

    def faults(self, min_distance_A: float = MIN_DISTANCE_A) -> list[Fault]:
        """Return (index, sentence) for all that must not be trained on; see `labkit.datasets.faults`."""
        return faults(self, min_distance_A)

    def refuse_faults(self) -> Dataset:
        """Return the set itself; raises InvalidDataset with the first faults when there are any."""
        found = self.faults()
        if found:
            lines = [f"Record {index} of {self.name}: {sentence}" for index, sentence in found[:5]]
            bad = len({fault.index for fault in found})
            lines += [f"{bad} of {len(self)} records are faulty; leave them out with without(...)."]
            raise InvalidDataset(lines)
        return self

    def statistics(self) -> pd.DataFrame:
        """Return one row for each group and one for all; see `labkit.datasets.summary.statistics`."""
        from labkit.datasets.summary import statistics

        return statistics(self)

    def element_statistics(self) -> pd.DataFrame:
        """Return one row for each element; see `labkit.datasets.summary.element_statistics`."""
        from labkit.datasets.summary import element_statistics

        return element_statistics(self)

    def table(self) -> pd.DataFrame:
        """Return one row for each record; see `labkit.datasets.summary.table`."""
        from labkit.datasets.summary import table

        return table(self)

    def described(
        self, name: str | None = None, level_of_theory: str | None = None, provenance: str | None = None
    ) -> Dataset:
        """Return the same records under another name or provenance, or with this level of theory for all of them."""
        records = self._records
        if level_of_theory is not None:
            records = [_replace(record, level_of_theory) for record in records]
        return Dataset(
            records,
            self.name if name is None else name,
            provenance=self.provenance if provenance is None else provenance,
            mix_levels=self.mix_levels and level_of_theory is None,
        )

    def joined(self, *others: Dataset, mix_levels: bool = False) -> Dataset:
        """Return the records of all sets in one; several levels of theory are an error unless `mix_levels`."""
        sets = (self, *others)
        return Dataset(
            [record for one in sets for record in one],
            " + ".join(one.name for one in sets),
            provenance=" + ".join(one.provenance or one.name for one in sets),
            mix_levels=mix_levels or any(one.mix_levels for one in sets),
        )

    def __add__(self, other: Dataset) -> Dataset:
        return self.joined(other) if isinstance(other, Dataset) else NotImplemented

    def write(self, path: str | Path) -> Path:
        """Write extended xyz (gzipped when the name ends in .gz), exact to the last bit; returns the path."""
        from labkit.datasets.write import write

        return write(self, path)

    def _made_of(self, records: Sequence[Record]) -> Dataset:
        return Dataset(records, self.name, provenance=self.provenance, mix_levels=self.mix_levels)

    def _checked(self, index: int) -> int:
        number = int(np.asarray(index).item())
        if not 0 <= number < len(self):
            raise IndexError(f"{self.name} has no record {number}; its records are 0 to {len(self) - 1}.")
        return number


def _stated(record: Record, level_of_theory: str) -> Record:
    if not isinstance(record, Record):
        raise InvalidDataset(f"A Dataset is made of Records, not of {type(record).__name__}.")
    return _replace(record, level_of_theory) if level_of_theory and not record.level_of_theory else record


def _replace(record: Record, level_of_theory: str) -> Record:
    from dataclasses import replace

    return replace(record, level_of_theory=level_of_theory)
