"""Crystals with energies, and mixtures of them in words: what hulls, windows and voltages are made from.

Every entry names the level of theory that its energy comes from, because energies of two levels are never compared. For
a potential that is its name too ("chgnet for PBE"): two potentials of one theory are not one level.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from math import gcd

import numpy as np
from ase import Atoms
from ase.formula import Formula

from labkit.errors import InvalidStructure

#: What is written twice its reduced formula: O2 and Li2O2 are no formula units of O and LiO.
DOUBLE = {"H", "N", "O", "F", "Cl", "Br", "I", "HO", "LiO", "NaO", "KO", "RbO", "CsO"}


@dataclass(frozen=True, eq=False)
class HullEntry:
    """One crystal with its energy (eV, of the whole cell) and the level of theory that the energy comes from."""

    atoms: Atoms = field(repr=False)
    energy_eV: float
    level_of_theory: str
    name: str = ""

    def __post_init__(self) -> None:
        if len(self.atoms) == 0 or not np.isfinite(self.energy_eV):
            said = self.name or self.atoms.get_chemical_formula()
            raise InvalidStructure(
                f"the entry {said!r} has {len(self.atoms)} atoms and the energy {self.energy_eV} eV; it needs at least "
                "one atom and a finite energy."
            )
        if not self.name:
            object.__setattr__(self, "name", str(self.atoms.info.get("name") or self.formula))

    @cached_property
    def counts(self) -> dict[str, int]:
        """How many atoms of each element are in the cell."""
        return {str(symbol): int(number) for symbol, number in self.atoms.symbols.formula.count().items()}

    @cached_property
    def formula(self) -> str:
        """The reduced formula, cations first; gases of two atoms and peroxides as one writes them (O2, Li2O2)."""
        return readable({symbol: number // self.formula_units for symbol, number in self.counts.items()})

    @property
    def formula_units(self) -> int:
        """How many of its `formula` the cell holds."""
        return units(self.counts)

    @property
    def energy_eV_atom(self) -> float:
        """Energy of one atom on average (eV)."""
        return self.energy_eV / len(self.atoms)


@dataclass(frozen=True)
class MixturePart:
    """A part of a mixture: `fraction` of the atoms are in `entry`, which are `amount` formula units of it for each
    formula unit of what was asked for.
    """

    entry: HullEntry
    fraction: float
    amount: float


def readable(counts: Mapping[str, int]) -> str:
    """A formula in the order of Pauling's electronegativities, as one writes it: LiCoO2, FePO4."""
    ordered = sorted(counts, key=lambda symbol: (_electronegativity(symbol), symbol))
    return "".join(f"{symbol}{counts[symbol] if counts[symbol] > 1 else ''}" for symbol in ordered)


def units(counts: Mapping[str, int]) -> int:
    """How many formula units a composition is: of its reduced formula, or of two of those where it is in `DOUBLE`."""
    number = gcd(*counts.values())
    double = number % 2 == 0 and readable({symbol: one // number for symbol, one in counts.items()}) in DOUBLE
    return number // 2 if double else number


@cache
def _electronegativity(symbol: str) -> float:
    from pymatgen.core import Element

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # noble gases have none
        value = float(Element(symbol).X)
    return value if np.isfinite(value) else 0.0


def one_level(entries: Sequence[HullEntry]) -> str:
    """The level of theory of all entries; ValueError when there are none, or energies that cannot be compared."""
    levels = list(dict.fromkeys(one.level_of_theory for one in entries))
    if not levels:
        raise ValueError("there is no entry; give at least one crystal with its energy.")
    if len(levels) > 1:
        other = next(one for one in entries if one.level_of_theory == levels[1])
        raise ValueError(
            f"{other.name} has an energy of {levels[1]!r}, {entries[0].name} one of {levels[0]!r}; energies of "
            "different levels of theory are never compared. Compute all of them with one potential."
        )
    return levels[0]


def mixture_parts(fractions: Mapping[HullEntry, float], counts: Mapping[str, float]) -> list[MixturePart]:
    """Shares of a mixture from its atomic fractions, largest first; amounts are for one of the formula `units` of
    `counts`, or for `counts` themselves when these are no whole numbers.
    """
    atoms = sum(counts.values())
    if all(number == round(number) for number in counts.values()):
        atoms /= units({symbol: round(number) for symbol, number in counts.items()})
    parts = [
        MixturePart(entry, part, part * atoms * entry.formula_units / len(entry.atoms))
        for entry, part in fractions.items()
    ]
    return sorted(parts, key=lambda one: -one.fraction)


def mixture(parts: Sequence[MixturePart], digits: int = 3) -> str:
    """A mixture in words: "Li2S + 0.5 P2S5", amounts in formula units; names where they differ from formulas."""
    words = []
    for one in parts:
        amount, name = f"{one.amount:.{digits}g}", _counted(one.entry)
        words.append(name if amount == "1" else f"{amount} {name}")
    return " + ".join(words)


def _counted(entry: HullEntry) -> str:
    """The name of an entry, unless it begins with a formula of several units (P4S10, S8): the amount is of one."""
    first, *rest = entry.name.split(" ")
    try:
        counts = Formula(first).count()
    except ValueError:
        return entry.name
    unit = {symbol: number // entry.formula_units for symbol, number in entry.counts.items()}
    multiple = counts != unit and counts.keys() == unit.keys() and len({counts[s] / unit[s] for s in unit}) == 1
    return " ".join([entry.formula, *rest]) if multiple else entry.name
