"""The convex hull of energies at 0 K: which crystals are stable, and into what the others decompose.

The one idea: a composition is a point in the simplex of the corners (the elements, or compounds such as Li2S and P2S5),
and what lies above the lowest surface over that simplex can gain energy by decomposing into the corners of the facet
below it. pymatgen's PhaseDiagram makes the surface; every entry keeps its structure.
"""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from ase import Atoms
from ase.formula import Formula

from labkit.errors import InvalidStructure
from labkit.phase_diagrams.hull_entry import HullEntry, MixturePart, mixture, mixture_parts, one_level

if TYPE_CHECKING:
    import pandas as pd

#: Energies (eV/atom) that differ by less are equal, and parts of a mixture smaller than this are not there.
SAME_EV_ATOM, NOTHING = 1e-7, 1e-6
#: How far (parts of an atom) a composition may be from a mixture of the corners, and what is rounding only.
OFF_SIMPLEX, ROUNDING = 1e-6, 1e-12


class Hull:
    """The lower convex hull of entries, all of one level of theory; see `convex_hull`."""

    def __init__(self, entries: Sequence[HullEntry], corners: Sequence[str] | None = None) -> None:
        from pymatgen.analysis.phase_diagram import PDEntry, PhaseDiagram

        self.entries = tuple(entries)
        self.level_of_theory = one_level(self.entries)
        self.elements = tuple(Formula("".join(sorted({s for one in self.entries for s in one.counts}))).count())
        self.corners = tuple(corners) if corners else self.elements
        self.corner_atoms = [Formula(corner).count() for corner in self.corners]
        self.elements = tuple(dict.fromkeys([*(s for one in self.corner_atoms for s in one), *self.elements]))
        self.species = self._species()
        self.fractions = np.array([self.coordinates(one.counts, one.name) for one in self.entries])
        self._require_corners()
        self.pd_entries = [
            PDEntry(self._composition(row * len(one.atoms)), one.energy_eV, attribute=index)
            for index, (row, one) in enumerate(zip(self.fractions, self.entries, strict=True))
        ]
        self.diagram = PhaseDiagram(self.pd_entries, elements=self.species)

    def coordinates(self, counts: Mapping[str, float], name: str = "it") -> np.ndarray:
        """Fractions (corners,) of atoms that the corners hold in a composition; they add up to 1.

        Raises InvalidStructure for a composition that is not a mixture of the corners.
        """
        total = float(sum(counts.values()))
        if not total > 0:
            raise InvalidStructure(f"{name} holds no atoms; name a composition such as 'Li3PS4'.")
        strangers = [symbol for symbol in counts if symbol not in self.elements]
        shares = np.zeros(len(self.corners))
        residue = 1.0
        if not strangers:
            rows = np.array([[c.get(s, 0) / sum(c.values()) for s in self.elements] for c in self.corner_atoms])
            wanted = np.array([counts.get(symbol, 0) / total for symbol in self.elements])
            shares = np.linalg.lstsq(rows.T, wanted, rcond=None)[0]
            residue = float(np.abs(rows.T @ shares - wanted).max())
        if residue > OFF_SIMPLEX or shares.min() < -OFF_SIMPLEX:
            raise InvalidStructure(
                f"{name} is no mixture of {', '.join(self.corners)}; leave it out, or take other corners."
            )
        shares[shares < ROUNDING] = 0.0
        return shares / shares.sum()

    @property
    def stable(self) -> tuple[HullEntry, ...]:
        """The entries on the hull, in their order."""
        return tuple(self.entries[index] for index in sorted(self._stable))

    @property
    def facets(self) -> np.ndarray:
        """Numbers (f, corners) of the entries that span each facet of the hull."""
        own = [[one.attribute for one in row] for row in self._facet_entries()]
        return np.array(own, dtype=int)

    def energy_eV_atom(self, composition: str | Atoms | Mapping[str, float]) -> float:
        """Energy of the stable mixture at a composition (eV/atom)."""
        counts = _counts(composition)
        return float(self.diagram.get_hull_energy_per_atom(self._composition(self.coordinates(counts, str(counts)))))

    def above_eV_atom(self, entry: HullEntry) -> float:
        """Energy of `entry`, of this hull or new, above the hull (eV/atom); negative for a new one that lies below."""
        one_level([*self.entries[:1], entry])
        return entry.energy_eV_atom - self.energy_eV_atom(entry.atoms)

    def decomposition(self, composition: str | Atoms | Mapping[str, float] | HullEntry) -> list[MixturePart]:
        """The stable mixture at a composition, largest part first; a stable entry decomposes into itself."""
        counts = composition.counts if isinstance(composition, HullEntry) else _counts(composition)
        found = self.diagram.get_decomposition(self._composition(self.coordinates(counts, str(counts))))
        parts = {self.entries[one.attribute]: float(share) for one, share in found.items() if share > NOTHING}
        return mixture_parts(parts, counts)

    def formation_eV_atom(self, entry: HullEntry) -> float:
        """Energy of formation from the lowest entries at the corners (eV/atom)."""
        return entry.energy_eV_atom - float(self.coordinates(entry.counts, entry.name) @ self.corner_energies)

    @cached_property
    def corner_energies(self) -> np.ndarray:
        """Energy of the lowest entry at each corner (eV/atom)."""
        return np.array([self.diagram.el_refs[species].energy_per_atom for species in self.species])

    def table(self) -> pd.DataFrame:
        """One row for each entry, in their order: name, formula, atoms, energy_eV_atom, formation_eV_atom,
        above_hull_eV_atom, stable, decomposition, and x_<corner> (fraction of atoms) for each corner.
        """
        import pandas as pd

        rows = []
        for index, one in enumerate(self.entries):
            above = max(self.above_eV_atom(one), 0.0)
            row = {
                "name": one.name,
                "formula": one.formula,
                "atoms": len(one.atoms),
                "energy_eV_atom": one.energy_eV_atom,
                "formation_eV_atom": self.formation_eV_atom(one),
                "above_hull_eV_atom": 0.0 if above < SAME_EV_ATOM else above,
                "stable": index in self._stable,
                "decomposition": mixture(self.decomposition(one)),
            }
            rows.append(row | {f"x_{c}": x for c, x in zip(self.corners, self.fractions[index], strict=True)})
        return pd.DataFrame(rows)

    @cached_property
    def _stable(self) -> frozenset[int]:
        return frozenset(one.attribute for one in self.diagram.stable_entries)

    def _facet_entries(self) -> list[list[Any]]:
        if len(self.corners) == 1:
            return [[min(self.pd_entries, key=lambda one: one.energy_per_atom)]]
        return [[self.diagram.qhull_entries[i] for i in facet] for facet in self.diagram.facets]

    def _species(self) -> list[Any]:
        """What stands for each corner in pymatgen: the element itself, or a made-up one for a compound."""
        from pymatgen.core import DummySpecies, Element

        made_up = (f"X{letter}" for letter in string.ascii_lowercase if letter != "e")  # Xe is xenon
        return [
            Element(next(iter(atoms))) if len(atoms) == 1 else DummySpecies(next(made_up), 0)
            for atoms in self.corner_atoms
        ]

    def _composition(self, amounts: np.ndarray) -> Any:
        from pymatgen.core import Composition

        return Composition(dict(zip(self.species, amounts.tolist(), strict=True)))

    def _require_corners(self) -> None:
        missing = [c for c, column in zip(self.corners, self.fractions.T, strict=True) if column.max() < 1 - 1e-9]
        if missing:
            raise InvalidStructure(
                f"a hull between {', '.join(self.corners)} needs an entry for {', '.join(missing)}: add it, or name "
                "the compounds that you have as corners, such as corners=['Li2S', 'P2S5']."
            )


def convex_hull(entries: Sequence[HullEntry], corners: Sequence[str] | None = None) -> Hull:
    """The convex hull at 0 K of entries of one level of theory.

    corners: formulas of what compositions are mixtures of; the elements unless given. Each needs an entry. Raises
    ValueError for energies of different levels of theory, InvalidStructure for entries outside of the corners.
    """
    return Hull(entries, corners)


def _counts(composition: str | Atoms | Mapping[str, float]) -> dict[str, float]:
    if isinstance(composition, Atoms):
        composition = composition.get_chemical_formula()
    if isinstance(composition, str):
        return dict(Formula(composition).count())
    return dict(composition)
