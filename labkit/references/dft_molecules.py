"""Kohn-Sham DFT for molecules through PySCF, with the level of the Landscape17 data set pinned.

The one idea: a level of theory is more than a functional's name. Basis, the number of d functions and the integration
grid stand in the level too, because each of them moves total energies by more than a potential's error.
"""

from __future__ import annotations

import numpy as np
from ase import Atoms
from ase.units import Hartree

from labkit.datasets.record import Record
from labkit.errors import BudgetExceeded, InvalidTask
from labkit.references import quantum_chemistry
from labkit.references.interface import Reference, described

#: CPU seconds of energy and forces: start, and each (basis functions)^2 x atom at grid level 3.
_START_S, _GRID_S = 3.0, 2e-4
#: Grid points of a level relative to level 3, roughly.
_POINTS = {0: 0.1, 1: 0.2, 2: 0.5, 3: 1.0, 4: 1.7, 5: 2.5, 6: 3.5, 7: 4.5, 8: 6.0, 9: 9.0}


class MolecularDFT(Reference):
    """Kohn-Sham DFT: a functional, a basis and a grid, restricted for closed shells and unrestricted for open ones.

    functional, basis: PySCF's names ("wb97x", "6-31g*"). cartesian: six d functions instead of five (the convention of
    Pople's basis sets). grid_level: 0 to 9, PySCF's. charge, multiplicity: see `quantum_chemistry.Electrons`.
    max_cost_s: the largest estimate that is accepted. No dispersion is added beyond what the functional has.

    Raises ModuleNotFoundError without PySCF, InvalidTask for options that mean nothing.
    """

    def __init__(
        self,
        functional: str = "pbe",
        basis: str = "def2-svp",
        *,
        cartesian: bool = False,
        grid_level: int = 3,
        charge: int | None = None,
        multiplicity: int | None = None,
        max_cost_s: float = 3600.0,
        max_memory_MB: float = 4000.0,
        name: str | None = None,
        level_of_theory: str | None = None,
    ) -> None:
        if grid_level not in _POINTS:
            raise InvalidTask(f"the grid level is a whole number from 0 to 9, not {grid_level}.")
        if not (max_cost_s > 0 and max_memory_MB > 0):
            raise InvalidTask("max_cost_s and max_memory_MB must be positive.")
        self.name = name or f"{functional}/{basis}"
        quantum_chemistry.require_pyscf(self.name)
        self.functional, self.basis, self.cartesian = functional, basis, bool(cartesian)
        self.grid_level, self.max_cost_s, self.max_memory_MB = int(grid_level), float(max_cost_s), float(max_memory_MB)
        self.level_of_theory = level_of_theory or (
            f"{functional}/{basis}" + " (Cartesian d)" * self.cartesian + f", grid level {grid_level}"
        )
        self.elements = None
        self.implemented = ("energy", "forces")
        self._electrons = quantum_chemistry.Electrons(charge, multiplicity)
        self.failure_modes = (
            "One determinant: broken bonds and diradicals come out too high, and a lower spin than the ground state's "
            "must be corrected by hand (O2: atoms.info['multiplicity'] = 3).",
            "No dispersion correction is added: layers and dimers are bound too weakly unless the functional knows it.",
            f"Periodic structures are refused, and estimates above {self.max_cost_s:g} s.",
        )

    def check(self, atoms: Atoms) -> None:
        """See `Reference.check`; raises BudgetExceeded, with the estimate, for what would take too long."""
        super().check(atoms)
        quantum_chemistry.require_molecule(atoms, self.name)
        self._electrons.of(atoms)
        if (cost := self.cost_s(atoms)) > self.max_cost_s:
            raise BudgetExceeded(
                f"{described(atoms)} at {self.level_of_theory} would take about {cost:,.0f} s of CPU time; the limit "
                f"is {self.max_cost_s:,.0f} s. Take a smaller molecule, or raise max_cost_s."
            )

    def cost_s(self, atoms: Atoms) -> float:
        """Estimate CPU seconds of energy and forces, t = 3 + c N^2 n, N basis functions and n atoms.

        c = 2e-4 s at grid level 3, in proportion to the grid's points (ethanol at landscape17 took 12 s); N is counted
        as in a split-valence basis with polarisation: 2, 15, 19 and 30 functions in the rows of the periodic table.
        """
        functions = int(
            np.select([atoms.numbers <= 2, atoms.numbers <= 10, atoms.numbers <= 18], [2, 15, 19], 30).sum()
        )
        return _START_S + _GRID_S * _POINTS[self.grid_level] * functions**2 * len(atoms)

    def label(self, atoms: Atoms, *, forces: bool = True) -> Record:
        """See `Reference.label`; without `forces` about a third of the time is saved."""
        self.check(atoms)
        charge, unpaired = self._electrons.of(atoms)
        mole = quantum_chemistry.molecule(
            atoms,
            self.basis,
            charge,
            unpaired,
            cartesian=self.cartesian,
            max_memory_MB=self.max_memory_MB,
        )
        from pyscf import dft

        try:
            dft.libxc.parse_xc(self.functional)
        except (KeyError, ValueError) as error:
            raise InvalidTask(f"PySCF does not know the functional {self.functional!r} ({error}).") from error
        field = dft.UKS(mole, xc=self.functional) if unpaired else dft.RKS(mole, xc=self.functional)
        field.grids.level = self.grid_level
        field = quantum_chemistry.converge(field, described(atoms), self.name)
        found = None
        if forces:
            found = quantum_chemistry.forces_of(field.nuc_grad_method().kernel())
        return self.record(
            atoms,
            float(field.e_tot) * Hartree,
            found,
            provenance=f"{quantum_chemistry.package()}, {self.level_of_theory}, charge {charge:+d}, {unpaired} "
            "unpaired electrons",
        )


def landscape17(**options: object) -> MolecularDFT:
    """The level of the Landscape17 networks (Carare et al., npj Comput. Mater. (2025), 10.1038/s41524-025-01878-x).

    ωB97X/6-31G(d) with Cartesian d functions and grid level 4: its stored ethanol energies come out within 0.1 meV.
    Five d functions would shift them by 60 meV. `options` are those of `MolecularDFT` that the level leaves open.
    Raises InvalidTask for those that it pins.
    """
    pinned = sorted({"functional", "basis", "cartesian", "grid_level", "name", "level_of_theory"} & set(options))
    if pinned:
        raise InvalidTask(f"the level landscape17 pins {', '.join(pinned)}. Take MolecularDFT for another level.")
    return MolecularDFT(
        "wb97x",
        "6-31g*",
        cartesian=True,
        grid_level=4,
        name="landscape17",
        level_of_theory="ωB97X/6-31G(d), Cartesian d",
        **options,
    )
