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
from labkit.training.recipe import Recipe

MOMENTS = ("exp_avg", "exp_avg_sq", "max_exp_avg_sq")


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
        self.optimiser = _optimiser(recipe, self.parameters, potential.device)
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
        with self._showing(_like(values, self.parameters)):
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
        self._set(_like(values, self.parameters))
        self.mean = [value.detach().clone() for value in self.parameters]

    def release(self) -> None:
        """Give the network back as it came: parameters require gradients as before."""
        for name, value in self.network.named_parameters():
            value.requires_grad_(self._required[name])
            value.grad = None

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Arrays and JSON state of a checkpoint."""
        arrays = {"weights": flat(self.parameters), "mean": flat(self.mean)}
        memory = self.optimiser.state
        if memory:
            for moment in MOMENTS:
                # A parameter that never had a gradient has no moments; its zeros stand for that, its steps say so.
                parts = [memory[one].get(moment, torch.zeros_like(one)) for one in self.parameters]
                arrays[moment] = flat(parts)
            arrays["optimiser_steps"] = np.array([float(memory[one].get("step", -1.0)) for one in self.parameters])
        return arrays, {"updates": self.updates, "names": self.names}

    def restore(self, arrays: dict[str, np.ndarray], state: dict[str, Any]) -> None:
        """Continue from a checkpoint; raises InvalidTask when it belongs to other parameters."""
        size = sum(value.numel() for value in self.parameters)
        if state["names"] != self.names or arrays["weights"].size != size:
            raise InvalidTask(
                f"the checkpoint holds {arrays['weights'].size} weights of {len(state['names'])} parameters, and this "
                f"potential trains {size} of {len(self.names)}: it belongs to another training."
            )
        self._set(_like(arrays["weights"], self.parameters))
        with torch.no_grad():
            torch._foreach_copy_(self.mean, _like(arrays["mean"], self.mean))
        self.updates = int(state["updates"])
        self.optimiser.state.clear()
        if "optimiser_steps" not in arrays:
            return
        moments = {name: _like(arrays[name], self.parameters) for name in MOMENTS}
        amsgrad = self.optimiser.defaults["amsgrad"]
        for index, value in enumerate(self.parameters):
            steps = float(arrays["optimiser_steps"][index])
            if steps < 0:
                continue
            on_device = value.device if self.optimiser.defaults["fused"] else "cpu"
            self.optimiser.state[value] = {
                "step": torch.tensor(steps, dtype=torch.float32, device=on_device),
                **{name: moments[name][index].clone() for name in MOMENTS if amsgrad or name != "max_exp_avg_sq"},
            }


def flat(values: Sequence[Tensor]) -> np.ndarray:
    """All numbers of `values` in one vector."""
    return torch.cat([value.detach().reshape(-1) for value in values]).cpu().numpy()


def _like(vector: np.ndarray, values: Sequence[Tensor]) -> list[Tensor]:
    parts = torch.from_numpy(np.array(vector)).split([value.numel() for value in values])
    return [part.view(value.shape).to(value) for part, value in zip(parts, values, strict=True)]


def _frozen_names(potential: TrainablePotential, frozen: Sequence[str]) -> set[str]:
    layers = potential.layers()
    unknown = [name for name in frozen if name not in layers]
    if unknown:
        raise InvalidTask(
            f"{potential.name} has no layer called {', '.join(unknown)}; its layers are {', '.join(layers)}."
        )
    return {name for layer in frozen for name in layers[layer]}


def _optimiser(recipe: Recipe, parameters: Sequence[torch.nn.Parameter], device: str) -> torch.optim.Optimizer:
    # One group is one call; weight decay is for matrices alone.
    decayed = [value for value in parameters if value.ndim >= 2 and recipe.weight_decay > 0]
    chosen = set(map(id, decayed))
    others = [value for value in parameters if id(value) not in chosen]
    groups = [
        {"params": part, "weight_decay": decay}
        for part, decay in ((decayed, recipe.weight_decay), (others, 0.0))
        if part
    ]
    kind = torch.optim.AdamW if recipe.optimiser == "adamw" else torch.optim.Adam
    # The fused step costs a third to a quarter of the one in separate calls; MPS has it for float32 only.
    fused = torch.device(device).type != "mps"
    return kind(groups, lr=recipe.learning_rate, amsgrad=recipe.optimiser == "adam-amsgrad", fused=fused)
