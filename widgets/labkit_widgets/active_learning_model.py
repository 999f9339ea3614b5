"""What an active-learning campaign says of itself, without widgets: its rounds, grades, levels, thresholds and cost.

Files are read again only when they changed. A round whose grades are written but whose row is not yet is the one under
way; its thresholds are those that hold now.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from ase import Atoms

from labkit.errors import LabkitError
from labkit.runs import FrameReader, Run

from .changes import Changes
from .run_model import clock
from .trajectory_model import FRAMES_FILE

KIND, TABLES = "ActiveLearning", ("rounds", "grades", "reliability", "members")
VERDICTS = ("accurate", "candidate", "failed")
STAGES = ("explore", "label", "train")


def is_active_learning(run: Run) -> bool:
    """Whether a run is an active-learning campaign: its kind says so, or it writes the tables of one."""
    return run.kind == KIND or {"rounds", "grades"} <= set(run.tables())


@dataclass(frozen=True)
class Limits:
    """The lower and the upper (break) threshold on the predicted error of the worst atom, eV/Å."""

    lower: float
    upper: float

    def problem(self) -> str:
        """A sentence on why these cannot be; "" when they can."""
        if not (np.isfinite(self.lower) and np.isfinite(self.upper) and self.lower > 0):
            return f"Thresholds are positive numbers in eV/Å; {self.lower:g} and {self.upper:g} were given."
        if not self.lower < self.upper:
            return (
                f"The lower threshold ({self.lower:g} eV/Å) must be below the upper one ({self.upper:g} eV/Å): "
                "structures between them are labelled."
            )
        return ""


@dataclass(frozen=True)
class Rung:
    """One level of the ladder as it stands: lamp is "reached", "now" or "not yet"."""

    name: str
    reference: str
    limits: Limits
    rounds: int
    lamp: str


@dataclass(frozen=True)
class Cost:
    """Labels and CPU seconds so far."""

    labels: int = 0
    failures: int = 0
    explore_s: float = 0.0
    label_s: float = 0.0
    train_s: float = 0.0

    def words(self) -> str:
        """One line: labels, failures, CPU time of each stage."""
        labels = f"{self.labels:,} labels" if self.labels != 1 else "1 label"
        failed = f" ({self.failures} failed)" if self.failures else ""
        return f"{labels}{failed} · CPU {clock(self.explore_s + self.label_s + self.train_s)}"


class ActiveLearningModel:
    """Reads a campaign's files; every method may be called from any thread."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.tables: dict[str, pd.DataFrame] = {name: pd.DataFrame() for name in TABLES}
        self._lock = threading.RLock()
        self._changes = Changes(run.folder)
        self._reader = FrameReader(run.folder / FRAMES_FILE)
        self._worst: dict[int, Atoms] = {}
        self._read = 0
        self._controls: dict[str, Any] = {}
        parameters = run.task_dict.get("parameters", {})
        levels = parameters.get("levels")
        self._levels: list[dict] = [one for one in levels if isinstance(one, dict)] if isinstance(levels, list) else []
        self.has_test = bool(parameters.get("test"))

    def poll(self) -> set[str]:
        """Read what changed; returns the names of it: the tables, "frames", "controls"."""
        with self._lock:
            found = {name for name in TABLES if self._changes.of(f"{name}.csv")}
            for name in found:
                self.tables[name] = self.run.table(name)
            if self._changes.of("control.json"):
                self._controls = self.run.json("control")
                found.add("controls")
            self._reader.poll()
            if len(self._reader) < self._read:
                self._worst, self._read = {}, 0
            for index in range(self._read, len(self._reader)):
                atoms = self._reader.read(index)
                self._worst[int(atoms.info.get("round", atoms.info.get("step", index)))] = atoms
                self._read = index + 1
                found.add("frames")
            return found

    @property
    def round_numbers(self) -> list[int]:
        """Every round that has grades, a row or a worst structure."""
        with self._lock:
            known = set(self._worst)
            for name, column in (("rounds", "step"), ("grades", "round")):
                if column in self.tables[name]:
                    known |= {int(one) for one in self.tables[name][column].unique()}
            return sorted(known)

    def newest(self, table: str = "grades") -> int | None:
        """The newest round of a table."""
        rows, column = self.tables[table], "step" if table == "rounds" else "round"
        return int(rows[column].max()) if len(rows) else None

    def of_round(self, table: str, number: int | None) -> pd.DataFrame:
        """The rows of a table that belong to round `number` (None: the newest that has any)."""
        rows, column = self.tables[table], "step" if table == "rounds" else "round"
        number = self.newest(table) if number is None else number
        return rows[rows[column] == number] if len(rows) else rows

    def worst(self, number: int | None = None) -> Atoms | None:
        """The structure of round `number` (None: the newest) with the largest predicted error."""
        with self._lock:
            number = max(self._worst, default=None) if number is None else number
            return self._worst.get(number)

    def limits(self, number: int | None = None) -> Limits | None:
        """The thresholds of a round that is over, else those that hold now; None when nobody says any."""
        row = self.of_round("rounds", number) if number is not None else ()
        if len(row):
            return Limits(float(row["lower_eV_A"].iloc[0]), float(row["upper_eV_A"].iloc[0]))
        own = self.own_limits()
        here = self._controls.get("thresholds_level") in (None, self.level())
        lower, upper = (self._controls.get(f"{name}_eV_A") if here else None for name in ("lower", "upper"))
        if own is None and (lower is None or upper is None):
            rows = self.tables["rounds"]
            if not len(rows):
                return None
            own = Limits(float(rows["lower_eV_A"].iloc[-1]), float(rows["upper_eV_A"].iloc[-1]))
        limits = Limits(float(own.lower if lower is None else lower), float(own.upper if upper is None else upper))
        return own if limits.problem() else limits  # as the campaign itself does

    def own_limits(self) -> Limits | None:
        """The thresholds that the task gives the present level."""
        ladder = self.ladder()
        return ladder[self.level()].limits if ladder else None

    def level(self) -> int:
        """The number of the present level."""
        return max((number for number, rung in enumerate(self.ladder()) if rung.lamp != "not yet"), default=0)

    def ladder(self, active: bool = True) -> list[Rung]:
        """The levels in order; while the run is `active`, the last one that has rounds is the one under way."""
        rows = self.tables["rounds"]
        places = [self._place(value) for value in rows["level"]] if "level" in rows else []
        newest = max(places, default=0 if active else -1)
        if active and places and rows["explored"].iloc[-1] and not rows["selected"].iloc[-1]:
            newest = min(newest + 1, len(self._levels) - 1)  # a sweep that selects nothing ends its level
        rungs = []
        for place, level in enumerate(self._levels):
            limits = Limits(_number(level.get("select_eV_A")), _number(level.get("break_eV_A")))
            lamp = "not yet" if place > newest else "now" if active and place == newest else "reached"
            name = _title(level, place)
            rungs.append(Rung(name, str(level.get("reference", "")), limits, places.count(place), lamp))
        return rungs

    def level_starts(self) -> dict[int, str]:
        """The name of a level by the first round of it."""
        rows, found = self.tables["rounds"], {}
        if "level" not in rows:
            return {}
        before = None
        for number, value in zip(rows["step"], rows["level"], strict=True):
            if value != before:
                found[int(number)] = self.level_name(value)
            before = value
        return found

    def level_name(self, value: Any) -> str:
        """The name of a level that a table or a frame names by number or by name; "" for None."""
        if value is None:
            return ""
        place = self._place(value)
        return _title(self._levels[place], place) if 0 <= place < len(self._levels) else str(value)

    def cost(self) -> Cost:
        """Labels and CPU time of the rounds so far."""
        rows = self.tables["rounds"]
        if not len(rows):
            return Cost()
        seconds = {f"{stage}_s": _total(rows, f"{stage}_cpu_s") for stage in STAGES}
        return Cost(int(_number(rows["labels_total"].iloc[-1])), int(_total(rows, "label_failures")), **seconds)

    def reason(self) -> str:
        """Why the campaign stopped, as it says itself; "" while it has not finished."""
        try:
            return str(self.run.result().get("reason", ""))
        except LabkitError:
            return ""

    def _place(self, value: Any) -> int:
        """The place of a level that a table names by number or by name."""
        if isinstance(value, str) and not value.strip().isdigit():
            names = [_title(level, place) for place, level in enumerate(self._levels)]
            return names.index(value) if value in names else 0
        return int(value)


def _title(level: dict, place: int) -> str:
    return str(level.get("name") or level.get("reference") or f"level {place}")


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return np.nan


def _total(rows: pd.DataFrame, name: str) -> float:
    return float(rows[name].sum()) if name in rows else 0.0
