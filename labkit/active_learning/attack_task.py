"""The adversarial attack as a run: several start structures, one after the other, each step in a table and as a frame.

The wanted error can be turned while it runs (control `wanted_eV_A`); a structure that is done is never attacked again
after a resume.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from ase import Atoms
from pydantic import Field, model_validator

from labkit.active_learning.adversarial import AttackStep, Guards, attack
from labkit.active_learning.calibration import Calibration
from labkit.active_learning.committee_gradient import surface_of
from labkit.errors import InvalidTask
from labkit.runs import RunContext, Task, quantity
from labkit.structures import StructureField
from labkit.structures.field import to_dict


class Attack(Task):
    """Move atoms until a committee expects to be wrong by a chosen amount: structures worth a label."""

    structures: list[StructureField] = Field(
        ["LiCoO2"], description="Where the attacks start", min_length=1, validate_default=True
    )
    committee: str = Field(..., description="Path of the committee that is attacked")
    wanted_eV_A: float = quantity(
        0.3, "eV/Å", "Stop when the largest predicted error of a force component is this", gt=0, le=100, label="Wanted"
    )
    calibration_a: float = quantity(1.0, "", "Factor a of predicted error = a spread^b, in eV/Å", gt=0)
    calibration_b: float = quantity(1.0, "", "Exponent b of the calibration", gt=0, le=5)
    tolerance: float = quantity(0.05, "", "Reached when within this share of the wanted error", gt=0, lt=1)
    max_steps: int = quantity(100, "steps", "Give a structure up after so many steps", ge=1, le=10_000)
    max_step_A: float = quantity(0.1, "Å", "No atom moves further in one step", gt=0, le=1)
    max_displacement_A: float = quantity(1.5, "Å", "No atom goes further from its start", gt=0, le=20)
    closest: float = quantity(0.6, "", "No pair nearer than this share of its covalent radii", ge=0, le=1.5)
    energy_window_eV: float = quantity(0.3, "eV/atom", "Mean energy above the start's", gt=0, le=100)
    rattle_A: float = quantity(0.02, "Å", "Random first displacement, which breaks the symmetry", ge=0, le=1)
    seed: int = quantity(0, "", "Seed of the first displacement", ge=0)
    device: str = Field("auto", description="auto, cpu or cuda")

    @model_validator(mode="after")
    def _fits_together(self) -> Attack:
        if self.max_step_A > self.max_displacement_A:
            raise InvalidTask("max_step_A is longer than max_displacement_A; the first step would end the attack.")
        return self

    def label(self) -> str:
        """Number of structures and the wanted error."""
        return f"Attack on {len(self.structures)} structures, wanted {self.wanted_eV_A:g} eV per Å"

    def execute(self, context: RunContext) -> dict[str, Any]:
        """Attack; table "attack" with one row a step, frames with the predicted error of each atom (array
        `predicted_error`, eV/Å). Raises InvalidTask for a potential that is no committee.
        """
        from labkit.potentials import load

        context.progress(0, len(self.structures), f"loading {self.committee}")
        committee = load(self.committee, self.device)
        if not hasattr(committee, "predict_members"):
            raise InvalidTask(f"{self.committee} is one potential; an attack needs a committee, whose members differ.")
        return self.on(surface_of(committee), context)

    def on(self, surface: Any, context: RunContext) -> dict[str, Any]:
        """The attacks on any `Surface`, for callers that hold a committee which is no file."""
        stored = context.load_checkpoint()
        state = stored[1] if stored else {"rows": 0, "ends": []}
        for index in range(len(state["ends"]), len(self.structures)):
            row, step = state["rows"], None
            if sentence := self._guards().contact(self.structures[index]):
                context.log(f"structure {index} was not attacked: {sentence}")
                state = {"rows": row, "ends": [*state["ends"], self._refused(index, sentence)]}
                context.checkpoint({}, state)
                continue
            for step in self._steps(surface, self.structures[index], index, context):
                context.raise_if_stopped()
                context.pause_point()
                context.row(
                    "attack",
                    row,
                    structure=index,
                    attack_step=step.step,
                    wanted_eV_A=step.wanted,
                    predicted_eV_A=step.predicted_error,
                    worst_atom=step.worst,
                    energy_eV=step.energy,
                    max_displacement_A=step.max_displacement_A,
                )
                context.frame(_frame(step, index), row)
                context.progress(
                    index,
                    len(self.structures),
                    f"structure {index + 1}, step {step.step}: {step.predicted_error:.3f} of {step.wanted:.3f} eV/Å",
                )
                row += 1
            if step.state != "reached":
                context.log(f"structure {index} stopped at {step.predicted_error:.3f} eV/Å: {step.reason}")
            state = {"rows": row, "ends": [*state["ends"], _end(step)]}
            context.checkpoint({}, state)
        context.progress(len(self.structures), len(self.structures), "done")
        ends = state["ends"]
        return {name: [end[name] for end in ends] for name in ends[0]} | {
            "n_reached": sum(end["reached"] for end in ends)
        }

    def _steps(self, surface: Any, atoms: Atoms, index: int, context: RunContext) -> Any:
        return attack(
            surface,
            atoms,
            Calibration("given", self.calibration_a, self.calibration_b),
            lambda: self._wanted(context),
            guards=self._guards(),
            max_steps=self.max_steps,
            tolerance=self.tolerance,
            max_step_A=self.max_step_A,
            rattle_A=self.rattle_A,
            seed=int(np.random.SeedSequence([self.seed, index]).generate_state(1)[0]),
        )

    def _guards(self) -> Guards:
        return Guards(self.closest, self.max_displacement_A, self.energy_window_eV)

    def _wanted(self, context: RunContext) -> float:
        """What the dial says; a setting that is no positive number is as good as none."""
        value = context.controls().get("wanted_eV_A")
        usable = isinstance(value, int | float) and not isinstance(value, bool) and np.isfinite(value) and value > 0
        return float(value) if usable else self.wanted_eV_A

    def _refused(self, index: int, reason: str) -> dict[str, Any]:
        return {
            "structures": to_dict(self.structures[index]),
            "reached": False,
            "predicted_eV_A": None,
            "wanted_eV_A": self.wanted_eV_A,
            "steps": 0,
            "reasons": reason,
        }


def _frame(step: AttackStep, index: int) -> Atoms:
    frame = Atoms(step.atoms.numbers, positions=step.atoms.positions, cell=step.atoms.cell, pbc=step.atoms.pbc)
    frame.info = {"energy": step.energy, "structure_index": index, "wanted_eV_A": step.wanted}
    frame.arrays["predicted_error"] = np.array(step.predicted)
    return frame


def _end(step: AttackStep) -> dict[str, Any]:
    return {
        "structures": to_dict(step.atoms),
        "reached": step.state == "reached",
        "predicted_eV_A": step.predicted_error,
        "wanted_eV_A": step.wanted,
        "steps": step.step,
        "reasons": step.reason,
    }
