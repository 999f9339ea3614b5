"""Vibrations whose frequency, width and coupling are known: exact Langevin oscillators and a molecule of springs."""

import numpy as np
from ase import units
from ase.build import molecule
from scipy import linalg

from labkit.analysis.luminescence_modes import normal_modes
from labkit.analysis.vibrations import Velocities


def langevin(stiffness, friction, kT, interval_ps, steps, copies=1, seed=0):
    """Velocities (steps, copies, d) of x'' = -K x - γ x' + noise, sampled without any time-step error.

    The propagator of the linear equation is exp(M Δ), its noise has the covariance P - exp(MΔ) P exp(MΔ)^T, P that of
    equilibrium.
    """
    K = np.atleast_2d(stiffness)
    d = len(K)
    drift = np.block([[np.zeros((d, d)), np.eye(d)], [-K, -np.diag(np.broadcast_to(friction, d))]])
    move = linalg.expm(drift * interval_ps)
    rest = linalg.block_diag(kT * np.linalg.inv(K), kT * np.eye(d))
    noise = rest - move @ rest @ move.T
    root = np.linalg.cholesky((noise + noise.T) / 2).T
    rng = np.random.default_rng(seed)
    state = rng.normal(size=(copies, 2 * d)) @ np.linalg.cholesky(rest).T
    found = rng.normal(size=(steps, *state.shape)) @ root
    for kick in found:
        state = kick + state @ move.T
        kick[:] = state
    return found[:, :, d:]


class SpringMolecule:
    """CH4 with a spring between every two atoms: anharmonic, and free to turn."""

    def __init__(self):
        self.atoms = molecule("CH4")
        self.first, self.second = np.triu_indices(5, 1)
        self.ends = np.eye(5)[:, self.first] - np.eye(5)[:, self.second]
        self.strength = np.where(self.first == 0, 4.0, 0.8)[:, None]
        self.rest = self.lengths(self.atoms.positions)
        self.masses = self.atoms.get_masses()[:, None]

    def lengths(self, x):
        return np.linalg.norm(x[..., self.first, :] - x[..., self.second, :], axis=-1, keepdims=True)

    def forces(self, x):
        apart = x[..., self.first, :] - x[..., self.second, :]
        length = np.linalg.norm(apart, axis=-1, keepdims=True)
        pull = -self.strength * (length - self.rest) * apart / length
        return self.ends @ pull

    def modes(self):
        h, x = 1e-4, self.atoms.positions
        steps = h * np.eye(x.size).reshape(-1, *x.shape)
        hessian = -(self.forces(x + steps) - self.forces(x - steps)).reshape(x.size, -1) / (2 * h)
        return normal_modes(self.atoms, (hessian + hessian.T) / 2)

    def dynamics(self, copies, steps, temperature_K, friction_per_ps, seed=0, equilibration=1000):
        """Velocities of each copy, 1 fs apart, from Langevin dynamics (BAOAB)."""
        rng, kT, dt = np.random.default_rng(seed), units.kB * temperature_K, units.fs
        x = np.repeat(self.atoms.positions[None], copies, axis=0)
        thermal = np.sqrt(kT / self.masses)
        v, keep = rng.normal(size=x.shape) * thermal, np.exp(-friction_per_ps / (1000 * units.fs) * dt)
        force, places, speeds = self.forces(x), [], []
        for step in range(equilibration + steps):
            v = v + force / self.masses * dt / 2
            x = x + v * dt / 2
            v = keep * v + np.sqrt(1 - keep**2) * rng.normal(size=x.shape) * thermal
            x = x + v * dt / 2
            force = self.forces(x)
            v = v + force / self.masses * dt / 2
            if step >= equilibration:
                places.append(x)
                speeds.append(v)
        both = np.array(speeds), np.array(places)
        symbols, masses = tuple(self.atoms.symbols), self.masses[:, 0]
        return [Velocities(both[0][:, k], 1.0, masses, symbols, both[1][:, k]) for k in range(copies)]
