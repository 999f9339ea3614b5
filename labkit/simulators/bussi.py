"""Velocity Verlet with stochastic velocity rescaling: a thermostat that samples NVT and leaves diffusion alone.

All velocities are scaled by one factor for each step, so the direction and the memory of each ion's motion stay those
of Newton's equations; a Langevin thermostat brakes every ion by itself and lowers D (Basconi and Shirts, J. Chem.
Theory Comput. 2013, 9, 2887).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase import Atoms, units

from labkit.simulators.walkers import Walker


@dataclass
class Bussi(Walker):
    """NVT dynamics of one structure by Bussi, Donadio and Parrinello, J. Chem. Phys. 126, 014101 (2007).

    Before each Verlet step all velocities are multiplied by α (their equation A7): α² = c + (1 - c) s (R1² + S) +
    2 R1 sqrt(c (1 - c) s), with c = exp(-dt/τ), s = K̄/(f K), K̄ = f kT/2 the mean kinetic energy of f degrees of
    freedom, R1 a normal number and S the sum of f - 1 squared ones; α has the sign of R1 + sqrt(c / ((1 - c) s)).
    `transferred_eV` is the energy that the bath gave: total energy minus it is conserved.
    """

    atoms: Atoms
    temperature_K: float
    timestep_fs: float
    time_fs: float
    generator: np.random.Generator
    steps: int = 0
    transferred_eV: float = 0.0

    def before(self, forces: np.ndarray) -> None:
        """Rescale, then half a kick and the whole drift with the forces (n, 3) eV/Å at the present positions."""
        dt = self.timestep_fs * units.fs
        kinetic = self.kinetic_energy_eV
        factor = self._factor(kinetic)
        self.velocities = factor * self.velocities
        self.transferred_eV += (factor**2 - 1) * kinetic
        self.velocities += forces / self.masses * dt / 2
        self.atoms.positions += self.velocities * dt

    def after(self, forces: np.ndarray) -> None:
        """The other half of the kick, with the forces at the new positions; what rounding adds as drift goes out."""
        self.velocities += forces / self.masses * self.timestep_fs * units.fs / 2
        self.velocities = self.without_drift(self.velocities)
        self.steps += 1

    def _factor(self, kinetic_eV: float) -> float:
        freedom = self.degrees_of_freedom
        c = np.exp(-self.timestep_fs / self.time_fs)
        first = self.generator.normal()
        others = self.generator.chisquare(freedom - 1) if freedom > 1 else 0.0
        if kinetic_eV <= 0:  # nothing to scale: atoms at rest start moving by their forces
            return 1.0
        share = 0.5 * units.kB * self.temperature_K / kinetic_eV
        squared = c + (1 - c) * share * (first**2 + others) + 2 * first * np.sqrt(c * (1 - c) * share)
        sign = -1.0 if first + np.sqrt(c / ((1 - c) * share)) < 0 else 1.0
        return float(sign * np.sqrt(max(squared, 0.0)))

    def state(self) -> tuple[dict, dict]:
        """See `Walker.state`."""
        arrays, state = super().state()
        return arrays, {**state, "transferred_eV": self.transferred_eV}

    def restore(self, arrays: dict, state: dict) -> None:
        """See `Walker.restore`."""
        super().restore(arrays, state)
        self.transferred_eV = float(state["transferred_eV"])
