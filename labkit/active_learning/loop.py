"""Active learning as a task: explore, select, label, train, calibrate, decide; round by round, rung by rung.

The one idea: every stage leaves a file under rounds/NNN/ before the next begins, so a loop that was killed in any of
them goes on where it was, buys no label twice and ends the same.
"""

from __future__ import annotations

from typing import Any

from pydantic import model_validator

from labkit.active_learning.levels import QualityLevel
from labkit.active_learning.plan import Plan
from labkit.errors import InvalidTask
from labkit.runs import RunContext, Task
from labkit.training.recipe import Recipe

__all__ = ["ActiveLearning", "QualityLevel"]


class ActiveLearning(Recipe, Plan, Task):  # pydantic lists the fields of the last base first
    """Let a committee of potentials explore, ask for labels where it is unsure, learn from them, and know when to stop.

    Tables (see `rounds.Rounds`): rounds, grades, reliability, members. Frames: the worst structure of each round with
    `predicted_error` (eV/Å) of each atom. Controls: lower_eV_A, upper_eV_A (in place of the level's;
    at every level, or at number `thresholds_level` only), paused.
    """

    kind = "ActiveLearning"

    @model_validator(mode="after")
    def _fits_together(self) -> ActiveLearning:
        if not (self.energy_weight or self.forces_weight or self.stress_weight):
            raise InvalidTask("all weights of the loss are zero: nothing would be learned.")
        if self.magmoms_weight:
            raise InvalidTask("the networks of a committee (CAMP) have no magnetic moments: set magmoms_weight to 0.")
        if self.device.startswith("mps"):
            raise InvalidTask("a committee sums energies in float64, which MPS does not have: take cpu or cuda.")
        return self

    def label(self) -> str:
        """The pool's first structure, how it is explored, and the references."""
        first = self.structures[0]
        name = first.info.get("name") or first.get_chemical_formula()
        more = f" and {len(self.structures) - 1} more" if len(self.structures) > 1 else ""
        return f"Active learning of {name}{more} by {self.explore} with {', '.join(one.title for one in self.levels)}"

    def execute(self, context: RunContext) -> dict[str, Any]:
        """Run the loop; see the class for tables. rounds/NNN/ holds candidates.extxyz, selected.extxyz, labels/,
        committee/ and round.json; dataset.extxyz all labels of the level that is reached.

        Raises InvalidTask for a reference without forces, RunFailed when none of the first structures can be labelled.
        """
        from labkit.active_learning.rounds import Rounds

        return Rounds(self, context).run()
