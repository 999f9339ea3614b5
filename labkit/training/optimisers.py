"""Optimisers by name, and their memory as a few flat vectors, so that a resumed training goes on to the last bit.

SOAP (Vyas et al., arXiv 2409.11321) is Adam in the eigenbasis of Shampoo's preconditioner. In 100 CPU seconds on
acetylacetone it leaves 21 meV/Å where Adam leaves 32. pytorch_optimizer has its arithmetic; how it is stored is ours.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from labkit.errors import InvalidTask
from labkit.training.recipe import Recipe

#: Sides of a matrix that are longer keep their own basis: their factorisation costs more than it gains.
LONGEST_SIDE = 300
#: Directions whose gradient is below this get smaller steps: most are rounding, and steps along them cost transfer.
SMALLEST = 1e-5
BETAS, SHAMPOO_BETA, EVERY = (0.9, 0.99), 0.95, 10
ADAM = ("exp_avg", "exp_avg_sq", "max_exp_avg_sq")
FACTORS = ("GG", "Q")  # statistics and eigenbases of both sides, as pytorch_optimizer calls them


def optimiser(recipe: Recipe, parameters: Sequence[nn.Parameter], device: str) -> torch.optim.Optimizer:
    """The recipe's optimiser; weight decay is for matrices alone. Raises InvalidTask for one that the device lacks."""
    decayed = [value for value in parameters if value.ndim >= 2 and recipe.weight_decay > 0]
    chosen = set(map(id, decayed))
    others = [value for value in parameters if id(value) not in chosen]
    # One group is one call.
    groups = [
        {"params": part, "weight_decay": decay}
        for part, decay in ((decayed, recipe.weight_decay), (others, 0.0))
        if part
    ]
    kind = torch.device(device).type
    if recipe.optimiser == "soap":
        if kind == "mps":
            raise InvalidTask("SOAP factorises matrices, which Apple's MPS cannot: use adam-amsgrad, or the cpu.")
        from pytorch_optimizer.optimizer.soap import SOAP

        return SOAP(
            groups,
            lr=recipe.learning_rate,
            betas=BETAS,
            shampoo_beta=SHAMPOO_BETA,
            weight_decay=0.0,
            precondition_frequency=EVERY,
            max_precondition_dim=LONGEST_SIDE,
            eps=SMALLEST,
        )
    adam = torch.optim.AdamW if recipe.optimiser == "adamw" else torch.optim.Adam
    # The fused step costs a third to a quarter of the one in separate calls; MPS has it for float32 only.
    return adam(groups, lr=recipe.learning_rate, amsgrad=recipe.optimiser == "adam-amsgrad", fused=kind != "mps")


def is_soap(chosen: torch.optim.Optimizer) -> bool:
    """Whether the memory has factors."""
    return "shampoo_beta" in chosen.defaults


def memory(chosen: torch.optim.Optimizer, parameters: Sequence[nn.Parameter]) -> dict[str, np.ndarray]:
    """Arrays of a checkpoint; none before the first step. "optimiser_steps" is -1 where a parameter has no memory."""
    known = chosen.state
    if not known:
        return {}
    if not is_soap(chosen):
        arrays = {name: flat([known[one].get(name, torch.zeros_like(one)) for one in parameters]) for name in ADAM}
        return {**arrays, "optimiser_steps": np.array([float(known[one].get("step", -1.0)) for one in parameters])}
    (steps,) = {group["step"] for group in chosen.param_groups}
    parts = [part for one in parameters if known[one] for part in _parts(known[one])]
    # The order of the numbers in memory decides how a product rounds; a resume to the last bit wants the same.
    orders = [part.dim_order() for part in parts]
    return {
        "soap": flat([part.permute(order) for part, order in zip(parts, orders, strict=True)]),
        "soap_orders": np.array([axis for order in orders for axis in order]),
        "optimiser_steps": np.array([float(steps) if known[one] else -1.0 for one in parameters]),
    }


def remember(chosen: torch.optim.Optimizer, parameters: Sequence[nn.Parameter], arrays: dict[str, np.ndarray]) -> None:
    """Continue with the `memory` of a checkpoint; raises InvalidTask for that of another optimiser."""
    chosen.state.clear()
    if "optimiser_steps" not in arrays:
        return
    soap = is_soap(chosen)
    if soap != ("soap" in arrays):
        raise InvalidTask("the checkpoint was written with another optimiser: resume with the one it began with.")
    steps = [float(step) for step in arrays["optimiser_steps"]]
    if soap:
        for group in chosen.param_groups:
            group["step"] = int(max(steps))
        numbers, axes = torch.from_numpy(np.array(arrays["soap"])), iter(arrays["soap_orders"].tolist())
    else:
        moments = {name: like(arrays[name], parameters) for name in ADAM}
    for index, value in enumerate(parameters):
        if steps[index] < 0:
            continue
        if soap:
            chosen.state[value], numbers = _soap_state(value, numbers, axes)
            continue
        where = value.device if chosen.defaults["fused"] else "cpu"
        amsgrad = chosen.defaults["amsgrad"]
        chosen.state[value] = {
            "step": torch.tensor(steps[index], dtype=torch.float32, device=where),
            **{name: moments[name][index].clone() for name in ADAM if amsgrad or name != "max_exp_avg_sq"},
        }


def _parts(state: dict[str, Any]) -> list[Tensor]:
    """Moments, then statistics and eigenbases of the sides that have them."""
    return [*(state[name] for name in ADAM[:2]), *(side for name in FACTORS for side in state[name] if len(side))]


def _soap_state(value: nn.Parameter, numbers: Tensor, axes: Iterator[int]) -> tuple[dict[str, Any], Tensor]:
    """The state of one parameter from the head of `numbers`, and the rest of them."""

    def take(shape: Sequence[int]) -> Tensor:
        nonlocal numbers
        order = [next(axes) for _ in shape]
        size = math.prod(shape)
        part, numbers = numbers[:size].view([shape[axis] for axis in order]), numbers[size:]
        # Not `.to(value)` after the permutation: that would put the numbers into the default order.
        return part.to(value, copy=True).permute([order.index(axis) for axis in range(len(order))])

    state: dict[str, Any] = {name: take(value.shape) for name in ADAM[:2]}
    for name in FACTORS:
        sides = value.shape if value.ndim > 1 else [LONGEST_SIDE + 1] * value.ndim
        state[name] = [take((side, side)) if side <= LONGEST_SIDE else [] for side in sides]
    return {**state, "precondition_frequency": EVERY, "shampoo_beta": SHAMPOO_BETA}, numbers


def flat(values: Sequence[Tensor]) -> np.ndarray:
    """All numbers of `values` in one vector."""
    return torch.cat([value.detach().reshape(-1) for value in values]).cpu().numpy()


def like(vector: np.ndarray, values: Sequence[Tensor]) -> list[Tensor]:
    """The parts of a flat vector in the shapes, types and places of `values`."""
    parts = torch.from_numpy(np.array(vector)).split([value.numel() for value in values])
    return [part.view(value.shape).to(value) for part, value in zip(parts, values, strict=True)]
