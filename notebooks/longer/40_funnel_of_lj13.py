"""The funnel of 13 Lennard-Jones atoms for notebook 40: a longer exploration, without a claim of completeness.

    python 40_funnel_of_lj13.py        (a few minutes; writes 40_funnel_of_lj13.json.gz)

The part around the lowest minimum is shipped, without its paths and with coordinates of four decimals.
"""

from pathlib import Path

import numpy as np
from ase import Atoms

from labkit.landscapes.exploration import LandscapeExploration, network
from labkit.landscapes.network import KineticNetwork

OUT = Path(__file__).with_suffix("").with_suffix(".json.gz")
MOST_MINIMA, MOST_SADDLES = 300, 900


def start() -> Atoms:
    """Thirteen atoms at random in a sphere, none on top of another."""
    rng, places = np.random.default_rng(13), []
    while len(places) < 13:
        place = rng.uniform(-1.6, 1.6, 3)
        if np.linalg.norm(place) < 1.6 and all(np.linalg.norm(place - other) > 0.8 for other in places):
            places.append(place)
    return Atoms("Ar13", positions=places, info={"name": "LJ13"})


def shortened(found: KineticNetwork) -> KineticNetwork:
    """What is connected with the lowest minimum, to the digits that a picture and a rate need."""
    lowest = found.global_minimum.index
    found = found.subset(sorted(next(part for part in found.components() if lowest in part)))
    short = KineticNetwork(found.symbols, found.level_of_theory, "LJ13")
    for point in found.minima:
        short.add_minimum(*_short(point), eigenvalues=_modes(point), order=point.order)
    for point in found.transition_states:
        short.add_transition_state(point.minima, *_short(point), eigenvalues=_modes(point), order=point.order)
    return short


def _short(point) -> tuple[float, np.ndarray]:
    return round(point.energy_eV, 7), np.round(point.positions - point.positions.mean(axis=0), 4)


def _modes(point) -> list[float] | None:
    return None if point.eigenvalues is None else [float(f"{value:.4g}") for value in point.eigenvalues]


if __name__ == "__main__":
    task = LandscapeExploration(
        structure=start(),
        potential="lennard-jones-cluster",
        walkers=16,
        hops=10,
        searches=16,
        max_minima=MOST_MINIMA,
        max_transition_states=MOST_SADDLES,
        device="cpu",
    )
    run = task.launch(name="LJ13, longer")
    run.wait()
    found = network(run)
    shortened(found).write(OUT)
    print(found, run.result())
