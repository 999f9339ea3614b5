"""How wrong the potential is on structures that it was not trained on: errors overall, by group, and point by point.

Energies are compared per atom, forces component by component, stresses in GPa. The collated batches are kept, so that a
validation costs its evaluations and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from ase.units import GPa

from labkit.potentials.trainable import Evaluation
from labkit.training.examples import Examples
from labkit.training.loss import loss_of_part
from labkit.training.memory import is_out_of_memory
from labkit.training.recipe import Recipe

#: Atoms of collated batches that stay in memory; beyond, they are collated again each time.
KEPT_ATOMS = 20_000
PARITY_COMPONENTS = 5000


@dataclass(frozen=True)
class Errors:
    """Errors of B structures: energies (B,) eV/atom, forces and stresses one array each, NaN or None without a label.

    loss: the loss over the whole set, at the weights of the end of the run.
    """

    indices: np.ndarray
    energies_reference: np.ndarray
    energies_predicted: np.ndarray
    forces_reference: list[np.ndarray | None]
    forces_predicted: list[np.ndarray]
    stress_differences: np.ndarray
    loss: float

    def metrics(self, chosen: np.ndarray | None = None) -> dict[str, float]:
        """Mean absolute and root mean square errors, of all structures or of the `chosen` (positions)."""
        chosen = np.arange(len(self.indices)) if chosen is None else chosen
        energy = (self.energies_predicted - self.energies_reference)[chosen] * 1000
        energy = energy[np.isfinite(self.energies_reference[chosen])]
        forces = [
            (self.forces_predicted[one] - self.forces_reference[one]).ravel()
            for one in chosen
            if self.forces_reference[one] is not None
        ]
        force = np.concatenate(forces) * 1000 if forces else np.zeros(0)
        stress = self.stress_differences[chosen].ravel() / GPa
        stress = stress[np.isfinite(stress)]
        return {
            "energy_mae_meV_atom": _mae(energy),
            "forces_mae_meV_A": _mae(force),
            "energy_rmse_meV_atom": _rmse(energy),
            "forces_rmse_meV_A": _rmse(force),
            "stress_mae_GPa": _mae(stress),
        }

    def by_group(self, groups: Sequence[str]) -> list[dict[str, Any]]:
        """Metrics of each group, in the order of their names."""
        own = np.array([groups[index] for index in self.indices])
        rows = []
        for group in sorted(set(own.tolist())):
            chosen = np.flatnonzero(own == group)
            rows.append({"group": group, "n": len(chosen), **self.metrics(chosen)})
        return rows

    def parity(self, epoch: int) -> dict[str, Any]:
        """Points of a parity plot, as JSON; force components are thinned to what a plot can show."""
        has_energy = np.flatnonzero(np.isfinite(self.energies_reference))
        with_forces = [one for one in range(len(self.indices)) if self.forces_reference[one] is not None]
        empty = [np.zeros(0)]
        reference = np.concatenate([self.forces_reference[one].ravel() for one in with_forces] or empty)
        predicted = np.concatenate([self.forces_predicted[one].ravel() for one in with_forces] or empty)
        owner = np.concatenate(
            [np.full(self.forces_reference[one].size, self.indices[one]) for one in with_forces] or empty
        )
        every = max(1, -(-len(reference) // PARITY_COMPONENTS))
        return {
            "epoch": epoch,
            "energy_reference": _short(self.energies_reference[has_energy]),
            "energy_predicted": _short(self.energies_predicted[has_energy]),
            "structure_of_energy": self.indices[has_energy].tolist(),
            "forces_reference": _short(reference[::every]),
            "forces_predicted": _short(predicted[::every]),
            "structure_of_forces": owner[::every].astype(int).tolist(),
        }


class Validator:
    """Evaluates the potential on a set, as it is now."""

    def __init__(self, examples: Examples, recipe: Recipe, weights: dict[str, float]) -> None:
        """`weights` are those of the loss's terms."""
        self.examples, self.recipe, self.weights = examples, recipe, weights
        potential = examples.potential
        self.limit_atoms = potential.batch_atoms[torch.device(potential.device).type]
        if recipe.max_batch_atoms is not None:
            self.limit_atoms = min(self.limit_atoms, recipe.max_batch_atoms)
        self._kept: dict[tuple[int, ...], Any] = {}
        self._kept_atoms = 0

    def predict(
        self, indices: np.ndarray, between: Callable[[], None] = lambda: None, share: tuple[int, int] = (0, 1)
    ) -> np.ndarray:
        """Everything predicted for the structures `indices`, flat: the loss, energies (B,), stresses (B, 9), forces.

        `between` is called before each batch and may raise. With `share` (rank, size) only every size-th batch is
        evaluated and the rest is zero: the sum over all ranks is what `errors` takes.
        """
        n, counts = len(indices), self.examples.count(indices)
        starts = 1 + 10 * n + np.concatenate([[0], np.cumsum(3 * self.examples.sizes[indices])])
        vector = np.zeros(int(starts[-1]))
        first, todo = 0, []
        for number, part in enumerate(self.examples.parts(indices.tolist(), self.limit_atoms)):
            if number % share[1] == share[0]:
                todo.append((first, tuple(part)))
            first += len(part)
        while todo:
            between()
            first, part = todo.pop(0)
            last = first + len(part)
            try:
                answer, loss = self._evaluate(part, counts)
            except Exception as error:
                if not is_out_of_memory(error) or len(part) == 1:
                    raise
                middle = len(part) // 2
                todo[:0] = [(first, part[:middle]), (first + middle, part[middle:])]
                self.limit_atoms = max(1, self.limit_atoms // 2)
                continue
            vector[0] += loss
            vector[1 + first : 1 + last] = _numbers(answer.energies)
            if answer.stresses is not None:
                vector[1 + n + 9 * first : 1 + n + 9 * last] = _numbers(answer.stresses)
            if answer.forces is not None:
                vector[starts[first] : starts[last]] = _numbers(answer.forces)
        return vector

    def _evaluate(self, part: tuple[int, ...], counts: dict[str, int]) -> tuple[Evaluation, float]:
        batch, targets = self._batch(part)
        properties = ["energy", *(term for term in ("forces", "stress") if counts[term])]
        properties += ["magmoms"] if counts["magmoms"] and self.weights["magmoms"] else []
        answer = self.examples.potential.evaluate(batch, properties)
        with torch.no_grad():
            loss = loss_of_part(answer, targets, counts, self.weights, self.recipe.loss, self.recipe.huber_delta)
        return answer, float(loss)

    def errors(self, indices: np.ndarray, vector: np.ndarray) -> Errors:
        """Compare what was predicted with the labels."""
        labels = [self.examples.labels[index] for index in indices]
        n, sizes = len(indices), self.examples.sizes[indices]
        stresses = vector[1 + n : 1 + 10 * n].reshape(n, 3, 3)
        reference = [np.full((3, 3), np.nan) if one.stress is None else one.stress for one in labels]
        forces = np.split(vector[1 + 10 * n :], np.cumsum(3 * sizes)[:-1]) if n else []
        return Errors(
            indices=np.asarray(indices),
            energies_reference=np.array([np.nan if one.energy is None else one.energy for one in labels]) / sizes,
            energies_predicted=vector[1 : 1 + n] / sizes,
            forces_reference=[one.forces for one in labels],
            forces_predicted=[values.reshape(-1, 3) for values in forces],
            stress_differences=stresses - np.array(reference).reshape(-1, 3, 3),
            loss=float(vector[0]),
        )

    def _batch(self, part: tuple[int, ...]) -> Any:
        if part not in self._kept:
            batch = self.examples.batch(part)
            self._kept_atoms += int(self.examples.sizes[list(part)].sum())
            if self._kept_atoms > KEPT_ATOMS:
                return batch
            self._kept[part] = batch
        return self._kept[part]


def _numbers(values: torch.Tensor) -> np.ndarray:
    return values.detach().double().cpu().numpy().ravel()


def _mae(values: np.ndarray) -> float:
    return float(np.abs(values).mean()) if values.size else float("nan")


def _rmse(values: np.ndarray) -> float:
    return float(np.sqrt((values**2).mean())) if values.size else float("nan")


def _short(values: np.ndarray) -> list[float]:
    return [float(f"{value:.6g}") for value in values]
