"""Where the minima of a growing network stand on the screen: places that stay, however much is found later.

A minimum is placed beside its neighbours when its first transition state is found, and never moves again by itself;
until then it waits in a tray. `arrange` places everything anew: when somebody asks for it, or opens a run.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import networkx as nx

Edge = tuple[int, int]

_ANGLES = np.linspace(0, 2 * np.pi, 24, endpoint=False)
_RADII = (0.8, 1.1, 1.6, 2.4)
_STRETCH, _CROSSING, _CORE = 3.0, 1.5, 0.05
_GAP = 1.4


class GraphLayout:
    """Places (x, y) of the connected minima, neighbours about 1 apart, and the slots of the others in the tray."""

    def __init__(self) -> None:
        self.places: dict[int, np.ndarray] = {}
        self.slots: dict[int, int] = {}

    def update(self, minima: Iterable[int], edges: Sequence[Edge]) -> None:
        """Place what is new and drop what is gone; everything else stays where it is.

        `edges` are pairs of minima; that of a minimum with itself brings it out of the tray, and no nearer to others.
        """
        known, connected, proper = sorted(minima), {end for edge in edges for end in edge}, _proper(edges)
        fresh = [one for one in known if one in connected and one not in self.places]
        if not self.places and len(fresh) > 2:
            self.arrange(known, edges)
            return
        wanted = set(known)
        self.places = {one: place for one, place in self.places.items() if one in wanted}
        self._fill_tray([one for one in known if one not in connected and one not in self.places])
        self._grow(fresh, proper)

    def arrange(self, minima: Iterable[int], edges: Sequence[Edge]) -> None:
        """Place everything anew: each component by its springs, the largest in the middle of the row."""
        import networkx as nx

        known, graph = sorted(minima), nx.Graph()
        graph.add_nodes_from({end for edge in edges for end in edge})
        graph.add_edges_from(_proper(edges))
        parts = [np.array(sorted(part)) for part in nx.connected_components(graph)]
        self.places, self.slots = {}, {}
        shelf = _Shelf()
        for part in sorted(parts, key=lambda one: (-len(one), one[0])):
            points = shelf.put(_springs(graph.subgraph(part.tolist()), part.tolist()))
            self.places.update(zip(part.tolist(), points, strict=True))
        self._fill_tray([one for one in known if one not in self.places])

    def box(self) -> tuple[np.ndarray, np.ndarray]:
        """Lower left and upper right corner of what is placed, at least one neighbour distance wide."""
        if not self.places:
            return np.array([-1.0, -1.0]), np.array([1.0, 1.0])
        points = np.array(list(self.places.values()))
        middle, half = (points.min(axis=0) + points.max(axis=0)) / 2, np.ptp(points, axis=0) / 2
        half = np.maximum(half, 0.75)
        return middle - half, middle + half

    def _fill_tray(self, waiting: list[int]) -> None:
        """Give new ones the lowest free slots."""
        self.slots = {one: self.slots[one] for one in waiting if one in self.slots}
        taken, free = set(self.slots.values()), 0
        for one in waiting:
            if one in self.slots:
                continue
            while free in taken:
                free += 1
            self.slots[one] = free
            taken.add(free)

    def _grow(self, fresh: list[int], edges: Sequence[Edge]) -> None:
        """Place the fresh ones, those with a neighbour that stands already before the others."""
        neighbours: dict[int, set[int]] = {one: set() for one in fresh}
        for i, j in edges:
            neighbours.setdefault(i, set()).add(j)
            neighbours.setdefault(j, set()).add(i)
        fresh = list(fresh)
        while fresh:
            anchored = [one for one in fresh if not self.places.keys().isdisjoint(neighbours[one])]
            one = anchored[0] if anchored else fresh[0]
            fresh.remove(one)
            near = np.array([self.places[other] for other in sorted(neighbours[one]) if other in self.places])
            drawn = [(self.places[i], self.places[j]) for i, j in edges if i in self.places and j in self.places]
            self.places[one] = self._place(near.reshape(-1, 2), np.array(drawn).reshape(-1, 2, 2))

    def _place(self, near: np.ndarray, drawn: np.ndarray) -> np.ndarray:
        """The best of some candidates: near its neighbours (k, 2), off the crowd, crossing few edges (m, 2, 2)."""
        if not self.places:
            return np.zeros(2)
        points = np.array(list(self.places.values()))
        rays = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=1)
        if not len(near):
            low, high = self.box()
            candidates = (low + high) / 2 + rays * ((high - low) / 2 + _GAP) * 1.15
            return candidates[int(np.argmin(_crowding(candidates, points)))]
        centre = near.mean(axis=0)
        candidates = np.concatenate([centre + radius * rays for radius in _RADII])
        cost = _crowding(candidates, points)
        for end in near:
            cost += _STRETCH * (np.linalg.norm(candidates - end, axis=1) - 1) ** 2
            cost += _CROSSING * _crossings(candidates, end, drawn)
        return candidates[int(np.argmin(cost))]


class _Shelf:
    """Puts one picture after the other in rows about as wide as a screen is."""

    def __init__(self) -> None:
        self._left = self._bottom = self._height = 0.0
        self._width = 0.0

    def put(self, points: np.ndarray) -> np.ndarray:
        """Move points (n, 2) to the next free room."""
        size = np.ptp(points, axis=0)
        self._width = self._width or max(float(size[0]), 2.5 * float(size[1]), 8.0)
        if self._left > 0 and self._left + size[0] > self._width:
            self._left, self._bottom, self._height = 0.0, self._bottom + self._height + _GAP, 0.0
        corner = np.array([self._left, -self._bottom - size[1]])
        self._left, self._height = self._left + float(size[0]) + _GAP, max(self._height, float(size[1]))
        return points - points.min(axis=0) + corner


def _springs(graph: nx.Graph, order: list[int]) -> np.ndarray:
    """Places (n, 2) of a connected graph, scaled so that half of its edges are longer than 1."""
    import networkx as nx

    if len(order) <= 2:
        return np.array([[0.0, 0.0], [1.0, 0.0]])[: len(order)]
    small = len(order) <= 60
    found = nx.kamada_kawai_layout(graph) if small else nx.spring_layout(graph, seed=0, iterations=60)
    points = np.array([found[one] for one in order])
    lengths = [float(np.linalg.norm(found[i] - found[j])) for i, j in graph.edges]
    points = points / max(float(np.median(lengths)), 1e-9)
    # The longer side lies along the screen's.
    return points[:, ::-1] if np.ptp(points[:, 1]) > np.ptp(points[:, 0]) else points


def _crowding(candidates: np.ndarray, points: np.ndarray) -> np.ndarray:
    """How near candidates (m, 2) are to the points (n, 2) that stand already, (m,)."""
    gaps = ((candidates[:, None] - points[None]) ** 2).sum(axis=-1)
    return (1 / (gaps + _CORE)).sum(axis=1)


def _crossings(candidates: np.ndarray, end: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """How many drawn edges (m, 2, 2) a line from each candidate (k, 2) to `end` would cross, (k,)."""
    if not len(drawn):
        return np.zeros(len(candidates))
    a, b = drawn[:, 0], drawn[:, 1]

    def side(p: np.ndarray, q: np.ndarray, r: np.ndarray) -> np.ndarray:
        return (q[..., 0] - p[..., 0]) * (r[..., 1] - p[..., 1]) - (q[..., 1] - p[..., 1]) * (r[..., 0] - p[..., 0])

    c = candidates[:, None]
    apart = (side(a, b, c) * side(a, b, end) < -1e-12) & (side(c, end, a) * side(c, end, b) < -1e-12)
    return apart.sum(axis=1).astype(float)


def _proper(edges: Iterable[Edge]) -> list[Edge]:
    return sorted({(min(i, j), max(i, j)) for i, j in edges if i != j})
