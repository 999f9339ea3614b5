"""What every reference method promises: one structure in, one labelled record out, or an error that says why not.

The one idea: a reference knows its own limits and enforces them. `check` refuses what the method cannot describe, and
`label` never turns an iteration that did not converge into a number.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers

from labkit.datasets.record import Record
from labkit.errors import InvalidStructure, NotConverged, UnsupportedElement
from labkit.potentials.interface import DEFAULT_PROPERTIES, LARGEST_EXTENT_A, Potential, Prediction
from labkit.structures.bare import electrons
from labkit.structures.contacts import nearest_contacts

#: Half of the shortest bond there is (H-H, 0.74 Å); basis sets and pseudopotentials end there.
MIN_DISTANCE_A = 0.35


class Reference(ABC):
    """A method whose answers count as true at its level of theory.

    `name` is what `labkit.references.load` opens; `elements` are the chemical symbols it is made for, None for no
    limit; `implemented` are the labels it gives; `failure_modes` are sentences for a card: where it is wrong, and what
    it refuses.
    """

    name: str
    level_of_theory: str
    elements: frozenset[str] | None = None
    implemented: tuple[str, ...] = ("energy", "forces", "stress")
    failure_modes: tuple[str, ...] = ()

    @abstractmethod
    def cost_s(self, atoms: Atoms) -> float:
        """Estimate the CPU time of one label (s, one thread): the scaling law and its prefactor stand in the class."""

    @abstractmethod
    def label(self, atoms: Atoms, *, forces: bool = True) -> Record:
        """Return the labels of one structure; `atoms` stays untouched.

        energy: eV, of the whole structure. forces: (n, 3) eV/Å, None without `forces` where that is cheaper or where
        the method has none. stress: (3, 3) eV/Å^3, tension positive, None for a structure that is not periodic in
        three directions. Raises InvalidStructure for what `check` refuses, NotConverged when the method did not
        converge.
        """

    def check(self, atoms: Atoms) -> None:
        """Raise InvalidStructure (or UnsupportedElement) with a sentence for what the method cannot do.

        Subclasses call this one first: atoms that are there, finite, and of elements that the method knows.
        """
        name = described(atoms)
        if len(atoms) == 0:
            raise InvalidStructure(f"{name} has no atoms. Pick or upload a structure first.")
        if not np.isfinite(atoms.positions).all() or not np.isfinite(atoms.cell.array).all():
            raise InvalidStructure(f"{name} has positions or a cell that are not finite numbers. Reload it.")
        extent = float(np.ptp(atoms.positions, axis=0).max())
        if extent > LARGEST_EXTENT_A:
            raise InvalidStructure(
                f"{name} extends over {extent:.0e} Å; nothing above {LARGEST_EXTENT_A:.0e} Å is computed. Have atoms "
                "flown apart?"
            )
        if contacts := nearest_contacts(atoms, MIN_DISTANCE_A):
            i, j, distance = contacts[0]
            raise InvalidStructure(
                f"{name} has the atoms {i} and {j} {distance:.2f} Å apart; below {MIN_DISTANCE_A} Å no reference "
                "method is meaningful. Leave the structure out."
            )
        electrons(atoms)
        if self.elements is not None:
            missing = sorted(set(atoms.symbols) - self.elements, key=atomic_numbers.get)
            if missing:
                raise UnsupportedElement(
                    f"{name} holds {', '.join(missing)}, which {self.name} has no parameters for. Choose another "
                    f"reference, or substitute the element; it knows {len(self.elements)} elements."
                )

    def potential(self) -> Potential:
        """The same method through the interface of potentials, as the baseline of delta-learning say."""
        return ReferencePotential(self)

    def record(
        self,
        atoms: Atoms,
        energy: float,
        forces: np.ndarray | None = None,
        stress: np.ndarray | None = None,
        *,
        provenance: str,
    ) -> Record:
        """Return the record of a converged calculation; raises NotConverged for numbers that are not finite.

        energy: eV. forces: (n, 3) eV/Å. stress: (3, 3) or Voigt (6,), eV/Å^3, tension positive. provenance: package,
        version and settings, one line.
        """
        found = [("energy", energy), ("forces", forces), ("stress", stress)]
        broken = [name for name, value in found if value is not None and not np.isfinite(value).all()]
        if broken:
            raise NotConverged(
                f"{self.name} gave {' and '.join(broken)} that are not finite numbers for {described(atoms)}. Are its "
                "atoms too close to each other?"
            )
        clean = atoms.copy()
        clean.set_constraint()
        return Record(
            clean,
            energy=float(energy),
            forces=forces,
            stress=stress,
            level_of_theory=self.level_of_theory,
            provenance=provenance,
        )


class ReferencePotential(Potential):
    """A reference behind the interface of potentials; structures are computed one after the other."""

    def __init__(self, reference: Reference) -> None:
        self.reference = reference
        self.name, self.level_of_theory = reference.name, reference.level_of_theory
        self.elements, self.implemented = reference.elements, reference.implemented

    def predict(self, structures: Sequence[Atoms], properties: Sequence[str] = DEFAULT_PROPERTIES) -> Prediction:
        """See `Potential.predict`; raises NotConverged too. Stress is NaN where the method has none."""
        self.require(structures, [name for name in properties if name != "stress"])
        with_forces = "forces" in properties or "stress" in properties
        records = [self.reference.label(atoms, forces=with_forces) for atoms in structures]
        stresses = [np.full((3, 3), np.nan) if one.stress is None else one.stress for one in records]
        return Prediction(
            energies=np.array([one.energy for one in records], dtype=float),
            forces=[one.forces for one in records] if "forces" in properties else None,
            stresses=np.array(stresses).reshape(-1, 3, 3) if "stress" in properties else None,
        )


def described(atoms: Atoms) -> str:
    """How an error calls a structure: its name, or its formula."""
    return str(atoms.info.get("name") or atoms.get_chemical_formula() or "the structure")
