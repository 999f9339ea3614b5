"""How fast the optimiser moves: warm-up, then a curve over the share of the run that is done, or steps on a plateau.

The share is that of the epochs, of the time limit or of the processor budget, whichever is furthest; so a run that is
limited in time still ends with small steps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from labkit.training.recipe import Recipe


@dataclass
class Schedule:
    """The learning rate of each step; `scale`, `best` and `waited` are the memory of the plateau."""

    recipe: Recipe
    scale: float = 1.0
    best: float = math.inf
    waited: int = 0

    def rate(self, step: int, share: float) -> float:
        """Learning rate of the optimiser's step `step` (from 0) when `share` of the run is done."""
        recipe, share = self.recipe, min(1.0, share)
        warm = min(1.0, (step + 1) / recipe.warmup_steps) if recipe.warmup_steps else 1.0
        if recipe.schedule == "cosine":
            fall = recipe.final_rate + (1 - recipe.final_rate) * (1 + math.cos(math.pi * share)) / 2
        elif recipe.schedule == "linear":
            fall = recipe.final_rate + (1 - recipe.final_rate) * (1 - share)
        else:
            fall = self.scale
        return recipe.learning_rate * warm * fall

    def weights(self, share: float) -> dict[str, float]:
        """Weight of each term of the loss; that of the energies moves geometrically over the second half."""
        recipe, energy = self.recipe, self.recipe.energy_weight
        if recipe.final_energy_weight is not None:
            late = min(1.0, max(0.0, 2 * share - 1))
            start, end = max(energy, 1e-12), max(recipe.final_energy_weight, 1e-12)
            energy = start ** (1 - late) * end**late
        return {
            "energy": energy,
            "forces": recipe.forces_weight,
            "stress": recipe.stress_weight,
            "magmoms": recipe.magmoms_weight,
        }

    def observe(self, loss: float) -> None:
        """Hear the loss of a validation: the plateau lowers the rate after too many that are no better."""
        if loss < self.best:
            self.best, self.waited = loss, 0
            return
        self.waited += 1
        if self.recipe.schedule == "plateau" and self.waited > self.recipe.plateau_patience:
            self.scale, self.waited = self.scale * self.recipe.plateau_factor, 0
