"""The loss: energies per atom, force components, stresses, moments, each a weighted mean over the labels of a batch.

The one idea: a batch that is too large for the memory, or that is shared by several processes, is computed in parts.
Each part sums its own errors and divides by the counts of the whole batch, so that the parts add up to the same loss.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from labkit.potentials.trainable import Evaluation

TERMS = ("energy", "forces", "stress", "magmoms")


@dataclass(frozen=True)
class Labels:
    """What is known of one structure of n atoms; None for what is not.

    energy: eV. forces: (n, 3) eV/Å. stress: (3, 3) eV/Å^3. magmoms: (n,) µ_B. volume: Å^3, NaN without a cell.
    """

    n_atoms: int
    energy: float | None
    forces: np.ndarray | None
    stress: np.ndarray | None
    magmoms: np.ndarray | None
    weight: float
    volume: float

    @classmethod
    def of(cls, record: Any) -> Labels:
        """The labels of a `labkit.datasets.Record`."""
        atoms = record.atoms
        periodic = bool(atoms.pbc.all())
        stress = None if record.stress is None or not periodic else np.asarray(record.stress, dtype=float)
        return cls(
            n_atoms=len(atoms),
            energy=None if record.energy is None else float(record.energy),
            forces=None if record.forces is None else np.asarray(record.forces, dtype=float),
            stress=stress,
            magmoms=None if record.magmoms is None else np.abs(np.asarray(record.magmoms, dtype=float)),
            weight=float(record.weight),
            volume=float(atoms.cell.volume) if periodic else float("nan"),
        )

    def count(self, term: str) -> int:
        """Number of labels of one kind."""
        if getattr(self, term) is None:
            return 0
        return {"energy": 1, "forces": 3 * self.n_atoms, "stress": 9, "magmoms": self.n_atoms}[term]


@dataclass(frozen=True)
class Targets:
    """The labels of a batch of B structures with N atoms as tensors; missing ones are zero and weigh nothing.

    energy: (B,) eV. per_atom: (B,) 1/n. forces: (N, 3). virial_scale: (B, 1, 1) Å^3/atom. stress: (B, 3, 3).
    magmoms: (N,). weights: of each term, broadcastable to it; None where all labels are there and weigh one.
    """

    energy: Tensor
    per_atom: Tensor
    forces: Tensor
    stress: Tensor
    virial_scale: Tensor
    magmoms: Tensor
    weights: dict[str, Tensor | None]


def collate(labels: Sequence[Labels], terms: Sequence[str], device: str, dtype: torch.dtype) -> Targets:
    """The targets of a batch; only `terms` are filled in. Energies stay in float64: totals are large numbers."""
    sizes = np.array([one.n_atoms for one in labels])

    def tensor(values: np.ndarray, kind: torch.dtype = dtype) -> Tensor:
        return torch.as_tensor(values, dtype=kind, device=device)

    def filled(term: str, shape: tuple[int, ...]) -> np.ndarray:
        if term not in terms:
            return np.zeros(0)
        parts = [
            np.zeros((one.n_atoms, *shape)) if getattr(one, term) is None else getattr(one, term) for one in labels
        ]
        return np.concatenate(parts)

    weights: dict[str, Tensor | None] = {}
    for term in terms:
        one_each = np.array([one.weight if one.count(term) else 0.0 for one in labels])
        if (one_each == 1).all():
            weights[term] = None
        elif term in ("forces", "magmoms"):
            each_atom = np.repeat(one_each, sizes)
            weights[term] = tensor(each_atom[:, None] if term == "forces" else each_atom)
        else:
            weights[term] = tensor(one_each[:, None, None] if term == "stress" else one_each)
    volumes = np.nan_to_num(np.array([one.volume for one in labels]))
    stress = [np.zeros((3, 3)) if one.stress is None else one.stress for one in labels]
    energies = np.array([one.energy or 0.0 for one in labels])
    return Targets(
        energy=tensor(energies, torch.float64 if torch.device(device).type != "mps" else torch.float32),
        per_atom=tensor(1 / sizes),
        forces=tensor(filled("forces", (3,))),
        stress=tensor(np.array(stress) if "stress" in terms else np.zeros(0)),
        virial_scale=tensor((volumes / sizes).reshape(-1, 1, 1)),
        magmoms=tensor(filled("magmoms", ())),
        weights=weights,
    )


def residuals(evaluation: Evaluation, targets: Targets, term: str) -> Tensor:
    """Prediction minus label of one term, in the unit in which the loss counts it."""
    if term == "energy":
        return ((evaluation.energies - targets.energy) * targets.per_atom).to(targets.per_atom.dtype)
    if term == "forces":
        return evaluation.forces.to(targets.forces.dtype) - targets.forces
    if term == "stress":
        # Without a cell the stress is NaN, and NaN times a weight of zero is still NaN.
        stress = torch.where(targets.virial_scale > 0, evaluation.stresses, torch.zeros_like(evaluation.stresses))
        return (stress.to(targets.stress.dtype) - targets.stress) * targets.virial_scale
    return evaluation.magmoms.to(targets.magmoms.dtype) - targets.magmoms


def loss_of_part(
    evaluation: Evaluation,
    targets: Targets,
    counts: dict[str, int],
    weights: dict[str, float],
    kind: str,
    huber_delta: float,
) -> Tensor:
    """Σ_k w_k Σ_i ω_i ρ(Δ_ki) / n_k over the labels of this part, n_k counted over the whole batch.

    ρ is Δ² (mse), |Δ| (l1) or Huber's: Δ²/2 up to δ, δ (|Δ| - δ/2) beyond.
    """
    total: Tensor | None = None
    for term, weight in weights.items():
        if weight == 0 or counts[term] == 0:
            continue
        error = residuals(evaluation, targets, term)
        each = targets.weights[term]
        if kind == "mse" and each is None:
            value = torch.dot(error.flatten(), error.flatten())
        else:
            value = _penalty(error, kind, huber_delta)
            value = (value if each is None else value * each).sum()
        value = value * (weight / counts[term])
        total = value if total is None else total + value
    return evaluation.energies.sum() * 0 if total is None else total


def _penalty(error: Tensor, kind: str, delta: float) -> Tensor:
    if kind == "mse":
        return error * error
    if kind == "l1":
        return error.abs()
    return functional.huber_loss(error, torch.zeros_like(error), reduction="none", delta=delta)
