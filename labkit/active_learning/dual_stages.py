"""The course of a `DualNEB`: paths, images, labels, fine-tuning, paths again, report.

The one idea: a stage that is done has left its file in the folder and is not entered again; one that was cut off goes
on from its own checkpoint, label or training step.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labkit.active_learning.dual_context import StageContext
from labkit.active_learning.dual_images import choose
from labkit.active_learning.dual_labels import described, matched, read_labels
from labkit.active_learning.dual_neb import BANDS, PATHS
from labkit.active_learning.dual_replay import family, forgetting, other_crystals
from labkit.active_learning.dual_report import STUDENT, TEACHER, TUNED, barrier_rows, summary
from labkit.active_learning.dual_training import label_errors, learn, lesson_of, moved, opened_student, tuned_folder
from labkit.active_learning.round_folder import read_frames
from labkit.errors import InvalidTask, NotConverged, RunFailed
from labkit.runs import folder as names
from labkit.runs.atomic import read_json, write_file, write_json
from labkit.runs.task import describe

if TYPE_CHECKING:
    from ase import Atoms

    from labkit.active_learning.dual_neb import DualNEB
    from labkit.active_learning.dual_training import Lesson
    from labkit.datasets import Dataset
    from labkit.potentials.interface import Potential
    from labkit.references.interface import Reference
    from labkit.runs import RunContext
    from labkit.simulators.neb import Band
    from labkit.simulators.neb_path import MinimumEnergyPath

    Paths = dict[str, list[MinimumEnergyPath]]

IMAGES, GIVEN, LABELS, TRAINING = "images.extxyz", "given.extxyz", "labels", "training"
#: Shares of a run: the student's paths, each round's labels, training and paths, the teacher's paths.
FIRST, LABELLING, LEARNING, AGAIN, LAST = 3, 1, 4, 3, 3
PERCENT = 1000


class Stages:
    """One execution of a `DualNEB`."""

    def __init__(self, task: DualNEB, context: RunContext) -> None:
        self.task, self.context, self.folder = task, context, context.folder
        self._done = 0
        self._whole = FIRST + task.rounds * (LABELLING + LEARNING + AGAIN) + LAST

    def run(self) -> dict[str, Any]:
        """All stages that are left; returns the result."""
        task = self.task
        opened_student(task.student, task.device)  # what cannot work is said before hours of work
        given = self._given() if task.labels else None
        reference = self._reference if task.teacher and given is None else None
        found = {STUDENT: self._walk(STUDENT, task.student, STUDENT, FIRST)}
        newest, labels, first_labels = found[STUDENT], given, None
        for number in range(1, task.rounds + 1):
            asked = self._images(number, newest)
            if given is None and reference is None:
                return self._without_teacher(found, asked)
            if given is None:
                new = self._label(number, asked, reference)
                labels = new if labels is None else labels.joined(new)
            else:
                labels = matched(given, asked)
            first_labels = first_labels or labels
            lesson = lesson_of(task, labels, self._crystals[0])
            outcome, tuned = self._learn(number, lesson)
            last = number == task.rounds
            newest = self._walk(TUNED if last else f"round-{number}/neb", str(tuned), f"round {number}", AGAIN)
        found[TUNED] = newest
        if task.compare and reference is not None and self._teacher is not None:
            found[TEACHER] = self._walk(TEACHER, task.teacher, TEACHER, LAST)
        return self._report(found, first_labels, lesson, outcome, tuned)

    @cached_property
    def bands(self) -> list[Band]:
        """The bands, found once and kept."""
        from labkit.simulators.neb import Band

        stored = read_json(self.folder / BANDS)
        if stored is None:
            made = list(self.task.bands) or self._hops()
            stored = {"bands": [band.model_dump(mode="json") for band in made]}
            write_json(self.folder / BANDS, stored)
        return [Band(**one) for one in stored["bands"]]

    def _hops(self) -> list[Band]:
        from labkit.simulators.hops import find_hops

        task = self.task
        network = find_hops(task.structure, task.species, kind=task.hop_kind, max_distance_A=task.max_distance_A)
        self.context.log(f"{len(network.hops)} hops up to {task.max_distance_A:g} Å in {len(network.sites)} sites")
        return network.bands(min_length_A=task.min_length_A)

    @cached_property
    def _reference(self) -> Reference:
        from labkit.references import load

        found = load(self.task.teacher, **self.task.options)
        if "forces" not in found.implemented:
            raise InvalidTask(f"{found.name} gives no forces, and paths are made of forces; take another teacher.")
        for band in self.bands:
            found.check(band.initial)
        return found

    @cached_property
    def _teacher(self) -> Potential | None:
        """The teacher as a potential, None for one that is not."""
        from labkit import potentials

        if not self.task.teacher or self.task.labels:
            return None
        try:
            return potentials.load(self.task.teacher, self.task.device)
        except ValueError:
            return None

    def _given(self) -> Dataset:
        """The user's labels, as they were when the run began."""
        from labkit import datasets

        path = self.folder / GIVEN
        if not path.exists():
            elements = {symbol for band in self.bands for symbol in set(band.initial.symbols)}
            read_labels(self.task.labels, self.task.level_of_theory, elements).write(path)
        return datasets.read(path)

    def _walk(self, where: str, potential: str, who: str, share: int) -> list[MinimumEnergyPath]:
        """The paths of a potential, in the order of the bands."""
        from labkit.simulators.neb import NudgedElasticBand
        from labkit.simulators.neb import paths as found_paths
        from labkit.simulators.neb_path import MinimumEnergyPath

        file = self.folder / where / PATHS
        if not file.exists():
            task = self.task
            context = StageContext(self.context, file.parent, self._teller(share, f"{who}: paths"))
            bands = NudgedElasticBand(
                bands=self.bands,
                potential=potential,
                images=task.images,
                fmax_eV_A=task.fmax_eV_A,
                fmax_ends_eV_A=task.fmax_ends_eV_A,
                max_steps=task.max_steps,
                use_symmetry=task.use_symmetry,
                device=task.device,
            )
            # The stage's folder can be looked at like the run of a band on its own.
            write_json(file.parent / names.TASK, describe(bands, f"{self.context.folder.name}: {who}"))
            try:
                bands.execute(context)
            except NotConverged as error:
                self.context.log(f"{who}: {error}")
            finally:
                context.close()
            write_json(file, {"paths": [path.to_dict() for path in found_paths(file.parent)]})
        self._done += share
        found = [MinimumEnergyPath.from_dict(one) for one in read_json(file)["paths"]]
        for path in found:
            if path.state != "converged":
                self.context.log(f"{who}: {path.name} is {path.state}: {path.reason}")
        return found

    def _images(self, number: int, paths: Sequence[MinimumEnergyPath]) -> list[Atoms]:
        """The structures to label in a round, read back as they were written."""
        from labkit.runs.extxyz import write_frame

        task, path = self.task, self.folder / f"round-{number}" / IMAGES
        if not path.exists():
            made = choose(
                paths,
                limit=task.images_labelled,
                copies=task.copies,
                rattle_A=task.rattle_A,
                seed=[task.seed, number],
            )
            if not made:
                raise NotConverged(
                    f"{task.student} found no path with an energy: "
                    + "; ".join(path.reason for path in paths)
                    + " Look at the end states, or take another student."
                )
            path.parent.mkdir(exist_ok=True)
            data = b"".join(write_frame(atoms) for atoms in made)
            write_file(path, lambda file: file.write(data))
        return read_frames(path)

    def _label(self, number: int, asked: Sequence[Atoms], reference: Reference) -> Dataset:
        from labkit.references import label_all, labelled
        from labkit.references.labelling import stopped_or_paused

        task, folder = self.task, self.folder / f"round-{number}" / LABELS
        tell = self._teller(LABELLING, f"round {number}: labels")
        done = label_all(
            [_plain(atoms) for atoms in asked],
            reference,
            folder,
            name=task.teacher,
            options=task.options,
            processes=task.processes,
            timeout_s=task.timeout_s,
            report=lambda now: tell(now.done / max(1, now.total), now.sentence),
            stopped=lambda: stopped_or_paused(self.context),
        )
        for one in done.failures[:10]:
            self.context.log(f"structure {one.structure} has no label: {one.kind}: {one.reason}")
        if not done.labels:
            first = done.failures[0]
            raise RunFailed(
                f"none of {done.total} images could be labelled with {task.teacher}; the first: {first.kind}: "
                f"{first.reason}"
            )
        self._done += LABELLING
        return described(labelled(folder), asked)

    @cached_property
    def _crystals(self) -> tuple[list[Atoms], list[Atoms]]:
        """What is rehearsed and what is left untouched."""
        task = self.task
        elements = opened_student(task.student, task.device).elements
        families = {family(atoms) for atoms in (*task.replay, *task.untouched)}
        learned = {frozenset(band.initial.symbols) for band in self.bands}
        rehearsed, untouched = other_crystals(elements, families, learned)
        return list(task.replay) or rehearsed, list(task.untouched) or untouched

    def _learn(self, number: int, lesson: Lesson) -> tuple[dict[str, Any], Path]:
        folder = self.folder / f"round-{number}" / TRAINING
        teach = f"round {number}: fine-tuning on {len(lesson.labels)} labels"
        context = StageContext(self.context, folder, self._teller(LEARNING, teach))
        outcome = learn(lesson, context, f"{Path(self.task.student).name}-tuned")
        self._done += LEARNING
        return outcome, tuned_folder(folder)

    def _without_teacher(self, found: Paths, asked: Sequence[Atoms]) -> dict[str, Any]:
        rows = barrier_rows(found)
        for step, row in enumerate(rows):
            self.context.row("barriers", step, **row)
        path = self.folder / "round-1" / IMAGES
        self.context.log(f"{len(asked)} structures wait for labels in {path}")
        return {"to_label": str(path), "structures": len(asked), "barriers": rows}

    def _report(
        self, found: Paths, labels: Dataset, lesson: Lesson, outcome: dict[str, Any], tuned: Path
    ) -> dict[str, Any]:
        from labkit import potentials

        task, context = self.task, self.context
        context.progress(PERCENT - 1, PERCENT, "comparing")
        before = moved(opened_student(task.student, task.device), lesson.labels)
        after = potentials.load(tuned, task.device)
        teacher = self._teacher if task.compare else None
        tables = {
            "barriers": barrier_rows(found, labels),
            "labels": label_errors(before, after, lesson),
            "forgetting": forgetting(before, after, self._crystals[1], teacher, task.seed),
        }
        for name, rows in tables.items():
            for step, row in enumerate(rows):
                context.row(name, step, **row)
        context.progress(PERCENT, PERCENT, "done")
        known = {"potential": str(tuned), "level_of_theory": after.level_of_theory, "labels": len(lesson.labels)}
        return {**known, **summary(tables), "training": outcome}

    def _teller(self, share: int, sentence: str) -> Any:
        begun = self._done

        def tell(part: float, said: str = "") -> None:
            self.context.raise_if_stopped()
            done = (begun + share * min(1.0, part)) / self._whole
            self.context.progress(int(PERCENT * done), PERCENT, f"{sentence}{', ' if said else ''}{said}")

        return tell


def _plain(atoms: Atoms) -> Atoms:
    """Without the remarks that are ours."""
    made = atoms.copy()
    made.info = {key: value for key, value in atoms.info.items() if key not in ("band", "image", "kind", "source")}
    return made
