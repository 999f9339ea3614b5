"""Molecular dynamics as a task: ASE's integrators on any potential, written to the run folder while it runs.

The target temperature, the frame interval and Pause are read from the folder at every step. Each change is followed
by a checkpoint, so that a resume from it replays the same trajectory.
"""

import time
from typing import Annotated, Any

import numpy as np
from ase import Atoms, units
from ase.md.velocitydistribution import Stationary, thermalize_momenta
from pydantic import BaseModel, Field, ValidationError, model_validator

from labkit.errors import InvalidStructure, InvalidTask, UnstableDynamics
from labkit.runs import RunContext, Task, problems, quantity
from labkit.runs.tables import read_table
from labkit.simulators.guards import Guard
from labkit.simulators.integrators import Ensemble, Integrator
from labkit.structures import StructureField
from labkit.structures.field import to_dict

#: The largest step that still samples an O-H stretch (period 9 fs) without hydrogen mass tricks is near 2 fs.
MAX_TIMESTEP_FS = 10.0


#: Steps left out of `steps_per_second`: the first ones fetch memory from the system.
WARM_UP_STEPS = 2


def _require_reachable(ensemble: str, temperature_K: float) -> None:
    if temperature_K == 0 and ensemble not in ("NVE", "NVT-Langevin"):
        raise InvalidTask(f"{ensemble} cannot reach 0 K; choose NVT-Langevin, or a temperature above zero.")


class Controls(BaseModel):
    """What may be changed while the dynamics runs; anything else in the controls is somebody else's business."""

    temperature_K: Annotated[float, Field(ge=0, le=10_000)] | None = None
    frame_interval: Annotated[int, Field(ge=1)] | None = None


class MolecularDynamics(Task):
    """Let the atoms move: Newton's equations on a potential, alone (NVE) or coupled to a thermostat and a barostat."""

    structure: StructureField = Field("LiCoO2", description="Where the atoms start", validate_default=True)
    potential: str = Field("chgnet", description="Name or path of the potential that gives the forces")
    ensemble: Ensemble = Field("NVT-Bussi", description="What is kept constant, and how; Langevin slows diffusion down")
    temperature_K: float = quantity(
        300.0, "K", "Target of the thermostat, and of the first velocities", ge=0, le=10_000
    )
    pressure_GPa: float = quantity(
        0.0, "GPa", "Target of the barostat (NPT only); positive compresses", ge=-100, le=1000
    )
    timestep_fs: float = quantity(
        2.0, "fs", "Length of one step; 0.5 with hydrogen, 1 to 2 without", gt=0, le=MAX_TIMESTEP_FS
    )
    steps: int = quantity(1000, "steps", "Number of steps in all", ge=1, le=1_000_000_000)
    frame_interval: int = quantity(10, "steps", "A frame of the trajectory every so many steps", ge=1)
    table_interval: int = quantity(5, "steps", "A row of temperature and energies every so many steps", ge=1)
    seed: int = Field(0, description="Seed of the first velocities and of the thermostat", ge=0)
    initial_temperature_K: float | None = quantity(
        None, "K", "Temperature of the first velocities, if not the target's", ge=0, le=10_000
    )
    keep_velocities: bool = Field(False, description="Start from the structure's own velocities, if it has any")
    friction_per_ps: float = quantity(10.0, "1/ps", "Coupling to the heat bath (Langevin only)", gt=0, le=1000)
    thermostat_time_fs: float = quantity(100.0, "fs", "Response time of Bussi's and Nose-Hoover's thermostats", gt=0)
    barostat_time_fs: float = quantity(1000.0, "fs", "Response time of the barostat (NPT only)", gt=0)
    max_temperature_K: float | None = quantity(
        None, "K", "Stop above this temperature; by itself ten times the target, at least 5000 K", gt=0
    )
    checkpoint_interval: int = quantity(100, "steps", "State for a resume is stored every so many steps", ge=1)
    device: str = Field("auto", description="auto, cpu, cuda or mps")

    @model_validator(mode="after")
    def _fits_together(self) -> "MolecularDynamics":
        if len(self.structure) < 2:
            raise InvalidTask(
                "one atom alone cannot move relative to itself: repeat the cell first, to two atoms or more."
            )
        if self.ensemble.startswith("NPT") and not self.structure.pbc.all():
            raise InvalidTask(
                f"{self.ensemble} needs a cell that is periodic in all directions; choose NVT for a molecule."
            )
        _require_reachable(self.ensemble, self.temperature_K)
        return self

    def label(self) -> str:
        """Formula, temperature and ensemble."""
        name = self.structure.info.get("name") or self.structure.get_chemical_formula()
        return f"MD {name} {self.temperature_K:g} K {self.ensemble}"

    def execute(self, context: RunContext) -> dict[str, Any]:
        """Run the dynamics; tables: thermo. Raises UnstableDynamics with the last good frame kept."""
        from labkit.potentials import load

        context.progress(0, self.steps, f"loading {self.potential}")
        atoms = self.structure.copy()
        atoms.calc = load(self.potential, self.device).calculator()
        return _Trajectory(self, context, self._start(atoms)).integrate()

    def _start(self, atoms: Atoms) -> Integrator:
        temperature = self.temperature_K if self.initial_temperature_K is None else self.initial_temperature_K
        if not (self.keep_velocities and atoms.has("momenta")):
            rng = np.random.default_rng([self.seed, 1])
            thermalize_momenta(atoms, temperature, rng=rng)
            Stationary(atoms, preserve_temperature=False)
            kinetic = atoms.get_kinetic_energy()
            if kinetic > 0:  # exactly the wanted temperature in the 3N - 3 momenta that are left
                wanted = 1.5 * (len(atoms) - 1) * units.kB * temperature
                atoms.set_momenta(atoms.get_momenta() * np.sqrt(wanted / kinetic))
        else:
            Stationary(atoms, preserve_temperature=False)
        return Integrator(
            atoms,
            self.ensemble,
            timestep_fs=self.timestep_fs,
            temperature_K=self.temperature_K,
            pressure_GPa=self.pressure_GPa,
            friction_per_ps=self.friction_per_ps,
            thermostat_time_fs=self.thermostat_time_fs,
            barostat_time_fs=self.barostat_time_fs,
            seed=self.seed,
        )


class _Trajectory:
    """One execution: the integrator, what it reports, and what it obeys."""

    def __init__(self, task: MolecularDynamics, context: RunContext, integrator: Integrator) -> None:
        self.task, self.context, self.integrator = task, context, integrator
        self.step, self.first_step = 0, 0
        self.target_K, self.frame_interval = task.temperature_K, task.frame_interval
        self._resume()
        self.first_step, self.warm_since = self.step, time.perf_counter()

    def integrate(self) -> dict[str, Any]:
        task, integrator = self.task, self.integrator
        if self.step == 0:
            self._guard()
            self._report()
            self._checkpoint()
        while self.step < task.steps:
            self._obey()
            last = (
                integrator.atoms.positions.copy(),
                integrator.atoms.get_momenta(),
                integrator.atoms.cell.array.copy(),
            )
            self.step += 1
            try:
                integrator.step()
                self._guard()
            except UnstableDynamics:
                self._keep_last_good(last)
                raise
            except InvalidStructure as error:  # the atoms left the potential's domain within this step
                self._keep_last_good(last)
                message = f"step {self.step}: {error}"
                raise UnstableDynamics(message, step=self.step, cause="outside of the potential's domain") from error
            self._report()
            if self.step == self.first_step + WARM_UP_STEPS:
                self.warm_since = time.perf_counter()
            if self.step % task.checkpoint_interval == 0 or self.step == task.steps:
                self._checkpoint()
        return self._result()

    def _obey(self) -> None:
        context = self.context
        if context.stop_requested():
            self._checkpoint()
            context.raise_if_stopped()
        if not context.controls_changed():
            return
        self._apply_controls()
        self._checkpoint()
        paused_since = time.perf_counter()
        context.pause_point()
        self.warm_since += time.perf_counter() - paused_since
        self._apply_controls()  # what was changed while paused counts too
        self._checkpoint()

    def _apply_controls(self) -> None:
        context, controls = self.context, self._read_controls()
        if controls.temperature_K not in (None, self.target_K):
            self.target_K = float(controls.temperature_K)
            self.integrator.set_temperature(self.target_K)
            context.log(f"step {self.step}: target temperature is now {self.target_K:g} K")
        if controls.frame_interval not in (None, self.frame_interval):
            self.frame_interval = int(controls.frame_interval)
            context.log(f"step {self.step}: a frame every {self.frame_interval} steps from now on")

    def _read_controls(self) -> Controls:
        wanted = {name: value for name, value in self.context.controls().items() if name in Controls.model_fields}
        try:
            controls = Controls.model_validate(wanted)
            if controls.temperature_K is not None:
                _require_reachable(self.task.ensemble, controls.temperature_K)
            return controls
        except InvalidTask as error:
            self.context.log(f"step {self.step}: temperature_K ignored ({error})")
            return controls.model_copy(update={"temperature_K": None})
        except ValidationError as error:
            reasons = "; ".join(f"{name}: {reason}" for name, reason in problems(error).items())
            self.context.log(f"step {self.step}: controls ignored ({reasons})")
            return Controls()

    def _guard(self) -> None:
        limit = self.task.max_temperature_K or max(5000.0, 10 * self.target_K)
        Guard(limit).check(self.integrator.atoms, self.step, self.integrator.temperature_K())

    def _report(self) -> None:
        task, atoms, step = self.task, self.integrator.atoms, self.step
        temperature = self.integrator.temperature_K()
        if step % task.table_interval == 0 or step == task.steps:
            self.context.row("thermo", step, **self._thermo(temperature))
        if step % self.frame_interval == 0 or step == task.steps:
            self.context.frame(self._frame(atoms), step)
        self.context.progress(step, task.steps, f"{step * task.timestep_fs / 1000:.3g} ps, {temperature:.0f} K")

    def _thermo(self, temperature: float) -> dict[str, float]:
        atoms = self.integrator.atoms
        potential, kinetic = float(atoms.get_potential_energy()), float(atoms.get_kinetic_energy())
        row = {
            "time_fs": self.step * self.task.timestep_fs,
            "temperature_K": temperature,
            "target_temperature_K": self.target_K,
            "potential_energy_eV": potential,
            "kinetic_energy_eV": kinetic,
            "total_energy_eV": potential + kinetic,
        }
        conserved = self.integrator.conserved_energy()
        if conserved is not None:
            row["conserved_energy_eV"] = conserved
        if atoms.pbc.all() and "stress" in atoms.calc.implemented_properties:
            stress = atoms.get_stress(voigt=False, include_ideal_gas=True)
            row["volume_A3"] = float(atoms.get_volume())
            row["pressure_GPa"] = float(-np.trace(stress) / 3 / units.GPa)
        return row

    def _frame(self, atoms: Atoms) -> Atoms:
        frame = Atoms(atoms.numbers, positions=atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
        frame.info = {"time_fs": self.step * self.task.timestep_fs, "energy": float(atoms.get_potential_energy())}
        frame.arrays["forces"] = atoms.get_forces(apply_constraint=False)
        return frame

    def _keep_last_good(self, last: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
        atoms = self.task.structure
        good = Atoms(atoms.numbers, positions=last[0], cell=last[2], pbc=atoms.pbc, momenta=last[1])
        good.info["name"] = f"step {self.step - 1}, before the dynamics became unstable"
        self.context.save_json("last_good", to_dict(good))
        good.info = {"time_fs": (self.step - 1) * self.task.timestep_fs}
        self.context.frame(good, self.step - 1)

    def _checkpoint(self) -> None:
        arrays, state = self.integrator.state()
        steering = {"step": self.step, "target_K": self.target_K, "frame_interval": self.frame_interval}
        self.context.checkpoint(arrays, {**state, **steering})

    def _resume(self) -> None:
        stored = self.context.load_checkpoint()
        if stored is None:
            return
        arrays, state = stored
        self.integrator.restore(arrays, state)
        self.step, self.target_K, self.frame_interval = state["step"], state["target_K"], state["frame_interval"]
        if self.target_K != self.task.temperature_K:
            self.integrator.set_temperature(self.target_K)
        self.context.log(f"continuing from the checkpoint at step {self.step}")

    def _mean_temperature(self) -> float:
        """Mean over the second half of the run, K; from the table, which knows the earlier attempts too."""
        table = read_table(self.context.folder / "thermo.csv")
        return float(table.loc[table["step"] >= self.task.steps / 2, "temperature_K"].mean())

    def _result(self) -> dict[str, Any]:
        warm_steps = self.step - self.first_step - WARM_UP_STEPS
        seconds = time.perf_counter() - self.warm_since
        atoms = self.integrator.atoms
        final = self._frame(atoms)
        final.set_momenta(atoms.get_momenta())
        final.info["name"] = self.task.structure.info.get("name", "")
        return {
            "steps": self.step,
            "time_ps": self.step * self.task.timestep_fs / 1000,
            "mean_temperature_K": self._mean_temperature(),
            "steps_per_second": warm_steps / seconds if warm_steps > 0 else None,
            "final_structure": to_dict(final),
        }
