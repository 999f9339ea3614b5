"""What all integrators of single trajectories share: thermal velocities, the temperature, and their state out and in.

A walker is moved in two halves, `before` and `after` the forces at the new positions are known: so many of them can
wait for one evaluation of the potential.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from ase import Atoms, units


class Walker:
    """A structure with velocities (n, 3) in ASE's units; subclasses are dataclasses that name their parameters."""

    atoms: Atoms
    temperature_K: float
    timestep_fs: float
    generator: np.random.Generator
    steps: int
    velocities: np.ndarray
    #: Energy (eV) that the bath has given; the total energy minus it is conserved. NaN where nobody keeps the account.
    transferred_eV: float = float("nan")

    def __post_init__(self) -> None:
        """Start with thermal velocities."""
        self.masses = self.atoms.get_masses()[:, None]
        self.velocities = self.thermal() if len(self.atoms) > 1 else np.zeros((1, 3))

    def thermal(self) -> np.ndarray:
        """Maxwell velocities (n, 3) with the total momentum taken out."""
        noise = self.generator.normal(size=(len(self.masses), 3))
        return self.without_drift(np.sqrt(units.kB * self.temperature_K / self.masses) * noise)

    def without_drift(self, velocities: np.ndarray) -> np.ndarray:
        """These velocities (n, 3) in the frame of the centre of mass."""
        return velocities - (self.masses * velocities).sum(axis=0) / self.masses.sum()

    def before(self, forces: np.ndarray) -> None:
        """The part of a step that needs the forces (n, 3) eV/Å at the present positions; moves the atoms."""
        raise NotImplementedError

    def after(self, forces: np.ndarray) -> None:
        """The rest of the step, with the forces (n, 3) eV/Å at the new positions."""
        raise NotImplementedError

    @property
    def degrees_of_freedom(self) -> int:
        """3n - 3: the total momentum is zero and stays so."""
        return max(1, 3 * len(self.atoms) - 3)

    @property
    def kinetic_energy_eV(self) -> float:
        """Kinetic energy, eV."""
        return float((self.masses * self.velocities**2).sum()) / 2

    @property
    def kinetic_temperature_K(self) -> float:
        """Of the 3n - 3 degrees of freedom."""
        return 2 * self.kinetic_energy_eV / (self.degrees_of_freedom * units.kB)

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Everything that the next step depends on besides the forces: arrays, and JSON state."""
        arrays = {"positions": self.atoms.positions.copy(), "velocities": self.velocities.copy()}
        return arrays, {"steps": self.steps, "rng": self.generator.bit_generator.state}

    def restore(self, arrays: dict[str, np.ndarray], state: dict[str, Any]) -> None:
        """Continue from what `state` gave."""
        self.atoms.positions[:] = arrays["positions"]
        self.velocities = np.array(arrays["velocities"])
        self.steps = int(state["steps"])
        self.generator.bit_generator.state = state["rng"]
