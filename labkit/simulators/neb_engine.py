"""Many bands in one batch: end states and images side by side, bands leave as they converge and waiting ones enter.

Each end state and each band has a state of its own, so what becomes of one does not depend on its company; only the
calls of the potential are shared.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms

from labkit.simulators.neb_batch import Answer, Batch
from labkit.simulators.neb_ends import EndState, EndStates
from labkit.simulators.neb_member import BandMember, Settings
from labkit.simulators.neb_path import MinimumEnergyPath

#: Work of an end state in units of the whole work for a band, for the estimate of progress.
ENDS_SHARE = 0.15


@dataclass
class Ends:
    """What a campaign of bands starts from: two structures and a name."""

    initial: Atoms
    final: Atoms
    name: str = ""


class Engine:
    """Runs bands to their end; `step` is one evaluation of everything that is active.

    finished: called with (member, path) for each band that leaves. watch: called after each step with the members that
    took part in it.
    """

    def __init__(
        self,
        bands: Sequence[Any],
        batch: Batch,
        settings: Settings,
        *,
        log: Callable[[str], None] = lambda _: None,
        watch: Callable[[list[BandMember]], None] = lambda _: None,
        finished: Callable[[BandMember, MinimumEnergyPath], None] = lambda *_: None,
    ) -> None:
        self.batch, self.settings, self.log = batch, settings, log
        self.watch, self.finished = watch, finished
        self.ends = EndStates()
        self.steps = 0
        self.unmirrored: list[int] = []  # bands that gave up their symmetry, in that order
        self.members = [
            BandMember(index, band.name or f"band {index + 1}", band.initial, band.final, settings, log)
            for index, band in enumerate(bands)
        ]
        self.paths: dict[int, MinimumEnergyPath] = {}
        for member in self.members:
            member.register(self.ends)

    def run(self) -> list[MinimumEnergyPath]:
        """Step until every band is over; returns their paths in the order of the bands."""
        self._release(self.members)
        while len(self.paths) < len(self.members):
            self.step()
        return [self.paths[member.index] for member in self.members]

    def step(self) -> None:
        """Fill the batch, evaluate it, and let everyone in it move on."""
        bands, ends = self._admit()
        if bands or ends:
            groups = [[end.structure()] for end in ends] + [member.structures() for member in bands]
            answers = iter(self.batch.evaluate([atoms for group in groups for atoms in group]))
            taken: list[list[Answer]] = [[next(answers) for _ in group] for group in groups]
            for end, found in zip(ends, taken[: len(ends)], strict=True):
                self._relax(end, found[0])
            for member, found in zip(bands, taken[len(ends) :], strict=True):
                member.absorb(found)
        self.steps += 1
        for member in bands:
            if member.stage == "unmirrored":
                self.unmirror(member)
        self.watch(bands)
        self._release(self.members)

    def unmirror(self, member: BandMember) -> None:
        """Register the final state of a band that gave up its symmetry; the order numbers the end states."""
        self.unmirrored.append(member.index)
        member.mirror = None
        member.finish_unmirrored(self.ends)

    def _relax(self, end: EndState, answer: Answer) -> None:
        end.state = "active"
        wanted = self.settings.fmax_ends_eV_A if self.settings.relax_ends else None
        end.absorb(answer, wanted, self.settings.max_steps)
        if end.state == "failed":
            self.log(f"end state {end.index} ({end.start.get_chemical_formula()}): {end.reason}")

    def _admit(self) -> tuple[list[BandMember], list[EndState]]:
        """Bands and end states of the next batch: those that are in it, then waiting ones while there is room."""
        bands = [member for member in self.members if member.stage == "band"]
        ends = [end for end in self.ends.all if end.state == "active"]
        used = sum(len(member.initial) * len(member.wanted()) for member in bands)
        used += sum(len(end.start) for end in ends)
        for member in self.members:
            if member.stage != "ends":
                continue
            if member.ready():
                if used and used + len(member.initial) * self.settings.images > self.batch.limit:
                    break
                member.begin()
                if member.stage == "band":
                    bands.append(member)
                    used += len(member.initial) * len(member.wanted())
                continue
            for end in member.ends:
                if end.state == "waiting" and (not used or used + len(end.start) <= self.batch.limit):
                    end.state = "active"
                    ends.append(end)
                    used += len(end.start)
            if used >= self.batch.limit:
                break
        return bands, ends

    def _release(self, members: Sequence[BandMember]) -> None:
        for member in members:
            if member.stage == "over" and member.index not in self.paths:
                mode = self._mode(member)
                path = member.path(**mode)
                self.paths[member.index] = path
                if path.reason:
                    self.log(f"band {member.index} ({member.name}) {path.state}: {path.reason}")
                self.finished(member, path)

    def _mode(self, member: BandMember) -> dict[str, Any]:
        from labkit.simulators.neb_saddle import saddle_mode

        if not self.settings.saddle_mode or member.state != "converged":
            return {}
        return saddle_mode(member.path(), self.batch)

    def progress(self) -> float:
        """How much of all the work is done, 0 to 1."""
        done = 0.0
        for member in self.members:
            ends = [min(1.0, end.steps / 30) if end.open else 1.0 for end in member.ends]
            begun = ENDS_SHARE * float(np.mean(ends)) if ends else 0.0
            done += 1.0 if member.stage == "over" else begun + (1 - ENDS_SHARE) * member.progress()
        return done / len(self.members)

    def describe(self) -> str:
        """What is going on, for a line under a progress bar."""
        bands = [member for member in self.members if member.stage == "band"]
        ends = sum(end.state == "active" for end in self.ends.all)
        over = sum(member.stage == "over" for member in self.members)
        parts = [f"step {self.steps}: {over} of {len(self.members)} bands done"]
        if ends:
            parts.append(f"{ends} end state{'s' if ends > 1 else ''} relaxing")
        if bands:
            worst = max(member.max_force for member in bands)
            climbing = sum(member.climbing for member in bands)
            parts.append(f"{len(bands)} in the batch ({climbing} climbing), largest force {worst:.3f} eV/Å")
        return ", ".join(parts)
