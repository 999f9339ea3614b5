"""The examination at the end of a round: what the committee knew before it learned, and the law for the next one."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from labkit.active_learning import forecasts
from labkit.active_learning.calibration import Calibration
from labkit.active_learning.explore import as_frame, look
from labkit.active_learning.round_folder import FORECAST, RoundFolder
from labkit.active_learning.trajectories import Watch
from labkit.runs.atomic import read_json, write_json

if TYPE_CHECKING:
    from labkit.active_learning.rounds import Rounds
    from labkit.datasets import Dataset
    from labkit.potentials.committee import Committee

Found = dict[str, Any]


def calibrate(rounds: Rounds, folder: RoundFolder, found: Found) -> Found:
    """Examine: the old committee on the new labels, which it had not learned, or in a level's first round the new
    committee on labels that were held out; fit the law for the next round, judge the last one.
    """
    from labkit import datasets

    state, context = rounds.state, rounds.context
    committee = rounds.committee(found["train"]["committee"])
    rounds.listen(0.0, "forces of the members on labels that they have not learned")
    if state["fresh"]:
        data = rounds.labels(found)
        exam = forecasts.examine(committee, data.select(found["train"]["held"]))
        verdict = forecasts.judged_by_halves(exam)
    else:
        exam = forecasts.examine(rounds.committee(), rounds.book.of_round(state["round"]))
        verdict = forecasts.judged(rounds.calibration, np.array(exam["spread"]), np.array(exam["error"]))
    write_json(folder.path / FORECAST, exam)
    earlier = [
        read_json(RoundFolder(context.folder, number).path / FORECAST) or {} for number in state["examined"][::-1]
    ]
    law = forecasts.fit([exam, *earlier], rounds.calibration, rounds.log)
    rows = [] if verdict is None else list(zip(verdict.predicted, verdict.observed, verdict.counts, strict=True))
    for number, (expected, observed, count) in enumerate(rows):
        values = {"predicted_eV_A": float(expected), "observed_eV_A": float(observed), "count": int(count)}
        context.row("reliability", state["reliability"] + number, round=state["round"], bin=number, **values)
    force, energy = exam["force_rmse_eV_A"], exam["energy_rmse_eV_atom"]
    if rounds.task.test:
        test = datasets.load(rounds.task.test)
        rounds.listen(0.5, f"forces on {len(test)} structures of the test set")
        errors = forecasts.examine(committee, test)
        force, energy = errors["force_rmse_eV_A"], errors["energy_rmse_eV_atom"]
        if test.level_of_theory and test.level_of_theory != committee.level_of_theory:
            energy = math.nan  # energies of two levels of theory are not compared
    elif state["fresh"]:
        force = energy = math.nan
    if state["fresh"]:
        _show_worst(rounds, committee, law, data)
    return {
        "calibration": law.to_dict() | ({"highest": None} if math.isinf(law.highest) else {}),
        "bins": len(rows),
        "ence": None if verdict is None else verdict.ence,
        "force_rmse_eV_A": _or_none(force),
        "energy_rmse_eV_atom": _or_none(energy),
    }


def _show_worst(rounds: Rounds, committee: Committee, law: Calibration, data: Dataset) -> None:
    """Of a level's first round: the labelled structure that the new committee is least sure of."""
    names = [f"label {number}" for number in range(len(data))]
    sights = look(committee, data.structures(), names, Watch(law, lambda: np.inf))
    physical = [sight for sight in sights if np.isfinite(sight.predicted).all()]
    if physical:
        worst = max(physical, key=lambda sight: sight.predicted.max())
        rounds.show(as_frame(worst, -1), worst.energy)


def _or_none(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
