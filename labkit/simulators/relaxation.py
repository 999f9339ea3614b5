"""Relaxation of many structures in one batch: positions, or positions and cell, by FIRE.

Structures leave the batch as they converge, so the last stubborn one does not make the others wait for their result.
"""

from dataclasses import asdict
from typing import Any

import numpy as np
from ase import Atoms, units
from pydantic import Field, model_validator

from labkit.errors import InvalidStructure, InvalidTask, NotConverged
from labkit.potentials.interface import Potential
from labkit.runs import RunContext, Task, quantity
from labkit.simulators.cell_filter import RelaxationCoordinates
from labkit.simulators.fire import FireState
from labkit.structures import StructureField
from labkit.structures.field import to_dict

#: A relaxation that grows or shrinks its cell by more than this factor has left the basin it started in.
MAX_VOLUME_RATIO = 3.0


class Relaxation(Task):
    """Move the atoms, and the cell if wanted, downhill in energy until the forces vanish; many structures at once."""

    structures: list[StructureField] = Field(
        ["LiCoO2"], description="What to relax", min_length=1, validate_default=True
    )
    potential: str = Field("chgnet", description="Name or path of the potential that gives the forces")
    relax_cell: bool = Field(True, description="Relax the cell too (periodic structures only)")
    fmax_eV_A: float = quantity(
        0.05, "eV/Å", "Converged when no generalised force is larger than this", gt=0, le=10, label="Largest force"
    )
    pressure_GPa: float = quantity(0.0, "GPa", "External pressure on the cell; positive compresses", ge=-100, le=1000)
    max_steps: int = quantity(500, "steps", "Give a structure up after so many steps", ge=1, le=1_000_000)
    frame_interval: int = quantity(1, "steps", "With one structure: a frame every so many steps", ge=1)
    checkpoint_interval: int = quantity(50, "steps", "State for a resume is stored every so many steps", ge=1)
    device: str = Field("auto", description="auto, cpu, cuda or mps")

    @model_validator(mode="after")
    def _fits_together(self) -> "Relaxation":
        if self.relax_cell and not any(atoms.pbc.all() for atoms in self.structures) and self.pressure_GPa != 0:
            raise InvalidTask("a pressure needs a structure that is periodic in all directions; set pressure_GPa to 0.")
        return self

    def label(self) -> str:
        """Formula, or the number of structures."""
        first = self.structures[0]
        name = first.info.get("name") or first.get_chemical_formula()
        return f"Relaxation {name}" if len(self.structures) == 1 else f"Relaxation of {len(self.structures)} structures"

    def execute(self, context: RunContext) -> dict[str, Any]:
        """Relax; tables: relaxation (every step) and structures (one row each). Raises NotConverged when none
        converged.
        """
        from labkit.potentials import load

        context.progress(0, len(self.structures), f"loading {self.potential}")
        return _Batch(self, context, load(self.potential, self.device)).relax()


class _Member:
    """One structure on its way down."""

    def __init__(self, index: int, atoms: Atoms, task: Relaxation) -> None:
        self.index, self.steps = index, 0
        cell = task.relax_cell and bool(atoms.pbc.all())
        self.coordinates = RelaxationCoordinates(atoms, relax_cell=cell, pressure_eV_A3=task.pressure_GPa * units.GPa)
        self.fire = FireState()
        self.state, self.reason = "active", ""
        self.energy = self.enthalpy = self.max_force = float("nan")
        self.atoms = atoms.copy()

    def fail(self, reason: str) -> None:
        self.state, self.reason = "failed", reason


class _Batch:
    """All structures of a relaxation; those still active are evaluated together at every step."""

    def __init__(self, task: Relaxation, context: RunContext, potential: Potential) -> None:
        self.task, self.context, self.potential = task, context, potential
        self.members = [_Member(index, atoms, task) for index, atoms in enumerate(task.structures)]
        self.step, self.finished = 0, 0
        self._resume()

    def relax(self) -> dict[str, Any]:
        task, context = self.task, self.context
        while active := [member for member in self.members if member.state == "active"]:
            context.raise_if_stopped()
            context.pause_point()
            self._evaluate(active)
            for member in active:
                if member.state == "active":
                    self._judge(member)
            self._report(active)
            for member in active:
                if member.state != "active":
                    self._release(member)
            for member in active:
                if member.state == "active":
                    self._move(member)
            self.step += 1
            if self.step % task.checkpoint_interval == 0:
                self._checkpoint()
        return self._result()

    def _evaluate(self, active: list[_Member]) -> None:
        """Energy, generalised forces and stress of all active members in one batch."""
        for member in active:
            member.atoms = member.coordinates.atoms()
        try:
            groups = [(active, self.potential.predict([member.atoms for member in active]))]
        except InvalidStructure:  # one bad member must not take the others along: find it
            groups = []
            for member in active:
                try:
                    groups.append(([member], self.potential.predict([member.atoms])))
                except InvalidStructure as error:
                    member.fail(str(error))
        for members, prediction in groups:
            for position, member in enumerate(members):
                stress = None if prediction.stresses is None else prediction.stresses[position]
                member.energy = float(prediction.energies[position])
                member.enthalpy = member.coordinates.enthalpy(member.atoms, member.energy)
                member.atoms.arrays["forces"] = np.array(prediction.forces[position])
                member.generalised = member.coordinates.forces(member.atoms, prediction.forces[position], stress)
                member.max_force = float(np.sqrt((member.generalised**2).sum(axis=1).max()))

    def _judge(self, member: _Member) -> None:
        if not np.isfinite(member.max_force) or not np.isfinite(member.energy):
            member.fail(
                f"the energy or a force is no longer finite after {member.steps} steps; check the start structure."
            )
        elif member.max_force <= self.task.fmax_eV_A:
            member.state = "converged"
        elif member.coordinates.relax_cell:
            ratio = member.atoms.get_volume() / member.coordinates.start.get_volume()
            if not 1 / MAX_VOLUME_RATIO < ratio < MAX_VOLUME_RATIO:
                member.fail(
                    f"the cell changed its volume by a factor {ratio:.2f}; is the potential right for this material?"
                )
        if member.state == "active" and member.steps >= self.task.max_steps:
            member.state = "not converged"
            member.reason = (
                f"largest force {member.max_force:.3f} eV/Å after {member.steps} steps, wanted {self.task.fmax_eV_A:g}."
            )

    def _move(self, member: _Member) -> None:
        member.coordinates.rows = member.coordinates.rows + member.fire.displacement(member.generalised)
        member.steps += 1

    def _report(self, active: list[_Member]) -> None:
        worst = max(active, key=lambda member: member.max_force)
        row: dict[str, float] = {"max_force_eV_A": worst.max_force}
        if len(self.members) > 1:
            row["active"] = len(active)
        else:
            row |= {"energy_eV": worst.energy, "enthalpy_eV": worst.enthalpy}
            if worst.atoms.pbc.all():
                row["volume_A3"] = float(worst.atoms.get_volume())
            if self.step % self.task.frame_interval == 0 or worst.state != "active":
                self.context.frame(self._frame(worst), self.step)
        self.context.row("relaxation", self.step, **row)
        done = len(self.members) - sum(member.state == "active" for member in self.members)
        self.context.progress(done, len(self.members), f"step {self.step}, largest force {worst.max_force:.3f} eV/Å")

    def _release(self, member: _Member) -> None:
        self.context.row(
            "structures",
            self.finished,
            index=member.index,
            formula=member.atoms.get_chemical_formula(),
            state=member.state,
            steps=member.steps,
            energy_eV=member.energy,
            max_force_eV_A=member.max_force,
        )
        if len(self.members) > 1:
            self.context.frame(self._frame(member), self.finished)
        if member.reason:
            self.context.log(
                f"structure {member.index} ({member.atoms.get_chemical_formula()}) {member.state}: {member.reason}"
            )
        self.finished += 1

    def _frame(self, member: _Member) -> Atoms:
        frame = Atoms(
            member.atoms.numbers, positions=member.atoms.positions, cell=member.atoms.cell, pbc=member.atoms.pbc
        )
        frame.info = {"energy": member.energy, "structure_index": member.index}
        if "forces" in member.atoms.arrays:
            frame.arrays["forces"] = member.atoms.arrays["forces"]
        return frame

    def _checkpoint(self) -> None:
        arrays, members = {}, []
        for member in self.members:
            arrays[f"rows{member.index}"] = member.coordinates.rows
            state = asdict(member.fire)
            velocity = state.pop("velocity")
            if velocity is not None:
                arrays[f"velocity{member.index}"] = velocity
            values = {
                key: getattr(member, key) for key in ("state", "reason", "steps", "energy", "enthalpy", "max_force")
            }
            members.append({"fire": state, **values})
        self.context.checkpoint(arrays, {"step": self.step, "finished": self.finished, "members": members})

    def _resume(self) -> None:
        stored = self.context.load_checkpoint()
        if stored is None:
            return
        arrays, state = stored
        self.step, self.finished = state["step"], state["finished"]
        for member, values in zip(self.members, state["members"], strict=True):
            fire = values.pop("fire")
            member.fire = FireState(velocity=arrays.get(f"velocity{member.index}"), **fire)
            member.coordinates.rows = arrays[f"rows{member.index}"]
            for key, value in values.items():
                setattr(member, key, value)
            member.atoms = member.coordinates.atoms()
        self.context.log(f"continuing from the checkpoint at step {self.step}")

    def _result(self) -> dict[str, Any]:
        converged = [member for member in self.members if member.state == "converged"]
        others = {
            member.index: f"{member.state}: {member.reason}" for member in self.members if member.state != "converged"
        }
        if not converged:
            raise NotConverged(
                f"none of {len(self.members)} structures reached {self.task.fmax_eV_A:g} eV/Å: "
                + "; ".join(others.values())
                + " Raise max_steps or fmax_eV_A, or look at the frames kept in the run."
            )
        for member in converged:
            member.atoms.info["name"] = member.coordinates.start.info.get("name", member.atoms.get_chemical_formula())
        return {
            "converged": [member.state == "converged" for member in self.members],
            "not_converged": {str(index): reason for index, reason in others.items()},
            "energies_eV": [member.energy for member in self.members],
            "max_forces_eV_A": [member.max_force for member in self.members],
            "steps": [member.steps for member in self.members],
            "structures": [to_dict(member.atoms) for member in self.members],
        }
