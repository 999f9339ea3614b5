"""One ASE calculator for every potential, so that all of ASE works with all of labkit."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.stress import full_3x3_to_voigt_6_stress

from labkit.potentials.interface import Potential


class PotentialCalculator(Calculator):
    """ASE's view of a labkit potential: energy (eV), forces (eV/Å), stress (eV/Å^3, Voigt order xx yy zz yz xz xy).

    Everything that the potential knows comes with the first question: one backward pass gives forces and stress,
    and asking for them one after the other, as ASE's dynamics do, would pay twice.
    """

    implemented_properties: ClassVar[list[str]] = ["energy", "free_energy", "forces", "stress", "magmoms"]

    def __init__(self, potential: Potential) -> None:
        super().__init__()
        self.potential = potential
        self.implemented_properties = [
            *("energy", "free_energy", "forces"),
            *(name for name in ("stress", "magmoms") if name in potential.implemented),
        ]

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: list[str] | None = None,
        system_changes: list[str] = all_changes,
    ) -> None:
        """Fill `results` for `atoms`; raises what the potential raises for a structure outside of its domain."""
        super().calculate(atoms, properties, system_changes)
        wanted = [name for name in self.potential.implemented if name != "stress" or np.all(self.atoms.pbc)]
        prediction = self.potential.predict([self.atoms], wanted)
        energy = float(prediction.energies[0])
        self.results.update(energy=energy, free_energy=energy, forces=prediction.forces[0])
        if prediction.stresses is not None:
            self.results["stress"] = full_3x3_to_voigt_6_stress(prediction.stresses[0])
        if prediction.magmoms is not None:
            self.results["magmoms"] = prediction.magmoms[0]
