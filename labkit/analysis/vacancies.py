"""Where the vacancies of a framework of corner-sharing polyhedra are: bridges between neighbouring cations that lack.

In a perovskite each pair of neighbouring B cations shares one anion; a pair that shares none has a vacancy between
them.
"""

from __future__ import annotations

import numpy as np
from ase import Atoms
from ase.neighborlist import neighbor_list

from labkit.analysis.trajectory import select


def bridge_vacancies(
    ideal: Atoms, cation: str = "Fe", anion: str = "O", cation_distance_A: float = 5.0, bridge_A: float = 1.5
) -> np.ndarray:
    """Return positions (v, 3) in Å of vacant bridges: midpoints of cation pairs without an anion within `bridge_A`.

    cation_distance_A: pairs closer than this are neighbours. Raises InvalidStructure for absent elements.
    """
    first, second = select(ideal, cation), select(ideal, anion)
    i, _, steps = neighbor_list("ijD", ideal[first], cation_distance_A)
    middles = ideal.positions[first][i] + steps / 2
    if not len(middles):
        return np.zeros((0, 3))
    probe = Atoms("X" * len(middles), positions=middles, cell=ideal.cell, pbc=ideal.pbc)
    probe.wrap()
    found: list[np.ndarray] = []
    distances = _apart(probe.positions, ideal.positions[second], ideal)
    for place in probe.positions[distances.min(axis=1) > bridge_A]:
        if not found or _apart(place[None], np.array(found), ideal).min() > 0.1:
            found.append(place)
    return np.array(found).reshape(-1, 3)


def _apart(first: np.ndarray, second: np.ndarray, ideal: Atoms) -> np.ndarray:
    from ase.geometry import get_distances

    return get_distances(first, second, cell=ideal.cell, pbc=ideal.pbc)[1]
