"""Competing phases: what a gathering stage wants evaluated beside the candidates, by the same stages as these.

A phase goes through every stage before that one which can say something of its energy, and keeps what all of them
found; only its energy counts, so a filter that would not let it pass does no harm.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ase import Atoms

from labkit.runs.extxyz import write_frame
from labkit.screening.journal import Journal
from labkit.screening.plan import Planned
from labkit.screening.stage import Member, counts


@dataclass
class _Journey:
    """How far a phase has come: the place in its list of stages, its newest structure, and what was found."""

    place: int = 0
    frame: str = ""
    values: dict[str, Any] = field(default_factory=dict)
    cpu_s: float = 0.0


class Phases:
    """The phases of a campaign; as items of a chunk they have negative numbers, -1 for the first."""

    def __init__(self, plan: Sequence[Planned], journal: Journal) -> None:
        self._plan, self._journal = plan, journal
        self._wanted: list[tuple[int, Atoms]] = [
            (stage, atoms) for stage, one in enumerate(plan) for atoms in one.phases
        ]
        self._known: dict[int, dict[str, Any]] = {}
        self._journeys: dict[int, _Journey] = {}
        self.waiting: deque[int] = deque(-1 - number for number in range(len(self._wanted)))

    def take_up(self, number: int, line: Mapping[str, Any]) -> None:
        """What an earlier attempt has found of phase `number`: name, verdict, reason, values."""
        self._known[number] = dict(line)
        self.waiting.remove(-1 - number)

    def due(self, stage: int) -> bool:
        """Whether `stage` still has to wait for a phase of its own."""
        return any(wanted_by == stage and number not in self._known for number, (wanted_by, _) in self._numbered())

    def next(self) -> tuple[int, list[int]] | None:
        """The stage and the item of the next chunk."""
        if not self.waiting:
            return None
        item = self.waiting.popleft()
        return self._stages(item)[self._journey(item).place], [item]

    def question(self, item: int) -> dict[str, Any]:
        """What a worker is asked."""
        atoms, journey = self._wanted[-1 - item][1], self._journey(item)
        frame = journey.frame or write_frame(atoms).decode()
        name = str(atoms.info.get("name") or "")
        return {"index": item, "name": name, "frame": frame, "values": journey.values, "scratch": None}

    def hear(self, said: Mapping[str, Any], stage: int) -> None:
        """Take a phase on to its next stage, or write down what became of it."""
        item = said["index"]
        journey, stages = self._journey(item), self._stages(item)
        journey.values |= said["values"]
        journey.frame = said.get("frame") or journey.frame
        journey.cpu_s += float(said["cpu_s"])
        journey.place += 1
        lost = said["verdict"] == "failed" and not self._plan[stage].cheap
        if not lost and journey.place < len(stages):
            self.waiting.appendleft(item)
            return
        atoms = self._wanted[-1 - item][1]
        found = {
            "name": said["name"] or str(atoms.info.get("name") or atoms.get_chemical_formula("metal")),
            "formula": said["formula"] or atoms.get_chemical_formula("metal"),
            "verdict": "failed" if lost else "passed",
            "reason": said["reason"] if lost else "",
            "values": {} if lost else journey.values,
            "cpu_s": round(journey.cpu_s, 6),
        }
        self._journal.phase(-1 - item, found)
        self._known[-1 - item] = found

    def members(self, stage: int) -> list[Member]:
        """The phases of `stage`, also those of which nothing could be found."""
        return [
            Member(-1 - number, said["name"], counts(atoms), said["values"], said["reason"])
            for number, (wanted_by, atoms) in self._numbered()
            if wanted_by == stage and (said := self._known[number])
        ]

    def _numbered(self) -> enumerate[tuple[int, Atoms]]:
        return enumerate(self._wanted)

    def _stages(self, item: int) -> tuple[int, ...]:
        return self._plan[self._wanted[-1 - item][0]].phases_by

    def _journey(self, item: int) -> _Journey:
        return self._journeys.setdefault(item, _Journey())
