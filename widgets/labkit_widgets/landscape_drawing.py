"""The lines and points of a disconnectivity tree as arrays for a plot, whole or below an energy cut.

A tree is drawn as one walk along its branches, down and up again: a page draws one line of 40,000 points at once, but
10,000 lines of four points in seconds. The branches of a superbasin are then one piece of that walk.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from labkit.landscapes.disconnectivity import DisconnectivityTree
from labkit.landscapes.network import KineticNetwork

_GAP = np.full((1, 2), np.nan)


@dataclass(frozen=True, eq=False)
class Basins:
    """Superbasins below a cut, largest first: the top node of each, its size, and its lowest minimum."""

    tops: np.ndarray
    sizes: np.ndarray
    lowest: np.ndarray


class Drawing:
    """A tree laid out, energies in eV above the lowest minimum of the network (`origin_eV`, absolute).

    minima: (l,) numbers of the leaves' minima; x, energies_eV: (n_nodes,) of leaves, then joints; walk: (w, 2) the
    points of the line that draws the whole tree, with a gap (NaN) between components.
    """

    def __init__(self, tree: DisconnectivityTree) -> None:
        layout = tree.layout()
        self.tree, self.minima = tree, tree.minima
        self.origin_eV = float(tree.energies_eV[: tree.n_leaves].min())
        self.energies_eV = tree.energies_eV - self.origin_eV
        self.x = layout.x
        self._leaf = {int(minimum): leaf for leaf, minimum in enumerate(tree.minima)}
        self._branches = np.empty_like(layout.segments)
        self._branches[layout.nodes] = layout.segments
        self._branches[..., 1] -= self.origin_eV
        self.walk, self._enter, self._leave = self._walked()

    @classmethod
    def of(cls, network: KineticNetwork) -> Drawing:
        """The drawing of all components of a network; raises InvalidStructure when it has no minima."""
        return cls(DisconnectivityTree.of(network, component="all"))

    def span_eV(self) -> tuple[float, float]:
        """The lowest and the highest energy of a leaf or a joint."""
        return float(self.energies_eV.min()), float(self.energies_eV.max())

    def place(self, minimum: int) -> tuple[float, float] | None:
        """Where a minimum stands, None if it is no leaf of this tree."""
        leaf = self._leaf.get(int(minimum))
        return None if leaf is None else (float(self.x[leaf]), float(self.energies_eV[leaf]))

    def leaves(self, minima: np.ndarray) -> np.ndarray:
        """The leaves (k,) of these minima, from left to right."""
        at = np.flatnonzero(np.isin(self.minima, minima))
        return at[np.argsort(self.x[at])]

    def stems(self, leaves: np.ndarray) -> np.ndarray:
        """The line (p, 2) along the branches that carry these leaves alone, with gaps."""
        pieces = [np.concatenate([self._branches[leaf], _GAP]) for leaf in leaves]
        return np.concatenate(pieces) if pieces else np.zeros((0, 2))

    def basins(self, cut_eV: float) -> Basins:
        """The superbasins below a cut, eV above the lowest minimum."""
        parent = self.tree.parent
        inside = self.energies_eV <= cut_eV
        nodes = np.arange(len(parent))
        climbs = inside & (parent >= 0) & inside[parent]
        top = np.where(climbs, parent, nodes)
        while (top[top] != top).any():
            top = top[top]
        leaves = np.flatnonzero(inside[: len(self.minima)])
        tops, at, sizes = np.unique(top[leaves], return_inverse=True, return_counts=True)
        lowest = np.full(len(tops), -1)
        by_energy = np.lexsort((self.minima[leaves], self.energies_eV[leaves]))[::-1]
        lowest[at[by_energy]] = self.minima[leaves[by_energy]]  # the last one written stays: the first of the lowest
        order = np.lexsort((self.tree.lowest_eV[tops], -sizes))
        return Basins(tops[order], sizes[order], lowest[order])

    def top_of(self, minimum: int, cut_eV: float) -> int | None:
        """The top node of the superbasin of a minimum below a cut, None if the minimum lies above it."""
        node = self._leaf[int(minimum)]
        if self.energies_eV[node] > cut_eV:
            return None
        while (above := int(self.tree.parent[node])) >= 0 and self.energies_eV[above] <= cut_eV:
            node = above
        return node

    def below(self, top: int, cut_eV: float) -> np.ndarray:
        """The line (p, 2) of a superbasin: the branches below its top node, and the one above it up to the cut."""
        stem = self._branches[top]
        stem = np.stack([np.interp(np.minimum(stem[:, 1], cut_eV), stem[:, 1], stem[:, 0]), stem[:, 1]], axis=1)
        stem[:, 1] = np.minimum(stem[:, 1], cut_eV)
        return np.concatenate([stem[::-1], self.walk[self._enter[top] : self._leave[top]]])

    def way(self, minima: Sequence[int], barriers_eV: Sequence[float]) -> np.ndarray:
        """The line (p, 2) of a path through these minima: up to each barrier, across, and down again."""
        made: list[tuple[float, float]] = []
        for (a, b), top in zip(itertools.pairwise(minima), barriers_eV, strict=True):
            start, end = self.place(a), self.place(b)
            if start is not None and end is not None:
                made += [start, (start[0], top), (end[0], top), end]
        return np.array(made, dtype=float).reshape(-1, 2)

    def _walked(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The walk, and for each node the piece of it that draws what hangs below."""
        foot, bend = self._branches[:, 0].tolist(), self._branches[:, 1].tolist()
        children = [sorted(below, key=self.x.__getitem__, reverse=True) for below in self.tree.children]
        points: list[Sequence[float]] = []
        enter, leave = np.zeros(len(foot), dtype=int), np.zeros(len(foot), dtype=int)
        for root in sorted(self.tree.roots, key=self.x.__getitem__):
            head = self._branches[root, 2].tolist()
            points += [head, bend[root]]
            waiting = [(root, False)]
            while waiting:
                node, done = waiting.pop()
                if done:
                    leave[node] = len(points)
                    if node != root:
                        points += [bend[node], foot[self.tree.parent[node]]]
                    continue
                if node != root:
                    points.append(bend[node])
                enter[node] = len(points)
                points.append(foot[node])
                waiting.append((node, True))
                waiting += [(child, False) for child in children[node]]
            points.append([np.nan, np.nan])
        return np.array(points), enter, leave
