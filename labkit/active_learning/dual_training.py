"""Fine-tuning on the images of migration paths: energies of the elements first, then the layers that are not frozen.

The one idea: a barrier is a small difference of energies of one composition, so energies weigh heavily against forces,
and the student's early layers, which know the chemistry, stay as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from labkit.active_learning.committee_training import BEST, OUTCOME
from labkit.active_learning.dual_replay import GROUP, rehearsal
from labkit.errors import InvalidTask
from labkit.runs import folder as names
from labkit.runs.atomic import read_json, write_json

if TYPE_CHECKING:
    from ase import Atoms

    from labkit.active_learning.dual_context import StageContext
    from labkit.active_learning.dual_neb import DualNEB
    from labkit.datasets import Dataset
    from labkit.potentials.interface import Potential
    from labkit.potentials.trainable import TrainablePotential
    from labkit.training.recipe import Recipe

#: Layers that keep their weights unless somebody says otherwise, as far as a potential has them: everything up to the
#: second interaction, and the energies of the elements, which are fitted beforehand.
FROZEN = (
    "atom_embedding",
    "bond_embedding",
    "angle_embedding",
    "interaction_1",
    "interaction_2",
    "reference_energies",
)
#: How it learns where the task says nothing: Adam forgets less of the rest than SOAP does.
GENTLE = {"optimiser": "adam-amsgrad", "ema_decay": 0.9, "warmup_steps": 10}
#: Below so many labels all are learned from, and they validate too.
FEWEST_TO_HOLD = 20


@dataclass(frozen=True)
class Lesson:
    """What a student is to learn. labels: of one level of theory. crystals: to rehearse with, `share` of the number of
    labels. held_out: share of the labels that only choose the best weights. frozen: layers; None for `FROZEN`.
    """

    student: str
    labels: Dataset
    crystals: Sequence[Atoms]
    share: float
    held_out: float
    frozen: Sequence[str] | None
    recipe: Recipe
    device: str


def lesson_of(task: DualNEB, labels: Dataset, crystals: Sequence[Atoms]) -> Lesson:
    """What the task wants to be learned from these labels; raises InvalidTask for a recipe that is out of bounds."""
    from labkit.training.recipe import Recipe

    own = {name: getattr(task, name) for name in Recipe.model_fields if name in type(task).model_fields}
    return Lesson(
        student=task.student,
        labels=labels,
        crystals=crystals,
        share=task.replay_share,
        held_out=task.held_out,
        frozen=task.frozen,
        recipe=Recipe.of(None, **{**GENTLE, **own, **task.recipe}),
        device=task.device,
    )


def opened_student(name: str, device: str) -> TrainablePotential:
    """The student by name or folder; raises InvalidTask for one that cannot be fine-tuned."""
    from labkit import potentials
    from labkit.potentials.trainable import TrainablePotential

    student = potentials.load(name, device)
    if not isinstance(student, TrainablePotential) or not hasattr(student, "fit_shift"):
        raise InvalidTask(
            f"{name} is a {type(student).__name__}, which has no weights that labkit can fine-tune. Take chgnet-0.2.0, "
            "chgnet, or the folder of a potential that a training wrote."
        )
    return student


def moved(student: TrainablePotential, labels: Dataset) -> TrainablePotential:
    """The student itself, its energy of each element moved so that the total energies of `labels` fit on average."""
    records = [record for record in labels if record.energy is not None]
    student.fit_shift([one.atoms for one in records], np.array([one.energy for one in records]))
    return student


def sets(lesson: Lesson) -> tuple[Dataset, Dataset | None]:
    """The labels that are learned from, and those that only choose the best weights; None when there are too few."""
    held = round(lesson.held_out * len(lesson.labels))
    if held < 1 or len(lesson.labels) < FEWEST_TO_HOLD:
        return lesson.labels, None
    order = np.random.default_rng([lesson.recipe.seed, 31]).permutation(len(lesson.labels))
    # The images of the paths themselves carry the barrier: they are learned from, their rattled copies judge.
    judges = [index for index in order.tolist() if lesson.labels[index].group != "path"] or order.tolist()
    chosen = sorted(judges[:held])
    return lesson.labels.without(chosen), lesson.labels.select(chosen)


def learn(lesson: Lesson, context: StageContext, name: str) -> dict[str, Any]:
    """Fine-tune in the folder of `context`, where best/ is the tuned potential; returns JSON about it.

    Goes on from the folder's checkpoint, and does nothing when the training is over. Raises InvalidTask for a student
    that cannot learn, DivergedTraining, RunCancelled.
    """
    from labkit.datasets import Dataset
    from labkit.training.trainer import Trainer

    found = read_json(context.folder / f"{OUTCOME}.json")
    if found is not None:
        return found
    student = moved(opened_student(lesson.student, lesson.device), lesson.labels)
    training, held = sets(lesson)
    count = int(np.ceil(lesson.share * len(training))) if lesson.crystals else 0
    rehearsed = rehearsal(student, lesson.crystals, count, lesson.recipe.seed)
    if rehearsed:
        training = training.joined(Dataset(rehearsed, GROUP), mix_levels=True)
    layers = student.layers()
    frozen = [layer for layer in FROZEN if layer in layers] if lesson.frozen is None else list(lesson.frozen)
    before = student.provenance
    student.name, student.level_of_theory = name, lesson.labels.level_of_theory
    student.provenance = {
        "started_from": lesson.student,
        "parent": before or None,
        "labels": {"structures": len(lesson.labels), "hash": lesson.labels.hash},
        "level_of_theory": lesson.labels.level_of_theory,
        "rehearsed": count,
        "frozen": frozen,
        "recipe": lesson.recipe.model_dump(mode="json"),
    }
    try:
        outcome = Trainer(student, training, held, lesson.recipe, frozen=frozen, context=context).fit()
    finally:
        context.close()
    said = asdict(outcome)
    found = {key: said[key] for key in ("reason", "epochs", "steps", "best_epoch", "cpu_s")}
    found |= {"rehearsed": count, "learned_from": len(training) - count, "held_out": len(held or ()), "frozen": frozen}
    write_json(context.folder / f"{OUTCOME}.json", found)
    for stale in (names.CHECKPOINT, names.PREVIOUS_CHECKPOINT):
        (context.folder / stale).unlink(missing_ok=True)
    return found


def tuned_folder(folder: Path) -> Path:
    """Where the tuned potential of a stage's folder lies."""
    return folder / BEST


def label_errors(before: Potential, after: Potential, lesson: Lesson) -> list[dict[str, Any]]:
    """Return a row for the labels that were learned from and one for those held out: force and energy errors of the
    student (the energies of its elements moved) and of the tuned potential.

    Energies: rms (meV/atom) of the deviations from the mean error of their composition, which is what barriers depend
    on; NaN where no composition was labelled twice.
    """
    training, held = sets(lesson)
    some = training if held is None else training.joined(held)
    kinds = np.array([one.composition for one in some])
    known = np.array([(kinds == kind).sum() > 1 for kind in kinds])
    parts = {"learned": np.arange(len(some)) < len(training), "held out": np.arange(len(some)) >= len(training)}
    rows: list[dict[str, Any]] = [
        {"set": name, "labels": int(chosen.sum())} for name, chosen in parts.items() if chosen.any()
    ]
    for who, potential in (("student", before), ("tuned", after)):
        said = potential.predict(some.structures(), ("energy", "forces"))
        errors = np.array([(said.energies[i] - one.energy) / len(one) for i, one in enumerate(some)])
        for kind in set(kinds):
            errors[kinds == kind] -= errors[kinds == kind].mean()
        for row in rows:
            chosen = parts[row["set"]]
            forces = [(said.forces[i] - some[i].forces).ravel() for i in np.flatnonzero(chosen)]
            row[f"{who}_forces_rmse_meV_A"] = 1000 * _rms(np.concatenate(forces))
            row[f"{who}_energy_rmse_meV_atom"] = 1000 * _rms(errors[chosen & known])
    return rows


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(values**2))) if len(values) else float("nan")
