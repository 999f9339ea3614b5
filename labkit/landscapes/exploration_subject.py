"""What is explored: a molecule whose bonds stay, or a cluster whose atoms are free, and how its structures are moved.

The one idea: a molecule lives in its dihedral angles and a cluster in all of space, so the bond graph alone decides
which moves, which starts and which comparison fit; every move draws from a generator of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import networkx as nx
import numpy as np
from ase import Atoms
from scipy.spatial.distance import pdist, squareform
from scipy.spatial.transform import Rotation

from labkit.landscapes.alignment import Comparison
from labkit.landscapes.bonded_classes import bond_graph

#: Elements whose molecules keep their bonds; a cluster of one element alone, or of any other one, is free.
COVALENT = frozenset(["H", "B", "C", "N", "O", "F", "Si", "P", "S", "Cl", "Br", "I"])
#: Parts further from each other than this many nearest-neighbour distances have left.
APART = 3.0
#: A move that brings two atoms nearer to each other than this part of the shortest distance is drawn again.
CRUSHED, DRAWS = 0.7, 30
#: Free atoms are thrown into a sphere of this volume, in cubed nearest-neighbour distances an atom.
VOLUME = 1.3


@dataclass(frozen=True)
class Subject:
    """A molecule (with a bond `graph`) or a cluster (without).

    atoms: the structure given. rotors: (a, b, turning) bonds about which the atoms `turning` can be turned. nearest_A:
    the longest, shortest_A the shortest distance from an atom to its nearest one.
    """

    atoms: Atoms
    graph: nx.Graph | None
    rotors: tuple[tuple[int, int, tuple[int, ...]], ...]
    nearest_A: float
    shortest_A: float

    @classmethod
    def of(cls, atoms: Atoms, *, keep_bonds: bool | None = None) -> Subject:
        """What `atoms` are; keep_bonds None: kept when all elements are covalent ones and not all the same."""
        symbols = set(atoms.symbols)
        if keep_bonds is None:
            keep_bonds = symbols <= COVALENT and len(symbols) > 1
        graph = connectivity(atoms.get_chemical_symbols(), atoms.positions) if keep_bonds else None
        return cls(atoms, graph, _rotors(graph), *_gaps(atoms.positions))

    def scaled_to(self, positions: np.ndarray) -> Subject:
        """The same subject with the lengths of another geometry (n, 3): the potential's own, where it is at rest."""
        nearest, shortest = _gaps(positions)
        return replace(self, nearest_A=nearest, shortest_A=shortest)

    def comparison(self, *, inversion: bool) -> Comparison:
        """What counts as the same structure."""
        classes = "elements" if self.graph is None else "bonded"
        return Comparison(self.atoms.get_chemical_symbols(), classes, inversion=inversion)

    def fault(self, positions: np.ndarray) -> str:
        """Why a structure is no longer the one explored: it fell apart, or has other bonds; empty if it is."""
        if parted := self.parted(positions):
            return parted
        if self.graph is None:
            return ""
        graph = connectivity(self.atoms.get_chemical_symbols(), positions)
        same = nx.is_isomorphic(self.graph, graph, node_match=lambda one, other: one["symbol"] == other["symbol"])
        return "" if same else "its bonds changed"

    def parted(self, positions: np.ndarray) -> str:
        """Into how many parts a structure fell, in words; empty if it is whole. A saddle may be between two bonds, but
        not between two molecules that left each other.
        """
        gaps = squareform(pdist(positions))
        parts = nx.number_connected_components(nx.from_numpy_array(gaps < APART * self.nearest_A))
        return f"it fell into {parts} parts" if parts > 1 else ""

    def same_bonds(self, permutation: np.ndarray) -> bool:
        """Whether renaming the atoms by `permutation` leaves every bond where it was."""
        if self.graph is None:
            return True
        return all(self.graph.has_edge(int(permutation[a]), int(permutation[b])) for a, b in self.graph.edges)

    def turned(self, positions: np.ndarray, rng: np.random.Generator, bonds: int, degrees: float) -> np.ndarray:
        """`positions` with at most `bonds` random dihedral angles turned by up to `degrees` either way."""
        count = min(bonds, len(self.rotors))
        if not count:
            return positions
        for place in rng.choice(len(self.rotors), int(rng.integers(1, count + 1)), replace=False):
            a, b, turning = self.rotors[place]
            axis = positions[b] - positions[a]
            angle = np.radians(rng.uniform(-degrees, degrees))
            spin = Rotation.from_rotvec(angle * axis / np.linalg.norm(axis))
            positions = positions.copy()
            positions[list(turning)] = spin.apply(positions[list(turning)] - positions[b]) + positions[b]
        return positions

    def moved(
        self, positions: np.ndarray, rng: np.random.Generator, *, bonds: int, degrees: float, step_A: float
    ) -> np.ndarray:
        """One basin-hopping move: dihedral angles, then every atom by up to `step_A` in each direction; the last draw
        stays when all of them crush two atoms.
        """
        for _ in range(DRAWS):
            trial = self.turned(positions, rng, bonds, degrees)
            trial = trial + rng.uniform(-step_A, step_A, positions.shape)
            if pdist(trial).min() > CRUSHED * self.shortest_A:
                break
        return trial

    def random(self, rng: np.random.Generator) -> np.ndarray:
        """A start that remembers nothing: all dihedral angles random, or all atoms thrown into a sphere."""
        if self.graph is not None:
            return self.moved(self.atoms.positions, rng, bonds=len(self.rotors), degrees=180.0, step_A=0.1)
        n, radius = len(self.atoms), self.nearest_A * (3 * VOLUME * len(self.atoms) / (4 * np.pi)) ** (1 / 3)
        placed = np.zeros((0, 3))
        shortest, tries = CRUSHED * self.shortest_A, 0
        while len(placed) < n:
            direction = rng.normal(size=3)
            one = radius * rng.uniform() ** (1 / 3) * direction / np.linalg.norm(direction)
            tries += 1
            if not len(placed) or np.linalg.norm(placed - one, axis=1).min() > shortest:
                placed = np.vstack([placed, one])
            elif tries > 200 * n:
                radius, tries = 1.1 * radius, 0
        return placed

    def step_A(self) -> float:
        """A Cartesian step that fits: large in a free cluster, small where dihedral angles do the work."""
        if self.graph is None:
            return 0.4 * self.nearest_A
        return 0.05 if self.rotors else 0.3


def _gaps(positions: np.ndarray) -> tuple[float, float]:
    """The longest and the shortest distance (Å) from an atom to its nearest one."""
    nearest = (squareform(pdist(positions)) + np.diag(np.full(len(positions), np.inf))).min(axis=1)
    return float(nearest.max()), float(nearest.min())


def connectivity(symbols: list[str], positions: np.ndarray) -> nx.Graph:
    """The bond graph; nodes carry their `symbol`. Raises ModuleNotFoundError without RDKit."""
    molecule = bond_graph(symbols, positions)
    graph = nx.Graph()
    graph.add_nodes_from((index, {"symbol": symbol}) for index, symbol in enumerate(symbols))
    graph.add_edges_from((bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()) for bond in molecule.GetBonds())
    return graph


def _rotors(graph: nx.Graph | None) -> tuple[tuple[int, int, tuple[int, ...]], ...]:
    """Bonds that are in no ring and end at no single atom; the smaller side turns."""
    found = []
    for a, b in sorted(tuple(sorted(edge)) for edge in nx.bridges(graph)) if graph is not None else ():
        if min(graph.degree(a), graph.degree(b)) < 2:
            continue
        cut = graph.copy()
        cut.remove_edge(a, b)
        sides = [(b, nx.node_connected_component(cut, b)), (a, nx.node_connected_component(cut, a))]
        root, turning = min(sides, key=lambda side: len(side[1]))
        found.append((a, b, tuple(sorted(turning - {root}))))
    return tuple(found)
