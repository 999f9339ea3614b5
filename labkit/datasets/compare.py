"""A set against what a potential (or another method) says of the same structures: parity, and errors by group.

A prediction is anything with `energies` (B,) in eV and `forces`, a list of (n, 3) in eV/Å: a `labkit.potentials`
Prediction, several of them in a row, or another `Dataset` of the same structures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from labkit.datasets.dataset import Dataset
from labkit.datasets.problems import InvalidDataset

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Comparison:
    """Reference and predicted numbers side by side.

    energies_*: (E,) eV/atom, of the records `energy_index`. forces_*: (F,) components, eV/Å, of the records
    `force_index`. groups: the group of every record of the set.
    """

    energies_reference: np.ndarray
    energies_predicted: np.ndarray
    energy_index: np.ndarray
    forces_reference: np.ndarray
    forces_predicted: np.ndarray
    force_index: np.ndarray
    groups: tuple[str, ...]

    def errors(self) -> pd.DataFrame:
        """Return one row a group and one for all: group, n, energy_mae_meV_atom, energy_rmse_meV_atom,
        forces_mae_meV_A, forces_rmse_meV_A (over components; NaN without labels).
        """
        import pandas as pd

        names = np.array(self.groups, dtype=object)
        rows = []
        for name in [*dict.fromkeys(self.groups), None]:
            chosen = np.ones(len(names), dtype=bool) if name is None else names == name
            energy = (self.energies_predicted - self.energies_reference)[chosen[self.energy_index]]
            forces = (self.forces_predicted - self.forces_reference)[chosen[self.force_index]]
            title = "all" if name is None else name or "(no group)"
            rows.append((title, int(chosen.sum()), *_mae_rmse(energy), *_mae_rmse(forces)))
        columns = ("energy_mae_meV_atom", "energy_rmse_meV_atom", "forces_mae_meV_A", "forces_rmse_meV_A")
        return pd.DataFrame(rows, columns=["group", "n", *columns])

    def worst(self, quantity: str = "forces") -> np.ndarray:
        """Return the indices of all records that can be compared, largest error first: |ΔE| per atom, or the rms of
        force components.
        """
        if quantity == "energy":
            error = np.abs(self.energies_predicted - self.energies_reference)
            return self.energy_index[np.argsort(-error, kind="stable")]
        squares = np.bincount(self.force_index, (self.forces_predicted - self.forces_reference) ** 2, len(self.groups))
        counts = np.bincount(self.force_index, minlength=len(self.groups))
        error = np.sqrt(squares / np.maximum(counts, 1))
        return np.array([one for one in np.argsort(-error, kind="stable") if counts[one]], dtype=int)


def compare(dataset: Dataset, prediction: Any) -> Comparison:
    """Return reference and prediction side by side, for the labels that both have and that are finite in the set.

    Raises InvalidDataset when they are not of the same structures, or when a predicted number is not finite.
    """
    energies, forces = _predicted(prediction)
    if len(energies) != len(dataset):
        raise InvalidDataset(
            f"The prediction is of {len(energies)} structures, {dataset.name} has {len(dataset)}. Predict "
            "dataset.structures(), in this order."
        )
    reference = np.array([np.nan if one.energy is None else one.energy for one in dataset], dtype=float)
    sizes = np.array([len(one) for one in dataset])
    predicted = np.array([np.nan if one is None else one for one in energies], dtype=float)
    known = np.flatnonzero(np.isfinite(reference) & np.array([one is not None for one in energies], dtype=bool))
    _refuse_non_finite(predicted[known], known, "energy")
    pairs = []
    for index, record in enumerate(dataset):
        theirs = None if forces is None else forces[index]
        if record.forces is None or theirs is None:
            continue
        theirs = np.asarray(theirs, dtype=float)
        if theirs.shape != record.forces.shape:
            raise InvalidDataset(
                f"The predicted forces of record {index} have the shape {theirs.shape}, its own {record.forces.shape}."
            )
        fine = np.isfinite(record.forces)
        _refuse_non_finite(theirs[fine], np.full(int(fine.sum()), index), "forces")
        pairs.append((record.forces[fine], theirs[fine], np.full(int(fine.sum()), index)))
    none = (np.zeros(0), np.zeros(0), np.zeros(0, dtype=int))
    ours, theirs, owners = (np.concatenate(parts) for parts in zip(*pairs, none, strict=True))
    return Comparison(
        energies_reference=reference[known] / sizes[known],
        energies_predicted=predicted[known] / sizes[known],
        energy_index=known,
        forces_reference=ours,
        forces_predicted=theirs,
        force_index=owners.astype(int),
        groups=tuple(record.group for record in dataset),
    )


def _predicted(prediction: Any) -> tuple[list[float | None], list[np.ndarray | None] | None]:
    if isinstance(prediction, Dataset):
        return [one.energy for one in prediction], [one.forces for one in prediction]
    if hasattr(prediction, "energies"):
        forces = getattr(prediction, "forces", None)
        return list(prediction.energies), None if forces is None else list(forces)
    if isinstance(prediction, Sequence) and prediction and all(hasattr(one, "energies") for one in prediction):
        energies = [float(energy) for one in prediction for energy in one.energies]
        if any(one.forces is None for one in prediction):
            return energies, None
        return energies, [force for one in prediction for force in one.forces]
    raise InvalidDataset(
        f"A prediction has energies and forces (potential.predict gives one), or is a Dataset; this is a "
        f"{type(prediction).__name__}."
    )


def _refuse_non_finite(values: np.ndarray, indices: np.ndarray, what: str) -> None:
    broken = np.flatnonzero(~np.isfinite(values))
    if len(broken):
        raise InvalidDataset(
            f"The predicted {what} of record {indices[broken[0]]} is {values[broken[0]]}, not a number."
        )


def _mae_rmse(error: np.ndarray) -> tuple[float, float]:
    if not len(error):
        return np.nan, np.nan
    return 1000 * float(np.abs(error).mean()), 1000 * float(np.sqrt(np.mean(error**2)))
