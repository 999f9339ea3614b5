"""What a temperature makes of a landscape: occupations, mean first passage times and the fastest path between minima.

The numbers are those of `labkit.landscapes.kinetics`; prefactors are harmonic when every stationary point has its
Hessian eigenvalues, and otherwise equal for all, which is said.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from labkit.errors import LabkitError
from labkit.landscapes.kinetics import FastestPath, Prefactors, rates
from labkit.landscapes.network import KineticNetwork

#: Above this number of transition states a slider would not follow: occupations only.
MOST = 3000


@dataclass(frozen=True, eq=False)
class Passage:
    """Kinetics between two minima at one temperature.

    occupations: (n,) of all minima. log_there, log_back: ln of the mean first passage times (s, or 1/ν with equal
    prefactors), inf where no path leads there. path: the fastest one, None without one. problem: why there is none.
    """

    temperature_K: float
    prefactors: Prefactors
    source: int
    target: int
    occupations: np.ndarray
    log_there: float
    log_back: float
    path: FastestPath | None
    problem: str = ""


def prefactors_of(network: KineticNetwork) -> tuple[Prefactors, str]:
    """Return the best prefactors that a network allows, and why they are not harmonic (empty if they are)."""
    try:
        rates(network, temperature_K=300.0, prefactors="harmonic")
    except LabkitError as error:
        return "unit", str(error)
    return "harmonic", ""


def passage(network: KineticNetwork, temperature_K: float, source: int, target: int, prefactors: Prefactors) -> Passage:
    """Return the kinetics between two minima; raises ValueError for minima that do not exist."""
    for minimum in (source, target):
        if not 0 <= minimum < network.n_minima:
            raise ValueError(
                f"there is no minimum {minimum}; the network has the minima 0 to {network.n_minima - 1}: choose one."
            )
    found = rates(network, temperature_K=temperature_K, prefactors=prefactors)
    shared = (temperature_K, prefactors, source, target, found.occupations)
    if source == target:
        other = "choose another minimum to go to" if network.n_minima > 1 else "there is no other minimum to go to"
        return Passage(*shared, -np.inf, -np.inf, None, other)
    if network.n_transition_states > MOST:
        words = f"times are computed up to {MOST:,} transition states; this network has {network.n_transition_states:,}"
        return Passage(*shared, np.nan, np.nan, None, f"{words}: take labkit.landscapes.kinetics in a cell")
    there = float(found.log_first_passage_times(target)[source])
    back = float(found.log_first_passage_times(source)[target])
    if there == np.inf:
        return Passage(*shared, there, back, None, f"no path of transition states joins minima {source} and {target}")
    return Passage(*shared, there, back, found.fastest_path(source, target))
