"""Stability against an element that may come and go: at which voltages an electrolyte survives, and what becomes of it.

The one idea: next to an electrode the chemical potential of lithium is given, not its amount, so the grand potential
E - μ N replaces the energy and the hull is drawn between the other elements (pymatgen's GrandPotentialPhaseDiagram);
between two critical voltages its products are the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from ase.formula import Formula

from labkit.errors import InvalidStructure
from labkit.phase_diagrams.hull import NOTHING, SAME_EV_ATOM, Hull
from labkit.phase_diagrams.hull_entry import HullEntry, MixturePart, mixture, mixture_parts, one_level

if TYPE_CHECKING:
    import pandas as pd

#: Voltages (V) that differ by less are one; a range has no end beyond the last critical voltage.
SAME_V, BEYOND_V = 1e-6, 1.0


@dataclass(frozen=True)
class WindowStep:
    """Between `low_V` and `high_V` the same products are stable (high_V is infinite for the last range).

    products: amounts are for one formula unit of the electrolyte, fractions for each of its atoms; with ions taken up
    or given off these do not add up to 1. ions: taken up for each formula unit, negative when given off.
    """

    low_V: float
    high_V: float
    products: tuple[MixturePart, ...]
    ions: float
    survives: bool

    @property
    def text(self) -> str:
        """The products: "Li2S + 0.5 P2S5"."""
        return mixture(self.products)


@dataclass(frozen=True)
class StabilityWindow:
    """What a material is at each voltage against the metal of the ion; steps from low to high voltages.

    above_hull_eV_atom: its distance to the hull of all phases when it is closed to the ion. See `stability_window`.
    """

    entry: HullEntry
    ion: str
    valence: int
    metal_eV: float
    above_hull_eV_atom: float
    steps: tuple[WindowStep, ...]

    @property
    def stable_V(self) -> tuple[float, float] | None:
        """The voltages between which nothing happens to it; None when there are none."""
        kept = [one for one in self.steps if one.survives]
        return (kept[0].low_V, kept[-1].high_V) if kept else None

    @property
    def reduction(self) -> WindowStep | None:
        """The first decomposition below the window."""
        return self._beside(-1)

    @property
    def oxidation(self) -> WindowStep | None:
        """The first decomposition above the window."""
        return self._beside(1)

    def at(self, voltage_V: float) -> WindowStep:
        """The step at a voltage (V, from 0)."""
        if not voltage_V >= 0:
            raise ValueError(f"{voltage_V} V is below the metal of {self.ion}, which would be plated; ask from 0 V on.")
        return next(one for one in reversed(self.steps) if voltage_V >= one.low_V)

    def driving_eV_atom(self, voltage_V: float) -> float:
        """Change of the grand potential by the decomposition at a voltage, for each atom of the material (eV): 0 where
        it survives, negative where it decomposes.
        """
        step = self.at(voltage_V)
        mu = self.metal_eV - self.valence * voltage_V
        products = sum(one.amount * one.entry.energy_eV / one.entry.formula_units for one in step.products)
        energy = products - self.entry.energy_eV / self.entry.formula_units - step.ions * mu
        return float(energy * self.entry.formula_units / len(self.entry.atoms))

    def table(self) -> pd.DataFrame:
        """One row for each range: low_V, high_V, ions (for one formula unit), survives, products."""
        import pandas as pd

        rows = [
            {"low_V": s.low_V, "high_V": s.high_V, "ions": s.ions, "survives": s.survives, "products": s.text}
            for s in self.steps
        ]
        return pd.DataFrame(rows)

    def _beside(self, side: int) -> WindowStep | None:
        kept = [index for index, one in enumerate(self.steps) if one.survives]
        place = (kept[-1] if side > 0 else kept[0]) + side if kept else -1
        return self.steps[place] if 0 <= place < len(self.steps) else None


def stability_window(hull: Hull, entry: HullEntry, ion: str = "Li", *, valence: int = 1) -> StabilityWindow:
    """Ranges of voltage against the metal of `ion`, and what `entry` becomes in each.

    μ = μ_metal - z e V; at each μ the mixture of phases with the lowest E - μ N_ion is sought at the composition
    without the ion (Zhu, He, Mo, ACS Appl. Mater. Interfaces 7, 23685 (2015), doi 10.1021/acsami.5b07517). Phases that
    are not in the hull cannot compete, so with more of them a window can only become narrower. hull: with the ion as
    one of its corners. Raises InvalidStructure when it is not, when the entry is nothing but the ion, or when it lies
    below the hull, which then lacks it; ValueError for a charge below 1.
    """
    if not valence >= 1:
        raise ValueError(f"the charge of the ion is {valence} e; it has to be at least 1.")
    if ion not in hull.corners:
        raise InvalidStructure(
            f"the hull between {', '.join(hull.corners)} has no corner {ion}; make one with {ion} as a corner."
        )
    one_level([*hull.entries[:1], entry])
    place = hull.corners.index(ion)
    fractions = hull.coordinates(entry.counts, entry.name)
    if fractions[place] > 1 - NOTHING:
        raise InvalidStructure(f"{entry.name} is nothing but {ion}; ask for a material next to it.")
    distance = hull.above_eV_atom(entry)
    if distance < -SAME_EV_ATOM:
        raise InvalidStructure(
            f"{entry.name} lies {-1000 * distance:.1f} meV/atom below the hull, which does not hold it; make the hull "
            "with it among the entries."
        )
    metal = float(hull.corner_energies[place])
    mus = [float(mu) for mu in hull.diagram.get_transition_chempots(hull.species[place])]
    voltages = np.sort([0.0, *(max((metal - mu) / valence, 0.0) for mu in mus)])
    critical = voltages[np.r_[True, np.diff(voltages) > SAME_V]].tolist()
    merged: list[WindowStep] = []
    for low, high in zip(critical, [*critical[1:], np.inf], strict=True):
        middle = (low + high) / 2 if np.isfinite(high) else low + BEYOND_V
        parts = _products(hull, entry, fractions, place, metal - valence * middle)
        ions = sum(one.amount * _ions(one.entry, ion) for one in parts) - _ions(entry, ion)
        same = len(parts) == 1 and _is(parts[0].entry, entry)
        one = WindowStep(low, high, tuple(parts), ions, same)
        if merged and _same(merged[-1], one):
            one = WindowStep(merged.pop().low_V, high, tuple(parts), ions, same)
        merged.append(one)
    above = 0.0 if distance < SAME_EV_ATOM else distance
    return StabilityWindow(entry, ion, valence, metal, above, tuple(merged))


def _products(hull: Hull, entry: HullEntry, fractions: np.ndarray, place: int, mu: float) -> list[MixturePart]:
    """The mixture with the lowest grand potential, in formula units for one of `entry`; atoms other than the ion's are
    conserved.
    """
    from pymatgen.analysis.phase_diagram import GrandPotentialPhaseDiagram
    from pymatgen.core import Composition

    kept = [index for index in range(len(hull.corners)) if index != place]
    diagram = GrandPotentialPhaseDiagram(hull.pd_entries, {hull.species[place]: mu})
    rest = Composition({hull.species[index]: float(fractions[index]) for index in kept if fractions[index] > 0})
    found = diagram.get_decomposition(rest)
    # Shares are of the atoms that are not the ion's; each phase has its own number of those.
    amounts: dict[HullEntry, float] = {}
    for pd_entry, share in found.items():
        index = pd_entry.original_entry.attribute
        if share > NOTHING:
            amounts[hull.entries[index]] = float(share) / (1 - hull.fractions[index][place])
    total = 1 - fractions[place]
    return mixture_parts({one: part * total for one, part in amounts.items()}, entry.counts)


def _ions(entry: HullEntry, ion: str) -> float:
    return entry.counts.get(ion, 0) / entry.formula_units


def _is(one: HullEntry, other: HullEntry) -> bool:
    """Whether two entries are the same material: one object, or the same formula at the same energy."""
    same = abs(one.energy_eV_atom - other.energy_eV_atom) < SAME_EV_ATOM
    return one is other or (Formula(one.formula) == Formula(other.formula) and same)


def _same(one: WindowStep, other: WindowStep) -> bool:
    def parts(step: WindowStep) -> dict[Any, float]:
        return {part.entry: part.amount for part in step.products}

    a, b = parts(one), parts(other)
    return a.keys() == b.keys() and all(abs(a[key] - b[key]) < 10 * NOTHING for key in a)
