"""What counts as the same structure on one landscape, and how far two structures are apart.

The one idea: a distance between points of a landscape is the norm of the 3N vector that is left when translation,
rotation, inversion and the names of like atoms do not count (`superposition`); what is alike is decided here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from ase import Atoms

from labkit.errors import InvalidStructure, InvalidTask
from labkit.landscapes.bonded_classes import bonded_classes, element_classes
from labkit.landscapes.superposition import STARTS, Alignment, align, distances, stacked

if TYPE_CHECKING:
    from labkit.landscapes.network import KineticNetwork

__all__ = [
    "Alignment", "Comparison", "align", "bonded_classes", "default_comparison", "distances", "element_classes",
    "like_order",
]  # fmt: skip


@dataclass(frozen=True)
class Comparison:
    """What counts as the same structure on one landscape.

    symbols: of the n atoms. classes: which atoms may change places: "bonded" (one element, the same bonded neighbours,
    seen by RDKit in each structure; all of one element where the bonds of two structures differ), "elements", or (n,)
    numbers, one for each of `symbols`: the k-th atom of an element keeps its number in a network of another order.
    inversion: mirror images are the same. mode: "fixed frame" compares positions as they are, for a surface
    that is not a molecule. starts, seed: as in `align`.
    """

    symbols: Sequence[str]
    classes: Literal["bonded", "elements"] | Sequence[int] = "bonded"
    inversion: bool = True
    mode: Literal["molecule", "fixed frame"] = "molecule"
    starts: int = STARTS
    seed: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "symbols", tuple(self.symbols))
        if not isinstance(self.classes, str):
            numbers = np.asarray(self.classes)
            if numbers.dtype.kind not in "iu":
                raise InvalidTask(f"classes are 'bonded', 'elements' or whole numbers, not {list(self.classes)[:4]}.")
            object.__setattr__(self, "classes", tuple(numbers.tolist()))
            if len(self.classes) != len(self.symbols):
                raise InvalidTask(f"{len(self.classes)} classes were given for {len(self.symbols)} atoms.")
        elif self.classes not in ("bonded", "elements"):
            raise InvalidTask(f"classes are 'bonded', 'elements' or numbers, not {self.classes!r}.")
        if self.mode not in ("molecule", "fixed frame"):
            raise InvalidTask(f"the mode is 'molecule' or 'fixed frame', not {self.mode!r}.")

    @classmethod
    def of(cls, atoms: Atoms, **options: object) -> Comparison:
        """The comparison of structures with these atoms, bonded classes unless `classes` says otherwise."""
        return cls(atoms.get_chemical_symbols(), **options)

    def for_symbols(self, symbols: Sequence[str]) -> Comparison:
        """The same rules for structures whose atoms stand in this order; raises InvalidTask for other atoms."""
        symbols = tuple(symbols)
        if symbols == self.symbols:
            return self
        if sorted(symbols) != sorted(self.symbols):
            given, wanted = (Atoms(one).get_chemical_formula() for one in (self.symbols, symbols))
            raise InvalidTask(
                f"the comparison is one of {given}, the structures are {wanted}; make one of these atoms."
            )
        if isinstance(self.classes, str):
            return replace(self, symbols=symbols)
        numbers = np.array(self.classes)[like_order(symbols, self.symbols)]
        return replace(self, symbols=symbols, classes=tuple(numbers.tolist()))

    def distance(self, a: np.ndarray, b: np.ndarray, threshold_A: float | None = None) -> float:
        """Å between two structures (n, 3); with a threshold, inf if they are not closer than it."""
        return float(self.matrix([a], [b], threshold_A)[0, 0])

    def same(
        self, a: np.ndarray, energy_a: float, b: np.ndarray, energy_b: float, distance_A: float, energy_eV: float
    ) -> bool:
        """Whether both the energies (eV) and the structures are closer than the two criteria."""
        return abs(energy_a - energy_b) < energy_eV and self.distance(a, b, distance_A) < distance_A

    def find(
        self,
        positions: np.ndarray,
        energy_eV: float,
        known: Sequence[np.ndarray],
        energies_eV: Sequence[float],
        *,
        distance_A: float,
        within_eV: float,
    ) -> int | None:
        """The nearest of the known structures that is the same as this one, or None."""
        alike = np.flatnonzero(np.abs(np.asarray(energies_eV, dtype=float) - energy_eV) < within_eV)
        if not len(alike):
            return None
        row = self.matrix([positions], [known[i] for i in alike], distance_A)[0]
        return int(alike[row.argmin()]) if row.min() < distance_A else None

    def align(self, a: np.ndarray, b: np.ndarray, threshold_A: float | None = None) -> Alignment:
        """The second structure laid upon the first (untouched in a fixed frame)."""
        a, b = self._checked([a], "first structure")[0], self._checked([b], "second structure")[0]
        if self.mode == "fixed frame":
            return Alignment(float(np.linalg.norm(a - b)), b.copy(), np.arange(len(b)), False)
        left, right = self._labels(a), self._labels(b)
        if not np.array_equal(np.sort(left), np.sort(right)):
            left = right = element_classes(self.symbols)
        options = {"inversion": self.inversion, "threshold_A": threshold_A, "starts": self.starts, "seed": self.seed}
        return align(a, b, left, second_classes=right, **options)

    def matrix(
        self, references: Sequence[np.ndarray], candidates: Sequence[np.ndarray], threshold_A: float | None = None
    ) -> np.ndarray:
        """(m, k) Å; with a threshold, inf for every pair that is not closer than it."""
        left, right = self._checked(references, "references"), self._checked(candidates, "candidates")
        if self.mode == "fixed frame":
            if not len(left) or not len(right):
                return np.zeros((len(left), len(right)))
            result = np.sqrt(((left[:, None] - right[None]) ** 2).sum(axis=(2, 3)))
            return result if threshold_A is None else np.where(result < threshold_A, result, np.inf)
        result = np.full((len(left), len(right)), np.inf)
        options = {"inversion": self.inversion, "threshold_A": threshold_A, "starts": self.starts, "seed": self.seed}
        groups = [self._groups(all_) for all_ in (left, right)]
        for one, (rows, orders) in groups[0].items():
            for other, (columns, others) in groups[1].items():
                if one == other:
                    # atoms sorted by class stand in one order for all structures of the group
                    a = np.take_along_axis(left[rows], orders[:, :, None], axis=1)
                    b = np.take_along_axis(right[columns], others[:, :, None], axis=1)
                    kinds = np.array(one)
                else:
                    a, b, kinds = left[rows], right[columns], element_classes(self.symbols)
                result[np.ix_(rows, columns)] = distances(a, b, kinds, **options)
        return result

    def _checked(self, structures: Sequence[np.ndarray], name: str) -> np.ndarray:
        array = stacked(structures, name, 3)
        if len(array) and array.shape[1] != len(self.symbols):
            raise InvalidStructure(
                f"the {name} of {array.shape[1]} atoms cannot be compared as {len(self.symbols)} atoms, of which this "
                "comparison is."
            )
        return array

    def _labels(self, positions: np.ndarray) -> np.ndarray:
        if not isinstance(self.classes, str):
            return np.array(self.classes)
        return bonded_classes(self.symbols, positions) if self.classes == "bonded" else element_classes(self.symbols)

    def _groups(self, structures: np.ndarray) -> dict[tuple[int, ...], tuple[np.ndarray, np.ndarray]]:
        """Structures with the same classes: their indices, and for each the order of its atoms by class."""
        labels = [self._labels(x) for x in structures]
        members: dict[tuple[int, ...], list[int]] = {}
        for index, these in enumerate(labels):
            members.setdefault(tuple(np.sort(these).tolist()), []).append(index)
        return {
            key: (np.array(rows), np.array([np.argsort(labels[i], kind="stable") for i in rows]))
            for key, rows in members.items()
        }


def like_order(symbols: Sequence[str], others: Sequence[str]) -> np.ndarray:
    """Indices (n,) of `others` that give the atoms in the order of `symbols`, each element's in their own order."""
    rank = np.argsort(np.argsort(np.array(symbols), kind="stable"), kind="stable")
    return np.argsort(np.array(others), kind="stable")[rank]


def default_comparison(network: KineticNetwork) -> Comparison:
    """Bonded classes for a molecule; all atoms alike in a cluster of one element. Mirror images are the same.

    One atom is a point of a surface and is compared where it is: laid upon another it would always be the same.
    """
    if len(network.symbols) == 1:
        return Comparison(network.symbols, "elements", mode="fixed frame")
    return Comparison(network.symbols, classes="bonded" if len(set(network.symbols)) > 1 else "elements")
