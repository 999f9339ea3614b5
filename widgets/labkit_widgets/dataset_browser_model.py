"""What a dataset browser shows, without a widget: the points of each picture, the selected record, the flags.

Every point knows its record, so that a click on it can open the structure; flags are remembered with a reason and saved
with the hash of the set they belong to.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from labkit.datasets import Comparison, Dataset
from labkit.datasets.summary import energy_axes, thinned
from labkit.runs.atomic import write_json

MAX_POINTS = 5000
ENERGY, PARITY_ENERGY, PARITY_FORCES = "Energy and volume", "Parity of energies", "Parity of forces"
NO_GROUP = "(no group)"
_KEPT = "the largest errors and others at random"


@dataclass(frozen=True)
class Series:
    """The points of one group: x, y and the record that each point belongs to."""

    name: str
    x: np.ndarray
    y: np.ndarray
    records: np.ndarray


@dataclass(frozen=True)
class Picture:
    """One scatter plot: its series, the titles of its axes, whether a diagonal belongs in it, and a note."""

    series: tuple[Series, ...]
    x_title: str
    y_title: str
    diagonal: tuple[float, float] | None = None
    note: str = ""

    def of(self, records: list[int]) -> tuple[np.ndarray, np.ndarray]:
        """Return x and y of all points of these records."""
        points = [np.stack([one.x, one.y])[:, np.isin(one.records, records)] for one in self.series]
        x, y = np.concatenate([np.zeros((2, 0)), *points], axis=1)
        return x, y


class DatasetBrowserModel:
    """A dataset, perhaps with a comparison; `flags` maps the index of a flagged record to the reason."""

    def __init__(self, dataset: Dataset, comparison: Comparison | None = None) -> None:
        self.dataset, self.comparison = dataset, comparison
        self.flags: dict[int, str] = {}
        self._names = list(dataset.groups())
        groups = {name: number for number, name in enumerate(self._names)}
        self._group = np.array([groups[record.group] for record in dataset], dtype=int)

    @property
    def flagged(self) -> list[int]:
        """The indices of the flagged records, in ascending order."""
        return sorted(self.flags)

    @property
    def kept(self) -> Dataset:
        """The dataset without the flagged records."""
        if not self.flags:
            return self.dataset
        left = self.dataset.without(self.flagged)
        left.provenance = f"{left.provenance}; without {len(self.flags)} flagged records".lstrip("; ")
        return left

    def flag(self, index: int, reason: str = "") -> None:
        """Flag a record; raises IndexError for one that is not there."""
        self.flags[self.checked(index)] = " ".join(reason.split())

    def unflag(self, index: int) -> None:
        """Take a flag away; a record without one stays as it is."""
        self.flags.pop(self.checked(index), None)

    def checked(self, index: int) -> int:
        """Return the index of a record that is there; raises IndexError with a sentence."""
        if not 0 <= index < len(self.dataset):
            raise IndexError(f"there is no record {index}; the records are 0 to {len(self.dataset) - 1}")
        return int(index)

    def pictures(self) -> list[str]:
        """Return the names of the pictures that can be drawn."""
        found = [ENERGY]
        if self.comparison is not None:
            found += [PARITY_ENERGY] if len(self.comparison.energy_index) else []
            found += [PARITY_FORCES] if len(self.comparison.force_index) else []
        return found

    def picture(self, name: str) -> Picture:
        """Return one picture, thinned to MAX_POINTS points."""
        if name == ENERGY:
            axes = energy_axes(self.dataset)
            return self._made(axes.x, axes.y, np.arange(len(self.dataset)), _upper(axes.x_title), _upper(axes.y_title))
        result = self.comparison
        if name == PARITY_ENERGY:
            x, y, owners = result.energies_reference, result.energies_predicted, result.energy_index
            titles = "Reference energy per atom (eV)", "Predicted energy per atom (eV)"
        else:
            x, y, owners = result.forces_reference, result.forces_predicted, result.force_index
            titles = "Reference force component (eV/Å)", "Predicted force component (eV/Å)"
        ends = (float(min(x.min(), y.min())), float(max(x.max(), y.max())))
        return self._made(x, y, owners, *titles, ends)

    def _made(
        self,
        x: np.ndarray,
        y: np.ndarray,
        owners: np.ndarray,
        x_title: str,
        y_title: str,
        diagonal: tuple[float, float] | None = None,
    ) -> Picture:
        shown = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
        note = f"{len(x) - len(shown):,} of {len(x):,} points have no numbers." if len(shown) < len(x) else ""
        if len(shown) > MAX_POINTS:
            error = None if diagonal is None else np.abs(y - x)[shown]
            note = (
                f"{MAX_POINTS:,} of {len(shown):,} points are drawn, {'chosen at random' if error is None else _KEPT}."
            )
            shown = shown[thinned(len(shown), MAX_POINTS, error)]
        x, y, owners = x[shown], y[shown], owners[shown]
        series = []
        for number, name in enumerate(self._names):
            chosen = self._group[owners] == number
            series.append(Series(name or NO_GROUP, x[chosen], y[chosen], owners[chosen]))
        return Picture(tuple(series), x_title, y_title, diagonal, note)

    def facts(self, index: int) -> dict[str, str]:
        """Return what stands beside the structure of a record."""
        record = self.dataset[self.checked(index)]
        found = {"Record": f"{index} of {len(self.dataset)}: {record.composition}", "Group": record.group or NO_GROUP}
        if record.energy is not None:
            found["Energy"] = f"{record.energy:.4f} eV ({record.energy / len(record):.4f} eV/atom)"
        if record.forces is not None:
            found["Largest force"] = f"{np.linalg.norm(record.forces, axis=1).max():.3f} eV/Å"
        if record.provenance:
            found["Provenance"] = record.provenance
        found |= self._errors(index)
        if index in self.flags:
            found["Flagged"] = self.flags[index] or "yes"
        return found

    def _errors(self, index: int) -> dict[str, str]:
        result, found = self.comparison, {}
        if result is None:
            return found
        energy, forces = result.energy_index == index, result.force_index == index
        if energy.any():
            error = 1000 * (result.energies_predicted - result.energies_reference)[energy][0]
            found["Energy error"] = f"{error:+.1f} meV/atom"
        if forces.any():
            error = 1000 * (result.forces_predicted - result.forces_reference)[forces]
            found["Force RMSE"] = f"{np.sqrt((error**2).mean()):.0f} meV/Å"
        return found

    def table(self) -> list[tuple[str, ...]]:
        """Return the rows under COLUMNS: one a group, one for all."""
        statistics = self.dataset.statistics()
        errors = None if self.comparison is None else self.comparison.errors()
        flagged = [self.dataset[index].group or NO_GROUP for index in self.flagged]
        rows = []
        for number, row in enumerate(statistics.to_dict("records")):
            last = number == len(statistics) - 1
            cells = [
                row["group"],
                f"{row['n']:,}",
                f"{row['atoms']:,}",
                _span(row["energy_min_eV_atom"], row["energy_max_eV_atom"]),
                _number(row["forces_rms_eV_A"]),
                _number(row["max_force_eV_A"]),
            ]
            columns = ("energy_mae_meV_atom", "forces_mae_meV_A", "forces_rmse_meV_A")
            cells += ["" if errors is None else _number(errors[column].iloc[number]) for column in columns]
            cells += [str(len(flagged) if last else flagged.count(row["group"])), row["level_of_theory"]]
            rows.append(tuple(map(str, cells)))
        return rows

    def save_flags(self, path: str | Path) -> Path:
        """Write the flags as JSON and return the path."""
        flags = [
            {
                "record": index,
                "composition": self.dataset[index].composition,
                "group": self.dataset[index].group,
                "reason": self.flags[index],
            }
            for index in self.flagged
        ]
        content = {"dataset": self.dataset.name, "hash": self.dataset.hash, "flags": flags}
        write_json(Path(path), content)
        return Path(path)

    def load_flags(self, path: str | Path) -> None:
        """Take the flags of a file that `save_flags` wrote; raises ValueError when they are of another set."""
        try:
            content: dict[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"))
            flags = {int(one["record"]): str(one.get("reason", "")) for one in content["flags"]}
            of = content["hash"]
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{Path(path).name} holds no flags that can be read ({error}).") from error
        if of != self.dataset.hash:
            other = content.get("dataset", "without a name")
            raise ValueError(
                f"{Path(path).name} holds flags of another set ({other}); the numbers of {self.dataset.name} are not "
                "those that were flagged."
            )
        self.flags = {self.checked(index): reason for index, reason in flags.items()}


COLUMNS = (
    "Group", "Records", "Atoms", "Energy from … to (eV/atom)", "Forces rms (eV/Å)", "Largest force (eV/Å)",
    "Energy MAE (meV/atom)", "Forces MAE (meV/Å)", "Forces RMSE (meV/Å)", "Flagged", "Level of theory",
)  # fmt: skip
ERROR_COLUMNS = COLUMNS[6:9]


def _number(value: float) -> str:
    return "" if not np.isfinite(value) else f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"


def _span(low: float, high: float) -> str:
    return "" if not np.isfinite(low) else f"{low:.3f} … {high:.3f}"


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]
