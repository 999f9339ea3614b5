"""The hops of an ion through a crystal: which are different by symmetry, how they hang together, and from what barrier
on they lead through the whole crystal.

Sites are the nodes and hops the edges of a periodic graph; everything else (end states, bands, percolation) is asked
of that one network.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from ase import Atoms

from labkit.errors import InvalidStructure
from labkit.simulators.hops_end_states import end_states, repetition
from labkit.simulators.hops_pairs import name_hops, nearest, pairs_within, representatives
from labkit.simulators.hops_percolation import Barriers, Percolation, barrier_along, percolate
from labkit.simulators.hops_sites import complete_sites, void_sites
from labkit.simulators.hops_symmetry import classify, operations, reverse, site_symmetry
from labkit.structures import check, from_dict, to_dict
from labkit.structures.symmetry import SYMPREC_A

if TYPE_CHECKING:
    import networkx as nx

    from labkit.simulators.neb import Band


@dataclass(frozen=True)
class Edge:
    """A hop of the cell: from site `i` to site `j` in the cell `image`, of the class `hop` and in its direction."""

    i: int
    j: int
    image: tuple[int, int, int]
    distance_A: float
    hop: int


@dataclass(frozen=True)
class Hop:
    """A class of equivalent hops, told by one of them; `multiplicity` of them start or end in the cell.

    `symmetric`: an operation of the space group reverses it, so its barrier is the same in both directions.
    """

    index: int
    i: int
    j: int
    image: tuple[int, int, int]
    distance_A: float
    multiplicity: int
    name: str
    symmetric: bool


@dataclass(frozen=True, eq=False)
class HopNetwork:
    """Sites of a mobile ion (fractional, (n, 3)) and all hops between them; `orbits` numbers equivalent sites alike."""

    atoms: Atoms
    species: str
    kind: Literal["vacancy", "interstitial"]
    sites: np.ndarray
    orbits: tuple[int, ...]
    edges: list[Edge]
    hops: list[Hop]

    def graph(self) -> nx.MultiGraph:
        """The periodic migration graph: nodes are sites with their `position` (Å), edges carry `image` (from the lower
        to the higher site number), `distance_A` and `hop`.
        """
        import networkx as nx

        graph = nx.MultiGraph()
        positions = self.sites @ np.asarray(self.atoms.cell)
        graph.add_nodes_from((n, {"position": tuple(position)}) for n, position in enumerate(positions.tolist()))
        for edge in self.edges:
            triple = (edge.i, edge.j, edge.image)
            i, j, image = triple if edge.i <= edge.j else reverse(triple)
            graph.add_edge(i, j, image=image, distance_A=edge.distance_A, hop=edge.hop)
        return graph

    def end_states(
        self, hop: Hop | Edge | int, *, min_length_A: float = 8.0, repeat: Sequence[int] | None = None
    ) -> tuple[Atoms, Atoms]:
        """Return the structures before and after a hop, or one of its equivalents (an edge): same atoms, same order,
        one vacancy or one extra ion.

        The cell is the smallest repetition in which the moving ion is at least `min_length_A` (Å) from its own images,
        unless `repeat` says how often. The final structure is not wrapped: initial plus the way of one atom. Raises
        InvalidStructure for a repetition in which the hop is not the shortest way to its goal.
        """
        hop = self.hops[hop] if isinstance(hop, int) else hop
        name = hop.name if isinstance(hop, Hop) else self.hops[hop.hop].name
        return end_states(self, hop, name, min_length_A, repeat)

    def bands(
        self,
        hops: Iterable[Hop | int] | None = None,
        *,
        min_length_A: float = 8.0,
        repeat: Sequence[int] | None = None,
    ) -> list[Band]:
        """Return a nudged elastic band for each of `hops` (all of them by default), named after its hop.

        They share one cell, large enough for every hop of the network, so that a barrier does not depend on the others
        asked for; `repeat` as in `end_states`.
        """
        from labkit.simulators.neb import Band

        repeat = repetition(self, self.hops, min_length_A) if repeat is None else repeat
        chosen = [self.hops[hop] if isinstance(hop, int) else hop for hop in (self.hops if hops is None else hops)]
        ends = [self.end_states(hop, repeat=repeat) for hop in chosen]
        return [Band(initial=a, final=b, name=hop.name) for hop, (a, b) in zip(chosen, ends, strict=True)]

    def percolation(self, barriers_eV: Barriers) -> Percolation:
        """Return the lowest barriers at which the ion travels without end in one, two and three dimensions.

        `barriers_eV` holds for each hop a number, a pair (forward, backward) or a `MinimumEnergyPath`; the saddle of a
        hop lies at E_i + forward, and barriers count from the lowest site that can be reached. A hop that is left
        out, None, NaN or not converged is closed and told in `missing_hops`. Raises ValueError for a negative barrier
        or a wrong number of them.
        """
        return percolate(self, barriers_eV)

    def barrier_along(self, direction: Sequence[int], barriers_eV: Barriers) -> float:
        """Return the lowest barrier (eV, inf when never) at which the ion travels without end along a lattice
        direction [uvw] of the cell; barriers as in `percolation`.
        """
        return barrier_along(self, direction, barriers_eV)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form."""
        return {
            "atoms": to_dict(self.atoms),
            "species": self.species,
            "kind": self.kind,
            "sites": self.sites.tolist(),
            "orbits": list(self.orbits),
            "edges": [asdict(edge) for edge in self.edges],
            "hops": [asdict(hop) for hop in self.hops],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> HopNetwork:
        """Read the form that `to_dict` writes."""
        return cls(
            atoms=from_dict(data["atoms"]),
            species=data["species"],
            kind=data["kind"],
            sites=np.array(data["sites"]),
            orbits=tuple(data["orbits"]),
            edges=[Edge(**{**edge, "image": tuple(edge["image"])}) for edge in data["edges"]],
            hops=[Hop(**{**hop, "image": tuple(hop["image"])}) for hop in data["hops"]],
        )


def find_hops(
    atoms: Atoms,
    species: str = "Li",
    *,
    kind: Literal["vacancy", "interstitial"] = "vacancy",
    max_distance_A: float = 4.5,
    sites: Sequence[Sequence[float]] | np.ndarray | None = None,
    symprec_A: float = SYMPREC_A,
) -> HopNetwork:
    """Return the hops of `species` no longer than `max_distance_A` (Å), shortest first.

    ``kind="vacancy"``: between the sites that the ion occupies, one of them empty. ``kind="interstitial"``: of an
    extra ion between the voids of the crystal (`void_sites`), or between `sites` (fractional, (n, 3); equivalents are
    added). Hops that pass another site on their straight line are left out, for they are two hops. Equivalence is that
    of the space group of `atoms` at the tolerance `symprec_A` (Å). Raises InvalidStructure for a structure that is
    disordered, not periodic or without the ion, and when no hop is short enough.
    """
    atoms = check(atoms)
    if not atoms.pbc.all():
        raise InvalidStructure("Hops are searched in crystals, periodic in three directions; this structure is not.")
    if not 0 < max_distance_A <= 20:
        raise InvalidStructure(f"max_distance_A={max_distance_A} must be between 0 and 20 Å; hops have 2 to 6 Å.")
    positions = _positions(atoms, species, kind, sites, symprec_A)
    cell = np.asarray(atoms.cell)
    triples, lengths = pairs_within(positions, cell, max_distance_A)
    if not triples:
        raise InvalidStructure(
            f"No two {species} sites of {atoms.get_chemical_formula()} are within {max_distance_A:g} Å of each other; "
            f"the nearest are {nearest(positions, cell):.2f} Å apart. Raise max_distance_A."
        )
    symmetry = site_symmetry(positions, cell, *operations(atoms, symprec_A), tolerance_A=max(2 * symprec_A, 1e-4))
    classes, turned, symmetric = classify(triples, symmetry)
    shown, turned = representatives(classes, turned, positions, cell)
    names = name_hops(shown, positions, cell, species if kind == "vacancy" else "i")
    length = dict(zip(turned, lengths, strict=True))
    hops = [
        Hop(hop, *shown[hop], length[shown[hop]], classes.count(hop), names[hop], symmetric[hop])
        for hop in range(len(shown))
    ]
    edges = [Edge(*triple, length, hop) for triple, length, hop in zip(turned, lengths, classes, strict=True)]
    return HopNetwork(atoms, species, kind, positions, symmetry.orbits(), edges, hops)


def _positions(
    atoms: Atoms, species: str, kind: str, sites: Sequence[Sequence[float]] | np.ndarray | None, symprec_A: float
) -> np.ndarray:
    """The sites of the network, fractional (n, 3)."""
    if kind == "interstitial":
        if sites is None:
            return void_sites(atoms, species, symprec_A=symprec_A)
        return complete_sites(atoms, sites, symprec_A=symprec_A)
    if kind != "vacancy":
        raise InvalidStructure(f"kind={kind!r} is unknown; hops are of the kind 'vacancy' or 'interstitial'.")
    if sites is not None:
        raise InvalidStructure('A vacancy moves between occupied sites; for given sites take kind="interstitial".')
    occupied = np.flatnonzero(atoms.symbols == species)
    if not len(occupied):
        present = ", ".join(sorted(set(atoms.get_chemical_symbols())))
        raise InvalidStructure(
            f"{atoms.get_chemical_formula()} has no {species} that could hop; it consists of {present}. Name another "
            'species, or take kind="interstitial".'
        )
    return atoms.get_scaled_positions(wrap=False)[occupied]
