"""A committee from labels: each member with its own seed on its own share of the data, one after the other.

The one idea: every member trains in a folder of its own under the round, with a checkpoint there, so a member that is
ready is never trained again and one that was cut off goes on, on a CPU to the same weights.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from labkit.runs import RunContext, checkpoint
from labkit.runs import folder as names
from labkit.runs.atomic import read_json, write_json
from labkit.runs.context import append_log
from labkit.runs.tables import TableWriter

if TYPE_CHECKING:
    from labkit.datasets import Dataset, Record
    from labkit.potentials.camp import CAMP
    from labkit.potentials.camp.settings import CAMPSettings
    from labkit.potentials.committee import Committee
    from labkit.training.recipe import Recipe

OUTCOME, BEST = "outcome", "best"
#: Below so many structures a member validates on what it is trained on.
FEWEST_TO_SPLIT = 4


class MemberContext:
    """What a Trainer takes for a run: tables and checkpoints of the member's own, Stop and Pause of the whole run."""

    def __init__(self, parent: RunContext, folder: Path, report: Callable[[float], None]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self._parent, self._report = folder, parent, report
        self._tables: dict[str, TableWriter] = {}
        self.stop_requested, self.raise_if_stopped = parent.stop_requested, parent.raise_if_stopped
        self.controls, self.controls_changed, self.pause_point = (
            parent.controls,
            parent.controls_changed,
            parent.pause_point,
        )

    def progress(self, done: int, total: int, stage: str = "") -> None:
        """Tell the run which share of this member is done."""
        self._report(done / max(1, total))

    def row(self, table: str, step: int, **values: Any) -> None:
        """See `RunContext.row`."""
        if table not in self._tables:
            self._tables[table] = TableWriter(self.folder / names.safe_name(table, ".csv"))
        self._tables[table].write(int(step), values)

    def log(self, message: str) -> None:
        """Into the member's own log."""
        append_log(self.folder, message)

    def save_json(self, name: str, obj: Any) -> None:
        """See `RunContext.save_json`."""
        write_json(self.folder / names.safe_name(name, ".json"), obj, durable=False)

    def checkpoint(self, arrays: dict[str, np.ndarray], state: dict[str, Any]) -> None:
        """See `RunContext.checkpoint`."""
        checkpoint.save(self.folder, arrays, state)

    def load_checkpoint(self) -> tuple[dict[str, np.ndarray], dict[str, Any]] | None:
        """See `RunContext.load_checkpoint`."""
        return checkpoint.load(self.folder, self.log)

    def close(self) -> None:
        """Close the tables."""
        for table in self._tables.values():
            table.close()


@dataclass(frozen=True)
class Lesson:
    """What a committee is to learn. before: the committee to continue from, if there is one that fits. refit: move its
    energies to the labels first, which are of another level of theory than what it knows.
    """

    data: Dataset
    settings: CAMPSettings
    elements: frozenset[str]
    members: int
    share: float
    seed: Sequence[int]
    device: str
    before: Committee | None = None
    refit: bool = False


def train(
    lesson: Lesson,
    recipe: Recipe,
    folder: Path,
    context: RunContext,
    report: Callable[[float, str], None],
    name: str = "committee",
) -> tuple[Committee, list[dict[str, Any]]]:
    """The trained committee, and for each member epochs, forces_rmse_eV_A, energy_rmse_eV_atom (validation) and cpu_s.

    folder: keeps a folder for each member. `report(share, sentence)` hears of the progress. Raises DivergedTraining,
    RunCancelled; what is ready stays.
    """
    from labkit.potentials.camp import CAMP
    from labkit.potentials.committee import Committee

    members: list[CAMP] = []
    outcomes = []
    for number in range(lesson.members):
        own = folder / str(number)

        def tell(share: float, number: int = number) -> None:
            report((number + share) / lesson.members, f"member {number + 1} of {lesson.members}")

        tell(0.0)
        found = read_json(own / f"{OUTCOME}.json")
        if found is None:
            found = _train_member(lesson, recipe, number, MemberContext(context, own, tell), f"{name}-{number + 1}")
        outcomes.append(found)
        members.append(CAMP.from_folder(own / BEST, lesson.device))
    made = Committee(members, name)
    made.provenance = {"structures": len(lesson.data), "dataset_hash": lesson.data.hash}
    return made, outcomes


def shared_out(count: int, share: float, seed: Sequence[int], member: int) -> tuple[list[int], list[int]]:
    """Indices that a member is trained on, and those that it only validates on.

    Each index has its own random number for each member, so most of a member's validation stays out as data come in.
    """
    if count < FEWEST_TO_SPLIT or share >= 1:
        return list(range(count)), []
    keys = [np.random.default_rng([*seed, member, index]).random() for index in range(count)]
    out = min(count - 2, max(1, round((1 - share) * count)))
    held = sorted(np.argsort(keys, kind="stable")[:out].tolist())
    return [index for index in range(count) if index not in set(held)], held


def _train_member(lesson: Lesson, recipe: Recipe, number: int, context: MemberContext, name: str) -> dict[str, Any]:
    from labkit.training.trainer import Trainer

    own, held = shared_out(len(lesson.data), lesson.share, lesson.seed[:1], number)
    training, validation = lesson.data.select(own), lesson.data.select(held)
    seed = int(np.random.SeedSequence([*lesson.seed, number]).generate_state(1)[0])
    potential = _start(lesson, number, seed, training)
    potential.name, potential.level_of_theory = name, lesson.data.level_of_theory
    recipe = type(recipe).of(recipe, seed=seed)
    try:
        outcome = Trainer(potential, training, validation if held else None, recipe, context=context).fit()
    finally:
        context.close()
    found = {
        "epochs": outcome.epochs,
        "force_rmse_eV_A": outcome.metrics["forces_rmse_meV_A"] / 1000,
        "energy_rmse_eV_atom": outcome.metrics["energy_rmse_meV_atom"] / 1000,
        "cpu_s": outcome.cpu_s,
    }
    write_json(context.folder / f"{OUTCOME}.json", found)
    for stale in (names.CHECKPOINT, names.PREVIOUS_CHECKPOINT):
        (context.folder / stale).unlink(missing_ok=True)
    return found


def _start(lesson: Lesson, number: int, seed: int, training: Sequence[Record]) -> CAMP:
    """The member before its first step: that of the committee before, or a new one with scale and shift fitted."""
    from labkit.potentials.camp import CAMP

    structures, energies = [one.atoms for one in training], np.array([one.energy for one in training])
    if lesson.before is not None:
        potential = lesson.before.members[number]
        if lesson.refit:
            potential.fit_shift(structures, energies)
        return potential
    potential = CAMP.untrained(lesson.settings, sorted(lesson.elements), seed, lesson.device)
    forces = [np.zeros((0, 3)) if one.forces is None else one.forces for one in training]
    potential.fit_scale_and_shift(structures, energies, forces)
    return potential
