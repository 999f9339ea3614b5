"""Extended tight binding through the package tblite: GFN1-xTB and GFN2-xTB for molecules and large insulating cells.

The one idea: it is quick (0.01 to 5 s) and wrong in known places, so those places are refused: small periodic cells
(only the Gamma point is sampled), metals, ionic and transition metal oxides, and cells that GFN2 does not finish.
"""

from __future__ import annotations

import importlib.util
from importlib.metadata import version

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols, covalent_radii
from ase.units import Bohr, Hartree, kB

from labkit.datasets.record import Record
from labkit.errors import InvalidStructure, InvalidTask, NotConverged
from labkit.references.interface import Reference, described

#: The parameters reach from hydrogen to radon (Grimme et al. 2017; Bannwarth et al. 2019).
ELEMENTS = frozenset(chemical_symbols[1:87])
INSTALL = "pip install tblite==0.8.0"
ELECTRONIC_TEMPERATURE_K = 300.0
#: GFN2 did not finish 64 atoms of LiCl, 96 of Li2S and 192 of ice in 240 s; 24 of ice took 1.9 s.
GFN2_PERIODIC_ATOMS = 32
#: Further than the longest O-H and O-X bond of a molecule, nearer than its hydrogen bonds.
BOND_FACTOR = 1.3

NOBLE = frozenset(["He", "Ne", "Ar", "Kr", "Xe", "Rn"])
#: Electrons that a non-metal takes up in a salt.
TAKES = {
    "H": 1, "F": 1, "Cl": 1, "Br": 1, "I": 1, "At": 1, "O": 2, "S": 2, "Se": 2, "Te": 2,
    "N": 3, "P": 3, "As": 3, "B": 3, "C": 4, "Si": 4, "Ge": 4,
}  # fmt: skip
NON_METALS = NOBLE | set(TAKES)
TRANSITION = frozenset(s for z in (*range(21, 31), *range(39, 49), *range(57, 81)) for s in [chemical_symbols[z]])
ALKALI = frozenset(["Li", "Na", "K", "Rb", "Cs"])
#: Metals that give away one or three electrons; the others give at least two.
ONE, THREE = ALKALI | {"Cu", "Ag", "Au", "Tl"}, frozenset(["Al", "Ga", "In", "Sc", "Y", "La"])
_SOURCES = {
    "GFN1-xTB": "S. Grimme, C. Bannwarth, P. Shushkov, J. Chem. Theory Comput. 13, 1989 (2017)",
    "GFN2-xTB": "C. Bannwarth, S. Ehlert, S. Grimme, J. Chem. Theory Comput. 15, 1652 (2019)",
}
_DISPERSION = {"GFN1-xTB": "D3(BJ)", "GFN2-xTB": "D4"}


class TightBinding(Reference):
    """GFN1-xTB or GFN2-xTB (papers in `citation`), dispersion included, no exchange splitting.

    The energy is the free energy of the electrons at 300 K, E - TS, of which the forces are the gradient.

    method: one of the two. charge: e, multiplicity: 2S + 1; None takes `atoms.info["charge"]` (else 0) and
    `atoms.info["multiplicity"]` (else the lowest). min_width_A: a periodic cell that is narrower is refused.
    accuracy: tblite's factor on all thresholds, 1 is its default; 0.1 makes forces agree with finite differences to
    1e-5 eV/Å. max_iterations: of the charges' self-consistency.

    Raises ModuleNotFoundError without tblite, InvalidTask for options that mean nothing.
    """

    def __init__(
        self,
        method: str = "GFN1-xTB",
        *,
        charge: int | None = None,
        multiplicity: int | None = None,
        min_width_A: float = 8.0,
        accuracy: float = 0.1,
        max_iterations: int = 300,
    ) -> None:
        if method not in _SOURCES:
            raise InvalidTask(
                f"{method!r} is not offered; take {' or '.join(_SOURCES)}. IPEA1-xTB is left out because its forces "
                "miss the gradient of its energy by 0.014 eV/Å (ice)."
            )
        if importlib.util.find_spec("tblite") is None:
            raise ModuleNotFoundError(f"{method} needs the package tblite, which is not installed here: {INSTALL}")
        if charge is not None and int(charge) != charge:
            raise InvalidTask(f"the charge is a whole number of e, not {charge}.")
        if multiplicity is not None and (int(multiplicity) != multiplicity or multiplicity < 1):
            raise InvalidTask(f"the multiplicity 2S + 1 is a whole number from 1, not {multiplicity}.")
        if not (min_width_A > 0 and accuracy > 0 and max_iterations >= 1):
            raise InvalidTask("min_width_A, accuracy and max_iterations must be positive.")
        self.method, self.charge, self.multiplicity = method, charge, multiplicity
        self.min_width_A, self.accuracy, self.max_iterations = float(min_width_A), float(accuracy), int(max_iterations)
        self.name, self.level_of_theory, self.elements = method.lower(), method, ELEMENTS
        self.citation = _SOURCES[method]
        self.failure_modes = (
            f"Dispersion is built in ({_DISPERSION[method]}): nothing may be added on top.",
            f"Only the Gamma point is sampled: cells narrower than {self.min_width_A:g} Å need a supercell (the "
            "lattice constant of LiCl is 3 % too long with 8 atoms and 3 % too short with 64).",
            "Periodic metals, ionic oxides (MgO has no minimum) and transition metal oxides are refused.",
            "Reaction barriers, radicals and charge transfer are qualitative: there is no exchange splitting.",
            "Strained salts and large sulfide cells may not converge; they are then NotConverged, never a number.",
        ) + (
            (f"Periodic cells above {GFN2_PERIODIC_ATOMS} atoms are refused: they do not finish.",)
            * (method == "GFN2-xTB")
        )

    def check(self, atoms: Atoms) -> None:
        """See `Reference.check`; all that the method is known to fail at is refused here."""
        super().check(atoms)
        name = described(atoms)
        self._electrons(atoms)
        if not atoms.pbc.any():
            return
        if not atoms.pbc.all() or atoms.cell.rank < 3:
            raise InvalidStructure(
                f"{name} is periodic in {int(atoms.pbc.sum())} of three directions; {self.method} is computed for "
                "molecules and crystals. Give it a full cell with 15 Å of vacuum, or switch periodicity off."
            )
        if self._charge(atoms) != 0:
            raise InvalidStructure(
                f"{name} is periodic with the charge {self._charge(atoms):+d} e, whose energy depends on the cell. "
                "Add the counter-ion, or compute a molecule."
            )
        self._check_chemistry(atoms, name)
        widths = np.abs(atoms.get_volume()) / np.linalg.norm(
            np.cross(atoms.cell[[1, 2, 0]], atoms.cell[[2, 0, 1]]), axis=1
        )
        times = np.ceil(self.min_width_A / widths - 1e-9).astype(int)
        if times.max() > 1:
            raise InvalidStructure(
                f"{name} repeats after {widths.min():.2f} Å, and {self.method} samples only the Gamma point: at least "
                f"{self.min_width_A:g} Å are needed. Repeat it {times[0]} x {times[1]} x {times[2]} times "
                f"({len(atoms) * int(times.prod()):,} atoms; labkit.structures.supercell(atoms, {self.min_width_A:g}))."
            )
        if self.method == "GFN2-xTB" and len(atoms) > GFN2_PERIODIC_ATOMS:
            raise InvalidStructure(
                f"{name} is periodic with {len(atoms)} atoms; GFN2-xTB does not finish above {GFN2_PERIODIC_ATOMS} "
                "(64 atoms of LiCl: more than 240 s). Take gfn1-xtb."
            )

    def _check_chemistry(self, atoms: Atoms, name: str) -> None:
        symbols = list(atoms.symbols)
        metals = set(symbols) - NON_METALS
        if not metals:
            return
        given = sum(_gives(symbol) for symbol in symbols)
        taken = sum(TAKES.get(symbol, 0) for symbol in symbols)
        if given > 1.25 * taken:
            raise InvalidStructure(
                f"{name} is a periodic metal: {self.method} at the Gamma point alone has no Fermi surface (the energy "
                "of tungsten moves by 0.3 eV/atom from 2 to 16 atoms). Take gpaw-pbe or a trained potential."
            )
        if "O" not in symbols:
            return
        if found := sorted(metals & TRANSITION):
            raise InvalidStructure(
                f"{name} is a periodic oxide of {', '.join(found)}: {self.method} knows neither its magnetism nor its "
                "lattice (LiCoO2 at its experimental cell: -22 GPa). Take gpaw-pbe, or chgnet."
            )
        ions = _oxide_ions(atoms)
        if len(ions):
            raise InvalidStructure(
                f"{name} is an ionic oxide: atom {ions[0]} is an oxygen that only {', '.join(sorted(metals))} binds, "
                f"and {self.method} has no minimum for MgO up to 6 % strain. Take gpaw-pbe, 7net-0 or chgnet."
            )

    def _charge(self, atoms: Atoms) -> int:
        return int(self.charge if self.charge is not None else atoms.info.get("charge", 0))

    def _electrons(self, atoms: Atoms) -> int:
        """The number of unpaired electrons; raises InvalidStructure where charge and multiplicity do not fit."""
        # The f shell of a lanthanide is part of its core here: three valence electrons each, odd like lanthanum.
        numbers = np.where((atoms.numbers >= 58) & (atoms.numbers <= 71), 57, atoms.numbers)
        odd = (int(numbers.sum()) - self._charge(atoms)) % 2
        wanted = self.multiplicity if self.multiplicity is not None else atoms.info.get("multiplicity", odd + 1)
        if (int(wanted) - 1) % 2 != odd:
            has, so = ("odd", "even") if odd else ("even", "odd")
            raise InvalidStructure(
                f"{described(atoms)} with the charge {self._charge(atoms):+d} e has an {has} number of electrons, so "
                f"its multiplicity is {so}, not {wanted}. Change one of the two."
            )
        return int(wanted) - 1

    def cost_s(self, atoms: Atoms) -> float:
        """Estimate CPU seconds from the number of orbitals, t = t0 + c N^2; fits methods C within a factor of three.

        GFN1: c = 1e-5 s (molecules), 2.5e-5 s with t0 = 0.2 s (periodic). GFN2 differs in cells only, where the
        three-body term of D4 takes over: t = 0.15 n + 3e-4 n^3.
        """
        orbitals = sum(
            2 if s == "H" else 4 if chemical_symbols.index(s) < 11 or s in ALKALI else 9 for s in atoms.symbols
        )
        if not atoms.pbc.any():
            return 0.01 + 1e-5 * orbitals**2
        if self.method == "GFN1-xTB":
            return 0.2 + 2.5e-5 * orbitals**2
        return 0.15 * len(atoms) + 3e-4 * len(atoms) ** 3

    def label(self, atoms: Atoms, *, forces: bool = True) -> Record:
        """See `Reference.label`; forces and stress cost next to nothing and are always given."""
        self.check(atoms)
        from tblite.exceptions import TBLiteRuntimeError, TBLiteValueError
        from tblite.interface import Calculator

        periodic = bool(atoms.pbc.all())
        cell = {"lattice": atoms.cell.array / Bohr, "periodic": atoms.pbc} if periodic else {}
        charge, unpaired = self._charge(atoms), self._electrons(atoms)
        try:
            calculator = Calculator(
                self.method, atoms.numbers, atoms.positions / Bohr, charge=float(charge), uhf=unpaired, **cell
            )
            calculator.set("verbosity", 0)
            calculator.set("accuracy", self.accuracy)
            calculator.set("max-iter", self.max_iterations)
            calculator.set("temperature", ELECTRONIC_TEMPERATURE_K * kB / Hartree)
            found = calculator.singlepoint()
            energy, gradient, virial = found["energy"], found["gradient"], found["virial"]
        except TBLiteValueError as error:
            raise InvalidStructure(f"{described(atoms)} is refused by tblite: {error}") from error
        except TBLiteRuntimeError as error:
            raise NotConverged(
                f"{self.method} did not converge for {described(atoms)} ({' '.join(str(error).split())}). Its geometry "
                "is left without a label; raise max_iterations, or take it less far from equilibrium."
            ) from error
        return self.record(
            atoms,
            float(energy) * Hartree,
            -np.asarray(gradient) * Hartree / Bohr,
            np.asarray(virial) * Hartree / atoms.get_volume() if periodic else None,
            provenance=f"tblite {version('tblite')}, {self.method}, charge {charge:+d}, {unpaired} unpaired electrons, "
            f"accuracy {self.accuracy:g}, electrons at {ELECTRONIC_TEMPERATURE_K:g} K" + ", Gamma only" * periodic,
        )


def _gives(symbol: str) -> int:
    """The fewest electrons that a metal gives away in a salt."""
    return 0 if symbol in NON_METALS else 1 if symbol in ONE else 3 if symbol in THREE else 2


def _oxide_ions(atoms: Atoms) -> np.ndarray:
    """The oxygens without a bond to any non-metal."""
    from ase.neighborlist import neighbor_list

    known = np.isin(atoms.symbols, sorted(NON_METALS))
    i, j = neighbor_list("ij", atoms, list(BOND_FACTOR * covalent_radii[atoms.numbers]))
    bound = np.zeros(len(atoms), dtype=bool)
    bound[i[known[j]]] = True
    return np.flatnonzero((atoms.symbols == "O") & ~bound)


def gfn1(**options: object) -> TightBinding:
    """GFN1-xTB, with the options of `TightBinding`."""
    return TightBinding("GFN1-xTB", **options)


def gfn2(**options: object) -> TightBinding:
    """GFN2-xTB, with the options of `TightBinding`."""
    return TightBinding("GFN2-xTB", **options)
