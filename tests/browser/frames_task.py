"""A task that writes frames of any number of atoms at a steady pace: food for the live views in the browser tests."""

import time
from typing import Any

import numpy as np
from ase.build import bulk

from labkit.runs import RunContext, Task, quantity


class WritesFrames(Task):
    """Writes frames and a table at a steady pace, without any physics."""

    n_atoms: int = quantity(200, "atoms", "How many atoms", ge=1, le=5000)
    frames: int = quantity(2000, "", "How many frames", ge=1)
    pause_s: float = quantity(0.05, "s", "Time between two frames", ge=0)
    timestep_fs: float = quantity(10.0, "fs", "Time of a step", gt=0)

    def execute(self, context: RunContext) -> dict[str, Any]:
        """Random vibrations and hops of sodium in rock salt."""
        rng = np.random.default_rng(0)
        edge = int(np.ceil((self.n_atoms / 8) ** (1 / 3)))
        atoms = bulk("NaCl", "rocksalt", a=5.64, cubic=True).repeat((edge, edge, edge))[: self.n_atoms]
        home, mobile = atoms.positions.copy(), atoms.numbers == 11
        for number in range(self.frames):
            context.raise_if_stopped()
            home += rng.normal(0, 0.04, home.shape) * mobile[:, None]
            atoms.positions = home + rng.normal(0, 0.12, home.shape)
            context.frame(atoms, number)
            temperature = 900 + 30 * rng.normal()
            context.row(
                "thermo", number, time_fs=number * self.timestep_fs, temperature_K=temperature, total_energy_eV=0.0
            )
            context.progress(number + 1, self.frames, "writing frames")
            time.sleep(self.pause_s)
        return {}
