"""The state of a training as arrays and JSON: what the next step depends on, no more."""

from __future__ import annotations

import math
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from labkit.training.clock import Clock

if TYPE_CHECKING:
    from labkit.training.trainer import Trainer

FIXED = "fixed/"


def store(trainer: Trainer) -> None:
    """Write the checkpoint through the trainer's context; only the first rank does."""
    if not trainer.workers.first:
        return
    began = time.monotonic()
    arrays, moved = trainer.weights.state()
    # Frozen weights, and the scale and shift that were fitted before the first step: a resume does not fit again.
    moving = set(trainer.weights.names)
    for name, value in trainer.potential.network.state_dict().items():
        if name not in moving:
            arrays[FIXED + name] = value.detach().cpu().numpy()
    best, schedule = trainer.best, trainer.schedule
    if best.weights is not None:
        arrays["best"] = best.weights
    state: dict[str, Any] = {
        "weights": moved,
        "place": asdict(trainer.place),
        "schedule": {"scale": schedule.scale, "best": _finite(schedule.best), "waited": schedule.waited},
        "best": {"loss": _finite(best.loss), "epoch": best.epoch, "waited": best.waited, "metrics": best.metrics},
        "limit_atoms": trainer.gradients.limit_atoms,
        "rate_factor": trainer.rate_factor,
        "elapsed_s": trainer.clock.elapsed_s(),
        "cpu_s": trainer.clock.cpu_s(),
    }
    trainer.context.checkpoint(arrays, state)
    trainer.report.checkpointed(time.monotonic() - began)


def restore(trainer: Trainer) -> None:
    """Continue from the context's checkpoint, if it has one."""
    from labkit.training.trainer import Best, Place

    found = trainer.context.load_checkpoint()
    if found is None:
        return
    arrays, state = found
    trainer.weights.restore(arrays, state["weights"])
    own = trainer.potential.network.state_dict()
    with torch.no_grad():
        for name, values in arrays.items():
            if name.startswith(FIXED):
                own[name.removeprefix(FIXED)].copy_(torch.from_numpy(np.array(values)))
    trainer.place = Place(**state["place"])
    schedule, best = state["schedule"], state["best"]
    trainer.schedule.scale, trainer.schedule.waited = schedule["scale"], schedule["waited"]
    trainer.schedule.best = _infinite(schedule["best"])
    trainer.best = Best(_infinite(best["loss"]), best["epoch"], best["waited"], best["metrics"], arrays.get("best"))
    trainer.gradients.limit_atoms, trainer.rate_factor = state["limit_atoms"], state["rate_factor"]
    trainer.clock = Clock(state["elapsed_s"], state["cpu_s"])
    trainer.context.log(f"continuing from the checkpoint in epoch {trainer.place.epoch + 1}, step {trainer.place.step}")


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _infinite(value: float | None) -> float:
    return math.inf if value is None else value
