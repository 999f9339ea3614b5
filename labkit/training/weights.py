"""What a training moves: the parameters that are not frozen, their running mean, and the optimiser's memory of them.

The one idea: the state is a few flat vectors (weights, mean, moments), so a checkpoint is a handful of arrays and an
average of a hundred tensors is one call.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor

from labkit.errors import InvalidTask
from labkit.potentials.trainable import TrainablePotential
from labkit.training.optimisers import flat, like, memory, optimiser, remember
from labkit.training.recipe import Recipe


class Weights:
    """The trainable parameters of a potential with their running mean and their optimiser."""

    def __init__(self, potential: TrainablePotential, recipe: Recipe, frozen: Sequence[str] = ()) -> None:
        """Make everything but the `frozen` layers trainable; raises InvalidTask for a layer that is not there."""
        self.network = potential.network
        self._required = {name: value.requires_grad for name, value in self.network.named_parameters()}
        held = _frozen_names(potential, frozen)
        named = {name: value for name, value in self.network.named_parameters() if name not in held}
        if not named:
            raise InvalidTask(f"every layer of {potential.name} is frozen: leave at least one to train.")
        for name, value in self.network.named_parameters():
            value.requires_grad_(name in named)
        self.names, self.parameters = list(named), list(named.values())
        self.decay = recipe.ema_decay
        self.mean = [value.detach().clone() for value in self.parameters]
        self.optimiser = optimiser(recipe, self.parameters, potential.device)
        self.updates = 0

    def step(self, rate: float) -> None:
        """One step of the optimiser along the gradients, then of the running mean."""
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.step()
        self.updates += 1
        # A young mean must not remember the random start: its memory grows with the run.
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        with torch.no_grad():
            torch._foreach_lerp_(self.mean, self.parameters, 1 - decay)

    def clip(self, longest: float | None) -> float:
        """Norm of the gradient, which is shortened to `longest` where it exceeds that."""
        gradients = [value.grad for value in self.parameters if value.grad is not None]
        if not gradients:
            return 0.0
        norm = float(torch.nn.utils.get_total_norm(gradients))
        if longest is not None and longest < norm < float("inf"):
            torch._foreach_mul_(gradients, longest / norm)
        return norm

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Within it, the network has the running mean for its weights, and parameters do not require gradients."""
        with self._showing(self.mean if self.decay > 0 else None):
            yield

    @contextmanager
    def showing(self, values: np.ndarray) -> Iterator[None]:
        """Within it, the network has the flat vector `values` for its weights."""
        with self._showing(like(values, self.parameters)):
            yield

    @contextmanager
    def _showing(self, values: Sequence[Tensor] | None) -> Iterator[None]:
        current = [value.detach().clone() for value in self.parameters]
        for value in self.parameters:
            value.requires_grad_(False)
        self._set(current if values is None else values)
        self.network.eval()
        try:
            yield
        finally:
            self.network.train()
            self._set(current)
            for value in self.parameters:
                value.requires_grad_(True)

    def _set(self, values: Sequence[Tensor]) -> None:
        with torch.no_grad():
            torch._foreach_copy_(self.parameters, list(values))

    def export(self) -> np.ndarray:
        """The weights that a validation sees, flat: the running mean, or the weights where there is none."""
        return flat(self.mean if self.decay > 0 else self.parameters)

    def keep(self, values: np.ndarray) -> None:
        """End with the flat vector `values`: as weights and as their mean."""
        self._set(like(values, self.parameters))
        self.mean = [value.detach().clone() for value in self.parameters]

    def release(self) -> None:
        """Give the network back as it came: parameters require gradients as before."""
        for name, value in self.network.named_parameters():
            value.requires_grad_(self._required[name])
            value.grad = None

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Arrays and JSON state of a checkpoint."""
        arrays = {"weights": flat(self.parameters), "mean": flat(self.mean)}
        arrays |= memory(self.optimiser, self.parameters)
        return arrays, {"updates": self.updates, "names": self.names}

    def restore(self, arrays: dict[str, np.ndarray], state: dict[str, Any]) -> None:
        """Continue from a checkpoint; raises InvalidTask when it belongs to other parameters."""
        size = sum(value.numel() for value in self.parameters)
        if state["names"] != self.names or arrays["weights"].size != size:
            raise InvalidTask(
                f"the checkpoint holds {arrays['weights'].size} weights of {len(state['names'])} parameters, and this "
                f"potential trains {size} of {len(self.names)}: it belongs to another training."
            )
        self._set(like(arrays["weights"], self.parameters))
        with torch.no_grad():
            torch._foreach_copy_(self.mean, like(arrays["mean"], self.mean))
        self.updates = int(state["updates"])
        remember(self.optimiser, self.parameters, arrays)


def _frozen_names(potential: TrainablePotential, frozen: Sequence[str]) -> set[str]:
    layers = potential.layers()
    unknown = [name for name in frozen if name not in layers]
    if unknown:
        raise InvalidTask(
            f"{potential.name} has no layer called {', '.join(unknown)}; its layers are {', '.join(layers)}."
        )
    return {name for layer in frozen for name in layers[layer]}
