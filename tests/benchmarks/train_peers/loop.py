"""The one training loop and the one stopwatch of every PyTorch side: same loss, optimiser, schedule and clock.

A side says how it builds a network, prepares a structure once, collates a batch and evaluates it; everything that
decides how well it learns in a given time is here. Only CPU seconds (`time.process_time`, one thread) are counted.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from tests.benchmarks.train_peers import data, process
from tests.benchmarks.train_peers.data import Baseline, Frame
from tests.benchmarks.train_peers.process import best_ms

#: Every key that a side's settings for training must have, with what all sides share.
COMMON = {"ema": 0.99, "clip": 10.0, "force_weight": 100.0, "energy_weight": 1.0, "batch": 5, "learning_rate": 0.01}


class Side(Protocol):
    """What a PyTorch peer adds to the loop. Energies leave out the baseline."""

    network: torch.nn.Module

    def prepare(self, frame: Frame) -> Any:
        """Neighbours and species of one structure, done once and not counted."""

    def collate(self, items: Sequence[Any]) -> Any:
        """One batch, counted."""

    def evaluate(self, batch: Any, training: bool) -> tuple[Tensor, Tensor]:
        """Energies (B,) eV above the baseline and forces (N, 3) eV/Å, differentiable if training."""

    def groups(self, learning_rate: float) -> Iterable[Any]:
        """Parameter groups for Adam, with the peer's own weight decay."""


Builder = Callable[[dict[str, Any], Baseline, Sequence[Frame], int], Side]


def train(side: Side, frames: Sequence[Frame], base: Baseline, settings: dict[str, Any], budget: float) -> dict:
    """Adam with amsgrad, cosine to zero over the budget of CPU seconds, EMA; leaves the averaged weights in place."""
    rng, size = np.random.default_rng(0), settings["batch"]
    items = [side.prepare(frame) for frame in frames]
    energies = torch.tensor([frame.energy - base.energy(frame) for frame in frames], dtype=torch.float32)
    forces = [torch.tensor(frame.forces, dtype=torch.float32) for frame in frames]
    atoms = torch.tensor([len(frame.numbers) for frame in frames], dtype=torch.float32)
    rate = settings["learning_rate"]
    optimizer = torch.optim.Adam(side.groups(rate), lr=rate, amsgrad=True, fused=True)
    rates = [group["lr"] for group in optimizer.param_groups]
    weights = [weight for weight in side.network.parameters() if weight.requires_grad]
    average = [weight.detach().clone() for weight in weights]
    side.network.train()
    for chosen in (range(size), range(size, 2 * size), range(size)):  # compilers and allocators wake up uncounted
        _loss(side, side.collate([items[i] for i in chosen]), energies[list(chosen)], forces, atoms, chosen, settings)
    batches, losses, steps, started = _shuffled(len(frames), size, rng), [], 0, time.process_time()
    while (spent := time.process_time() - started) < budget:
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate * 0.5 * (1 + math.cos(math.pi * spent / budget))
        chosen = next(batches)
        optimizer.zero_grad()
        batch = side.collate([items[i] for i in chosen])
        losses.append(_loss(side, batch, energies[chosen], forces, atoms, chosen, settings))
        if settings["clip"]:
            torch.nn.utils.clip_grad_norm_(weights, settings["clip"])
        optimizer.step()
        steps += 1
        decay = min(settings["ema"], (1 + steps) / (10 + steps))
        with torch.no_grad():
            torch._foreach_lerp_(average, weights, 1 - decay)
    with torch.no_grad():
        torch._foreach_copy_(weights, average)
    if not all(math.isfinite(loss) for loss in losses[-10:]):
        raise RuntimeError(f"the loss became {losses[-1]} after {steps} steps with {settings}")
    return {
        "cpu_seconds": time.process_time() - started,
        "steps": steps,
        "epochs": steps * size / len(frames),
        "parameters": sum(weight.numel() for weight in weights),
        "losses": [float(np.mean(part)) for part in np.array_split(losses, min(20, steps))],
    }


def _loss(side, batch, energies, forces, atoms, chosen, settings) -> float:
    """Backward pass of the loss: energy per atom and force components, mean squares, weighted."""
    energy, force = side.evaluate(batch, True)
    energy_term = ((energy - energies) / atoms[list(chosen)]).square().mean()
    force_term = (force - torch.cat([forces[i] for i in chosen])).square().mean()
    loss = settings["energy_weight"] * energy_term + settings["force_weight"] * force_term
    loss.backward(inputs=list(side.network.parameters()))  # not for positions, which nobody asks for
    return loss.item()


def _shuffled(count: int, size: int, rng: np.random.Generator) -> Iterator[list[int]]:
    """Batches of one epoch after the other; what does not fill a batch waits for a later shuffle."""
    while True:
        order = rng.permutation(count).tolist()
        for start in range(0, count - size + 1, size):
            yield order[start : start + size]


def predict(side: Side, frames: Sequence[Frame], base: Baseline) -> tuple[list[float], list[np.ndarray]]:
    """Energies in eV and forces in eV/Å, in batches of ten."""
    side.network.eval()
    energies, forces = [], []
    for start in range(0, len(frames), 10):
        part = frames[start : start + 10]
        energy, force = side.evaluate(side.collate([side.prepare(frame) for frame in part]), False)
        energies += [base.energy(f) + e for f, e in zip(part, energy.detach().double().tolist(), strict=True)]
        forces += np.split(force.detach().double().numpy(), np.cumsum([len(frame.numbers) for frame in part])[:-1])
    return energies, forces


class Stopwatch:
    """Least CPU milliseconds of energy+forces and of a training step on one cell, from its neighbour list on."""

    def __init__(self, build: Builder, settings: dict[str, Any], name: str) -> None:
        frame = data.cell(name)
        self.side = build(settings, Baseline.trivial(frame), [frame], 0)
        self.item = self.side.prepare(frame)
        self.reference, self.atoms = torch.zeros(len(frame.numbers), 3), float(len(frame.numbers))
        self.weights = list(self.side.network.parameters())
        self.optimizer = torch.optim.Adam(self.side.groups(1e-4), lr=1e-4, amsgrad=True, fused=True)

    def measure(self, repeats: int) -> dict[str, float]:
        """Least CPU time of each in ms."""

        def energy_and_forces() -> None:
            self.side.evaluate(self.side.collate([self.item]), False)

        def training_step() -> None:
            self.optimizer.zero_grad()
            energy, force = self.side.evaluate(self.side.collate([self.item]), True)
            loss = (energy / self.atoms).square().mean() + (force - self.reference).square().mean()
            loss.backward(inputs=self.weights)
            self.optimizer.step()

        told = {}
        for job, training in ((energy_and_forces, False), (training_step, True)):
            self.side.network.train(training)
            told[job.__name__] = best_ms(job, repeats)
        return told


def run(build: Builder, models: dict[str, dict[str, Any]]) -> None:
    """The process of a PyTorch side."""
    torch.set_num_threads(1)

    def fit(settings: dict[str, Any], frames: Sequence[Frame], base: Baseline, budget: float, seed: int) -> Any:
        side = build(settings, base, frames, seed)
        return train(side, frames, base, settings, budget), lambda test: predict(side, test, base)

    process.run(
        {name: COMMON | model for name, model in models.items()},
        fit,
        lambda chosen, name: Stopwatch(build, chosen, name),
    )
