"""The work of `BatchedDynamics`: every active trajectory makes its step, then one evaluation serves them all.

Positions, velocities, forces and generators of all trajectories go into the checkpoint, so that a run that was killed
continues bit for bit as if it had not been.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from ase.calculators.singlepoint import SinglePointCalculator

from labkit.errors import InvalidStructure, RunCancelled, UnstableDynamics
from labkit.simulators.batched_dynamics_report import Member, Report
from labkit.simulators.batched_dynamics_trajectory import Plan
from labkit.simulators.bussi import Bussi
from labkit.simulators.guards import Guard
from labkit.simulators.langevin import Langevin
from labkit.structures import bare

if TYPE_CHECKING:
    from labkit.potentials.interface import Potential, Prediction
    from labkit.runs import RunContext
    from labkit.simulators.batched_dynamics import BatchedDynamics

PROPERTIES = ("energy", "forces")


class Batch:
    """All trajectories of a task; those still running are evaluated together at every step."""

    def __init__(self, task: BatchedDynamics, context: RunContext, potential: Potential) -> None:
        self.task, self.context, self.potential = task, context, potential
        self.members = [self._member(plan) for plan in task.plans()]
        self.step, self.ended, self.batch_refused = 0, 0, False
        self.report = Report(task, context, len(self.members))
        self.resumed = self._resume()

    def _member(self, plan: Plan) -> Member:
        task = self.task
        generator = np.random.default_rng([plan.seed, plan.structure, round(1000 * plan.temperature_K)])
        common = (bare(task.structures[plan.structure]), plan.temperature_K, task.timestep_fs)
        if task.ensemble == "NVT-Langevin":
            return Member(plan, Langevin(*common, task.friction_per_ps, generator))
        return Member(plan, Bussi(*common, task.thermostat_time_fs, generator))

    def running(self) -> list[Member]:
        """The trajectories that still move."""
        return [member for member in self.members if member.state == "running"]

    def integrate(self) -> dict[str, Any]:
        """All steps; returns the result of the task."""
        if not self.resumed:
            self._evaluate(self.running())
            self._after_step()
            self._checkpoint()
        while self.step < self.task.steps and self.running():
            self._obey()
            self.step += 1
            active = self.running()
            for member in active:
                member.walker.before(member.forces)
            self._evaluate(active)
            for member in active:
                if member.state == "running":
                    member.walker.after(member.forces)
            self._after_step()
            if self.step % self.task.checkpoint_interval == 0 or self.step == self.task.steps:
                self._checkpoint()
        return self._result()

    def _obey(self) -> None:
        if self.context.stop_requested():
            self._checkpoint()
            self.context.raise_if_stopped()
        self.context.pause_point()

    def _evaluate(self, active: list[Member]) -> None:
        """Energies and forces of all active trajectories in one batch; one that is refused must not stop the others."""
        try:
            groups = [(active, self.potential.predict([one.walker.atoms for one in active], PROPERTIES))]
        except Exception as error:
            _raise_what_is_not_of_one_trajectory(error)
            groups = self._one_by_one(active, error)
        for members, prediction in groups:
            assert prediction.forces is not None
            for place, member in enumerate(members):
                member.energy_eV = float(prediction.energies[place])
                member.forces = np.array(prediction.forces[place], dtype=float)

    def _one_by_one(self, active: list[Member], refusal: Exception) -> list[tuple[list[Member], Prediction]]:
        groups = []
        for member in active:
            try:
                groups.append(([member], self.potential.predict([member.walker.atoms], PROPERTIES)))
            except Exception as error:
                _raise_what_is_not_of_one_trajectory(error)
                member.fail(f"step {self.step}: {_words(error)}")
        if len(groups) == len(active) > 1 and not self.batch_refused:
            self.batch_refused = True
            self.context.log(
                f"step {self.step}: the potential refused the batch and took each trajectory alone, which is slower: "
                f"{_words(refusal)}"
            )
        return groups

    def _after_step(self) -> None:
        task = self.task
        for member in self.running():
            self._guard(member)
        for member in self.running():
            if self.step == task.equilibration_steps:
                member.origin = member.walker.atoms.positions.copy()
            elif self.step > task.equilibration_steps:
                member.heat[0] += member.walker.kinetic_temperature_K
                member.heat[1] += 1
        last = self.step == task.steps
        if last or self.step % task.table_interval == 0:
            self.report.rows(self.running(), self.step)
        if self.step % task.frame_interval == 0:
            for member in self.running():
                self.report.frame(member, self.step)
        if self.step > task.equilibration_steps and (last or self.step % task.diffusion_interval == 0):
            self.report.read_frames(self.members, self.step)
            for member in self.running():
                self.report.diffusion_row(member, self.step)
        for member in self.members:
            if member.state == "running" and last:
                member.state = "finished"
        self._release()
        picosecond = self.step * task.timestep_fs / 1000
        self.context.progress(self.step, task.steps, f"{picosecond:.3g} ps, {len(self.running())} trajectories")

    def _guard(self, member: Member) -> None:
        walker, task = member.walker, self.task
        atoms = walker.atoms
        atoms.set_velocities(walker.velocities)
        atoms.calc = SinglePointCalculator(atoms, energy=member.energy_eV, forces=member.forces)
        limit = task.max_temperature_K or max(5000.0, 10 * walker.temperature_K)
        try:
            Guard(limit, task.min_distance_A).check(atoms, self.step, walker.kinetic_temperature_K)
        except UnstableDynamics as error:
            member.fail(str(error))
        finally:
            atoms.calc = None

    def _release(self) -> None:
        """A row for each trajectory that has just ended."""
        over = sum(member.state != "running" for member in self.members)
        if over == self.ended:
            return
        for member in self.members:
            if member.state == "running" or member.told:
                continue
            member.told = True
            plan = member.plan
            who = {"trajectory": plan.index, "structure": plan.name, "temperature_K": plan.temperature_K}
            steps = member.walker.steps
            end = {"seed": plan.seed, "state": member.state, "steps": steps, "reason": member.reason}
            self.context.row("trajectories", self.ended, **who, **end)
            if member.reason:
                self.context.log(f"trajectory {plan.index} ({plan}) stopped alone: {member.reason}")
            self.ended += 1

    def _checkpoint(self) -> None:
        arrays: dict[str, np.ndarray] = {}
        states = []
        for member in self.members:
            own, walker = member.walker.state()
            own |= {"forces": member.forces}
            own |= {} if member.origin is None else {"origin": member.origin}
            arrays |= {f"{member.plan.index}.{name}": value for name, value in own.items()}
            ends = {"state": member.state, "reason": member.reason, "told": member.told}
            states.append({"walker": walker, "energy_eV": member.energy_eV, "heat": member.heat, **ends})
        self.context.checkpoint(arrays, {"step": self.step, "ended": self.ended, "members": states})

    def _resume(self) -> bool:
        stored = self.context.load_checkpoint()
        if stored is None:
            return False
        arrays, state = stored
        self.step, self.ended = state["step"], state["ended"]
        for member, values in zip(self.members, state["members"], strict=True):
            head = f"{member.plan.index}."
            own = {name.removeprefix(head): array for name, array in arrays.items() if name.startswith(head)}
            member.walker.restore(own, values["walker"])
            member.forces, member.origin = own["forces"], own.get("origin")
            member.state, member.reason = values["state"], values["reason"]
            member.energy_eV, member.heat = float(values["energy_eV"]), values["heat"]
            member.told = values["told"]
        self.context.log(f"continuing from the checkpoint at step {self.step}")
        return True

    def _result(self) -> dict[str, Any]:
        if all(member.state == "failed" for member in self.members):
            reasons = "; ".join(f"{member.plan}: {member.reason}" for member in self.members[:3])
            raise UnstableDynamics(f"none of {len(self.members)} trajectories survived: {reasons}")
        self.report.read_frames(self.members, self.step)
        return {"steps": self.step, "trajectories": [self.report.summary(member) for member in self.members]}


def _raise_what_is_not_of_one_trajectory(error: Exception) -> None:
    """Memory and the device belong to the whole run, and torch, whose names these are, need not be there."""
    device = type(error).__name__ in ("OutOfMemoryError", "AcceleratorError")
    if device or isinstance(error, RunCancelled | MemoryError):
        raise error


def _words(error: Exception) -> str:
    """In one line, as it goes into a table; a refusal in labkit's own sentence needs no name of its class."""
    said = " ".join(str(error).split())
    return said if isinstance(error, InvalidStructure) else f"the potential failed with {type(error).__name__}: {said}"
