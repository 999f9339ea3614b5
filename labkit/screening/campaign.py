"""The campaign itself: candidates flow through the stages, each on its own, until a stage needs all that are left.

What is known lies in the journal; this loop only decides what is computed next, and can be killed at any instant.
"""

from __future__ import annotations

import json
import math
import sys
import time
from array import array
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from labkit.errors import RunFailed
from labkit.runs.extxyz import read_frame
from labkit.runs.folder import slug
from labkit.screening.candidate import Outcome, jsonable
from labkit.screening.counting import StageCount, funnel_lines, sentence
from labkit.screening.intake import CANDIDATES, CandidateFile
from labkit.screening.journal import FILES, Journal
from labkit.screening.phases import Phases
from labkit.screening.plan import Planned
from labkit.screening.resuming import take_up
from labkit.screening.stage import Member, counts
from labkit.screening.workers import LOST, Event, Workers

POLL_S = 0.1
#: Candidates travel together so that a chunk takes about this long: what a kill can cost, and what hides the transport.
CHUNK_S = 0.25
CHUNK_MOST = 200
#: On a cluster, candidates that take longer than this travel alone.
ALONE_S = 0.02
CHUNK_FIRST = 20
#: A candidate whose worker is lost so often is given up.
LOSSES = 3
FUNNEL_S = 1.0

Order = Literal["deepest first", "breadth first"]


@dataclass
class Chunk:
    """Candidates that are out together."""

    stage: int
    left: set[int] = field(default_factory=set)


class Campaign:
    """All candidates of a folder and their way through `plan`."""

    def __init__(
        self,
        folder: Path,
        plan: list[Planned],
        *,
        executor: Executor | None,
        processes: int | None,
        order: Order,
        report: Callable[[Campaign], None],
        stopped: Callable[[], bool],
    ) -> None:
        self.folder, self.plan, self.order = folder, plan, order
        self.given = CandidateFile(folder / CANDIDATES)
        self.total = len(self.given)
        self.journal = Journal(folder, plan, self.total)
        self.workers = Workers(executor, processes)
        self.report, self.stopped = report, stopped
        self.waiting: list[deque[int]] = [deque() for _ in plan]
        self.counts = [StageCount() for _ in plan]
        # Per candidate no more than a few bytes: frame of its newest structure, and its values as JSON text.
        self.frames, self.values = array("q", [-1]) * self.total, {}
        self.losses: dict[int, int] = {}
        self.chunks: dict[int, Chunk] = {}
        self.done = 0
        self._number, self._funnel_at, self._funnel_wait = 0, 0.0, FUNNEL_S
        self.phases = Phases(plan, self.journal)
        self._path = [str(Path(entry or ".").resolve()) for entry in sys.path]
        # By gathering stage: whom earlier attempts have judged there, and the values that they came with.
        self.judged: dict[int, set[int]] = {}
        self.values_before: dict[int, str] = {}
        take_up(self)

    def run(self) -> None:
        """Go on until every candidate has its last verdict; raises what `stopped` raises, and RunFailed."""
        try:
            self._tell(now=True)
            while self.done < self.total:
                holding = self.stopped()
                while not holding and self.workers.room() and (work := self._next()):
                    self._submit(*work)
                for event in self.workers.collect(POLL_S) if self.workers.busy else self._idle(holding):
                    self._hear(event)
                if not holding:
                    self._gather()
                self._tell()
            self._tell(now=True)
        finally:
            self.workers.close()
            self.journal.close()

    def _idle(self, holding: bool) -> list[Event]:
        if holding:
            time.sleep(POLL_S)
        return []

    def _next(self) -> tuple[int, list[int]] | None:
        """The stage and the candidates of the next chunk; competing phases (negative numbers) come first."""
        if self.phases.waiting:
            return self.phases.next()
        stages = range(len(self.plan))
        for stage in reversed(stages) if self.order == "deepest first" else stages:
            line = self.waiting[stage]
            if line and not self.plan[stage].gathers:
                fair = math.ceil(len(line) / (2 * self.workers.slots))
                return stage, [line.popleft() for _ in range(min(self._chunk_size(stage), fair))]
        return None

    def _chunk_size(self, stage: int) -> int:
        mean = self.counts[stage].mean_wall_s
        if mean is None:
            return CHUNK_FIRST if self.plan[stage].cheap else 1
        if mean > ALONE_S and not self.workers.streams:  # what a lost worker had finished of a chunk is lost with it
            return 1
        return max(1, min(CHUNK_MOST, int(CHUNK_S / max(mean, 1e-6))))

    def _submit(self, stage: int, items: list[int]) -> None:
        one = self.plan[stage]
        candidates = [self._question(stage, item) for item in items]
        self._number += 1
        self.chunks[self._number] = Chunk(stage, set(items))
        chunk = {
            "stage": one.spec,
            "candidates": candidates,
            "timeout_s": one.timeout_s,
            "search_path": self._path,
        }
        self.workers.submit(self._number, chunk)

    def _question(self, stage: int, item: int) -> dict[str, Any]:
        if item < 0:
            return self.phases.question(item)
        scratch = self.folder / FILES / f"{item:06d}" / f"{stage}-{slug(self.plan[stage].label)}"
        return {
            "index": item,
            "name": "",
            "frame": self._text(item),
            "values": json.loads(self.values.get(item, "{}")),
            "scratch": str(scratch.absolute()),
        }

    def _text(self, item: int) -> str:
        frame = self.frames[item]
        return self.given.text(item) if frame < 0 else self.journal.made.text(frame)

    def _hear(self, event: Event) -> None:
        chunk = self.chunks.get(event.chunk)
        if chunk is None:
            return
        if event.answer is not None and event.answer["index"] in chunk.left:
            chunk.left.discard(event.answer["index"])
            self.keep(event.answer, chunk.stage)
        if event.over:
            del self.chunks[event.chunk]
            if event.error is not None:
                self._lost(chunk, event.error)
            elif chunk.left:
                raise RunFailed(f"an executor answered for fewer candidates than it was given (stage {chunk.stage}).")

    def _lost(self, chunk: Chunk, error: BaseException) -> None:
        """Begin again with what a lost worker had in hand, one by one; any other error ends this attempt."""
        kinds = {cls.__name__ for cls in type(error).__mro__}
        if not kinds & set(LOST) or isinstance(error, RunFailed):
            raise RunFailed(
                f"the executor could not judge candidates ({type(error).__name__}: {error}); everything so far is "
                "kept. Mend it (is the scheduler alive, is labkit installed on its workers?) and resume."
            ) from error
        for item in sorted(chunk.left):
            self.losses[item] = self.losses.get(item, 0) + 1
            if self.losses[item] < LOSSES:
                (self.phases.waiting if item < 0 else self.waiting[chunk.stage]).appendleft(item)
                continue
            reason = f"WorkerLost: the worker that had it was lost {LOSSES} times, the last time: {error}"
            self.keep({**self.blank(item), "verdict": "failed", "reason": reason}, chunk.stage)
        if "BrokenExecutor" in kinds:
            raise RunFailed(f"the executor is broken ({error}); everything so far is kept: resume with a new one.")

    def blank(self, item: int) -> dict[str, Any]:
        """The answer of nobody: what a verdict needs beside its reason."""
        blank = {"index": item, "name": "", "formula": "", "values": {}, "cpu_s": 0.0, "wall_s": 0.0, "worker": ""}
        return blank | {"verdict": "passed", "reason": ""}

    def keep(self, said: dict[str, Any], stage: int) -> None:
        """Write a verdict down, and send its candidate on."""
        item = said["index"]
        if item < 0:
            self.phases.hear(said, stage)
            return
        if not said["formula"]:
            atoms = self.given.atoms(item)
            said |= {"name": str(atoms.info.get("name", "")), "formula": atoms.get_chemical_formula("metal")}
        frame = self.journal.row(said, stage, self.plan[stage].label)
        if frame >= 0:
            self.frames[item] = frame
        self.advance(item, stage, said["verdict"], said["values"], float(said["cpu_s"]), float(said["wall_s"]))

    def advance(
        self, item: int, stage: int, verdict: str, values: Mapping[str, Any], cpu_s: float, wall_s: float
    ) -> None:
        """Count a verdict; who has passed waits for the next stage."""
        self.counts[stage].add(verdict, cpu_s, wall_s)
        if verdict != "passed":
            self.values.pop(item, None)
            self.done += 1
            return
        if values:
            merged = {**json.loads(self.values.get(item, "{}")), **values}
            self.values[item] = json.dumps(merged, ensure_ascii=False)
        if stage + 1 == len(self.plan):
            self.done += 1
        else:
            self.waiting[stage + 1].append(item)

    def _gather(self) -> None:
        """Let a stage that needs all candidates speak, once they have all arrived."""
        for stage, one in enumerate(self.plan):
            if self.waiting[stage] and one.gathers:
                if not self.phases.due(stage):
                    self._judge_all(stage)
                return
            if self.waiting[stage] or any(chunk.stage <= stage for chunk in self.chunks.values()):
                return

    def _judge_all(self, stage: int) -> None:
        # Those that an earlier attempt has already judged here belong to the comparison too.
        members = [self._member(item) for item in sorted({*self.waiting[stage], *self.judged.get(stage, ())})]
        begin, cpu = time.perf_counter(), time.process_time()
        outcomes = self.plan[stage].stage.judge_all(members, self.phases.members(stage))
        share = 1 / max(1, len(outcomes))
        wall_s, cpu_s = (time.perf_counter() - begin) * share, (time.process_time() - cpu) * share
        waiting, self.waiting[stage] = list(self.waiting[stage]), deque()
        for item in waiting:
            found = outcomes.get(item) or Outcome("failed", f"the stage {self.plan[stage].label} said nothing of it.")
            said = {"verdict": found.verdict, "reason": found.reason, "values": jsonable(found.values)}
            self.keep({**self.blank(item), **said, "cpu_s": round(cpu_s, 6), "wall_s": round(wall_s, 6)}, stage)

    def _member(self, item: int) -> Member:
        atoms = read_frame(self._text(item).encode())
        values = self.values.get(item) or self.values_before.get(item, "{}")
        return Member(item, str(atoms.info.get("name", "")), counts(atoms), json.loads(values))

    def _tell(self, now: bool = False) -> None:
        """Report progress, and how full the stages are: every second at first, more rarely in a long campaign."""
        self.report(self)
        if now or time.monotonic() > self._funnel_at + self._funnel_wait:
            if self._funnel_at:
                self._funnel_wait = min(30.0, self._funnel_wait * 1.02)
            self._funnel_at = time.monotonic()
            self.journal.funnel(self.funnel())

    def funnel(self) -> list[dict[str, Any]]:
        """How full the stages are now, one dict for each."""
        running = [0] * len(self.plan)
        for chunk in self.chunks.values():
            running[chunk.stage] += sum(item >= 0 for item in chunk.left)
        labels = [one.label for one in self.plan]
        return funnel_lines(labels, [len(line) for line in self.waiting], running, self.counts)

    def sentence(self) -> str:
        """What a progress bar says."""
        return sentence(self.funnel(), self.counts, self.workers.slots)
