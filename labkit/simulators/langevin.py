"""Langevin dynamics of one structure: each atom feels friction and noise of its own, so that nothing stays out of
equilibrium; the friction also slows diffusion down, for which `bussi.Bussi` is the better thermostat.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase import Atoms, units

from labkit.simulators.walkers import Walker


@dataclass
class Langevin(Walker):
    """Langevin dynamics of one structure by the splitting BAOAB, without drift of the centre of mass.

    dx = v dt, m dv = F dt - γ m v dt + sqrt(2 γ m k T) dW (Leimkuhler and Matthews, Appl. Math. Res. Express 2013, 34).
    B: v += F dt/2m. A: x += v dt/2. O: v = c v + sqrt((1 - c²) kT/m) ξ, c = exp(-γ dt). Configurations are sampled with
    an error of order dt² (dt⁴ in the limit of large γ).
    """

    atoms: Atoms
    temperature_K: float
    timestep_fs: float
    friction_per_ps: float
    generator: np.random.Generator
    steps: int = 0

    def before(self, forces: np.ndarray) -> None:
        """B, A, O, A with the forces (n, 3) eV/Å at the present positions."""
        dt = self.timestep_fs * units.fs
        self.velocities += forces / self.masses * dt / 2
        self.atoms.positions += self.velocities * dt / 2
        c = np.exp(-self.friction_per_ps / (1000 * units.fs) * dt)
        self.velocities = c * self.velocities + np.sqrt(1 - c**2) * self.thermal()
        self.atoms.positions += self.velocities * dt / 2

    def after(self, forces: np.ndarray) -> None:
        """The last B, with the forces at the new positions."""
        self.velocities += forces / self.masses * self.timestep_fs * units.fs / 2
        self.steps += 1
