"""A moment tensor potential fitted by motep 0.2.0 (MIT, C engine) as its example does it, within the same CPU seconds.

Steps of its documentation: radial functions by `Level2MTP`, moments by least squares, all coefficients by BFGS, moments
by least squares again; cut when the budget is spent, the best coefficients met are kept. Templates of the levels are
the ones of motep's own source distribution. Float64; neighbour lists and the first evaluation are not counted.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ase.calculators.singlepoint import SinglePointCalculator
from motep.calculator import make_mtp_engine
from motep.io.mlip.mtp import read_mtp
from motep.loss import LossFunction, LossSetting
from motep.optimizers import make_optimizer
from motep.potentials.mtp.data import MTPData

from tests.benchmarks.train_peers import data, process
from tests.benchmarks.train_peers.data import Frame
from tests.benchmarks.train_peers.process import best_ms

TEMPLATES = Path(sys.prefix) / "templates"
MODELS: dict[str, dict[str, Any]] = {
    "MTP": {
        "cutoff": 5.0,
        "level": 20,
        "radial_basis": 8,
        "method": "BFGS",
        "energy_weight": 1.0,
        "forces_weight": 0.1,
    }
}


class BudgetSpent(Exception):
    """Raised inside the loss to leave the optimiser that called it."""


class TimedLoss(LossFunction):
    """Motep's own loss, which stops at a deadline of CPU time and remembers the best coefficients."""

    deadline, calls, seconds = np.inf, 0, 0.0
    best: tuple[float, np.ndarray | None] = (np.inf, None)

    def __call__(self, parameters: np.ndarray) -> float:
        """The loss; an exception where it would not be there in time."""
        started = time.process_time()
        if started + self.seconds > self.deadline:
            raise BudgetSpent
        value = float(super().__call__(parameters))
        self.calls, self.seconds = self.calls + 1, time.process_time() - started
        if value < self.best[0]:
            self.best = (value, self._all())
        return value

    def _all(self) -> np.ndarray:
        mtp = self.mtp_data
        return np.concatenate([mtp.moment_coeffs, mtp.species_coeffs, mtp.radial_coeffs.ravel()])

    def restore(self) -> None:
        """Back to the best coefficients."""
        mtp, values = self.mtp_data, self.best[1]
        moments, species, radial = np.split(values, np.cumsum([mtp.moment_coeffs.size, mtp.species_coeffs.size]))
        mtp.moment_coeffs, mtp.species_coeffs = moments.copy(), species.copy()
        mtp.radial_coeffs = radial.reshape(mtp.radial_coeffs.shape).copy()


def untrained(settings: dict[str, Any], elements: Sequence[int], shortest_A: float, seed: int) -> MTPData:
    """Random coefficients on motep's template of the level; radial functions from just below the shortest distance."""
    mtp = read_mtp(TEMPLATES / f"{settings['level']:02d}.mtp")
    mtp.species = list(elements)
    mtp.radial_basis.min, mtp.radial_basis.max = 0.9 * shortest_A, settings["cutoff"]
    mtp.radial_basis.size = settings["radial_basis"]
    mtp.scaling, mtp.species_coeffs = 1.0, np.zeros(len(elements))
    mtp.moment_coeffs = mtp.radial_coeffs = None  # those of the template are of another substance
    mtp.initialize(np.random.default_rng(seed))
    return mtp


def shortest(frames: Sequence[Frame]) -> float:
    """Shortest distance in Å."""
    least = np.inf
    for frame in frames:
        distances = frame.atoms().get_all_distances(mic=bool(frame.pbc.any()))
        least = min(least, distances[distances > 0].min())
    return least


def labelled(frame: Frame, base: data.Baseline) -> Any:
    """Atoms with the energy above the baseline and the forces, where motep looks for them."""
    atoms = frame.atoms()
    atoms.calc = SinglePointCalculator(atoms, energy=frame.energy - base.energy(frame), forces=frame.forces)
    return atoms


def train(mtp: MTPData, frames: Sequence[Frame], base: data.Baseline, settings: dict[str, Any], budget: float) -> dict:
    """Fit in place; rounds of BFGS and least squares until the budget is spent or nothing improves."""
    weights = {key: settings[key] for key in ("energy_weight", "forces_weight")}
    loss = TimedLoss([labelled(frame, base) for frame in frames], mtp, LossSetting(**weights), engine="cext")
    loss(mtp.parameters)  # neighbour lists
    loss.best, loss.calls = (np.inf, None), 0
    started = time.process_time()
    losses, everything = [], ["moment_coeffs", "species_coeffs", "radial_coeffs"]
    try:
        make_optimizer("Level2MTP")(loss, optimized=["radial_coeffs"], minimized=["energy", "forces"]).optimize()
        before = time.process_time()
        _least_squares(loss)
        loss.deadline = started + budget - 1.2 * (time.process_time() - before)  # leaves time for the last one
        while len(losses) < 2 or losses[-1] < 0.999 * losses[-2]:
            options = {"method": settings["method"], "tol": 1e-14, "options": {"maxiter": 100_000}}
            make_optimizer("minimize")(loss, optimized=everything).optimize(**options)
            losses.append(loss.best[0])
            _least_squares(loss)
    except BudgetSpent:
        pass
    loss.deadline = np.inf
    loss.restore()
    _least_squares(loss)
    loss.restore()
    return {
        "cpu_seconds": time.process_time() - started,
        "steps": loss.calls,
        "epochs": loss.calls,
        "parameters": mtp.moment_coeffs.size + mtp.species_coeffs.size + mtp.radial_coeffs.size,
        "losses": [*losses, loss.best[0]],
    }


def _least_squares(loss: TimedLoss) -> None:
    optimizer = make_optimizer("LLS")
    optimizer(loss, optimized=["moment_coeffs", "species_coeffs"], minimized=["energy", "forces"]).optimize()


def predict(mtp: MTPData, frames: Sequence[Frame], base: data.Baseline) -> tuple[list[float], list[np.ndarray]]:
    """Energies in eV and forces in eV/Å."""
    energies, forces = [], []
    for frame in frames:
        told = make_mtp_engine("cext")(mtp, mode="run").calculate(frame.atoms())
        energies.append(base.energy(frame) + float(told["energy"]))
        forces.append(np.array(told["forces"]))
    return energies, forces


class Stopwatch:
    """Least CPU milliseconds of energy+forces on one cell; a step of BFGS passes over all structures: no equal."""

    def __init__(self, settings: dict[str, Any], name: str) -> None:
        frame = data.cell(name)
        mtp = untrained(settings, data.Baseline.trivial(frame).elements, shortest([frame]), 0)
        self.atoms, self.engine = frame.atoms(), make_mtp_engine("cext")(mtp, mode="run")

    def measure(self, repeats: int) -> dict[str, float]:
        """Least CPU time in ms; the neighbour list is made in the first, uncounted call."""
        return {"energy_and_forces": best_ms(lambda: self.engine.calculate(self.atoms), repeats)}


def fit(
    settings: dict[str, Any], frames: Sequence[Frame], base: data.Baseline, budget: float, seed: int
) -> tuple[dict[str, Any], process.Predict]:
    """See `process.Fit`."""
    mtp = untrained(settings, base.elements, shortest(frames), seed)
    return train(mtp, frames, base, settings, budget), lambda test: predict(mtp, test, base)


if __name__ == "__main__":
    process.run(MODELS, fit, Stopwatch)
