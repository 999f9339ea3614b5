"""One labelled structure: the atoms, what a reference method said of them, and where that came from.

The one idea: a record is checked when it is made (shapes, units' conventions, no calculator), so that everything behind
it can rely on it. Numbers that are not finite are allowed in and are listed by `labkit.datasets.faults`.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms

from labkit.datasets.problems import InvalidDataset

#: The labels a record may carry.
LABELS = ("energy", "forces", "stress", "magmoms")
#: Entries of the full tensor in Voigt's order xx, yy, zz, yz, xz, xy, which is ASE's.
_VOIGT = np.array([[0, 5, 4], [5, 1, 3], [4, 3, 2]])


@dataclass(frozen=True, eq=False)
class Record:
    """A structure with its labels.

    atoms: without a calculator (a copy is taken). energy: eV, of the whole structure. forces: (n, 3) eV/Å. stress:
    (3, 3) eV/Å^3, symmetric, tension positive; a Voigt vector (6,) in ASE's order is accepted. magmoms: (n,) µ_B.
    weight: of this record in a loss. group: what kind of structure it is ("Vacancy"). level_of_theory: what the labels
    were computed with, "" when not stated. provenance: where the record comes from, its parent structure say.

    Raises InvalidDataset for a label of the wrong shape. Records are not changed once made; take `dataclasses.replace`.
    """

    atoms: Atoms
    energy: float | None = None
    forces: np.ndarray | None = None
    stress: np.ndarray | None = None
    magmoms: np.ndarray | None = None
    weight: float = 1.0
    group: str = ""
    level_of_theory: str = ""
    provenance: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.atoms, Atoms):
            raise InvalidDataset(f"A record holds an ase.Atoms object, not {type(self.atoms).__name__}.")
        n_atoms = len(self.atoms)
        if n_atoms == 0:
            raise InvalidDataset("A record without atoms has nothing to learn from. Leave it out.")
        self._set("atoms", self.atoms.copy())
        try:
            self._check_numbers(n_atoms)
        except InvalidDataset as error:  # the formula costs more than all checks together
            raise InvalidDataset([f"{self.composition}: {reason}" for reason in error.reasons]) from error
        for name in ("group", "level_of_theory", "provenance"):
            self._set(name, " ".join(str(getattr(self, name)).split()))

    def _check_numbers(self, n_atoms: int) -> None:
        for name, shape in (("energy", ()), ("forces", (n_atoms, 3)), ("magmoms", (n_atoms,)), ("weight", ())):
            value = getattr(self, name)
            if value is not None:
                numbers = _array(value, shape, f"The label {name}")
                self._set(name, numbers if shape else float(numbers))
        if self.stress is not None:
            self._set("stress", full_stress(self.stress))
        if self.weight is None or not self.weight >= 0 or not np.isfinite(self.weight):
            raise InvalidDataset(f"The weight is {self.weight}; a finite number that is not negative is needed.")

    def _set(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    def __len__(self) -> int:
        return len(self.atoms)

    @property
    def composition(self) -> str:
        """The chemical formula, elements in alphabetical order: "C5H8O2"."""
        return self.atoms.get_chemical_formula(mode="hill")

    @property
    def volume_A3(self) -> float:
        """The volume of a cell that is periodic in three directions (Å^3), else NaN."""
        return float(self.atoms.get_volume()) if self.atoms.pbc.all() and self.atoms.cell.rank == 3 else float("nan")

    def digest(self) -> bytes:
        """Return the SHA-256 of atoms, labels, weight, group and level of theory (32 bytes).

        It depends on the numbers alone, not on the process, the machine or the order in which keys were read;
        provenance and remarks in `atoms.info` do not count.
        """
        found = hashlib.sha256()
        for text in (self.group, self.level_of_theory):
            raw = text.encode()
            found.update(struct.pack("<q", len(raw)) + raw)
        found.update(np.asarray(self.atoms.numbers, dtype="<i4").tobytes())
        found.update(np.asarray(self.atoms.pbc, dtype="<i4").tobytes())
        parts = (self.atoms.positions, self.atoms.cell.array, self.energy, self.forces, self.stress, self.magmoms)
        for part in (*parts, self.weight):
            numbers = np.zeros(0) if part is None else np.ravel(np.asarray(part, dtype="<f8"))
            # -0.0 and 0.0 are one number, and so are all the bit patterns of NaN.
            numbers = np.where(np.isnan(numbers), np.nan, numbers + 0.0).astype("<f8")
            found.update(struct.pack("<q", -1 if part is None else numbers.size) + numbers.tobytes())
        return found.digest()


def full_stress(value: Any, what: str = "The stress") -> np.ndarray:
    """Return a stress as a symmetric tensor (3, 3), from (3, 3), nine numbers, or Voigt's six: xx, yy, zz, yz, xz, xy.

    Raises InvalidDataset for another shape, or for a tensor whose halves differ by more than 1 % of its largest entry.
    """
    numbers = _numbers(value, what)
    if numbers.size == 6 and numbers.ndim == 1:
        return numbers[_VOIGT]
    if numbers.size != 9:
        raise InvalidDataset(f"{what} has the shape {numbers.shape}; six numbers (Voigt) or 3 x 3 are needed.")
    tensor = numbers.reshape(3, 3)
    largest = np.abs(tensor).max()
    twist = np.abs(tensor - tensor.T).max() if np.isfinite(largest) else 0.0
    if twist > 0.01 * largest + 1e-8:
        raise InvalidDataset(
            f"{what} is not symmetric: its halves differ by {twist:.2g} with entries up to {largest:.2g}. Are these "
            "nine numbers a stress?"
        )
    return (tensor + tensor.T) / 2


def _numbers(value: Any, what: str) -> np.ndarray:
    try:
        return np.array(value, dtype=float)
    except (TypeError, ValueError) as error:
        raise InvalidDataset(f"{what} is {str(value)[:40]!r}, which is not a number.") from error


def _array(value: Any, shape: tuple[int, ...], what: str) -> np.ndarray:
    numbers = _numbers(value, what)
    if numbers.shape != shape:
        needed = f"the shape {shape}" if shape else "a single number"
        raise InvalidDataset(f"{what} has the shape {numbers.shape}; {needed} is needed.")
    return numbers
