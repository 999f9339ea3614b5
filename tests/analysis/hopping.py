"""A hopping ion with known rates: continuous-time jumps on a lattice, vibration around the sites, an oxygen at rest."""

import numpy as np
from ase import Atoms


def chain_of_two_kinds(
    seed, *, out_of_A=0.4, out_of_B=1.2, n_ions=12, frames=6000, spacing_ps=0.02, edge=6.0, vibration=0.15
):
    """Ions on a line of alternating sites A (0) and B (1/2) along x; each leaves to either neighbour at half of the
    rate (1/ps). Returns frames and fractional sites.
    """
    generator = np.random.default_rng(seed)
    times = np.arange(frames) * spacing_ps
    positions = np.zeros((frames, n_ions + 1, 3))
    for ion in range(n_ions):
        place, clock, at = int(generator.random() < out_of_A / (out_of_A + out_of_B)), 0.0, np.zeros(frames, dtype=int)
        while clock < times[-1]:
            wait = generator.exponential(1 / (out_of_B if place % 2 else out_of_A))
            at[times >= clock] = place
            clock += wait
            place += 1 if generator.random() < 0.5 else -1
        positions[:, ion, 0] = at * edge / 2
        positions[:, ion, 1] = 0.5
    positions[:, :n_ions] += generator.normal(0, vibration, size=(frames, n_ions, 3))
    positions[:, n_ions] = [1.5, 3.0, 3.0]
    symbols = ["Li"] * n_ions + ["O"]
    made = [Atoms(symbols, one, cell=[edge, edge, edge], pbc=True) for one in positions]
    return made, np.array([[0.0, 0.5 / edge, 0.0], [0.5, 0.5 / edge, 0.0]])
