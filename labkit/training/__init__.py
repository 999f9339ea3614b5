"""Training: a potential learns from labelled structures, watched from a notebook or in a script.

`Training` is the task for a form and a run folder; `Trainer` is the loop behind it, for scripts and benchmarks.
"""

from typing import TYPE_CHECKING, Any

from labkit.training.recipe import Recipe
from labkit.training.task import Training

if TYPE_CHECKING:
    from labkit.training.trainer import DivergedTraining, Outcome, Trainer, fit

__all__ = ["DivergedTraining", "Outcome", "Recipe", "Trainer", "Training", "fit"]


def __getattr__(name: str) -> Any:
    if name in ("DivergedTraining", "Outcome", "Trainer", "fit"):  # they bring torch along, which a form does not need
        from labkit.training import trainer

        return getattr(trainer, name)
    raise AttributeError(name)
