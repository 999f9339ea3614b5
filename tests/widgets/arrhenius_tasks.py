"""A task that writes the tables of a batch of trajectories without any physics: food for the Arrhenius view."""

import math
import time
from typing import Any, ClassVar

from pydantic import Field

from labkit.runs import RunContext, quantity
from labkit.simulators.batched_dynamics import BatchedDynamics

KB = 8.617333262e-5


class PretendsToDiffuse(BatchedDynamics):
    """D = D0 exp(-Ea / kT), 0.2 eV for the first structure and 0.1 eV more for each other; errors fall with time."""

    kind: ClassVar[str] = "BatchedDynamics"

    rounds: int = quantity(5, "", "How often the coefficients are written", ge=1)
    pause_s: float = quantity(0.0, "s", "Time between two of them", ge=0)
    unstable: list[int] = Field([], description="Trajectories that stop as unstable in the end")

    def execute(self, context: RunContext) -> dict[str, Any]:
        """Round by round; at the lowest temperature the points are doubtful in the first half."""
        todo = self.plans()
        for step in range(1, self.rounds + 1):
            context.pause_point()
            context.raise_if_stopped()
            for plan in todo:
                if plan.index >= step * len(todo):
                    continue
                D = 1e-3 * math.exp(-(0.2 + 0.1 * plan.structure) / (KB * plan.temperature_K))
                error = 0.5 * D / math.sqrt(step)
                cold = plan.temperature_K == min(self.temperatures_K) and step < self.rounds / 2
                context.row(
                    "diffusion", step * len(todo) + plan.index, trajectory=plan.index, length_ps=float(step),
                    D_cm2_s=D, error_cm2_s=error, low_cm2_s=D - 2 * error, high_cm2_s=D + 2 * error, exponent=1.0,
                    warning="less than one hop each" if cold else "",
                )  # fmt: skip
            context.progress(step, self.rounds, "pretending")
            time.sleep(self.pause_s)
        for count, number in enumerate(self.unstable):
            context.row("trajectories", count, trajectory=number, state="failed", reason="step 9: two atoms met.")
        return {"steps": self.rounds, "trajectories": []}
