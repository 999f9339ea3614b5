"""The end of a round: its row in the table, and whether the loop goes on, is promoted, or stops, and why."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from labkit.active_learning.round_folder import RoundFolder
    from labkit.active_learning.rounds import Rounds

Found = dict[str, Any]


def decide(rounds: Rounds, folder: RoundFolder, found: Found) -> Found:
    """Write the row of the round; {"reason": why the loop stops or "", "promote": whether the next level begins}."""
    state = rounds.state
    given = len(rounds.book.given()) if state["round"] == 0 and found["select"]["given"] else 0
    total = state["labels_total"] + given + found["label"]["labelled"]
    _row(rounds, found, total)
    leave = _why_leave(rounds, found)
    last = state["level"] + 1 == len(rounds.task.levels)
    reason, promote = "", False
    if total >= rounds.task.max_labels:
        reason = f"the {rounds.task.max_labels} labels are used up ({total} in all)."
    elif leave and (last or _lost(found)):
        reason = f"{leave}."
        if _lost(found):
            reason += " The committee is lost there: begin with more labels, or explore more gently."
    elif leave:
        reason, promote = _promoted(rounds, found, total)
    if leave or reason:
        following = f"; on to level {state['level'] + 1}" if promote else ""
        rounds.log((reason or leave).rstrip(".") + following)
    return {"reason": reason, "promote": promote, "labels_total": total}


def _why_leave(rounds: Rounds, found: Found) -> str:
    """Why this level is over, "" while it is not."""
    task, state, level = rounds.task, rounds.state, rounds.level
    error = found["calibrate"]["force_rmse_eV_A"]
    if task.target_eV_A is not None and error is not None and error <= task.target_eV_A:
        return f"the force error {error:.3g} eV/Å is below the target of {task.target_eV_A:g} eV/Å"
    if state["fresh"]:
        return ""
    if not found["select"]["selected"]:
        select = found["select"]
        if not found["explore"]["explored"]:
            return f"the exploration at level {level.title} found no structure at all; see the log"
        if select["candidate"] and task.selection == "maxvol":
            return (
                f"none of {select['candidate']} candidates of the sweep at level {level.title} extends what is "
                "labelled: by their features they are equal to it or lie inside of it (maxvol)"
            )
        if select["candidate"]:
            return (
                f"all {select['candidate']} candidates of the sweep at level {level.title} are as good as equal to "
                "structures that have a label"
            )
        return (
            f"a sweep over the pool at level {level.title} selects nothing: none of {found['explore']['explored']} "
            f"structures lies between {select['lower']:.3g} and {select['upper']:.3g} eV/Å"
            + (f", {select['failed']} lie beyond" if select["failed"] else "")
        )
    if state["level_round"] >= level.max_rounds:
        count = level.max_rounds
        return f"level {level.title} has had its {count} round{'s' if count > 1 else ''}"
    return ""


def _lost(found: Found) -> bool:
    """Whether a sweep chose nothing because what it found lies beyond the break threshold or is no physics."""
    select = found["select"]
    return not select["selected"] and not select["candidate"] and select["failed"] > select["accurate"]


def _promoted(rounds: Rounds, found: Found, total: int) -> tuple[str, bool]:
    """Whether the labels that are left are enough for what the next level begins with."""
    task, state = rounds.task, rounds.state
    following = task.levels[state["level"] + 1]
    copies = task.initial_labels if following.structures else 0
    active = 0
    if not following.labels_as(rounds.level):
        chosen = found["select"]
        active = len(rounds.book.of([*chosen["sources"], state["round"]], given=chosen["given"]))
    if total + active + copies <= task.max_labels:
        return "", True
    wants = [f"{active} labels for the active set"] * bool(active)
    wants += [f"{copies} for rattled copies of what it adds to the pool"] * bool(copies)
    return (
        f"level {following.title} would need {' and '.join(wants)}, and {task.max_labels - total} of "
        f"{task.max_labels} are left; raise max_labels.",
        False,
    )


def _row(rounds: Rounds, found: Found, total: int) -> None:
    select, calibrate = found["select"], found["calibrate"]
    rounds.context.row(
        "rounds",
        rounds.state["round"],
        level=rounds.state["level"],
        reference=rounds.level.reference,
        explored=found["explore"]["explored"],
        accurate=select["accurate"],
        candidate=select["candidate"],
        failed=select["failed"],
        selected=select["selected"],
        labelled=found["label"]["labelled"],
        label_failures=found["label"]["failures"],
        labels_total=total,
        lower_eV_A=float(select["lower"]),
        upper_eV_A=float(select["upper"]),
        largest_eV_A=_number(select["largest_eV_A"]),
        force_rmse_eV_A=_number(calibrate["force_rmse_eV_A"]),
        energy_rmse_eV_atom=_number(calibrate["energy_rmse_eV_atom"]),
        ence=_number(calibrate["ence"]),
        calibration_a=float(calibrate["calibration"]["a"]),
        calibration_b=float(calibrate["calibration"]["b"]),
        explore_cpu_s=float(found["explore"]["cpu_s"]),
        label_cpu_s=float(found["label"]["cpu_s"]),
        train_cpu_s=float(found["train"]["cpu_s"]),
    )


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)
