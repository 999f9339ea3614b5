"""Predictions for a whole dataset in a thread of their own, in small batches, so that they can be watched and stopped.

A browser needs them once and for small sets; a large set is predicted in a run and handed over.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from labkit.datasets import Dataset

if TYPE_CHECKING:
    from labkit.potentials import Potential

BATCH_ATOMS = 400


@dataclass
class Predictions:
    """Energies (eV) and forces (eV/Å) of every record, None for a faulty one: what `compare` takes."""

    energies: list[float | None] = field(default_factory=list)
    forces: list[np.ndarray | None] = field(default_factory=list)


class PredictionThread:
    """Predicts every sound record of `dataset` with `potential` (an object or a name).

    `step(done, total, seconds_left)`, `finished(predictions)` and `failed(error)` are called in the thread;
    nothing more is called after `stop()`.
    """

    def __init__(
        self,
        dataset: Dataset,
        potential: Potential | str,
        step: Callable[[int, int, float], None],
        finished: Callable[[Predictions], None],
        failed: Callable[[Exception], None],
    ) -> None:
        self._dataset, self._potential = dataset, potential
        self._step, self._finished, self._failed = step, finished, failed
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._work, name="labkit-predictions", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Stop after the batch that is being computed."""
        self._stopped.set()

    @property
    def active(self) -> bool:
        """Whether it is still at work."""
        return self._thread.is_alive() and not self._stopped.is_set()

    def _work(self) -> None:
        try:
            self._predict()
        except Exception as error:
            if not self._stopped.is_set():
                self._failed(error)

    def _predict(self) -> None:
        potential = self._potential
        if isinstance(potential, str):
            from labkit.potentials import load

            potential = load(potential)
        found = Predictions([None] * len(self._dataset), [None] * len(self._dataset))
        faulty = {fault.index for fault in self._dataset.faults(min_distance_A=0)}
        sound = [index for index in range(len(self._dataset)) if index not in faulty]
        began, done = time.monotonic(), 0
        for batch in self._batches(sound):
            if self._stopped.is_set():
                return
            answer = potential.predict([self._dataset[index].atoms for index in batch], ("energy", "forces"))
            for place, index in enumerate(batch):
                found.energies[index] = float(answer.energies[place])
                found.forces[index] = answer.forces[place]
            done += len(batch)
            left = (time.monotonic() - began) / done * (len(sound) - done)
            if not self._stopped.is_set():
                self._step(done, len(sound), left)
        if not self._stopped.is_set():
            self._finished(found)

    def _batches(self, indices: list[int]) -> Iterator[list[int]]:
        batch: list[int] = []
        for index in indices:
            if batch and sum(len(self._dataset[one]) for one in batch) + len(self._dataset[index]) > BATCH_ATOMS:
                yield batch
                batch = []
            batch.append(index)
        if batch:
            yield batch
