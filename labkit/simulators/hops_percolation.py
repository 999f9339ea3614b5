"""The barrier at which an ion can leave its cell for ever: percolation of a migration graph in one, two, three
dimensions.

Edges are added from the lowest saddle up. A weighted union-find remembers for each site the lattice translation to the
root of its component; an edge that closes a ring then says by which translation the ring misses its start, and the
rank of those translations is the dimension of the motion. That is exact: no paths are searched, no supercell is built.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import gcd, inf, isfinite, isinf, isnan
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from labkit.simulators.hops import HopNetwork

Vector = tuple[int, int, int]
#: A number, (forward, backward), or a path that knows both; None and NaN for a hop of unknown barrier.
Barrier = Any
Barriers = Mapping[int, Barrier] | Sequence[Barrier]
#: A barrier may be below zero by so much without being a mistake.
ROUNDING_EV = 1e-3


@dataclass(frozen=True)
class Percolation:
    """Lowest barriers (eV, inf when never) at which the ion travels without end in one, two and three dimensions.

    `directions` are, for each of the three, shortest lattice vectors of the cell that span the motion; `limiting_hops`
    the hop that decides each barrier, or None; `missing_hops` those without a barrier, which were closed: with any of
    them the barriers are upper bounds.
    """

    barrier_1d_eV: float
    barrier_2d_eV: float
    barrier_3d_eV: float
    directions: tuple[tuple[Vector, ...], ...]
    limiting_hops: tuple[int | None, int | None, int | None]
    missing_hops: tuple[int, ...] = ()

    @property
    def barriers_eV(self) -> tuple[float, float, float]:
        """The three barriers, one dimension first."""
        return self.barrier_1d_eV, self.barrier_2d_eV, self.barrier_3d_eV

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form; a barrier that is never reached is None."""
        return {
            "barriers_eV": [value if isfinite(value) else None for value in self.barriers_eV],
            "directions": [[list(vector) for vector in vectors] for vectors in self.directions],
            "limiting_hops": list(self.limiting_hops),
            "missing_hops": list(self.missing_hops),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Percolation:
        """Read the form that `to_dict` writes."""
        return cls(
            *(inf if value is None else float(value) for value in data["barriers_eV"]),
            directions=tuple(tuple(tuple(vector) for vector in vectors) for vectors in data["directions"]),
            limiting_hops=tuple(data["limiting_hops"]),
            missing_hops=tuple(data["missing_hops"]),
        )


def percolate(network: HopNetwork, barriers_eV: Barriers) -> Percolation:
    """Return the three percolation barriers of `network` for the barriers of its hops; see `HopNetwork.percolation`."""
    found: list[tuple[float, tuple[Vector, ...], int | None]] = []
    for barrier, hop, basis in _growing(network, barriers_eV):
        ranks = range(len(found) + 1, len(basis) + 1)
        found += [(barrier, _short(basis[:rank], np.asarray(network.atoms.cell)), hop) for rank in ranks]
        if len(found) == 3:
            break
    found += [(inf, (), None)] * (3 - len(found))
    known = _pairs(network, barriers_eV)
    return Percolation(
        *(barrier for barrier, _, _ in found),
        directions=tuple(vectors for _, vectors, _ in found),
        limiting_hops=tuple(hop for _, _, hop in found),
        missing_hops=tuple(hop.index for hop in network.hops if hop.index not in known),
    )


def barrier_along(network: HopNetwork, direction: Sequence[int], barriers_eV: Barriers) -> float:
    """Return the lowest barrier (eV, inf when never) at which the ion travels without end along lattice `direction`."""
    wanted = tuple(int(x) for x in direction)
    if len(wanted) != 3 or not any(wanted) or any(a != b for a, b in zip(wanted, direction, strict=True)):
        raise ValueError(f"direction={tuple(direction)} is no lattice direction; give three whole numbers, not all 0.")
    for barrier, _, basis in _growing(network, barriers_eV):
        if _rank([*basis, wanted]) == len(basis):
            return barrier
    return inf


def _growing(network: HopNetwork, barriers_eV: Barriers) -> Iterator[tuple[float, int, list[Vector]]]:
    """Yield (barrier, hop, independent translations of the component) each time that a component gains a dimension."""
    pairs = _pairs(network, barriers_eV)
    site_eV = _site_energies(network, pairs).tolist()
    heights = [
        # With converged paths both sides agree; where they do not, the higher one is the careful one.
        max(site_eV[edge.i] + pairs[edge.hop][0], site_eV[edge.j] + pairs[edge.hop][1]) if edge.hop in pairs else inf
        for edge in network.edges
    ]
    components = _Components(len(site_eV))
    for index in sorted(range(len(heights)), key=heights.__getitem__):
        if heights[index] == inf:
            return
        edge = network.edges[index]
        basis = components.join(edge.i, edge.j, edge.image)
        if basis:
            yield heights[index], edge.hop, basis


class _Components:
    """Weighted union-find: a site in the home cell is connected with its root in the cell `offset`."""

    def __init__(self, n_sites: int) -> None:
        self.parent, self.offset = list(range(n_sites)), [(0, 0, 0)] * n_sites
        self.basis: list[list[Vector]] = [[] for _ in range(n_sites)]

    def find(self, site: int) -> tuple[int, Vector]:
        total, chain = (0, 0, 0), []
        while self.parent[site] != site:
            chain.append(site)
            site = self.parent[site]
        for link in reversed(chain):  # nearest to the root first, so that each offset is final when it is used
            total = _add(self.offset[link], total)
            self.parent[link], self.offset[link] = site, total
        return site, total

    def join(self, i: int, j: int, image: Vector) -> list[Vector]:
        """Connect i in the home cell with j in `image`; returns the component's translations if they gained one."""
        (root, at_i), (other, at_j) = self.find(i), self.find(j)
        ring = tuple(r + b - a for r, a, b in zip(image, at_i, at_j, strict=True))
        before = max(len(self.basis[root]), len(self.basis[other]))
        if root == other:
            rings = [ring]
        else:
            self.parent[other], self.offset[other] = root, tuple(-x for x in ring)
            rings = self.basis[other]
        for vector in rings:
            if _rank([*self.basis[root], vector]) > len(self.basis[root]):
                self.basis[root].append(vector)
        return self.basis[root] if len(self.basis[root]) > before else []


def _add(a: Vector, b: Vector) -> Vector:
    return a[0] + b[0], a[1] + b[1], a[2] + b[2]


def _rank(vectors: Sequence[Vector]) -> int:
    """Rank of whole-numbered vectors, by elimination in whole numbers."""
    rows, rank = [list(vector) for vector in vectors], 0
    for column in range(3):
        pivot = next((row for row in rows[rank:] if row[column]), None)
        if pivot is None:
            continue
        rows.remove(pivot)
        rows.insert(rank, pivot)
        for row in rows[rank + 1 :]:
            factor = row[column]
            row[:] = [pivot[column] * x - factor * p for x, p in zip(row, pivot, strict=True)]
        rank += 1
    return rank


def _short(basis: Sequence[Vector], cell: np.ndarray) -> tuple[Vector, ...]:
    """Shortest primitive lattice vectors with the same span as `basis`, each with its first component positive."""
    window = [vector for vector in product(range(-2, 3), repeat=3) if vector > (0, 0, 0) and gcd(*vector) == 1]
    inside = [vector for vector in window if _rank([*basis, vector]) == len(basis)]
    inside.sort(key=lambda v: (round(float(np.linalg.norm(np.array(v) @ cell)), 4), sum(x < 0 for x in v), v))
    chosen: list[Vector] = []
    for vector in [*inside, *(tuple(x // gcd(*ring) for x in ring) for ring in basis)]:
        if _rank([*chosen, vector]) > len(chosen):
            chosen.append(vector)
    return tuple(chosen)


def _pairs(network: HopNetwork, barriers_eV: Barriers) -> dict[int, tuple[float, float]]:
    """Forward and backward barrier of each hop that has them."""
    if isinstance(barriers_eV, Mapping):
        items = dict(barriers_eV)
        unknown = sorted(set(items) - {hop.index for hop in network.hops})
        if unknown:
            raise ValueError(f"there is no hop {unknown[0]}; the network has the hops 0 to {len(network.hops) - 1}.")
    else:
        items = dict(enumerate(barriers_eV))
        if len(items) != len(network.hops):
            raise ValueError(
                f"{len(items)} barriers for {len(network.hops)} hops; give one for each, None where it is unknown."
            )
    pairs = {}
    for index, value in items.items():
        pair = _pair(value)
        if pair is None:
            continue
        if min(pair) < -ROUNDING_EV:
            raise ValueError(f"hop {index} has the barrier {min(pair):g} eV; a barrier is not negative.")
        if isinf(pair[0]) != isinf(pair[1]):
            raise ValueError(f"hop {index} has the barriers {pair}; either both are finite or none.")
        pairs[index] = (max(pair[0], 0.0), max(pair[1], 0.0))
    return pairs


def _pair(value: Barrier) -> tuple[float, float] | None:
    if value is None or getattr(value, "state", "converged") != "converged":
        return None
    if hasattr(value, "forward_eV"):
        value = (value.forward_eV, value.backward_eV)
    forward, backward = value if isinstance(value, (tuple, list, np.ndarray)) else (value, value)
    return None if isnan(forward) or isnan(backward) else (float(forward), float(backward))


def _site_energies(network: HopNetwork, pairs: dict[int, tuple[float, float]]) -> np.ndarray:
    """Energy of each site (n,) in eV above the lowest that it is connected with.

    From E_j - E_i = forward - backward, the same for all sites of an orbit, by least squares.
    """
    import networkx as nx

    orbits = np.array(network.orbits)
    site_eV = np.zeros(len(orbits))
    if all(forward == backward for forward, backward in pairs.values()):
        return site_eV
    rows = np.zeros((len(pairs), orbits.max() + 1))
    steps = np.zeros(len(pairs))
    for row, (index, (forward, backward)) in enumerate(pairs.items()):
        if isfinite(forward):
            hop = network.hops[index]
            rows[row, orbits[hop.j]] += 1.0
            rows[row, orbits[hop.i]] -= 1.0
            steps[row] = forward - backward
    site_eV = np.linalg.lstsq(rows, steps, rcond=None)[0][orbits]
    graph = nx.Graph((edge.i, edge.j) for edge in network.edges if isfinite(pairs.get(edge.hop, (inf,))[0]))
    for component in nx.connected_components(graph):
        members = list(component)
        site_eV[members] -= site_eV[members].min()
    return site_eV
