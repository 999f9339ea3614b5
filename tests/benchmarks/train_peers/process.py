"""What `python -m` of a side does: one job as JSON on the command line, one line of JSON for each answer; no PyTorch.

The jobs: `train` (fit, then errors on the test sets), `scan` (fit on nine tenths of the training set, errors on
the rest: how settings were chosen) and `speed` (answers `CELL REPEATS` lines until the input ends, so that sides take
turns).
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from tests.benchmarks.train_peers import data
from tests.benchmarks.train_peers.data import Baseline, Frame

Predict = Callable[[Sequence[Frame]], tuple[list[float], list[np.ndarray]]]


class Stopwatch(Protocol):
    """One cell and one model, ready to be timed."""

    def measure(self, repeats: int) -> dict[str, float]:
        """Least CPU ms of `energy_and_forces` and, where there is one, of `training_step`."""


class Fit(Protocol):
    """Trains within a budget of CPU seconds; says what it did and how to predict."""

    def __call__(
        self, settings: dict[str, Any], frames: Sequence[Frame], base: Baseline, budget: float, seed: int
    ) -> tuple[dict[str, Any], Predict]:
        """Facts of the training, and the prediction of total energies in eV and forces in eV/Å."""


def run(models: dict[str, dict[str, Any]], fit: Fit, stopwatch: Callable[[dict[str, Any], str], Stopwatch]) -> None:
    """Do the job of the command line with the settings of its model; `by_data` and `by_cell` are what differs."""
    job = json.loads(sys.argv[1])
    model = job.get("model", next(iter(models)))
    settings = {"model": model, **models[model]}
    if job["job"] != "speed":
        settings.pop("by_cell", None)
    settings |= settings.pop("by_data", {}).get(job.get("data"), {}) | job.get("settings", {})
    if job["job"] == "speed":
        by_cell = settings.pop("by_cell", {})
        _serve({name: stopwatch(settings | by_cell.get(name, {}), name) for name in job["cells"]})
        return
    folder, (training, tests) = Path(job["folder"]), data.PROBLEMS[job["data"]]
    frames = data.read(folder / f"{training}.npz")
    if job["job"] == "scan":
        held = {"held out": frames[::10]}
        frames = [frame for index, frame in enumerate(frames) if index % 10]
    else:
        held = {label: data.read(folder / f"{name}.npz") for label, name in tests.items()}
    told, predict = fit(settings, frames, data.baseline(frames), job["budget"], job.get("seed", 0))
    errors = {label: data.errors(test, *predict(test)) for label, test in held.items()}
    _answer({"settings": settings, **told, "errors": errors})


def best_ms(job: Callable[[], Any], repeats: int) -> float:
    """Least CPU milliseconds of a call, after two uncounted ones."""
    times = []
    for _ in range(repeats + 2):
        started = time.process_time()
        job()
        times.append(1000 * (time.process_time() - started))
    return min(times[2:])


def _serve(stopwatches: dict[str, Stopwatch]) -> None:
    _answer({"ready": sorted(stopwatches)})
    for line in sys.stdin:
        name, repeats = line.split()
        _answer(stopwatches[name].measure(int(repeats)))


def _answer(told: dict[str, Any]) -> None:
    """One line that the orchestrator recognises among what libraries print."""
    print("ANSWER " + json.dumps(told), flush=True)
