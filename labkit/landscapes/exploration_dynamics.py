"""Short dynamics between quenches: a way to leave a minimum that follows the soft directions by itself."""

from __future__ import annotations

import numpy as np
from ase import units

from labkit.landscapes.surface import Surface


def dynamics(
    surface: Surface,
    positions: np.ndarray,
    rngs: list[np.random.Generator],
    *,
    steps: int,
    timestep_fs: float,
    temperature_K: float,
) -> np.ndarray:
    """Where velocity Verlet takes w structures (w, n, 3) Å from Maxwell-Boltzmann velocities, one generator each.

    A structure that explodes rests where it was.
    """
    masses = surface.masses[None, :, None]
    dt = timestep_fs * units.fs
    spread = np.sqrt(units.kB * temperature_K / masses)
    v = np.array([rng.normal(size=positions.shape[1:]) for rng in rngs]) * spread
    v -= (masses * v).sum(axis=1, keepdims=True) / masses.sum()
    x, forces = positions.copy(), surface.evaluate(positions)[1]
    for _ in range(steps):
        v = v + 0.5 * dt * forces / masses
        trial = x + dt * v
        new = surface.evaluate(trial)[1]
        good = np.isfinite(new).all(axis=(1, 2), keepdims=True)
        x, forces = np.where(good, trial, x), np.where(good, new, forces)
        v = np.where(good, v + 0.5 * dt * forces / masses, -v)
    return x
