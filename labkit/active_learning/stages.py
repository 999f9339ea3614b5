"""The six stages of a round: explore, select, label, train, calibrate, decide.

Each takes what is known (`Rounds`), the folder of the round and what the stages before it found out, and returns what
it found out as JSON; tables and frames go out before that is on the disk, and are not repeated after a kill.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from labkit.active_learning import jobs, picking
from labkit.active_learning.calibrating import calibrate
from labkit.active_learning.committee_training import Lesson
from labkit.active_learning.committee_training import train as train_committee
from labkit.active_learning.deciding import decide
from labkit.active_learning.explore import predicted
from labkit.active_learning.label_book import DATASET
from labkit.active_learning.plan import WAYS
from labkit.active_learning.round_folder import (
    CANDIDATES,
    COMMITTEE,
    EXPLORED,
    LABELS,
    MEMBERS,
    SELECTED,
    RoundFolder,
)
from labkit.active_learning.trajectories import Watch
from labkit.errors import RunFailed

if TYPE_CHECKING:
    from labkit.active_learning.rounds import Rounds

__all__ = ["calibrate", "decide", "explore", "label", "select", "train"]

Found = dict[str, Any]
LOGGED = 10
#: Share of the labels of a level's first round that no member sees: the first calibration is fitted on it.
HELD, FEWEST_TO_HOLD = 0.2, 10


def explore(rounds: Rounds, folder: RoundFolder, found: Found) -> Found:
    """Look for structures with the committee of the round before; a level's first round has none to look for."""
    task, state = rounds.task, rounds.state
    if state["fresh"]:
        return {"explored": 0, "cpu_s": 0.0}
    seed, place = [task.seed, state["round"], 1], folder.path / EXPLORED
    if task.explore in WAYS:
        path = rounds.context.folder / state["committee"]
        law = rounds.calibration.to_dict()
        todo = jobs.jobs(task, rounds.level, rounds.pool, seed, path, law, rounds.thresholds())
        cpu_s, ends = jobs.perform_all(todo, place, rounds.crew, rounds.listen, lambda: rounds.thresholds()[1])
    else:
        watch = Watch(rounds.calibration, lambda: rounds.thresholds()[1], lambda text: rounds.listen(0.5, text))
        rounds.listen(0.0, task.explore)
        committee = rounds.committee()
        cpu_s, ends = jobs.by_function(task.explore, committee, rounds.pool, seed, rounds.level, place, watch)
    for sentence in ends[:LOGGED]:
        rounds.log(sentence)
    if len(ends) > LOGGED:
        rounds.log(f"and {len(ends) - LOGGED} more that ended early; see {place.name}/")
    return {"explored": len(jobs.found_frames(place)), "cpu_s": cpu_s, "ended_early": len(ends)}


def select(rounds: Rounds, folder: RoundFolder, found: Found) -> Found:
    """Sort what was found, and choose what gets a label; in a level's first round what the level begins with."""
    task, state = rounds.task, rounds.state
    lower, upper = rounds.thresholds()
    wanted = rounds.steered()
    if ignored := [f"{name} = {value!r}" for name, value in wanted.items() if value not in (None, lower, upper)]:
        rounds.log(f"{' and '.join(ignored)} ignored: positive numbers in eV/Å, the lower below the upper, are needed")
    if state["fresh"]:
        theory = rounds.reference.level_of_theory
        chosen, given, sentence = rounds.book.beginning(state["level"], state["sources"], theory, given=state["given"])
        rounds.log(sentence)
        same = state["level"] > 0 and rounds.level.labels_as(task.levels[state["level"] - 1])
        folder.write_frames(CANDIDATES, [])
        folder.write_frames(SELECTED, chosen)
        counts = {"accurate": 0, "candidate": 0, "failed": 0, "selected": len(chosen), "largest_eV_A": None}
        return {**counts, "lower": lower, "upper": upper, "given": given, "sources": state["sources"] if same else []}
    frames = jobs.found_frames(folder.path / EXPLORED)
    values = np.array([predicted(frame) for frame in frames])
    most = min(task.labels_per_round, task.max_labels - state["labels_total"])
    rounds.listen(0.1, f"{len(frames)} structures")
    known = rounds.book.of(state["sources"], given=state["given"]).structures() + rounds.book.refused()
    picked = picking.pick(
        task.selection,
        frames,
        values,
        (lower, upper),
        most,
        adaptive=task.adaptive,
        known=known,
        describe=lambda structures: picking.descriptors(rounds.committee(), structures),
        seed=int(np.random.SeedSequence([task.seed, state["round"], 2]).generate_state(1)[0]),
    )
    if picked.remark:
        rounds.log(picked.remark)
    reasons = {choice.index: choice.reason for choice in picked.choices}
    verdicts = {int(i): name for name in ("accurate", "candidate", "failed") for i in getattr(picked.verdict, name)}
    for number, frame in enumerate(frames):
        rounds.context.row(
            "grades",
            state["grades"] + number,
            round=state["round"],
            structure=int(frame.info["structure"]),
            predicted_eV_A=float(values[number]),
            worst_atom=int(frame.info["worst_atom"]),
            verdict=verdicts[number],
            selected=int(number in reasons),
            source=str(frame.info["source"]),
        )
    for index, reason in reasons.items():
        frames[index].info["chosen"] = reason
    folder.write_frames(CANDIDATES, [frames[index] for index in picked.verdict.candidate])
    folder.write_frames(SELECTED, [frames[choice.index] for choice in picked.choices])
    finite = np.flatnonzero(np.isfinite(values))
    if len(finite):
        worst = frames[finite[np.argmax(values[finite])]]
        rounds.show(worst, worst.info["committee_energy_eV"])
    sizes = {name: len(getattr(picked.verdict, name)) for name in ("accurate", "candidate", "failed")}
    return {
        **sizes,
        "selected": len(picked.choices),
        "largest_eV_A": float(values[finite].max()) if len(finite) else None,
        "lower": picked.lower,
        "upper": upper,
        "given": state["given"],
        "sources": state["sources"],
    }


def label(rounds: Rounds, folder: RoundFolder, found: Found) -> Found:
    """Buy the labels; what the reference cannot label is counted and left out."""
    from labkit.references import label_all
    from labkit.references.labelling import stopped_or_paused

    task, chosen = rounds.task, folder.read_frames(SELECTED)
    if not chosen:
        return {"labelled": 0, "failures": 0, "cpu_s": 0.0}
    for atoms in chosen:
        atoms.arrays.pop("predicted_error", None)
    rounds.listen(0.0, f"{len(chosen)} structures with {rounds.level.reference}")

    done = label_all(
        chosen,
        rounds.reference,
        folder.path / LABELS,
        name=rounds.level.reference,
        options=rounds.level.options,
        processes=task.processes,
        timeout_s=task.timeout_s,
        executor=rounds.crew.executor,
        report=lambda now: rounds.listen(now.done / max(1, now.total), now.sentence),
        stopped=lambda: stopped_or_paused(rounds.context),
    )
    for one in done.failures[:LOGGED]:
        rounds.log(f"structure {one.structure} has no label: {one.kind}: {one.reason}")
    if not done.labels and rounds.state["fresh"] and not found["select"]["sources"]:
        raise RunFailed(
            f"none of {done.total} structures could be labelled with {rounds.level.reference}; the first: "
            f"{done.failures[0].kind}: {done.failures[0].reason}"
        )
    cpu_s = sum(one.cpu_s for one in done.labels)
    return {"labelled": len(done.labels), "failures": len(done.failures), "cpu_s": cpu_s}


def train(rounds: Rounds, folder: RoundFolder, found: Found) -> Found:
    """Teach the committee everything that is labelled at this level; without a new label it stays as it is."""
    from labkit.training.recipe import Recipe

    task, state = rounds.task, rounds.state
    data = rounds.labels(found)
    data.write(rounds.context.folder / DATASET)
    settings = rounds.level.model
    if task.precision == "64":
        settings = settings.model_copy(update={"dtype": "float64"})
    elements = data.elements | {symbol for atoms in rounds.pool for symbol in atoms.symbols}
    before = rounds.committee() if state["committee"] else None
    fits = before is not None and before.settings == settings and before.elements == elements
    same = before is not None and before.level_of_theory == data.level_of_theory
    if fits and same and not found["label"]["labelled"]:
        return {"committee": state["committee"], "held": [], "members": [], "cpu_s": 0.0}
    held = _held_out(rounds, len(data)) if state["fresh"] else []
    lesson = Lesson(
        data=data.without(held),
        settings=settings,
        elements=frozenset(elements),
        members=task.members,
        share=task.share,
        seed=[task.seed, state["round"]],
        device=task.device,
        # In a level's first round labels are held out, which the committee before may have learned.
        before=_own(rounds) if fits and task.warm_start and not state["fresh"] else None,
        refit=not same,
    )
    name = f"{rounds.level.title} round {state['round']}"
    made, outcomes = train_committee(
        lesson, Recipe.of(None, **{key: getattr(task, key) for key in Recipe.model_fields}), folder.path / MEMBERS,
        rounds.context, rounds.listen, name,
    )  # fmt: skip
    for number, one in enumerate(outcomes):
        values = {key: one[key] for key in ("force_rmse_eV_A", "energy_rmse_eV_atom", "epochs")}
        step = state["round"] * task.members + number
        rounds.context.row("members", step, round=state["round"], member=number, **values)
    path = made.save(folder.path / COMMITTEE)
    cpu_s = sum(one["cpu_s"] for one in outcomes)
    return {"committee": str(path.relative_to(rounds.context.folder)), "held": held, "cpu_s": cpu_s}


def _held_out(rounds: Rounds, count: int) -> list[int]:
    if count < FEWEST_TO_HOLD:
        return []
    order = np.random.default_rng([rounds.task.seed, rounds.state["round"], 5]).permutation(count)
    return sorted(order[: max(2, round(HELD * count))].tolist())


def _own(rounds: Rounds) -> Any:
    """The committee of the round before once more, since training changes what it starts from."""
    from labkit.potentials.committee import Committee

    return Committee.from_folder(rounds.context.folder / rounds.state["committee"], rounds.task.device)
