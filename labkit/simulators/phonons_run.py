"""A run of phonons as its folder sees it: relax all, displace all, one stream of batches, results as they come.

Every force that arrived is kept, so a run that was killed asks for the missing ones only.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from labkit.errors import InvalidTask, LabkitError, RunCancelled
from labkit.simulators.neb_batch import Batch
from labkit.simulators.neb_pool import Pool
from labkit.simulators.phonons_file import FILE
from labkit.simulators.phonons_member import Member
from labkit.simulators.phonons_relax import relax_together

if TYPE_CHECKING:
    from labkit.potentials.interface import Potential
    from labkit.runs import RunContext
    from labkit.simulators.phonons import Phonons

#: Parts of the whole that relaxing and forces are shown as.
RELAXING, WHOLE = 200, 1000
CHECKPOINT_S = 2.0


class PhononRun:
    """Takes all crystals of a task from their structure to their phonons."""

    def __init__(self, task: Phonons, context: RunContext, potential: Potential) -> None:
        if "forces" not in potential.implemented:
            raise InvalidTask(
                f"{potential.name} gives no forces, and phonons are made of nothing else; choose another."
            )
        self.task, self.context, self.potential = task, context, potential
        self.members = [Member(index, atoms, task) for index, atoms in enumerate(task.structures)]
        self.stage, self.batches, self.steps, self.finished = "relaxing", 0, 0, 0
        self._saved = time.monotonic()
        self._resume()

    def run(self) -> list[Member]:
        """All crystals, each done or failed."""
        pool = None
        if self.task.processes > 1:
            pool = Pool(self.task.potential, self.task.processes, self.task.device, self.context.log)
        try:
            self.batch = Batch(
                self.potential, fixed=self.task.batch_atoms, log=self.context.log, check=self._pause, pool=pool
            )
            self._relax()
            self._displace()
            self._forces()
        finally:
            if pool is not None:
                pool.close()
        return self.members

    def _relax(self) -> None:
        active = [member for member in self.members if member.stage == "relaxing"]
        if self.task.relax != "nothing" and self.stage == "relaxing":
            relax_together(
                [member.rest for member in active],
                self.potential,
                self.task.fmax_eV_A,
                self.task.max_steps,
                lambda: self._watch(active),
            )
            for member in active:
                member.relaxed()
        for member in active:
            if self.stage == "relaxing":
                self.context.frame(member.atoms, member.index)
        if self.stage == "relaxing":
            self.stage = "forces"
            self._keep(always=True)

    def _watch(self, active: list[Member]) -> None:
        self.steps += 1
        moving = [member for member in active if member.rest.state == "active"]
        done = len(active) - len(moving)
        worst = max((member.rest.largest for member in moving), default=self.task.fmax_eV_A)
        self.context.row("relaxation", self.steps, active=len(moving), largest_force_eV_A=worst)
        share = RELAXING * done // max(1, len(active))
        self.context.progress(
            share, WHOLE, f"relaxing: {done} of {len(active)} crystals at rest, largest force {worst:.4f} eV/Å"
        )
        self._keep()
        self._pause()

    def _displace(self) -> None:
        for member in self.members:
            if member.stage != "relaxing":
                continue
            self.context.progress(RELAXING, WHOLE, f"displacing the atoms of {member.name}")
            self._guarded(member, member.displace)
            self._pause()
        for member in self.members:
            self._release(member)

    def _forces(self) -> None:
        total = sum(len(member.forces) for member in self.members)
        while waiting := [(member, place) for member in self.members for place in member.waiting()]:
            now, atoms = [], 0
            for member, place in waiting:  # no more than one batch, so that what arrived can be kept
                size = len(member.supercells[place])
                if now and atoms + size > self.batch.limit:
                    break
                now.append((member, place))
                atoms += size
            self._say(total, f"{len({member.index for member, _ in now})} crystals in a batch of {atoms} atoms")
            answers = self.batch.evaluate([member.supercells[place] for member, place in now])
            largest = 0.0
            for (member, place), answer in zip(now, answers, strict=True):
                member.take(place, answer)
                if not isinstance(answer, str):
                    largest = max(largest, float(np.abs(answer[1]).max()))
            self.batches += 1
            done = total - sum(len(member.waiting()) for member in self.members)
            self.context.row("forces", self.batches, supercells=done, atoms=atoms, largest_force_eV_A=largest)
            for member in self.members:
                self._release(member)
            self._keep()
            self._pause()

    def _say(self, total: int, what: str) -> None:
        left = sum(len(member.waiting()) for member in self.members)
        done = RELAXING + (WHOLE - RELAXING) * (total - left) // max(1, total)
        self.context.progress(done, WHOLE, f"forces of {total - left} of {total} cells known; now {what}")

    def _release(self, member: Member) -> None:
        """Finish a crystal whose forces are complete, and tell of one that failed."""
        if member.stage == "forces" and not member.waiting():
            self.context.status.progress(WHOLE - 1, WHOLE, f"force constants and modes of {member.name}")
            self._guarded(member, lambda: self._finish(member))
        if member.stage == "failed" and not member.summary:
            member.summary = {"index": member.index, "name": member.name, "failed": member.reason}
            self.context.log(f"{member.name} failed: {member.reason}")

    def _finish(self, member: Member) -> None:
        crystal = member.finish()
        crystal.write(self.context.folder / FILE.format(member.index))
        summary = member.summary
        self.context.row(
            "structures",
            self.finished,
            index=member.index,
            name=member.name,
            space_group=member.group,
            supercell=summary["supercell"],
            atoms=summary["supercell_atoms"],
            displacements=summary["displacements"],
            lowest_THz=summary["lowest_THz"],
            highest_THz=summary["highest_THz"],
            imaginary=sum(mode["degeneracy"] for mode in summary["imaginary"]),
            zero_point_eV=summary["zero_point_eV"],
        )
        self.finished += 1
        for sentence in member.words:
            self.context.log(f"{member.name}: {sentence}")
        for sentence in member.warnings:
            self.context.log(f"{member.name}, beware: {sentence}")
        self._keep(always=True)

    def _guarded(self, member: Member, work: Any) -> None:
        try:
            work()
        except (RunCancelled, OSError):
            raise
        except Exception as error:  # phonopy, spglib and symfc raise what they like; the other crystals go on
            text = " ".join(str(error).split())
            member.fail(text if isinstance(error, LabkitError) else f"{type(error).__name__}: {text}")

    def _pause(self) -> None:
        self.context.raise_if_stopped()
        self.context.pause_point()

    def _keep(self, *, always: bool = False) -> None:
        if not always and time.monotonic() - self._saved < CHECKPOINT_S:
            return
        arrays: dict[str, np.ndarray] = {}
        members = []
        for member in self.members:
            more, values = member.state()
            arrays |= more
            members.append(values)
        counters = {"batches": self.batches, "steps": self.steps, "finished": self.finished}
        self.context.checkpoint(arrays, {"stage": self.stage, "members": members, **counters})
        self._saved = time.monotonic()

    def _resume(self) -> None:
        stored = self.context.load_checkpoint()
        if stored is None:
            return
        arrays, state = stored
        self.stage = state["stage"]
        self.batches, self.steps, self.finished = state["batches"], state["steps"], state["finished"]
        for member, values in zip(self.members, state["members"], strict=True):
            member.restore(arrays, values, at_rest=self.stage != "relaxing")
        self.context.log(f"continuing: {self.finished} of {len(self.members)} crystals are done")
