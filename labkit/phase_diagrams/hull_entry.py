"""Crystals with energies, and mixtures of them in words: what hulls, windows and voltages are made from.

Every entry names the level of theory that its energy comes from, because energies of two levels are never compared. For
a potential that is its name too ("chgnet for PBE"): two potentials of one theory are not one level.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property

import numpy as np
from ase import Atoms
from ase.formula import Formula

from labkit.errors import InvalidStructure


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
        """The reduced formula, cations first."""
        return readable({symbol: number // self.formula_units for symbol, number in self.counts.items()})

    @property
    def formula_units(self) -> int:
        """How many reduced formulas the cell holds."""
        return int(self.atoms.symbols.formula.reduce()[1])

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
    """Shares of a mixture from its atomic fractions, largest first; amounts are for the reduced formula of `counts`, or
    for `counts` themselves when these are no whole numbers.
    """
    atoms = sum(counts.values())
    if all(number == round(number) for number in counts.values()):
        atoms /= Formula.from_dict({symbol: round(number) for symbol, number in counts.items()}).reduce()[1]
    parts = [
        MixturePart(entry, part, part * atoms * entry.formula_units / len(entry.atoms))
        for entry, part in fractions.items()
    ]
    return sorted(parts, key=lambda one: -one.fraction)


def mixture(parts: Sequence[MixturePart], digits: int = 3) -> str:
    """A mixture in words: "Li2S + 0.5 P2S5", amounts in formula units; names where they differ from formulas."""
    words = []
    for one in parts:
        amount = f"{one.amount:.{digits}g}"
        words.append(one.entry.name if amount == "1" else f"{amount} {one.entry.name}")
    return " + ".join(words)
