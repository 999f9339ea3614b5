"""Synthetic trajectories whose diffusion coefficient is known."""

import numpy as np
from ase import Atoms

D_TRUE = 1.0e-5  # cm^2/s
TIMESTEP_FS = 10.0


def walk(seed, n_frames=500, n_atoms=24, *, D_cm2_s=(D_TRUE,) * 3, group=1):
    """Brownian positions (T, n, 3) in Å; atoms of one group move together."""
    # The variance of a step along one axis is 2 D dt; 1 cm^2/s = 10 Å^2/fs.
    sigma = np.sqrt(2 * 10 * np.array(D_cm2_s) * TIMESTEP_FS)
    steps = np.random.default_rng(seed).normal(size=(n_frames, n_atoms // group, 3)) * sigma
    return np.repeat(np.cumsum(steps, axis=0), group, axis=1)


def frames_of(positions, symbol="Li", **atoms):
    symbols = symbol if isinstance(symbol, list) else [symbol] * positions.shape[1]
    return [Atoms(symbols, frame, **atoms) for frame in positions]
