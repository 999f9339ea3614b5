"""What a training says of itself, without widgets: one look at its tables as numbers and words.

Files are read again only when they changed, so a view may ask twice a second for hours.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from labkit.runs import Run

from .changes import Changes
from .run_model import clock

if TYPE_CHECKING:
    import pandas as pd

KIND, TABLE = "Training", "training"
#: Points of one parity plot: an SVG picture of more is slow, and says no more.
MAX_POINTS = 1500
#: Epochs whose median is the time of an epoch: the first one warms up.
RECENT = 5


def is_training(run: Run) -> bool:
    """Whether a run trains a potential: its kind says so, or it writes the tables of one."""
    return run.kind == KIND or TABLE in run.tables()


@dataclass(frozen=True)
class Parity:
    """Reference against prediction of one quantity; points of its picture (thinned) and errors of all of them.

    index: for energies, the place of each point in the validation set. epoch: of which the predictions are.
    """

    reference: np.ndarray
    predicted: np.ndarray
    mae: float
    rmse: float
    n: int
    index: np.ndarray | None = None
    epoch: int | None = None

    @classmethod
    def of(
        cls,
        reference: list[float],
        predicted: list[float],
        index: list[int] | None = None,
        epoch: int | None = None,
    ) -> Parity:
        """Compare; values that are no numbers are left out. Raises ValueError for lists of unequal length."""
        x, y = np.asarray(reference, dtype=float), np.asarray(predicted, dtype=float)
        if x.shape != y.shape or x.ndim != 1:
            raise ValueError(f"parity.json has {x.size} reference values and {y.size} predicted ones.")
        good = np.isfinite(x) & np.isfinite(y)
        x, y = x[good], y[good]
        places = np.asarray(index, dtype=int)[good] if index is not None and len(index) == len(good) else None
        error = y - x
        mae = float(np.abs(error).mean()) if len(x) else np.nan
        rmse = float(np.sqrt((error**2).mean())) if len(x) else np.nan
        keep = np.linspace(0, len(x) - 1, MAX_POINTS).astype(int) if len(x) > MAX_POINTS else np.arange(len(x))
        return cls(x[keep], y[keep], mae, rmse, len(x), places[keep] if places is not None else None, epoch)


@dataclass(frozen=True)
class TrainingPicture:
    """What a panel shows of a training at one moment; epochs are None before the first one is over."""

    epoch: int | None = None
    epochs: int | None = None
    epoch_s: float | None = None
    left_s: float | None = None
    learning_rate: float | None = None
    memory_MB: float | None = None
    best_epoch: int | None = None
    best: dict[str, float] = field(default_factory=dict)

    def words(self) -> str:
        """One line: epoch, time per epoch, time left, learning rate, memory."""
        if self.epoch is None:
            return "waiting for the first epoch"
        of = f" of {self.epochs}" if self.epochs else ""
        parts = [f"epoch {self.epoch}{of}"]
        if self.epoch_s is not None:
            parts.append(f"{_short(self.epoch_s)} an epoch")
        if self.left_s is not None and self.left_s > 0:
            parts.append(f"about {clock(self.left_s)} left")
        if self.learning_rate is not None:
            parts.append(f"learning rate {self.learning_rate:.2g}")
        if self.memory_MB is not None:
            parts.append(f"{self.memory_MB:,.0f} MB")
        return " · ".join(parts)


class TrainingModel:
    """Reads a training's files; each method returns None while nothing has changed since it was last asked."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.changed = Changes(run.folder).of

    def picture(self) -> TrainingPicture:
        """The training at this moment."""
        parameters = self.run.task_dict.get("parameters", {})
        epochs = next((parameters[key] for key in ("epochs", "max_epochs") if parameters.get(key)), None)
        table = self.run.table(TABLE) if TABLE in self.run.tables() else None
        if table is None or len(table) == 0:
            return TrainingPicture(epochs=epochs)
        status = self.run.status()
        seconds = _finite(table, "epoch_s")
        epoch_s = float(np.median(seconds[-RECENT:])) if len(seconds) else None
        epoch = int(table["step"].iloc[-1])
        left = status.eta_s
        if left is None and epochs and epoch_s is not None:
            left = max(0, epochs - epoch) * epoch_s
        best = best_row(table)
        return TrainingPicture(
            epoch=epoch,
            epochs=epochs,
            epoch_s=epoch_s,
            left_s=left if status.active else None,
            learning_rate=_last(table, "learning_rate"),
            memory_MB=_last(table, "memory_MB"),
            best_epoch=None if best is None else int(table["step"].iloc[best]),
            best={} if best is None else _row(table, best),
        )

    def parity(self) -> dict[str, Parity] | None:
        """Energies (eV/atom) and forces (eV/Å) of the validation set; None when nothing new is there."""
        if not self.changed("parity.json"):
            return None
        said, found = self.run.json("parity"), {}
        for name in ("energy", "forces"):
            if f"{name}_reference" in said and f"{name}_predicted" in said:
                pair = said[f"{name}_reference"], said[f"{name}_predicted"]
                found[name] = Parity.of(*pair, said.get(f"structure_of_{name}"), said.get("epoch"))
        return found

    def groups(self) -> dict[str, dict[str, float]] | None:
        """Errors of each group, as last written; None when nothing new is there."""
        if not self.changed("groups.csv"):
            return None
        table = self.run.table("groups")
        if "group" not in table:
            return {}
        found = {}
        for _, row in table.iterrows():
            name = row["group"]
            name = name if isinstance(name, str) and name else "all"
            found[name] = {key: float(value) for key, value in row.items() if _is_number(value)}
        return found

    @property
    def best_folder(self) -> Path | None:
        """The folder of the best potential so far, complete, or None."""
        folder = self.run.folder / "best"
        return folder if (folder / "potential.json").is_file() else None


def best_row(table: pd.DataFrame) -> int | None:
    """The row with the lowest validation loss (training loss where there is none); None when none is a number."""
    for name in ("validation_loss", "train_loss"):
        if name in table:
            values = table[name].to_numpy(float)
            if np.isfinite(values).any():
                return int(np.nanargmin(np.where(np.isfinite(values), values, np.nan)))
    return None


def _finite(table: pd.DataFrame, name: str) -> np.ndarray:
    values = table[name].to_numpy(float) if name in table else np.zeros(0)
    return values[np.isfinite(values)]


def _last(table: pd.DataFrame, name: str) -> float | None:
    values = _finite(table, name)
    return float(values[-1]) if len(values) else None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool) and bool(np.isfinite(value))


def _row(table: pd.DataFrame, index: int) -> dict[str, float]:
    return {str(name): float(value) for name, value in table.iloc[index].items() if _is_number(value)}


def _short(seconds: float) -> str:
    return f"{seconds:.2g} s" if seconds < 10 else clock(seconds)
