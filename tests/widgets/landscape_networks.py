"""Networks for the tests of landscape views: random trees of any size, and one whose numbers are known."""

import numpy as np

from labkit.landscapes.network import KineticNetwork


def random_network(n, seed=0, parts=1):
    """A network of n minima of three argon atoms in so many parts, each of them a random tree."""
    rng = np.random.default_rng(seed)
    made = KineticNetwork(["Ar"] * 3, name=f"random {n}")
    triangle = np.array([[0, 0, 0], [3.8, 0, 0], [1.9, 3.3, 0]])
    energies = rng.uniform(0, 1, n)
    for energy in energies:
        made.add_minimum(energy, triangle + rng.normal(0, 0.3, size=(3, 3)))
    for i in range(parts, n):
        j = int(rng.integers(i - parts + 1)) // parts * parts + i % parts
        top = max(energies[i], energies[j]) + rng.exponential(0.3)
        made.add_transition_state((j, i), top, triangle + rng.normal(0, 0.3, size=(3, 3)))
    return made


def chain(eigenvalues=None):
    """Minima at -100.0, -99.9, -99.8 eV; saddles between neighbours at -99.5 and -99.7, a self-loop at -99.6."""
    made = KineticNetwork(["O", "H", "H"], "by hand", "chain")
    water = np.array([[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]])
    for k in range(3):
        positions = water * (1 + 0.05 * k)
        made.add_minimum(-100 + 0.1 * k, positions, eigenvalues=eigenvalues and [abs(v) for v in eigenvalues])
    for ends, energy in (((0, 1), 0.5), ((1, 2), 0.3), ((1, 1), 0.4)):
        made.add_transition_state(ends, -100 + energy, water * 1.02, eigenvalues=eigenvalues)
    return made
