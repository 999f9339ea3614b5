"""Stability against given competing phases: formation, reaction and decomposition energies, with the phases named.

Unlike a convex hull this needs no entry for the elements: the best mixture of the given phases is a linear programme. A
phase that nobody gave cannot compete, so every distance is the least that the true one can be.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from labkit.errors import InvalidStructure
from labkit.phase_diagrams.hull import NOTHING
from labkit.phase_diagrams.hull_entry import HullEntry, MixturePart, mixture, mixture_parts, one_level

#: Atoms that a balanced reaction may lose or gain to rounding.
UNBALANCED = 1e-6


@dataclass(frozen=True)
class Stability:
    """An entry against its competitors: `energy_eV_atom` is its energy above their best mixture (eV/atom).

    Negative when it is stable, and then how far all of them lie above it at the least.
    """

    entry: HullEntry
    energy_eV_atom: float
    products: list[MixturePart]

    @property
    def stable(self) -> bool:
        """Whether no mixture of the competitors is lower."""
        return self.energy_eV_atom <= 0

    @property
    def text(self) -> str:
        """The result in a sentence."""
        side = "below" if self.stable else "above"
        amount = 1000 * abs(self.energy_eV_atom)
        return f"{self.entry.name} lies {amount:.1f} meV/atom {side} {mixture(self.products)}."


@dataclass(frozen=True)
class Reaction:
    """A balanced reaction: formula units of each entry, negative for reactants; energy (eV) for one formula unit of the
    first reactant, negative when energy is set free.
    """

    coefficients: list[tuple[HullEntry, float]]
    energy_eV: float

    @property
    def energy_eV_atom(self) -> float:
        """Energy for each atom on the side of the reactants (eV)."""
        left = [(one, -n) for one, n in self.coefficients if n < 0]
        return self.energy_eV / sum(n * len(one.atoms) / one.formula_units for one, n in left)

    @property
    def text(self) -> str:
        """The reaction as one writes it: "Li + CoO2 → LiCoO2"."""
        sides = [
            " + ".join(
                (one.formula if abs(abs(n) - 1) < NOTHING else f"{abs(n):.4g} {one.formula}")
                for one, n in self.coefficients
                if sign * n > NOTHING
            )
            for sign in (-1, 1)
        ]
        return " → ".join(sides)


def stability(entry: HullEntry, competitors: Sequence[HullEntry]) -> Stability:
    """How far `entry` lies above the best mixture of its competitors.

    E_d = E - min sum_p f_p E_p with sum_p f_p x_p = x, f >= 0 (f: fractions of atoms, x: compositions), the
    decomposition energy of Bartel et al., npj Comput. Mater. 6, 97 (2020), doi 10.1038/s41524-020-00362-y. Raises
    InvalidStructure when the competitors cannot make up the composition.
    """
    from scipy.optimize import linprog

    one_level([entry, *competitors])
    elements = sorted(entry.counts)
    others = [one for one in competitors if one is not entry and set(one.counts) <= set(elements)]
    table = np.array([_fractions(one.counts, elements) for one in others]).reshape(len(others), len(elements)).T
    energies = np.array([one.energy_eV_atom for one in others])
    own = _fractions(entry.counts, elements)
    found = linprog(energies, A_eq=table, b_eq=own, bounds=(0, None), method="highs") if others else None
    if found is None or not found.success:
        names = ", ".join(one.name for one in competitors if one is not entry) or "none"
        raise InvalidStructure(
            f"{entry.name} cannot decompose into the given phases ({names}), so it has no distance to them; give a "
            "phase for each of its elements, or a set that adds up to it."
        )
    parts = {one: float(part) for one, part in zip(others, found.x, strict=True) if part > NOTHING}
    return Stability(entry, float(entry.energy_eV_atom - found.fun), mixture_parts(parts, entry.counts))


def formation_energy(entry: HullEntry, references: Sequence[HullEntry]) -> float:
    """Energy of forming `entry` from `references` (eV/atom of the entry): E - sum_r f_r E_r.

    The references are the elements or compounds that fix the zero, no more of them than the composition determines.
    Raises InvalidStructure when they cannot make up the entry, or when they could in several ways.
    """
    one_level([entry, *references])
    if not references:
        raise InvalidStructure(f"{entry.name} has no references; give its elements, or compounds that add up to it.")
    elements = sorted({symbol for one in (entry, *references) for symbol in one.counts})
    table = np.array([_fractions(one.counts, elements) for one in references]).T
    own = _fractions(entry.counts, elements)
    parts, _, rank, _ = np.linalg.lstsq(table, own, rcond=None)
    names = ", ".join(one.name for one in references)
    if np.abs(table @ parts - own).max() > UNBALANCED:
        raise InvalidStructure(f"{names} do not add up to {entry.formula}; give a reference for what is missing.")
    if rank < len(references):
        raise InvalidStructure(f"{names} add up to {entry.formula} in several ways; give fewer references.")
    return entry.energy_eV_atom - float(parts @ [one.energy_eV_atom for one in references])


def reaction(reactants: Sequence[HullEntry], products: Sequence[HullEntry]) -> Reaction:
    """Balance a reaction and give its energy, for one formula unit of the first reactant.

    Raises InvalidStructure when it cannot be balanced with every entry on its own side, or in several ways.
    """
    everyone = [*reactants, *products]
    one_level(everyone)
    elements = sorted({symbol for one in everyone for symbol in one.counts})
    table = np.array([[one.counts.get(s, 0) / one.formula_units for s in elements] for one in everyone]).T
    text = " → ".join(" + ".join(one.formula for one in side) for side in (reactants, products))
    own = table[:, 0]
    amounts, _, rank, _ = np.linalg.lstsq(table[:, 1:], own, rcond=None)
    signs = np.array([-1.0] * (len(reactants) - 1) + [1.0] * len(products))
    if np.abs(table[:, 1:] @ amounts - own).max() > UNBALANCED:
        raise InvalidStructure(f"{text} cannot be balanced; is a product missing?")
    if rank < len(everyone) - 1:
        raise InvalidStructure(f"{text} can be balanced in several ways; leave a phase out.")
    if (amounts * signs < -UNBALANCED).any():
        wrong = everyone[1 + int(np.argmin(amounts * signs))]
        raise InvalidStructure(f"{text} balances only with {wrong.formula} on the other side; write it there.")
    coefficients = [(everyone[0], -1.0), *zip(everyone[1:], amounts.tolist(), strict=True)]
    energy = sum(number * one.energy_eV / one.formula_units for one, number in coefficients)
    return Reaction(coefficients, float(energy))


def _fractions(counts: Mapping[str, int], elements: Sequence[str]) -> np.ndarray:
    atoms = np.array([counts.get(symbol, 0) for symbol in elements], dtype=float)
    return atoms / atoms.sum()
