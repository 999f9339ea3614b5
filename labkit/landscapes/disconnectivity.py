"""A landscape as a tree: leaves are minima, branches meet at the lowest saddle that joins what hangs below them.

The tree is the minimum spanning tree of the network under the energies of its saddles, so one pass over the sorted
saddles with a union-find builds it: no levels, no flood fill (O. M. Becker and M. Karplus, J. Chem. Phys. 106, 1495
(1997), who introduced the graph with levels; `levels` gives that picture).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np

from labkit.errors import InvalidStructure
from labkit.landscapes.network import KineticNetwork

if TYPE_CHECKING:
    from labkit.landscapes.tree_layout import TreeLayout


@dataclass(frozen=True, eq=False)
class DisconnectivityTree:
    """Nodes: first the leaves, then the joints by rising energy.

    minima: (n_leaves,) number of the minimum at each leaf. energies_eV: (n_nodes,) absolute, of the minima and of the
    lowest passes. parent: (n_nodes,) node above, -1 at the top of each component. saddle: (n_nodes,) transition state
    that made a joint, -1 for leaves. name: of the network.
    """

    minima: np.ndarray
    energies_eV: np.ndarray
    parent: np.ndarray
    saddle: np.ndarray
    name: str = ""
    _leaf: dict[int, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_leaf", {int(index): leaf for leaf, index in enumerate(self.minima)})

    @classmethod
    def of(
        cls, network: KineticNetwork, *, component: Literal["global", "all"] | int = "global"
    ) -> DisconnectivityTree:
        """The tree of a network: of the component of its global minimum, of that of a given minimum, or of all.

        A saddle that is recorded below one of its own minima (numerical noise) joins at the height of the minimum.
        Raises InvalidStructure for a network without minima, ValueError for an unknown component.
        """
        lowest = network.global_minimum.index
        if component == "all":
            members: Iterable[int] = range(network.n_minima)
        elif component == "global" or (isinstance(component, (int, np.integer)) and 0 <= component < network.n_minima):
            wanted = lowest if component == "global" else component
            members = next(found for found in network.components() if wanted in found)
        else:
            raise ValueError(f"component={component!r}; choose 'global', 'all' or one of {network.n_minima} minima.")
        minima = np.array(sorted(members), dtype=int)
        heights = np.array([network.minima[index].energy_eV for index in minima])
        leaf = {int(index): place for place, index in enumerate(minima)}
        edges = []
        for point in network.transition_states:
            first, second = point.minima
            if first != second and first in leaf:
                a, b = leaf[first], leaf[second]
                edges.append((max(point.energy_eV, heights[a], heights[b]), point.index, a, b))
        return cls(minima, *_joined(heights, sorted(edges)), name=network.name)

    @property
    def n_leaves(self) -> int:
        """How many minima the tree has."""
        return len(self.minima)

    @property
    def roots(self) -> list[int]:
        """The topmost node of each component, the lowest in energy of its minimum first."""
        tops = np.flatnonzero(self.parent < 0)
        return sorted((int(node) for node in tops), key=lambda node: (self.lowest_eV[node], node))

    @cached_property
    def children(self) -> list[list[int]]:
        """The nodes below each node, empty for leaves."""
        below: list[list[int]] = [[] for _ in self.parent]
        for node, above in enumerate(self.parent.tolist()):
            if above >= 0:
                below[above].append(node)
        return below

    @cached_property
    def lowest_eV(self) -> np.ndarray:
        """(n_nodes,) energy of the lowest minimum at or below each node."""
        lowest = np.where(np.arange(len(self.parent)) < self.n_leaves, self.energies_eV, np.inf)
        for node, above in enumerate(self.parent.tolist()):
            if above >= 0:  # parents come after their children
                lowest[above] = min(lowest[above], lowest[node])
        return lowest

    def minima_below(self, node: int) -> set[int]:
        """The minima that hang below a node."""
        found, waiting = set(), [node]
        while waiting:
            one = waiting.pop()
            if one < self.n_leaves:
                found.add(int(self.minima[one]))
            waiting.extend(self.children[one])
        return found

    def superbasins(self, energy_eV: float) -> list[set[int]]:
        """Sets of minima that can reach each other at or below `energy_eV` (absolute), lowest first.

        Minima above that energy belong to none.
        """
        inside = self.energies_eV <= energy_eV
        above = np.where(self.parent >= 0, self.energies_eV[self.parent], np.inf)
        tops = np.flatnonzero(inside & (above > energy_eV))
        return [self.minima_below(int(node)) for node in tops[np.argsort(self.lowest_eV[tops], kind="stable")]]

    def lowest_pass_eV(self, first: int, second: int) -> float:
        """Energy (eV, absolute) up to which every path between two minima must climb; inf when none joins them."""
        a, b = self._node(first), self._node(second)
        while a != b:
            # The lower number lies deeper: it is the one that climbs.
            a, b = min(a, b), max(a, b)
            a = int(self.parent[a])
            if a < 0:
                return np.inf
        return float(self.energies_eV[a])

    def levels(self, n: int) -> DisconnectivityTree:
        """The tree with its joints raised to the next of `n` equidistant levels: the classic disconnectivity graph.

        The levels hang from the highest joint, ΔE = (highest joint - lowest minimum) / n apart; branches that meet
        between two levels meet in one node.
        """
        if n < 1:
            raise ValueError(f"{n} levels; a tree needs at least 1.")
        joints = self.energies_eV[self.n_leaves :]
        if not len(joints):
            return self
        top, bottom = joints.max(), self.energies_eV[: self.n_leaves].min()
        step = (top - bottom) / n or 1.0
        raised = self.energies_eV.copy()
        # Round-off must not lift a joint that lies on a level to the next one.
        raised[self.n_leaves :] = top - step * np.floor((top - joints) / step + 1e-9)
        edges = []
        for node, below in enumerate(self.children):  # by rising energy, raised or not
            leaves = [self._any_leaf(one) for one in below]
            edges += [(raised[node], int(self.saddle[node]), leaves[0], other) for other in leaves[1:]]
        return type(self)(self.minima, *_joined(raised[: self.n_leaves], edges), name=self.name)

    def layout(self, order: Literal["centre", "energy"] = "centre") -> TreeLayout:
        """Where to draw it; see `labkit.landscapes.tree_layout`."""
        from labkit.landscapes.tree_layout import layout

        return layout(self, order)

    @cached_property
    def _some_leaf(self) -> np.ndarray:
        some = np.where(np.arange(len(self.parent)) < self.n_leaves, np.arange(len(self.parent)), -1)
        for node, above in enumerate(self.parent.tolist()):
            if above >= 0 and some[above] < 0:
                some[above] = some[node]
        return some

    def _any_leaf(self, node: int) -> int:
        return int(self._some_leaf[node])

    def _node(self, minimum: int) -> int:
        if int(minimum) not in self._leaf:
            raise InvalidStructure(f"minimum {minimum} is not in this tree; was it made with component='all'?")
        return self._leaf[int(minimum)]


def _joined(heights: np.ndarray, edges: list[tuple[float, int, int, int]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Energies, parents and saddles of all nodes, from the leaves and the sorted (energy, saddle, leaf, leaf)."""
    above = list(range(len(heights)))  # union-find over nodes

    def top(node: int) -> int:
        while above[node] != node:
            above[node] = above[above[node]]
            node = above[node]
        return node

    energy: list[float] = heights.tolist()
    saddle = [-1] * len(energy)
    below: list[list[int]] = [[] for _ in energy]
    for level, number, first, second in edges:
        a, b = top(first), top(second)
        if a == b:
            continue
        # Branches that meet at the same energy meet in one node.
        same = [node for node in (a, b) if below[node] and energy[node] == level]
        if not same:
            energy.append(float(level))
            saddle.append(number)
            below.append([a, b])
            above.append(len(energy) - 1)
            above[a] = above[b] = len(energy) - 1
            continue
        into = max(same, key=lambda node: len(below[node]))
        other = b if into == a else a
        below[into] += below[other] if other in same else [other]
        if other in same:
            below[other] = []
        above[other] = into
    alive = [node for node in range(len(energy)) if node < len(heights) or below[node]]
    place = {node: new for new, node in enumerate(alive)}
    parent = np.full(len(alive), -1)
    for node in alive:
        for one in below[node]:
            parent[place[one]] = place[node]
    return np.array([energy[node] for node in alive]), parent, np.array([saddle[node] for node in alive], dtype=int)
