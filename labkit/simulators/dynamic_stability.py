"""Crystals that are unstable at 0 K and stable when warm: modes, the distorted structure, dynamics, order parameter.

The chain is one task: harmonic modes name the instability, relaxations along them give the distorted structure at 0 K,
dynamics at all temperatures run in one batch, and the time-averaged structure says which of both it is.
"""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from labkit.errors import InvalidTask
from labkit.runs import RunContext, Task, quantity
from labkit.simulators.batched_dynamics import MAX_TIMESTEP_FS
from labkit.structures import StructureField


class DynamicStability(Task):
    """Find out at which temperature the motion of the atoms stabilises a crystal that is unstable at 0 K."""

    structures: list[StructureField] = Field(
        ["BaFeO3"], description="High-symmetry crystals, unit cells", min_length=1, validate_default=True
    )
    potential: str = Field("chgnet", description="Name or path of the potential that gives the forces")
    relax: Literal["cell", "positions", "nothing"] = Field(
        "cell", description="What is relaxed before, with the symmetry kept"
    )
    fmax_eV_A: float = quantity(
        5e-3, "eV/Å", "At rest when no generalised force is larger than this", gt=0, le=1, label="Largest force"
    )
    max_steps: int = quantity(500, "steps", "Give a relaxation up after so many steps", ge=1, le=1_000_000)
    supercell: list[int] | None = Field(
        None, description="Three numbers of primitive cells; empty: chosen by the length below"
    )
    supercell_length_A: float = quantity(8.0, "Å", "No lattice vector of the supercell is shorter", gt=0, le=60)
    displacement_A: float = quantity(
        0.05,
        "Å",
        "For the force constants; a small one counts small wells, and kinks of the potential",
        gt=0,
        le=0.5,
    )
    threshold_THz: float = quantity(0.1, "THz", "Modes less imaginary than this are noise", gt=0, le=10)
    follow: int = quantity(6, "modes", "Relaxations along so many of the softest modes", ge=1, le=1000)
    mixtures: int = quantity(6, "", "Relaxations along so many random mixtures of the unstable modes", ge=0, le=1000)
    amplitude_A: float = quantity(0.1, "Å", "They begin with a displacement as large as this", gt=0, le=1)
    least_gain_meV: float = quantity(
        0.1, "meV/atom", "A distorted structure lies lower than the ideal one by more than this", ge=0, le=1000
    )
    temperatures_K: list[float] = quantity([50.0, 100.0, 150.0, 300.0], "K", "Dynamics at each of these", min_length=1)
    seeds: list[int] = Field([0], description="Each temperature runs once for each seed", min_length=1)
    start: Literal["distorted", "ideal"] = Field(
        "distorted", description="Where dynamics begins; both agree when the runs are long enough"
    )
    ensemble: Literal["NVT-Bussi", "NVT-Langevin"] = Field("NVT-Bussi", description="Thermostat")
    timestep_fs: float = quantity(2.0, "fs", "Length of one step", gt=0, le=MAX_TIMESTEP_FS)
    steps: int = quantity(5000, "steps", "Number of steps of each trajectory", ge=1, le=1_000_000_000)
    equilibration_steps: int = quantity(500, "steps", "The first steps, which do not count", ge=0)
    frame_interval: int = quantity(5, "steps", "A frame of each trajectory every so many steps", ge=1)
    checkpoint_interval: int = quantity(100, "steps", "State for a resume is stored every so many steps", ge=1)
    blocks: int = quantity(5, "", "Stretches of time behind the error of the order parameter", ge=3, le=100)
    seed: int = quantity(0, "", "Seed of the mixtures of modes", ge=0, le=2**32 - 1)
    device: str = Field("auto", description="auto, cpu, cuda or mps")

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        from labkit.simulators.dynamic_stability_run import dynamics_task, phonons_task

        phonons_task(self)
        # What moves later is the supercell, so one atom in the unit cell is no reason to refuse.
        dynamics_task(self, [atoms if len(atoms) > 1 else atoms * (2, 1, 1) for atoms in self.structures])
        frames = (self.steps - self.equilibration_steps) // self.frame_interval
        if frames < 5 * self.blocks:
            raise InvalidTask(
                f"{frames} frames are too few for {self.blocks} blocks of at least 5; raise steps or lower "
                "frame_interval."
            )
        return self

    def label(self) -> str:
        """The crystals, and at how many temperatures."""
        names = [atoms.info.get("name") or atoms.get_chemical_formula() for atoms in self.structures]
        return f"Stability of {', '.join(names[:3])} at {len(self.temperatures_K)} temperatures"

    def execute(self, context: RunContext) -> dict[str, Any]:
        """Do the whole chain; tables: relaxation, forces, structures (phonons), following, thermo, trajectories,
        stability; frames: the dynamics. `labkit.simulators.dynamic_stability_read.read(run)` gives the objects.
        """
        from labkit.simulators.dynamic_stability_run import StabilityRun

        return StabilityRun(self, context).run()
