"""PBE with plane waves through GPAW for crystals: energy, forces and stress, metals included.

The one idea: the two numbers that decide whether a label is worth anything, the cut-off and the k-point grid, follow
from the structure. Oxygen below 600 eV is refused, because its stress is then wrong by tens of GPa while its forces
look right.
"""

from __future__ import annotations

import math

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols

from labkit.datasets.record import Record
from labkit.errors import BudgetExceeded, InvalidStructure, InvalidTask
from labkit.references import gpaw_child
from labkit.references.interface import Reference, described

#: The cut-off (eV) that an element needs. O is measured (methods C 4: at 350 eV MgO and LiCoO2 are off by 1 to 2
#: eV/atom and by tens of GPa); N and F, as compact, are taken to be alike.
HARD, HARD_EV, HARD_FLOOR_EV = frozenset(["N", "O", "F"]), 700.0, 600.0
#: Elements that methods C computed with 300 to 350 eV; those that it did not get a margin.
SOFT = frozenset(["Li", "Na", "Mg", "Si", "P", "S", "Cl", "W"])
SOFT_EV, OTHER_EV = 350.0, 500.0
NON_METALS = frozenset(
    ["H", "He", "B", "C", "N", "O", "F", "Ne", "Si", "P", "S", "Cl", "Ar", "Ge", "As", "Se", "Br", "Kr", "Te", "I"]
)
#: Largest distance of k-points (1/Å, with 2 pi): the grids of methods C 4 for insulators, a finer one for metals.
INSULATOR_SPACING, METAL_SPACING = 0.67, 0.4
#: CPU seconds: start, and each k-point x volume (Å^3) x cut-off^1.5 (eV) x valence electron; twice that for metals.
_START_S, _WORK_S = 2.0, 6.5e-8


class PlaneWavePBE(Reference):
    """PBE (or another functional that GPAW knows) with plane waves and PAW setups, in a child process.

    cutoff_eV: of the plane waves; None takes 700 with N, O or F, 350 for Li Na Mg Si P S Cl W alone and 500 otherwise.
    kspacing_per_A: largest distance of k-points (1/Å, with 2 pi); None takes 0.67, and 0.4 for metals. The grid is
    Monkhorst-Pack, shifted onto Gamma for hexagonal cells. smearing_eV: Fermi-Dirac width; energies are free energies,
    of which forces and stress are the derivatives. Spin is polarised where `atoms` has initial magnetic moments. tight:
    convergence for finite differences (energy 1e-6 eV/electron, density 1e-6 electrons/electron) instead of GPAW's.
    timeout_s: the child is ended after it. max_cost_s: the largest estimate that is accepted.

    Raises InvalidTask for options that mean nothing. GPAW itself is looked for when something is computed:
    ModuleNotFoundError says how to install it.
    """

    def __init__(
        self,
        *,
        functional: str = "PBE",
        cutoff_eV: float | None = None,
        kspacing_per_A: float | None = None,
        smearing_eV: float = 0.1,
        max_iterations: int = 333,
        tight: bool = False,
        timeout_s: float | None = None,
        max_cost_s: float = 3600.0,
    ) -> None:
        if cutoff_eV is not None and not 100 <= cutoff_eV <= 3000:
            raise InvalidTask(f"the cut-off must be between 100 and 3000 eV, not {cutoff_eV:g}.")
        if kspacing_per_A is not None and not 0.05 <= kspacing_per_A <= 10:
            raise InvalidTask(f"the distance of k-points must be between 0.05 and 10 1/Å, not {kspacing_per_A:g}.")
        if not (smearing_eV > 0 and max_iterations >= 1 and max_cost_s > 0 and (timeout_s is None or timeout_s > 0)):
            raise InvalidTask("smearing_eV, max_iterations, timeout_s and max_cost_s must be positive.")
        self.functional, self.smearing_eV, self.tight = functional, float(smearing_eV), bool(tight)
        self.cutoff_eV, self.kspacing_per_A = cutoff_eV, kspacing_per_A
        self.max_iterations, self.timeout_s, self.max_cost_s = int(max_iterations), timeout_s, float(max_cost_s)
        self.name, self.elements = "gpaw-pbe", None
        cut = f"{cutoff_eV:g} eV" if cutoff_eV is not None else "350, 500 or 700 eV by element"
        spacing = f"{kspacing_per_A:g}" if kspacing_per_A is not None else "0.67, metals 0.4,"
        self.level_of_theory = f"{functional}, GPAW, {cut}, k-points {spacing} 1/Å, {self.smearing_eV:g} eV"
        self.implemented = ("energy", "forces", "stress")
        self.failure_modes = (
            f"N, O and F below {HARD_FLOOR_EV:g} eV are refused; cut-offs of elements other than Li Na Mg Si P S Cl W "
            "and O were not converged here.",
            "Energies depend on cut-off and k-points, which are part of the level of theory. By itself the cut-off "
            "follows the elements: give cutoff_eV for a set whose compositions differ. The k-point grid jumps when a "
            "cell grows (give kspacing_per_A small enough to compare cells).",
            "Forces do not sum to zero exactly (about 1e-3 eV/Å).",
            "Cr, Mn, Fe, Co and Ni are without spin unless atoms have initial magnetic moments; no Hubbard U, no "
            "dispersion.",
            "Needs the compiled package GPAW (GPLv3, in its own process): make dft.",
        )

    def check(self, atoms: Atoms) -> None:
        """See `Reference.check`; raises BudgetExceeded, with the estimate, for what would take too long."""
        super().check(atoms)
        name = described(atoms)
        if not atoms.pbc.all() or atoms.cell.rank < 3:
            raise InvalidStructure(
                f"{name} is not periodic in three directions, and {self.name} is for crystals. Give it a full cell "
                "with vacuum, or take landscape17."
            )
        hard = sorted(HARD & set(atoms.symbols))
        if hard and self.cutoff(atoms) < HARD_FLOOR_EV:
            raise InvalidStructure(
                f"{name} holds {', '.join(hard)} and the cut-off is {self.cutoff(atoms):g} eV; below "
                f"{HARD_FLOOR_EV:g} eV its energy is off by 1 to 2 eV/atom and its stress by tens of GPa. Leave "
                f"cutoff_eV out, or raise it to {HARD_EV:g}."
            )
        if (cost := self.cost_s(atoms)) > self.max_cost_s:
            raise BudgetExceeded(
                f"{name} at {self.cutoff(atoms):g} eV with {' x '.join(map(str, self.kpoints(atoms)))} k-points would "
                f"take about {cost:,.0f} s of CPU time; the limit is {self.max_cost_s:,.0f} s. Take a smaller cell or "
                "a universal potential, or raise max_cost_s."
            )

    def cutoff(self, atoms: Atoms) -> float:
        """The cut-off for these atoms (eV)."""
        if self.cutoff_eV is not None:
            return float(self.cutoff_eV)
        symbols = set(atoms.symbols)
        return HARD_EV if symbols & HARD else SOFT_EV if symbols <= SOFT else OTHER_EV

    def kpoints(self, atoms: Atoms) -> tuple[int, int, int]:
        """The grid for these atoms: n_i = ceil(|b_i| / spacing), b_i reciprocal vectors with 2 pi."""
        spacing = self.kspacing_per_A or (INSULATOR_SPACING if set(atoms.symbols) & NON_METALS else METAL_SPACING)
        lengths = 2 * math.pi * np.linalg.norm(atoms.cell.reciprocal(), axis=1)
        return tuple(max(1, math.ceil(length / spacing - 1e-9)) for length in lengths)

    def cost_s(self, atoms: Atoms) -> float:
        """Estimate CPU seconds, t = 2 + 6.5e-8 n_k V E^1.5 n_e, n_k k-points up to time reversal, V in Å^3, E in eV.

        n_e valence electrons; twice as much for metals and with spin. Fits methods C 4 (2 to 142 s) within a factor of
        two.
        """
        count = math.prod(self.kpoints(atoms))
        electrons = sum(_valence(int(z)) for z in atoms.numbers)
        factor = 1.0 if set(atoms.symbols) & NON_METALS else 2.0
        factor *= 2.0 if atoms.get_initial_magnetic_moments().any() else 1.0
        waves = atoms.get_volume() * self.cutoff(atoms) ** 1.5
        return _START_S + _WORK_S * factor * math.ceil(count / 2) * waves * electrons

    def label(self, atoms: Atoms, *, forces: bool = True) -> Record:
        """See `Reference.label`; without `forces` there is no stress either, and about a fifth is saved.

        Raises CalculationFailed (a LabkitError) when the child process fails.
        """
        self.check(atoms)
        moments = atoms.get_initial_magnetic_moments()
        cutoff, kpoints = self.cutoff(atoms), self.kpoints(atoms)
        gamma = _hexagonal(atoms)
        question = {
            "numbers": atoms.numbers.tolist(),
            "positions": atoms.positions.tolist(),
            "cell": atoms.cell.array.tolist(),
            "magmoms": moments.tolist() if moments.any() else None,
            "functional": self.functional,
            "cutoff_eV": cutoff,
            "kpoints": list(kpoints),
            "gamma": gamma,
            "smearing_eV": self.smearing_eV,
            "max_iterations": self.max_iterations,
            "convergence": {"energy": 1e-6, "density": 1e-6, "eigenstates": 1e-10} if self.tight else {},
            "forces": forces,
        }
        found = gpaw_child.ask(question, what=described(atoms), timeout_s=self.timeout_s)
        shifted = ", Gamma-centred" if gamma else ""
        return self.record(
            atoms,
            float(found["energy"]),
            np.array(found["forces"], dtype=float) if forces else None,
            np.array(found["stress"], dtype=float) if forces else None,
            provenance=f"GPAW {found['version']}, {self.functional}, plane waves {cutoff:g} eV, "
            f"{' x '.join(map(str, kpoints))} k-points{shifted}, Fermi-Dirac {self.smearing_eV:g} eV, free energy"
            + ", spin-polarised" * bool(moments.any())
            + ", tight" * self.tight,
        )


def _hexagonal(atoms: Atoms) -> bool:
    """Whether an angle of the cell is 60 or 120 degrees, where a grid off Gamma breaks the symmetry."""
    angles = atoms.cell.cellpar()[3:]
    return bool((np.isclose(angles, 60, atol=0.5) | np.isclose(angles, 120, atol=0.5)).any())


def _valence(number: int) -> int:
    """Electrons outside of the noble-gas core and of filled d and f shells; those of alkali metals' cores included."""
    symbol = chemical_symbols[number]
    if symbol in ("Na", "K", "Rb", "Cs"):
        return 9
    if symbol in ("Mg", "Ca", "Sr", "Ba"):
        return 10
    core = max(z for z in (0, 2, 10, 18, 36, 54, 86) if z < number)
    valence = number - core
    if core >= 54 and valence > 16:
        valence -= 14
    return valence - 10 if core >= 18 and valence > 12 else valence
