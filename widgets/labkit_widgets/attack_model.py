"""What an adversarial attack says of itself, without widgets: the dial, the curve, and how each structure is doing."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from ase import Atoms

from labkit.errors import LabkitError
from labkit.runs import Run

from .changes import Changes

KIND, TABLE = "Attack", "attack"
#: Rows that the curve shows: the newest ones.
MAX_ROWS = 2000
_STOPPED = re.compile(r" structure (\d+) stopped at \S+ eV/Å: (.+)$", re.MULTILINE)
_LOG_LINES = 500


def is_attack(run: Run) -> bool:
    """Whether a run is an attack: its kind says so, or it writes the table of one."""
    return run.kind == KIND or TABLE in run.tables()


@dataclass(frozen=True)
class Attacked:
    """One structure: state is "waiting", "moving", "reached", "stopped" or "left" (the run ended before it was done);
    errors in eV/Å.
    """

    index: int
    formula: str
    state: str
    predicted: float = np.nan
    wanted: float = np.nan
    steps: int = 0
    moved_A: float = np.nan
    reason: str = ""


class AttackModel:
    """Reads an attack's files; every method may be called from any thread."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.table = pd.DataFrame()
        self._lock = threading.RLock()
        self._changes = Changes(run.folder)
        self._controls: dict[str, Any] = {}
        parameters = run.task_dict.get("parameters", {})
        self.own_wanted = float(parameters.get("wanted_eV_A") or 0.3)
        self.tolerance = float(parameters.get("tolerance") or 0.05)
        structures = parameters.get("structures")
        self._formulas = [_formula(one) for one in structures] if isinstance(structures, list) else []

    def poll(self) -> set[str]:
        """Read what changed; returns the names of it: "attack", "controls"."""
        with self._lock:
            found = set()
            if self._changes.of(f"{TABLE}.csv"):
                self.table = self.run.table(TABLE)
                found.add(TABLE)
            if self._changes.of("control.json"):
                self._controls = self.run.json("control")
                found.add("controls")
            return found

    @property
    def wanted(self) -> float:
        """The wanted error that holds now, eV/Å."""
        return float(self._controls.get("wanted_eV_A", self.own_wanted))

    @property
    def predicted(self) -> float:
        """The newest largest predicted error, eV/Å; nan before the first step."""
        return float(self.table["predicted_eV_A"].iloc[-1]) if len(self.table) else np.nan

    @property
    def structure(self) -> int | None:
        """The structure that was moved last."""
        return int(self.table["structure"].iloc[-1]) if len(self.table) else None

    def curve(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Step, predicted and wanted error (eV/Å), and structure of the newest rows; a gap (nan) between structures."""
        rows = self.table.tail(MAX_ROWS)
        if not len(rows):
            return (np.zeros(0),) * 4
        columns = [rows[name].to_numpy(float) for name in ("step", "predicted_eV_A", "wanted_eV_A", "structure")]
        gaps = np.flatnonzero(np.diff(columns[3])) + 1
        step, predicted, wanted, structure = columns
        return (
            np.insert(step, gaps, step[gaps] - 0.5),
            np.insert(predicted, gaps, np.nan),
            np.insert(wanted, gaps, wanted[gaps]),
            np.insert(structure, gaps, structure[gaps]),
        )

    def structures(self) -> list[Attacked]:
        """Every structure of the task, in order."""
        last = {int(i): rows.iloc[-1] for i, rows in self.table.groupby("structure")} if len(self.table) else {}
        status = self.run.status()
        result = self._result() if status.state == "finished" else {}
        reasons = {int(index): text for index, text in _STOPPED.findall(self.run.log(_LOG_LINES))}
        newest, found = max(last, default=-1), []
        for index in range(max(len(self._formulas), newest + 1)):
            formula = self._formulas[index] if index < len(self._formulas) else ""
            row = last.get(index)
            if row is None:
                found.append(Attacked(index, formula, "waiting" if status.active else "left"))
                continue
            near = abs(row["predicted_eV_A"] - row["wanted_eV_A"]) <= self.tolerance * row["wanted_eV_A"]
            reason = _at(result, "reasons", index) or reasons.get(index, "")
            if index in reasons or _at(result, "reached", index) is False:
                state = "stopped"
            elif near:
                state = "reached"
            else:
                state = "moving" if status.active and index == newest else "left"
            numbers = (float(row[name]) for name in ("predicted_eV_A", "wanted_eV_A"))
            moved = float(row["max_displacement_A"]) if "max_displacement_A" in row else np.nan
            steps = int(row["attack_step"])
            found.append(Attacked(index, formula, state, *numbers, steps, moved, reason if state == "stopped" else ""))
        return found

    def _result(self) -> dict[str, Any]:
        try:
            return self.run.result()
        except LabkitError:
            return {}


def _at(result: dict[str, Any], name: str, index: int) -> Any:
    values = result.get(name)
    return values[index] if isinstance(values, list) and index < len(values) else None


def _formula(structure: Any) -> str:
    if isinstance(structure, dict):
        symbols = structure.get("symbols")
        return str(structure.get("name") or (Atoms(symbols).get_chemical_formula() if symbols else ""))
    return str(structure)
