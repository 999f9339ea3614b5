"""The course of an active-learning loop: rounds of six stages, and what is known after each.

The one idea: a round changes nothing but its own folder until its last stage is done; then the state moves on, as a
function of what the stages wrote down. So a kill at any instant costs the work of one stage at most.
"""

from __future__ import annotations

import math
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labkit.active_learning import levels, stages
from labkit.active_learning.calibration import RAW, Calibration
from labkit.active_learning.explore import opened
from labkit.active_learning.jobs import Crew
from labkit.active_learning.label_book import DATASET, LabelBook
from labkit.active_learning.round_folder import RoundFolder

if TYPE_CHECKING:
    from ase import Atoms

    from labkit.active_learning.levels import QualityLevel
    from labkit.active_learning.loop import ActiveLearning
    from labkit.datasets import Dataset
    from labkit.potentials.committee import Committee
    from labkit.references.interface import Reference
    from labkit.runs import RunContext

#: The stages in their order, with the share of a round that is over when each begins.
STAGES = {"explore": 0.0, "select": 0.3, "label": 0.35, "train": 0.55, "calibrate": 0.95, "decide": 0.99}
PERCENT = 100


def first_state() -> dict[str, Any]:
    """Where a loop begins. fresh: the round that begins a level. sources, given: which labels are trained on. examined:
    rounds of this level with a forecast. grades, reliability: rows of these tables so far.
    """
    return {
        "round": 0,
        "level": 0,
        "stage": "explore",
        "level_round": 0,
        "fresh": True,
        "sources": [],
        "given": False,
        "examined": [],
        "committee": "",
        "calibration": RAW.to_dict() | {"highest": None},
        "grades": 0,
        "reliability": 0,
        "labels_total": 0,
        "label_failures": 0,
        "cost": {"explore_cpu_s": 0.0, "label_cpu_s": 0.0, "train_cpu_s": 0.0},
        "force_rmse_eV_A": None,
        "reason": "",
    }


class Rounds:
    """One execution of an `ActiveLearning`; `state` is what the checkpoint holds."""

    def __init__(self, task: ActiveLearning, context: RunContext) -> None:
        stored = context.load_checkpoint()
        self.task, self.context = task, context
        self.state: dict[str, Any] = stored[1] if stored else first_state()
        self.book = LabelBook(context.folder, task)
        self.crew: Crew | None = None
        self._reference: tuple[int, Reference] | None = None

    def run(self) -> dict[str, Any]:
        """All rounds that are left; returns the result."""
        with ExitStack() as stack:
            self.crew = Crew(self.task, stack)
            while not self.state["reason"]:
                self._round()
        self.context.progress(PERCENT, PERCENT, "done")
        return self._result()

    @property
    def level(self) -> QualityLevel:
        """The present level."""
        return self.task.levels[self.state["level"]]

    @property
    def pool(self) -> list[Atoms]:
        """What is explored now."""
        return levels.pool(self.task.structures, self.task.levels, self.state["level"])

    @property
    def calibration(self) -> Calibration:
        """The law of the round before."""
        return calibration_of(self.state["calibration"])

    @property
    def reference(self) -> Reference:
        """The present level's reference, opened."""
        from labkit.errors import InvalidTask
        from labkit.references.registry import load

        if self._reference is None or self._reference[0] != self.state["level"]:
            found = load(self.level.reference, **self.level.options)
            if "forces" not in found.implemented:
                raise InvalidTask(
                    f"{found.name} gives no forces, and the committee's errors are errors of forces. Learn a "
                    "correction from its energies instead (labkit.potentials.delta)."
                )
            self._reference = self.state["level"], found
        return self._reference[1]

    def committee(self, folder: str = "") -> Committee:
        """The committee in a folder of the run, by itself the one of the round before."""
        return opened(str(self.context.folder / (folder or self.state["committee"])), self.task.device)

    def thresholds(self) -> tuple[float, float]:
        """The lower and the break threshold (eV/Å): those of the level, or what the controls put in their place.

        Controls that name a level in `thresholds_level` hold there only.
        """
        wanted = self.steered()
        found = [self.level.select_eV_A, self.level.break_eV_A]
        for place, name in enumerate(("lower_eV_A", "upper_eV_A")):
            value = wanted.get(name)
            if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value > 0:
                found[place] = float(value)
        if not found[0] < found[1]:
            return self.level.select_eV_A, self.level.break_eV_A
        return found[0], found[1]

    def steered(self) -> dict[str, Any]:
        """The thresholds that the controls ask for at this level, None where they do not."""
        wanted = self.context.controls()
        here = wanted.get("thresholds_level") in (None, self.state["level"])
        return {name: wanted.get(name) if here else None for name in ("lower_eV_A", "upper_eV_A")}

    def listen(self, share: float = 0.0, sentence: str = "") -> None:
        """Say how far the present stage is, and obey Stop and Pause."""
        begin, names = STAGES[self.state["stage"]], list(STAGES)
        following = names[names.index(self.state["stage"]) + 1 :]
        width = (STAGES[following[0]] if following else 1.0) - begin
        before = sum(one.max_rounds + 1 for one in self.task.levels[: self.state["level"]])
        total = sum(one.max_rounds + 1 for one in self.task.levels)
        rounds = before + self.state["level_round"] + begin + width * min(1.0, share)
        text = f"round {self.state['round']}, {self.state['stage']}"
        self.context.progress(int(PERCENT * rounds / total), PERCENT, f"{text}: {sentence}" if sentence else text)
        self.context.raise_if_stopped()
        self.context.pause_point()

    def log(self, sentence: str) -> None:
        """A line in the log that says which round it is about."""
        self.context.log(f"round {self.state['round']}, {self.state['stage']}: {sentence}")

    def labels(self, found: dict[str, dict[str, Any]]) -> Dataset:
        """What is trained on in this round."""
        chosen = found["select"]
        return self.book.of([*chosen["sources"], self.state["round"]], given=chosen["given"])

    def show(self, worst: Atoms, energy: float) -> None:
        """The worst structure of the round as a frame; energy: eV."""
        frame = worst.copy()
        frame.info |= {"round": self.state["round"], "level": self.state["level"], "energy": float(energy)}
        self.context.frame(frame, self.state["round"])

    def _round(self) -> None:
        folder, found = RoundFolder(self.context.folder, self.state["round"]), {}
        for stage in STAGES:
            self.state["stage"] = stage
            self.context.checkpoint({}, self.state)
            self.listen()
            done = folder.done(stage)
            if done is None:
                done = getattr(stages, stage)(self, folder, found)
                folder.keep(stage, done)
            found[stage] = done
        self.state = advanced(self.state, found)
        self.context.checkpoint({}, self.state)

    def _result(self) -> dict[str, Any]:
        state, folder = self.state, self.context.folder
        law = self.calibration
        return {
            "reason": state["reason"],
            "rounds": state["round"],
            "levels_reached": state["level"] + 1,
            "labels_total": state["labels_total"],
            "label_failures": state["label_failures"],
            "committee": str(folder / state["committee"]),
            "calibration": {"a": law.a, "b": law.b},
            "dataset": str(Path(folder) / DATASET),
            "force_rmse_eV_A": state["force_rmse_eV_A"],
            "cost": state["cost"],
        }


def advanced(state: dict[str, Any], found: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The state after a round, from the state before it and what its stages found out."""
    select, label, train, calibrate, decide = (found[name] for name in list(STAGES)[1:])
    cost = {
        name: state["cost"][name] + stage["cpu_s"]
        for name, stage in zip(state["cost"], (found["explore"], label, train), strict=True)
    }
    new = {
        **state,
        "round": state["round"] + 1,
        "stage": "explore",
        "level_round": state["level_round"] + 1,
        "fresh": False,
        "given": select["given"],
        "sources": [*select["sources"], state["round"]],
        "examined": [*state["examined"], state["round"]],
        "committee": train["committee"],
        "calibration": calibrate["calibration"],
        "grades": state["grades"] + found["explore"]["explored"],
        "reliability": state["reliability"] + calibrate["bins"],
        "labels_total": decide["labels_total"],
        "label_failures": state["label_failures"] + label["failures"],
        "cost": cost,
        "force_rmse_eV_A": calibrate["force_rmse_eV_A"],
        "reason": decide["reason"],
    }
    if decide["promote"]:
        new |= {"level": state["level"] + 1, "level_round": 0, "fresh": True, "examined": []}
    return new


def calibration_of(values: dict[str, Any]) -> Calibration:
    """The law that a JSON file holds, where None stands for infinity."""
    return Calibration(**{**values, "highest": math.inf if values["highest"] is None else values["highest"]})
