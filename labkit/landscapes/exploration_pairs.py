"""Which two minima a band is run between next: those that join separate parts of the network first, then neighbours.

The one idea: nearness is judged by the lower bound of the aligned distance, which costs nothing; only the pairs that
are chosen are aligned.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from labkit.landscapes.alignment import Comparison, align
from labkit.landscapes.alignment_bounds import fingerprints, lower_bounds
from labkit.landscapes.exploration_subject import Subject, connectivity
from labkit.landscapes.network import KineticNetwork

Pair = tuple[int, int]


def next_pairs(
    network: KineticNetwork,
    tried: set[Pair],
    *,
    neighbours: int,
    joins: int,
    most: int,
    classes: np.ndarray,
    mirrors: bool,
) -> list[Pair]:
    """At most `most` pairs of minima, the most wanted first; empty when nothing is left to try.

    Wanted are the `joins` nearest pairs between each part of the network and the rest, then each minimum with its
    `neighbours` nearest ones ("closest enumeration"), and with `mirrors` each with its own mirror image, as (a, a).
    Pairs in `tried` are not tried again.
    """
    bounds = _bounds(network, classes)
    part = np.zeros(network.n_minima, dtype=int)
    parts = network.components()
    for number, members in enumerate(parts):
        part[sorted(members)] = number
    wanted: dict[Pair, tuple[int, float]] = {}
    if len(parts) > 1:
        for number in range(len(parts)):
            inside = np.flatnonzero(part == number)
            outside = np.flatnonzero(part != number)
            for gap, pair in _nearest(bounds, inside, outside, joins):
                wanted[pair] = (0, gap)
    for a in range(network.n_minima):
        near = np.argsort(bounds[a], kind="stable")[: neighbours + 1]
        for b in [b for b in near if b != a][:neighbours]:
            wanted.setdefault(_pair(a, b), (1, float(bounds[a, b])))
        if mirrors:
            wanted[(a, a)] = (2, 0.0)
    left = sorted((rank, pair) for pair, rank in wanted.items() if pair not in tried)
    return [pair for _, pair in left[:most]]


def laid_together(subject: Subject, comparison: Comparison, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The second structure (n, 3) moved and renumbered onto the first so that, where possible, no bond breaks between.

    Renaming like atoms may break bonds on the way; then the names stay as they are.
    """
    found = comparison.align(first, second).positions
    if subject.graph is None:
        return found
    symbols = subject.atoms.get_chemical_symbols()

    def bonds(positions: np.ndarray) -> set[frozenset[int]]:
        return {frozenset(edge) for edge in connectivity(symbols, positions).edges}

    here = bonds(first)
    if bonds(found) == here:
        return found
    named = align(first, second, None, inversion=comparison.inversion).positions
    return named if bonds(named) == here else found


def mirrored(subject: Subject, comparison: Comparison, positions: np.ndarray, distance_A: float) -> np.ndarray | None:
    """The mirror image of a structure (n, 3) laid upon it, the other end of a path on which it turns inside out.

    A molecule that is its own mirror image gives None, since its bonds would have to break; so does a flat cluster.
    """
    if subject.graph is not None:
        proper = replace(comparison, inversion=False)
        if proper.distance(positions, -positions, distance_A) < distance_A:
            return None
        return laid_together(subject, proper, positions, -positions)
    found = align(positions, -positions, None, inversion=False)
    return None if found.distance_A < distance_A else found.positions


def _bounds(network: KineticNetwork, classes: np.ndarray) -> np.ndarray:
    structures = np.array([point.positions for point in network.minima])
    prints = fingerprints(structures - structures.mean(axis=1, keepdims=True), classes)
    return lower_bounds(prints, prints, structures.shape[1])


def _nearest(bounds: np.ndarray, inside: np.ndarray, outside: np.ndarray, count: int) -> list[tuple[float, Pair]]:
    """The `count` nearest pairs between two sets of minima; of equals, the one with the lowest numbers first."""
    gaps = bounds[np.ix_(inside, outside)]
    count = min(count, gaps.size)
    if not count:
        return []
    farthest = np.partition(gaps, count - 1, axis=None)[count - 1]
    near = [(float(gaps[i, j]), _pair(inside[i], outside[j])) for i, j in np.argwhere(gaps <= farthest)]
    return sorted(near)[:count]


def _pair(a: int, b: int) -> Pair:
    return (int(min(a, b)), int(max(a, b)))
