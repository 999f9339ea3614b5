"""Many trajectories as one task: structures x temperatures x seeds side by side, one batch for each step.

A potential evaluates the batch at once, a trajectory that leaves physics stops alone, and the diffusion coefficients
with their errors grow while the run works: what an Arrhenius plot needs, in one launch.
"""

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from labkit.errors import InvalidTask
from labkit.runs import Run, RunContext, Task, quantity
from labkit.simulators.batched_dynamics_trajectory import DynamicsTrajectory, Plan, plans, read_trajectories
from labkit.structures import StructureField

MAX_TIMESTEP_FS = 10.0
#: Work beyond this is a campaign: split it into several runs.
MAX_TRAJECTORIES = 1000


class BatchedDynamics(Task):
    """Let many copies of the atoms move at several temperatures side by side, and read diffusion off all of them."""

    structures: list[StructureField] = Field(
        ["Li6PS5Cl-chgnet"], description="Where the atoms start", min_length=1, validate_default=True
    )
    temperatures_K: list[float] = quantity([700.0, 900.0, 1100.0], "K", "Each structure runs at each", min_length=1)
    seeds: list[int] = Field([0], description="Each structure and temperature runs once for each seed", min_length=1)
    species: str | None = Field(None, description="The ion whose diffusion is read; by itself the likely mobile one")
    potential: str = Field("chgnet", description="Name or path of the potential that gives the forces")
    ensemble: Literal["NVT-Bussi", "NVT-Langevin"] = Field(
        "NVT-Bussi", description="Thermostat; Bussi's leaves diffusion alone, Langevin's friction slows it down"
    )
    timestep_fs: float = quantity(
        2.0, "fs", "Length of one step; 0.5 with hydrogen, 1 to 2 without", gt=0, le=MAX_TIMESTEP_FS
    )
    steps: int = quantity(5000, "steps", "Number of steps of each trajectory", ge=1, le=1_000_000_000)
    equilibration_steps: int = quantity(500, "steps", "The first steps, which diffusion does not count", ge=0)
    frame_interval: int = quantity(10, "steps", "A frame of each trajectory every so many steps", ge=1)
    table_interval: int = quantity(10, "steps", "Rows of temperature, energies and displacement", ge=1)
    diffusion_interval: int = quantity(200, "steps", "Diffusion coefficients anew every so many steps", ge=1)
    thermostat_time_fs: float = quantity(100.0, "fs", "Response time of Bussi's thermostat", gt=0)
    friction_per_ps: float = quantity(10.0, "1/ps", "Coupling to the heat bath (Langevin only)", gt=0, le=1000)
    max_temperature_K: float | None = quantity(
        None, "K", "A trajectory stops above this; by itself ten times its target, at least 5000 K", gt=0
    )
    min_distance_A: float = quantity(0.5, "Å", "A trajectory stops when two atoms come closer", gt=0, le=2)
    checkpoint_interval: int = quantity(100, "steps", "State for a resume is stored every so many steps", ge=1)
    device: str = Field("auto", description="auto, cpu, cuda or mps")

    @model_validator(mode="after")
    def _fits_together(self) -> "BatchedDynamics":
        for T in self.temperatures_K:
            if not 0 < T <= 10_000:
                raise InvalidTask(f"temperatures_K holds {T:g} K; each must be above 0 and at most 10000 K.")
        for name, values in (("temperatures_K", self.temperatures_K), ("seeds", self.seeds)):
            if len(set(values)) < len(values):
                raise InvalidTask(f"{name} holds a value twice; name each once: the runs would be the same.")
        if min(self.seeds) < 0:
            raise InvalidTask(f"seeds holds {min(self.seeds)}; a seed is zero or positive.")
        if self.equilibration_steps >= self.steps:
            raise InvalidTask(
                f"equilibration_steps={self.equilibration_steps} leaves nothing of {self.steps} steps to read."
            )
        count = len(self.structures) * len(self.temperatures_K) * len(self.seeds)
        if count > MAX_TRAJECTORIES:
            raise InvalidTask(f"{count} trajectories are over the limit of {MAX_TRAJECTORIES} in one run; split them.")
        for number, atoms in enumerate(self.structures):
            if len(atoms) < 2:
                raise InvalidTask(f"structures[{number}] has {len(atoms)} atom(s); dynamics needs at least 2.")
            if self.species is not None and self.species not in atoms.get_chemical_symbols():
                present = ", ".join(sorted(set(atoms.get_chemical_symbols())))
                raise InvalidTask(f"species={self.species!r} is not in structures[{number}], which has {present}.")
        return self

    def label(self) -> str:
        """Formula and number of trajectories."""
        first = self.structures[0]
        name = first.info.get("name") or first.get_chemical_formula()
        return f"MD batch {name}, {len(self.plans())} trajectories"

    def plans(self) -> list[Plan]:
        """What each trajectory is, in the order of their numbers: structure by structure, then temperature, seed."""
        return plans(self.structures, self.temperatures_K, self.seeds, self.species)

    def execute(self, context: RunContext) -> dict[str, Any]:
        """Run them; tables thermo, msd, diffusion and trajectories. Raises UnstableDynamics when none survived."""
        from labkit.potentials import load
        from labkit.simulators.batched_dynamics_batch import Batch

        context.progress(0, self.steps, f"loading {self.potential}")
        return Batch(self, context, load(self.potential, self.device)).integrate()


def trajectories(run: Run | Path | str, *, equilibration: bool = False) -> list[DynamicsTrajectory]:
    """The trajectories of a run of `BatchedDynamics`, as far as they have come; also of a run that still works.

    Frames of the equilibration are left out unless asked for. Raises LabkitError for a folder that is no such run.
    """
    return read_trajectories(run if isinstance(run, Run) else Run(run), equilibration=equilibration)
