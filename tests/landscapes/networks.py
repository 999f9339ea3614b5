"""Small networks with known answers."""

import numpy as np

from labkit.landscapes.network import KineticNetwork


def network(minima, saddles, **more):
    """A network of one atom: energies of the minima, and (first, second, energy) of the saddles."""
    made = KineticNetwork(["Ar"], "made up", "made up", **more)
    for place, energy in enumerate(minima):
        made.add_minimum(energy, [[float(place), 0.0, 0.0]])
    for place, (first, second, energy) in enumerate(saddles):
        made.add_transition_state((first, second), energy, [[place + 0.5, 1.0, 0.0]])
    return made


def random_network(seed, n=12, extra=14, height=0.6):
    """Minima joined at random: usually in several parts, with parallel saddles and self-loops."""
    rng = np.random.default_rng(seed)
    energies = rng.normal(0.0, 0.3, n).round(3)
    pairs = rng.integers(n, size=(extra, 2))
    saddles = [(i, j, float(round(max(energies[i], energies[j]) + rng.exponential(height), 3))) for i, j in pairs]
    return network(energies, saddles)


def chain(energies, barriers):
    """Minima in a row; barriers are absolute energies of the saddles between neighbours."""
    return network(energies, [(place, place + 1, height) for place, height in enumerate(barriers)])


def connected(seed, **more):
    """The largest part of a random network."""
    made = random_network(seed, **more)
    return made.subset(sorted(made.components()[0]))


def reordered(one, order):
    """The same network with its atoms in another order."""
    made = KineticNetwork([one.symbols[i] for i in order], one.level_of_theory, one.name)
    for point in one.minima:
        made.add_minimum(point.energy_eV, point.positions[order])
    for point in one.transition_states:
        made.add_transition_state(point.minima, point.energy_eV, point.positions[order])
    return made
