"""Pairs of sites within reach of each other, and how a hop between them is called.

A pair is two site numbers and the lattice translation between their cells.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from math import gcd
from typing import Any

import numpy as np
from ase import Atoms

from labkit.simulators.hops_symmetry import Triple, reverse

#: A hop whose straight line passes another site this closely is two hops.
PASS_A = 0.5
#: A hop points along one of these directions [uvw] when it does so within this angle.
ALONG_DEG = 1.0
AXES = np.array([axis for axis in product(range(-2, 3), repeat=3) if gcd(*axis) == 1])


def pairs_within(sites: np.ndarray, cell: np.ndarray, reach_A: float) -> tuple[list[Triple], list[float]]:
    """Each pair of sites within `reach_A` once, with its length (Å), sorted by length; none that passes a site."""
    i, j, d, D, S = _neighbours(sites, cell, reach_A + 1e-6)
    found = []
    for site in range(len(sites)):
        mine = np.flatnonzero(i == site)
        along = D[mine] @ D[mine].T / d[mine, None] ** 2  # [hop, other]: how far along the hop the other one lies
        beside = np.linalg.norm(D[None, mine] - along[..., None] * D[mine, None], axis=-1)
        passing = ((along > 1e-3) & (along < 1 - 1e-3) & (beside < PASS_A)).any(axis=1)
        for index in mine[~passing]:
            triple = (site, int(j[index]), tuple(int(x) for x in S[index]))
            # Of the two directions the one that starts lower, or else points towards positive axes.
            forward = D[index] @ np.linalg.inv(cell)
            if site < j[index] or (site == j[index] and tuple(np.round(forward, 6)) > (0, 0, 0)):
                found.append((round(float(d[index]), 4), sum(abs(x) for x in triple[2]), triple))
    found.sort(key=lambda entry: (entry[0], entry[2][0], entry[2][1], entry[1], tuple(-x for x in entry[2][2])))
    return [triple for _, _, triple in found], [length for length, _, _ in found]


def nearest(sites: np.ndarray, cell: np.ndarray) -> float:
    """Smallest distance (Å) between two sites, images included."""
    return float(_neighbours(sites, cell, 1.001 * float(np.linalg.norm(cell, axis=1).min()))[2].min())


def representatives(
    classes: Sequence[int], turned: Sequence[Triple], sites: np.ndarray, cell: np.ndarray
) -> tuple[list[Triple], list[Triple]]:
    """For each class the member that stands for it, and all edges turned into its direction.

    It points towards positive axes if any does, and from a low site number to a higher one.
    """
    members: dict[int, list[int]] = {}
    for index, number in enumerate(classes):
        members.setdefault(number, []).append(index)
    shown, result = [], list(turned)
    for number in sorted(members):
        forward = [turned[index] for index in members[number]]
        both = [*forward, *(reverse(triple) for triple in forward)]
        shown.append(min(both, key=lambda triple: _order(triple, sites, cell)))
        if shown[-1] not in forward:
            for index in members[number]:
                result[index] = reverse(turned[index])
    return shown, result


def name_hops(hops: Sequence[Triple], sites: np.ndarray, cell: np.ndarray, symbol: str) -> list[str]:
    """Names such as "Li1-Li4 3.00 Å [010]", numbered where two would be alike: runs find their hops by name."""
    names: list[str] = []
    for i, j, image in hops:
        step = sites[j] + image - sites[i]
        axis = _direction(step, cell)
        along = "" if axis is None else f" [{''.join(map(str, axis))}]"
        name = f"{symbol}{i + 1}-{symbol}{j + 1} {np.linalg.norm(step @ cell):.2f} Å{along}"
        alike = sum(other == name or other.startswith(f"{name} (") for other in names)
        names.append(f"{name} ({alike + 1})" if alike else name)
    return names


def _neighbours(sites: np.ndarray, cell: np.ndarray, reach_A: float) -> tuple[np.ndarray, ...]:
    from ase.neighborlist import neighbor_list

    points = Atoms(f"X{len(sites)}", scaled_positions=sites, cell=cell, pbc=True)
    return neighbor_list("ijdDS", points, reach_A)


def _order(triple: Triple, sites: np.ndarray, cell: np.ndarray) -> tuple[Any, ...]:
    i, j, image = triple
    axis = _direction(sites[j] + image - sites[i], cell)
    negative = 3 if axis is None else sum(x < 0 for x in axis)
    return negative, i > j, i, j, sum(abs(x) for x in image), tuple(-x for x in image)


def _direction(step: np.ndarray, cell: np.ndarray) -> tuple[int, int, int] | None:
    """The lattice direction, indices at most 2, along which the fractional `step` (3,) points, or None."""
    vector = step @ cell
    lines = AXES @ cell
    cosines = lines @ vector / (np.linalg.norm(lines, axis=1) * np.linalg.norm(vector))
    best = int(np.argmax(cosines))
    return tuple(int(x) for x in AXES[best]) if cosines[best] > np.cos(np.radians(ALONG_DEG)) else None
