"""labkit's own side: CAMP-L and CAMP through `labkit.training.Trainer`, as a user would train them.

The trainer's clock starts before its neighbour lists, which the peers' clocks leave out; it has no validation set.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import torch
from ase.data import chemical_symbols

from labkit.datasets import Record
from labkit.potentials.camp import CAMP, CAMPSettings
from labkit.training import Trainer
from tests.benchmarks.train_peers import data, process
from tests.benchmarks.train_peers.data import Baseline, Frame
from tests.benchmarks.train_peers.process import best_ms

#: Architectures and recipes that are compared; "by_data" holds what differs from one data set to the other.
LABKIT: dict[str, dict[str, Any]] = {
    "CAMP-L": {
        "architecture": {"cutoff_A": 5.0},
        "recipe": {"batch_size": 5, "learning_rate": 0.005, "energy_weight": 1.0, "forces_weight": 1.0},
    },
    "CAMP": {
        "architecture": {"cutoff_A": 5.0, "channels": 32},
        "recipe": {"batch_size": 5, "learning_rate": 0.01, "energy_weight": 1.0, "forces_weight": 1.0},
    },
}

#: Validation is for the end alone, on one structure, so that the budget goes into training.
UNWATCHED = {"epochs": 1_000_000, "validation_interval": 1_000_000, "validation_structures": 1, "final_rate": 0.0}


def potential(settings: dict[str, Any], elements: Sequence[int], seed: int) -> CAMP:
    """Untrained, for these elements."""
    architecture = CAMPSettings(architecture=settings["model"], **settings["architecture"])
    return CAMP.untrained(architecture, [chemical_symbols[number] for number in elements], seed=seed, device="cpu")


def fit(
    settings: dict[str, Any], frames: Sequence[Frame], base: Baseline, budget: float, seed: int
) -> tuple[dict[str, Any], process.Predict]:
    """See `process.Fit`."""
    camp = potential(settings, base.elements, seed)
    structures = [frame.atoms() for frame in frames]
    pairs = zip(structures, frames, strict=True)
    records = [Record(atoms=atoms, energy=frame.energy, forces=frame.forces) for atoms, frame in pairs]
    camp.fit_scale_and_shift(structures, [frame.energy for frame in frames], [frame.forces for frame in frames])
    started = time.process_time()
    outcome = Trainer(camp, records, seed=seed, cpu_budget_s=budget, **UNWATCHED, **settings["recipe"]).fit()

    def predict(test: Sequence[Frame]) -> tuple[list[float], list[Any]]:
        told = camp.predict([frame.atoms() for frame in test], ("energy", "forces"))
        return told.energies.tolist(), told.forces

    facts = {
        "cpu_seconds": outcome.cpu_s,
        "cpu_seconds_with_final_errors": time.process_time() - started,
        "steps": outcome.steps,
        "epochs": outcome.steps * settings["recipe"]["batch_size"] / len(frames),
        "parameters": sum(weight.numel() for weight in camp.network.parameters()),
    }
    return facts, predict


class Stopwatch:
    """Least CPU milliseconds of energy+forces and of a training step on one cell, from its neighbour list on."""

    def __init__(self, settings: dict[str, Any], name: str) -> None:
        frame = data.cell(name)
        self.camp = potential(settings, sorted(set(frame.numbers.tolist())), 0)
        self.item = self.camp.prepare(frame.atoms())
        self.reference, self.atoms = torch.zeros(len(frame.numbers), 3), float(len(frame.numbers))
        self.weights = list(self.camp.network.parameters())
        self.optimizer = torch.optim.Adam(self.weights, lr=1e-4, amsgrad=True, fused=True)

    def energy_and_forces(self) -> None:
        """What a step of molecular dynamics asks for."""
        self.camp.evaluate(self.camp.collate([self.item]), ("energy", "forces"))

    def training_step(self) -> None:
        """Forward, backward for forces, backward for weights, Adam."""
        self.optimizer.zero_grad()
        batch = self.camp.collate([self.item])
        told = self.camp.evaluate(batch, ("energy", "forces"), create_graph=True)
        loss = (told.energies / self.atoms).square().mean() + (told.forces - self.reference).square().mean()
        loss.backward(inputs=self.weights)
        self.optimizer.step()

    def measure(self, repeats: int) -> dict[str, float]:
        """Least CPU time of each in ms."""
        return {job.__name__: best_ms(job, repeats) for job in (self.energy_and_forces, self.training_step)}


if __name__ == "__main__":
    torch.set_num_threads(1)
    process.run(LABKIT, fit, Stopwatch)
