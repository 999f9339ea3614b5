"""CCSD(T) with a frozen core through PySCF: the top rung of the ladder, for molecules and small multimers.

The one idea: its price is known beforehand. Time and memory follow from the numbers of electrons and basis functions,
so a calculation that would not end is refused with the estimate, before anything is started.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from ase import Atoms
from ase.units import Hartree

from labkit.datasets.record import Record
from labkit.errors import BudgetExceeded, InvalidStructure, InvalidTask
from labkit.references import ccsd_t, counterpoise, quantum_chemistry
from labkit.references.complete_basis import composite
from labkit.references.interface import Reference, described

#: Basis functions of cc-pVDZ, cc-pVTZ and cc-pVQZ in the first three rows.
_FUNCTIONS = {"cc-pvdz": (5, 14, 18), "cc-pvtz": (14, 30, 34), "cc-pvqz": (30, 55, 59)}
_SPELLED = {"cc-pvdz": "cc-pVDZ", "cc-pvtz": "cc-pVTZ", "cc-pvqz": "cc-pVQZ"}
#: No alkali and alkaline earth metals: their outermost core takes part in bonds and cannot be frozen.
ELEMENTS = frozenset(["H", "He", "B", "C", "N", "O", "F", "Ne", "Al", "Si", "P", "S", "Cl", "Ar"])
_WRONG_BY = {
    "cc-pvdz": "cc-pVDZ recovers about two thirds of the correlation energy; differences between molecules are wrong "
    "by tenths of an eV.",
    "cc-pvtz": "Core electrons are not correlated, relativity is left out.",
    "cbs": "H2 comes out 0.0008 Å too long and 0.042 eV too deep with the cc-pVDZ correction, 0.0002 Å and 0.026 eV "
    "with cc-pVTZ. Core electrons are not correlated.",
}
#: CPU seconds: start, each n_occ^2 n_virt^4, each N^4 (fitted to methods C 3: CH4 to C2H6 and benzene).
_START_S, _CCSD_S, _INTEGRALS_S = 3.0, 9e-9, 7e-8
#: An unrestricted calculation has three kinds of pairs; gradients need the Lambda equations and density matrices.
_UNRESTRICTED, _GRADIENT = 3.0, 5.0


class CoupledCluster(Reference):
    """CCSD(T), frozen core, in cc-pVDZ, cc-pVTZ or extrapolated to the complete basis.

    basis: "cc-pvdz" | "cc-pvtz" | "cbs", the last being E_HF[QZ] + E_MP2corr^CBS[T,Q] + (E_CCSD(T) - E_MP2) in
    `correction_basis` ("cc-pvdz" | "cc-pvtz"). counterpoise: correct multimers for borrowed basis functions (see
    `counterpoise.corrected`; closed shells only). gradients: analytic forces, not for "cbs"; without them the labels
    are energies, at a fifth of the price. density_fit: Coulomb integrals by density fitting (C2H6 in cc-pVTZ: energy
    lower by 0.35 mHartree; use one setting throughout). charge, multiplicity: see `quantum_chemistry.Electrons`; open
    shells are unrestricted. max_cost_s, max_memory_MB: the largest estimate that is accepted. max_t1: the largest T1
    diagnostic; above it one determinant does not describe the molecule (stretched bonds, diradicals).

    Raises ModuleNotFoundError without PySCF, InvalidTask for options that do not fit together.
    """

    def __init__(
        self,
        basis: str = "cc-pvdz",
        *,
        correction_basis: str = "cc-pvdz",
        counterpoise: bool = True,
        gradients: bool = False,
        density_fit: bool = False,
        charge: int | None = None,
        multiplicity: int | None = None,
        max_cost_s: float = 3600.0,
        max_memory_MB: float = 4000.0,
        max_t1: float = 0.05,
    ) -> None:
        if basis not in ("cc-pvdz", "cc-pvtz", "cbs") or correction_basis not in ("cc-pvdz", "cc-pvtz"):
            raise InvalidTask(
                f"CCSD(T) is offered in cc-pvdz, cc-pvtz or cbs (corrected in cc-pvdz or cc-pvtz), not in {basis!r} "
                f"({correction_basis!r})."
            )
        if gradients and (basis == "cbs" or density_fit):
            raise InvalidTask(
                "gradients of CCSD(T) are known for cc-pvdz and cc-pvtz without density fitting only. Learn from "
                "energies, or choose one of these."
            )
        if not (max_cost_s > 0 and max_memory_MB > 0 and max_t1 > 0):
            raise InvalidTask("max_cost_s, max_memory_MB and max_t1 must be positive.")
        self.name = f"ccsd(t)/{basis}"
        quantum_chemistry.require_pyscf(self.name)
        self.basis, self.correction_basis, self.counterpoise = basis, correction_basis, bool(counterpoise)
        self.gradients, self.density_fit, self.max_t1 = bool(gradients), bool(density_fit), float(max_t1)
        self.max_cost_s, self.max_memory_MB = float(max_cost_s), float(max_memory_MB)
        self.elements = ELEMENTS
        self.implemented = ("energy", "forces") if gradients else ("energy",)
        self._electrons = quantum_chemistry.Electrons(charge, multiplicity)
        level = (
            f"CCSD(T)/CBS (HF/cc-pVQZ + MP2/CBS(T,Q) + CCSD(T)-MP2/{_SPELLED[correction_basis]})"
            if basis == "cbs"
            else f"CCSD(T)/{_SPELLED[basis]}"
        )
        self.level_of_theory = (
            f"{level}, frozen core" + ", counterpoise" * self.counterpoise + ", density fitting" * self.density_fit
        )
        self.failure_modes = (
            "Stretched bonds, diradicals and excited states need more than one determinant: a T1 diagnostic above "
            f"{self.max_t1:g} is NotConverged, never a number.",
            f"Cost grows as N^7: estimates above {self.max_cost_s:g} s or {self.max_memory_MB:g} MB are refused.",
            _WRONG_BY[basis],
            "Analytic forces are for closed shells; counterpoise is for neutral closed shells.",
            "A molecule whose ground state is not of the lowest spin must be told: O2 atoms.info['multiplicity'] = 3.",
        )

    def check(self, atoms: Atoms) -> None:
        """See `Reference.check`; raises BudgetExceeded, with the estimate, for what would take too long."""
        super().check(atoms)
        quantum_chemistry.require_molecule(atoms, self.name)
        charge, unpaired = self._electrons.of(atoms)
        if self.counterpoise and (charge or unpaired) and len(counterpoise.fragments(atoms)) > 1:
            raise InvalidStructure(
                f"{described(atoms)} is a multimer with the charge {charge:+d} e and {unpaired} unpaired electrons; "
                "the counterpoise correction is for neutral closed shells. Pass counterpoise=False."
            )
        if self.gradients and unpaired and len(atoms) > 1:
            raise InvalidStructure(
                f"{described(atoms)} has {unpaired} unpaired electrons, and analytic forces are for closed shells "
                "only: those of unrestricted CCSD(T) in PySCF 2.14 miss the gradient of the energy by 0.05 eV/Å (H3). "
                "Open the reference without gradients."
            )
        cost, memory = self.cost_s(atoms), self.memory_MB(atoms)
        if cost > self.max_cost_s or memory > self.max_memory_MB:
            raise BudgetExceeded(
                f"{described(atoms)} at {self.name} would take about {_time(cost)} of CPU time and {memory:,.0f} MB; "
                f"the limits are {_time(self.max_cost_s)} and {self.max_memory_MB:,.0f} MB. Take a smaller molecule, a "
                "smaller basis or ani-1ccx, or raise max_cost_s and max_memory_MB."
            )

    def cost_s(self, atoms: Atoms) -> float:
        """Estimate CPU seconds, t = 3 + 9e-9 n_occ^2 n_virt^4 + 7e-8 N^4 for each calculation, summed.

        n_occ correlated electron pairs, n_virt empty orbitals, N basis functions; three times as much for open shells,
        five times with gradients. Fits methods C 3 (0.1 to 3 min) within a factor of two.
        """
        total = 0.0
        for functions, occupied, virtual, correlated in self._sizes(atoms):
            total += _START_S + _CCSD_S * correlated * occupied**2 * virtual**4 + _INTEGRALS_S * functions**4
        open_shell = _UNRESTRICTED if self._electrons.of(atoms)[1] else 1.0
        return total * open_shell * (_GRADIENT if self.gradients else 1.0)

    def memory_MB(self, atoms: Atoms) -> float:
        """Estimate the memory (MB): 100 + 3e-6 (n_virt^4 + N^4) + 1.6e-4 n_occ^2 n_virt^2, fitted to methods C 3."""
        largest = max(
            3e-6 * (virtual**4 + functions**4) + 1.6e-4 * occupied**2 * virtual**2
            for functions, occupied, virtual, correlated in self._sizes(atoms)
            if correlated
        )
        return 100 + largest * (_UNRESTRICTED if self._electrons.of(atoms)[1] else 1.0)

    def label(self, atoms: Atoms, *, forces: bool = True) -> Record:
        """See `Reference.label`; forces only with `gradients`."""
        self.check(atoms)
        largest_t1 = 0.0

        def compute(piece: Atoms, real: np.ndarray) -> tuple[float, np.ndarray | None]:
            nonlocal largest_t1
            charge, unpaired = self._electrons.of(piece[real])
            found = {
                basis: ccsd_t.compute(
                    piece,
                    basis,
                    charge,
                    unpaired,
                    real=real,
                    level="ccsd(t)" if correlated else "mp2",
                    gradient=forces and self.gradients and len(piece) > 1,
                    density_fit=self.density_fit,
                    max_memory_MB=self.max_memory_MB,
                    max_t1=self.max_t1,
                    name=self.name,
                )
                for basis, correlated in self._levels()
            }
            largest_t1 = max(largest_t1, *(one.t1 for one in found.values()))
            if self.basis == "cbs":
                total = composite(
                    found["cc-pvtz"].energies, found["cc-pvqz"].energies, found[self.correction_basis].energies
                )
                return total * Hartree, None
            only = found[self.basis]
            total = only.energies.hartree_fock + only.energies.ccsd_t_correlation
            zero = np.zeros((1, 3)) if forces and self.gradients and len(piece) == 1 else None
            return total * Hartree, zero if only.forces is None else only.forces

        everything = np.ones(len(atoms), dtype=bool)
        if self.counterpoise:
            energy, found, molecules = counterpoise.corrected(atoms, compute)
        else:
            (energy, found), molecules = compute(atoms, everything), 1
        charge, unpaired = self._electrons.of(atoms)
        kind = "unrestricted" if unpaired else "restricted"
        return self.record(
            atoms,
            energy,
            found,
            provenance=f"{quantum_chemistry.package()}, {self.name}, {kind}, charge {charge:+d}, {unpaired} unpaired "
            f"electrons, {quantum_chemistry.frozen_core(atoms.numbers)} core orbitals frozen, T1 {largest_t1:.4f}"
            + f", counterpoise over {molecules} molecules"
            * (molecules > 1),
        )

    def _levels(self) -> list[tuple[str, bool]]:
        """The basis sets that are needed, and whether CCSD(T) is computed in them or only MP2."""
        if self.basis != "cbs":
            return [(self.basis, True)]
        return [
            (one, one == self.correction_basis) for one in dict.fromkeys((self.correction_basis, "cc-pvtz", "cc-pvqz"))
        ]

    def _sizes(self, atoms: Atoms) -> Iterator[tuple[int, int, int, bool]]:
        """Basis functions, correlated pairs, empty orbitals and whether it is CCSD(T), for each calculation."""
        everything = np.ones(len(atoms), dtype=bool)
        pieces = counterpoise.parts(atoms) if self.counterpoise else [(1, atoms, everything, None)]
        for _, piece, real, _ in pieces:
            charge, _ = self._electrons.of(piece[real])
            pairs = -(-(int(piece.numbers[real].sum()) - charge) // 2)
            for basis, correlated in self._levels():
                functions = sum(_FUNCTIONS[basis][0 if z <= 2 else 1 if z <= 10 else 2] for z in piece.numbers)
                occupied = max(0, pairs - quantum_chemistry.frozen_core(piece.numbers[real]))
                yield functions, occupied, functions - pairs, correlated


def _time(seconds: float) -> str:
    if seconds < 600:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 36000 else f"{seconds / 3600:,.0f} h"
