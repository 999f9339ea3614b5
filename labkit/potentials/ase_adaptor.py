"""Any ASE calculator as a labkit potential: EMT and Lennard-Jones here, tight binding and force fields later."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, PropertyNotImplementedError

from labkit.potentials.interface import DEFAULT_PROPERTIES, Potential, Prediction

KEPT_CALCULATORS = 8
# Some ASE calculators announce magnetic moments that they do not have; those that do get an adaptor of their own.
PROPERTIES = ("energy", "forces", "stress")


class ASEPotential(Potential):
    """Wraps a factory of ASE calculators; structures are evaluated one after the other.

    A factory, not a calculator: each composition gets a calculator of its own, which keeps its neighbour lists from one
    step of a trajectory to the next.
    """

    def __init__(
        self,
        factory: Callable[[], Calculator],
        *,
        name: str,
        level_of_theory: str,
        elements: frozenset[str] | None = None,
    ) -> None:
        self.factory = factory
        self._calculators: OrderedDict[bytes, Calculator] = OrderedDict()
        self.name, self.level_of_theory, self.elements = name, level_of_theory, elements
        properties = factory().implemented_properties
        self.implemented = tuple(name for name in PROPERTIES if name in properties)

    def predict(self, structures: Sequence[Atoms], properties: Sequence[str] = DEFAULT_PROPERTIES) -> Prediction:
        """See `Potential.predict`; a stress that the calculator cannot give is NaN."""
        self.require(structures, [name for name in properties if name != "stress"])
        energies, forces, stresses = [], [], []
        for atoms in structures:
            work = atoms.copy()
            work.set_constraint()  # the physical force is wanted; what is held fixed is not the potential's business
            work.calc = self._calculator(atoms)
            energies.append(work.get_potential_energy())
            if "forces" in properties:
                forces.append(work.get_forces())
            if "stress" in properties:
                stresses.append(self._stress(work))
        return Prediction(
            energies=np.array(energies, dtype=float),
            forces=forces if "forces" in properties else None,
            stresses=np.array(stresses).reshape(-1, 3, 3) if "stress" in properties else None,
        )

    def _calculator(self, atoms: Atoms) -> Calculator:
        key = atoms.numbers.tobytes() + atoms.pbc.tobytes()
        if key not in self._calculators:
            self._calculators[key] = self.factory()
            if len(self._calculators) > KEPT_CALCULATORS:
                self._calculators.popitem(last=False)
        return self._calculators[key]

    def _stress(self, atoms: Atoms) -> np.ndarray:
        if not atoms.pbc.all() or "stress" not in self.implemented:
            return np.full((3, 3), np.nan)
        try:
            return atoms.get_stress(voigt=False)
        except PropertyNotImplementedError:  # some calculators find out only for the structure at hand
            return np.full((3, 3), np.nan)
