"""What a screening campaign says while it goes on, without a widget: one row for each candidate, and the stages.

The tables of a campaign only grow, so each look reads the new lines and tells which rows they changed. The rows are
those of `labkit.screening.table`.
"""

from __future__ import annotations

import csv
import json
import math
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ase import Atoms

from labkit.runs import Run
from labkit.runs.atomic import read_json
from labkit.screening.intake import CandidateFile

from . import theme
from .curves_model import split
from .screening_grid import Column

KIND = "Screening"
VERDICTS = {"passed": theme.GREEN, "rejected": theme.ORANGE, "failed": theme.RED, "waiting": theme.GREY}
#: Units of screening on top of those that curves know.
_UNITS = {
    "_eV_atom": "eV/atom", "_meV_atom": "meV/atom", "_meV": "meV", "_THz": "THz", "_g_cm3": "g/cm³", "_S_cm": "S/cm",
    "_mS_cm": "mS/cm", "_percent": "%", "_s": "s", "_A3_atom": "Å³/atom", "_V": "V", "_mAh_g": "mAh/g", "_A2": "Å²",
    "_amu": "amu", "_cm2_s": "cm²/s",
}  # fmt: skip
#: What a row has of its own; a stage's value of the same name gets a note behind it.
_OWN = ("candidate", "name", "formula", "stage", "stage_name", "verdict", "reason", "cpu_s", "parent", "origin")
_COUNTS = ("waiting", "running", "passed", "rejected", "failed")


def is_screening(run: Run) -> bool:
    """Tell whether a run is a screening campaign."""
    return run.kind == KIND


@dataclass(frozen=True)
class StageLine:
    """A stage of the funnel as it stands; CPU times in s, `to_come_cpu_s` is NaN where no mean is known yet."""

    stage: int
    stage_name: str
    waiting: int = 0
    running: int = 0
    passed: int = 0
    rejected: int = 0
    failed: int = 0
    cpu_s: float = 0.0
    to_come_cpu_s: float = 0.0

    @property
    def mean_cpu_s(self) -> float:
        """CPU time of one candidate (s), NaN before the first verdict."""
        judged = self.passed + self.rejected + self.failed
        return self.cpu_s / judged if judged else math.nan


class ScreeningModel:
    """Reads the folder of a campaign; `rows` holds one mapping for each candidate, `stages` the funnel."""

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        self.rows: list[dict[str, Any]] = []
        self.stages: list[StageLine] = []
        self._list, self._verdicts, self._funnel = (
            _Tail(self.folder / name) for name in ("candidates.csv", "rows.csv", "funnel.csv")
        )
        self._places: dict[int, int] = {}
        self._numbers: dict[str, bool] = {}  # in the order of first appearance; True for whole numbers
        self._texts: dict[str, None] = {}
        self._labels: list[str] = []
        self._lock = threading.Lock()
        self._given, self._made = (CandidateFile(self.folder / name) for name in ("candidates.extxyz", "frames.extxyz"))

    def poll(self) -> set[int]:
        """Read what is new and return the positions of the rows that changed."""
        # The list is complete when the file of the structures is there.
        if not self.rows and not (self.folder / "candidates.extxyz").exists():
            return set()
        changed = {self._enter(line) for line in self._list.new()}
        if not self._labels:
            stages = (read_json(self.folder / "campaign.json") or {}).get("stages", [])
            self._labels = [str(one["label"]) for one in stages]
        if self._labels:
            changed |= {self._judge(line) for line in self._verdicts.new()}
        for line in self._funnel.new():
            self._count(line)
        return changed

    def row(self, candidate: int) -> dict[str, Any]:
        """Return the row of a candidate; raises KeyError with a sentence when there is none."""
        if candidate not in self._places:
            raise KeyError(f"there is no candidate {candidate}; this campaign has {len(self.rows):,}, from 0")
        return self.rows[self._places[candidate]]

    def structure(self, candidate: int) -> Atoms:
        """Return the newest structure of a candidate; raises KeyError for a number that there is not."""
        frame = self.row(candidate)["frame"]
        with self._lock:
            atoms = self._given.atoms(candidate) if frame < 0 else self._made.atoms(frame)
        atoms.info["name"] = self.row(candidate)["name"]
        return atoms

    def columns(self) -> list[Column]:
        """Return the columns by the names in the tables: who, how far, verdict, every number, reason, origin, cost."""
        found = [Column("candidate", "No.", "integer", help="number of the candidate in the campaign")]
        if any(row["name"] != row["formula"] for row in self.rows):
            found.append(Column("name", "Name", "text", fixed=True))
        found += [
            Column("formula", "Formula", "formula", fixed=True),
            Column(
                "stage_name", "Reached", "choice", help="the last stage with a verdict", choices=tuple(self._labels)
            ),
            Column("verdict", "Verdict", "choice", choices=tuple(VERDICTS), colours=VERDICTS),
        ]
        found += [_number_column(name, whole) for name, whole in self._numbers.items()]
        found += [Column(name, words(name)[0], "text", help=name) for name in self._texts]
        found += [
            Column("reason", "Reason", "long"),
            Column("cpu_s", "CPU time", "number", "s", "of all its stages so far"),
        ]
        if any(row["parent"] is not None for row in self.rows):
            found.append(Column("parent", "Parent", "integer", help="the candidate it was made from"))
        if len({row["origin"] for row in self.rows}) > 1:
            found.append(Column("origin", "Origin", "text"))
        return found

    @property
    def verdicts(self) -> dict[str, int]:
        """How many candidates have each verdict."""
        found = dict.fromkeys(VERDICTS, 0)
        for row in self.rows:
            found[row["verdict"]] += 1
        return found

    @property
    def cost(self) -> tuple[float, float, list[str]]:
        """CPU time so far and to come (s), and the stages whose cost nobody knows yet: they are not in it."""
        unknown = [one.stage_name for one in self.stages if not math.isfinite(one.to_come_cpu_s)]
        known = sum(one.to_come_cpu_s for one in self.stages if math.isfinite(one.to_come_cpu_s))
        return sum(one.cpu_s for one in self.stages), known, unknown

    def _enter(self, line: dict[str, str]) -> int:
        candidate = int(line["candidate"])
        place = self._places.setdefault(candidate, len(self.rows))
        row = {"candidate": candidate, "name": line["name"], "formula": line["formula"], "stage": -1, "stage_name": ""}
        row |= {"verdict": "waiting", "reason": "", "cpu_s": 0.0, "frame": -1, "origin": line.get("origin", "")}
        row["parent"] = int(line["parent"]) if line.get("parent") else None
        self.rows[place : place + 1] = [row]
        return place

    def _judge(self, line: dict[str, str]) -> int:
        place = self._places[int(line["candidate"])]
        row = self.rows[place]
        for name, value in json.loads(line["values"] or "{}").items():
            self._note(row, f"{name} (value)" if name in _OWN else name, value)
        stage, verdict = int(line["stage"]), line["verdict"]
        goes_on = verdict == "passed" and stage + 1 < len(self._labels)
        row.update(stage=stage, stage_name=line["stage_name"], verdict="waiting" if goes_on else verdict)
        row.update(formula=line["formula"] or row["formula"], reason=line["reason"])
        frame, cpu_s = int(line.get("frame") or -1), float(line["cpu_s"] or 0.0)
        row["frame"] = frame if frame >= 0 else row["frame"]
        row["cpu_s"] += cpu_s  # last: a line that cannot be read is read again
        return place

    def _note(self, row: dict[str, Any], name: str, value: Any) -> None:
        if isinstance(value, bool):
            value = "yes" if value else "no"
        if isinstance(value, int | float):
            self._numbers[name] = self._numbers.get(name, True) and isinstance(value, int)
        elif isinstance(value, str):
            self._texts.setdefault(name)
        row[name] = value if isinstance(value, int | float | str) else None

    def _count(self, line: dict[str, str]) -> None:
        counts = {one: int(float(line[one])) for one in _COUNTS}
        spent, left = (float(line.get(one) or "nan") for one in ("cpu_s", "to_come_cpu_s"))
        now = StageLine(int(line["stage"]), line["stage_name"], **counts, cpu_s=spent, to_come_cpu_s=left)
        self.stages = sorted([*(one for one in self.stages if one.stage != now.stage), now], key=lambda one: one.stage)


class _Tail:
    """The complete lines that a growing CSV file got since the last look."""

    def __init__(self, path: Path) -> None:
        self._path, self._at = path, 0
        self._columns: list[str] = []

    def new(self) -> Iterator[dict[str, str]]:
        """Return the new lines by column; nothing while there is no file.

        A line at which the reader fails is not passed over: it is the first one of the next look.
        """
        try:
            with self._path.open("rb") as file:
                file.seek(self._at)
                data = file.read()
        except FileNotFoundError:
            return
        lines = data.split(b"\n")[:-1]
        reader, done = csv.reader(line.decode(errors="replace") for line in lines), 0
        for cells in reader:
            if self._columns:
                yield dict(zip(self._columns, cells, strict=False))
            else:
                self._columns = cells
            self._at += sum(len(line) + 1 for line in lines[done : reader.line_num])
            done = reader.line_num


def words(name: str) -> tuple[str, str]:
    """Return title and unit of a column: `hull_distance_eV_atom` gives Hull distance and eV/atom."""
    suffix = max((one for one in _UNITS if name.endswith(one) and len(name) > len(one)), key=len, default="")
    text, unit = (name[: -len(suffix)].replace("_", " "), _UNITS[suffix]) if suffix else split(name)
    text = f"number of {text[2:]}" if text.startswith("n ") else text
    return text[:1].upper() + text[1:], unit


def _number_column(name: str, whole: bool) -> Column:
    title, unit = words(name)
    return Column(name, title, "integer" if whole else "number", unit, help=name)
