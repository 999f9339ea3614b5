"""Small tasks for the tests of the front end: one that writes frames, one that has every kind of field."""

import time
from typing import Any, Literal

import numpy as np
from ase import Atoms
from ase.build import bulk
from pydantic import BaseModel, Field

from labkit.errors import InvalidTask
from labkit.runs import RunContext, Task, quantity
from labkit.structures import StructureField


def crystal(n_atoms: int) -> Atoms:
    """Rock salt with exactly n_atoms atoms (a multiple of 8 cells is cut down from the end)."""
    edge = int(np.ceil((n_atoms / 8) ** (1 / 3)))
    atoms = bulk("NaCl", "rocksalt", a=5.64, cubic=True).repeat((edge, edge, edge))
    return atoms[:n_atoms]


class WritesFrames(Task):
    """Writes frames and a table at a steady pace."""

    n_atoms: int = quantity(8, "atoms", "How many atoms", ge=1, le=5000)
    frames: int = quantity(20, "", "How many frames", ge=0)
    pause_s: float = quantity(0.0, "s", "Time between two frames", ge=0)
    start_after_s: float = quantity(0.0, "s", "Time before the first frame", ge=0)
    timestep_fs: float = quantity(1.0, "fs", "Time of a step", gt=0)
    temperature_K: float = quantity(300.0, "K", "Target temperature", ge=0)
    grow: bool = Field(False, description="Change the number of atoms half way")

    def execute(self, context: RunContext) -> dict[str, Any]:
        """Random walk of sodium around a rock-salt lattice."""
        rng = np.random.default_rng(0)
        atoms = crystal(self.n_atoms)
        time.sleep(self.start_after_s)
        mobile = atoms.numbers == 11
        for number in range(self.frames):
            context.pause_point()
            context.raise_if_stopped()
            target = context.controls().get("temperature_K", self.temperature_K)
            if self.grow and number == self.frames // 2:
                atoms = crystal(self.n_atoms * 2)
                mobile = atoms.numbers == 11
            atoms.positions += rng.normal(0, 0.05, atoms.positions.shape) * mobile[:, None]
            context.frame(atoms, number)
            context.row("thermo", number, time_fs=number * self.timestep_fs, temperature_K=target, total_energy_eV=-1.0)
            context.progress(number + 1, self.frames, "writing")
            time.sleep(self.pause_s)
        return {"frames": self.frames}


class Fails(Task):
    """Fails with a sentence that looks like markup."""

    def execute(self, context: RunContext) -> dict[str, Any]:
        """Raise."""
        raise ValueError("<img src=x onerror=alert(1)> is not a number")


class Thermostat(BaseModel):
    """A nested model."""

    friction_per_ps: float = quantity(10.0, "1/ps", "Coupling", gt=0, le=100)
    kind: Literal["Langevin", "Bussi"] = Field("Langevin", description="Which thermostat")


class AllFields(Task):
    """Has every kind of field that a form must show."""

    structure: StructureField = Field(description="The atoms")
    temperature_K: float = quantity(300.0, "K", "Target temperature", ge=0, le=5000)
    steps: int = quantity(100, "steps", "How many steps", ge=1)
    ensemble: Literal["NVE", "NVT"] = Field("NVT", description="Ensemble")
    keep: bool = Field(False, description="Keep the velocities")
    pressure_GPa: float | None = quantity(None, "GPa", "Target pressure", ge=0)
    temperatures_K: list[float] = Field([300.0, 600.0], description="Temperatures", json_schema_extra={"unit": "K"})
    note: str = Field("", description="A note")
    thermostat: Thermostat = Field(default_factory=Thermostat, description="The thermostat")

    def model_post_init(self, _: Any) -> None:
        """Fields must fit together."""
        if self.ensemble == "NVE" and self.pressure_GPa is not None:
            raise InvalidTask("NVE has no barostat: leave the pressure unset, or choose NVT.")

    def execute(self, context: RunContext) -> dict[str, Any]:
        """Nothing."""
        return {}
