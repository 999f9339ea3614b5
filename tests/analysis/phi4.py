"""The φ⁴ lattice V = sum -k2/2 u^2 + k4/4 u^4 + K/2 sum_<ij> (u_i - u_j)^2 on a simple cubic lattice, with kB = 1.

Its critical temperature is known: with u = s phi and K s^2 = beta T, k4 s^4 / 4 = lambda T, (3 K - k2/2) s^2 =
(1 - 2 lambda) T it is the action of M. Hasenbusch, J. Phys. A 32, 4851 (1999), which has beta_c = 0.3750966(4) at
lambda = 1.1.
"""

import numpy as np

LAMBDA, BETA_C = 1.1, 0.3750966
K = 1.0
K2 = 2 * (3 - (1 - 2 * LAMBDA) / BETA_C) * K
K4 = 10.0
T_C = 4 * LAMBDA * K**2 / (K4 * BETA_C**2)
#: Displacement of the ground state.
U0 = np.sqrt(K2 / K4)


def trajectories(temperatures, size, sweeps, every, seed=0):
    """Frames (temperature, frame, site) of Metropolis sweeps over both sublattices, from the ground state."""
    generator = np.random.default_rng(seed)
    T = np.asarray(temperatures, dtype=float)[:, None, None, None]
    u = np.full((len(T), size, size, size), U0)
    parity = np.indices((size,) * 3).sum(axis=0) % 2
    width = 0.9 * U0 * np.sqrt(T / T_C)
    frames = []
    for sweep in range(sweeps):
        tried = u + width * generator.uniform(-1, 1, u.shape)
        luck = np.log(generator.random(u.shape))
        for colour in (0, 1):
            field = np.zeros_like(u)
            for axis in (1, 2, 3):
                field += np.roll(u, 1, axis) + np.roll(u, -1, axis)
            before, after = u * u, tried * tried
            change = (after - before) * (3 * K - K2 / 2 + K4 / 4 * (after + before)) - K * (tried - u) * field
            u = np.where((luck * T < -change) & (parity == colour), tried, u)
        if sweep % every == 0:
            frames.append(u.reshape(len(T), -1).copy())
    return np.array(frames).swapaxes(0, 1)
