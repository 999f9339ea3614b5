"""Accuracy after the same CPU time, and speed, beside MACE, NequIP and an MTP fitted by motep.

Every side runs in a process and an environment of its own (`train_peers/`), with one thread and the same allocator
settings; only CPU seconds count (`time.process_time`). A training counts its steps with their data handling; imports,
the peers' neighbour lists, compilation and testing are not counted. For speed the processes stay alive and take turns,
cell by cell, and the least time of all rounds counts.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import Any

from tests.benchmarks.train_peers import data, environments, report

#: Which side runs which model.
SIDES = {
    "CAMP-L": "labkit",
    "CAMP-L committee": "labkit",
    "CAMP": "labkit",
    "MACE": "mace",
    "NequIP": "nequip",
    "NequIP-compiled": "nequip",
    "MTP": "motep",
}
DEFAULT_MODELS = [model for model in SIDES if model != "NequIP-compiled"]  # compiling takes minutes that do not count
RESULTS = Path(__file__).parent / "results"
ROUNDS, REPEATS = 6, 5


def export_data(problems: list[str], folder: Path) -> None:
    """Write the sets of the problems where every side can read them."""
    from labkit.datasets import load

    for problem in problems:
        training, tests = data.PROBLEMS[problem]
        for name in (training, *tests.values()):
            rows = ((record.atoms, record.energy, record.forces) for record in load(name))
            data.export(rows, folder / f"{name}.npz")


def train(model: str, problem: str, folder: Path, budget: float, seed: int) -> dict[str, Any]:
    """What one side says of one training and its test errors."""
    job = {"job": "train", "model": model, "data": problem, "folder": str(folder), "budget": budget, "seed": seed}
    process = environments.start(SIDES[model], json.dumps(job), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    shown, complaints = process.communicate()
    if process.returncode:
        raise SystemExit(f"{model} on {problem} ended with {process.returncode}:\n{complaints[-3000:]}")
    told = _answers(shown.splitlines())[-1] | {"measured": str(date.today())}
    forces = [f"{e['forces_rmse_meV_A']:.1f}" for e in told["errors"].values() if "forces_rmse_meV_A" in e]
    print(f"{problem}, {model}: {', '.join(forces)} meV/Å after {told['cpu_seconds']:.0f} CPU s", flush=True)
    return told


class Runner:
    """One side's process for speed, which answers when asked."""

    def __init__(self, model: str, cells: list[str]) -> None:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        job = json.dumps({"job": "speed", "model": model, "cells": cells})
        self.model, self.process = model, environments.start(SIDES[model], job, **pipes)
        self._next()

    def measure(self, cell: str, repeats: int) -> dict[str, float]:
        """CPU ms of energy+forces and of a training step."""
        self.process.stdin.write(f"{cell} {repeats}\n")
        self.process.stdin.flush()
        return self._next()

    def close(self) -> None:
        """End of input is the end of the process."""
        self.process.stdin.close()
        self.process.wait()

    def _next(self) -> dict[str, Any]:
        for line in self.process.stdout:
            if told := _answers([line]):
                return told[0]
        raise SystemExit(f"the process of {self.model} ended without an answer; run its side alone to see why.")


def measure_speed(models: list[str], cells: list[str], rounds: int) -> dict[str, dict[str, dict[str, float]]]:
    """Least CPU ms of each model on each cell; the sides take turns."""
    runners = [Runner(model, cells) for model in models if model != "NequIP-compiled"]  # compiles batches of two alone
    best: dict[str, dict[str, dict[str, float]]] = {cell: {} for cell in cells}
    for _ in range(rounds):
        for cell in cells:
            for runner in runners:
                told = runner.measure(cell, REPEATS)
                known = best[cell].get(runner.model, told)
                best[cell][runner.model] = {key: min(known[key], value) for key, value in told.items()}
    for runner in runners:
        runner.close()
    return best


def _answers(lines: list[str]) -> list[dict[str, Any]]:
    return [json.loads(line.removeprefix("ANSWER ")) for line in lines if line.startswith("ANSWER ")]


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    names = [line.split(":")[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", nargs="+", choices=data.PROBLEMS, default=list(data.PROBLEMS))
    parser.add_argument("--models", nargs="+", choices=SIDES, default=DEFAULT_MODELS)
    parser.add_argument("--budget", type=float, default=300.0, help="CPU seconds of each training")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1, help="trainings at the same time, each with one thread")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="turns of each side when speed is measured")
    parser.add_argument("--speed-only", action="store_true")
    parser.add_argument("--train-only", action="store_true")
    parser.add_argument("--quick", action="store_true", help="20 CPU s, one round, nothing written: does it run?")
    options = parser.parse_args()
    if options.quick:
        options.budget, options.rounds = 20.0, 1
    return options


def main() -> None:
    """Parse the options, run, print and write the tables."""
    options = _parse()
    for side in dict.fromkeys(SIDES[model] for model in options.models):
        environments.command(side)  # made before the clock of anyone runs
    stored = RESULTS / "train_vs_peers.json"
    results: dict[str, Any] = json.loads(stored.read_text()) if stored.is_file() and not options.quick else {}
    results["about"] = f"One thread of {_processor()}; {options.budget:g} CPU seconds for each training."
    if not options.speed_only:
        with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(options.jobs) as pool:
            export_data(options.data, Path(folder))
            jobs = {
                (problem, model): pool.submit(train, model, problem, Path(folder), options.budget, options.seed)
                for problem in options.data
                for model in options.models
            }
            for (problem, model), job in jobs.items():
                results.setdefault("accuracy", {}).setdefault(problem, {})[model] = job.result()
    if not options.train_only:
        measured = measure_speed(options.models, list(data.CELLS), options.rounds)
        for cell, models in measured.items():
            results.setdefault("speed", {}).setdefault(cell, {}).update(models)
    text = report.markdown(results)
    print("\n" + text)
    if not options.quick:
        RESULTS.mkdir(exist_ok=True)
        stored.write_text(json.dumps(results, indent=1) + "\n")
        stored.with_suffix(".md").write_text(text)


if __name__ == "__main__":
    main()
