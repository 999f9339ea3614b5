"""Trainings that misbehave on purpose; a module of their own, so that worker processes can import them."""

import os
import signal
from typing import Any

import numpy as np
import torch

from labkit.training import Training
from tests.training.toy import Toy


class Killed(Training):
    """Kills its own process with SIGKILL in the first attempt, when the row of step `kill_at` is written."""

    kill_at: int = 0

    def train(self, context: Any, workers: Any) -> dict[str, Any]:
        return super().train(_Fatal(context, self.kill_at), workers)


class Halted(Training):
    """Asks itself to stop in the first attempt at step `halt_at`, as a user's Stop does."""

    halt_at: int = 0

    def train(self, context: Any, workers: Any) -> dict[str, Any]:
        return super().train(_Halting(context, self.halt_at), workers)


class _Wrapped:
    def __init__(self, context: Any, at: int) -> None:
        self._context, self._at = context, at

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)


class _Fatal(_Wrapped):
    def row(self, table: str, step: int, **values: Any) -> None:
        if table == "batches" and step == self._at and self._context.attempt == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        self._context.row(table, step, **values)


class _Halting(_Wrapped):
    def row(self, table: str, step: int, **values: Any) -> None:
        if table == "batches" and step == self._at and self._context.attempt == 1:
            self._context.stop.set()
        self._context.row(table, step, **values)


class Poisoned(Toy):
    """Gives an energy that is not a number from its `after`-th training step on."""

    after = 12

    def evaluate(self, batch, properties=("energy", "forces", "stress"), *, create_graph=False):
        answer = super().evaluate(batch, properties, create_graph=create_graph)
        if create_graph:
            self.steps = getattr(self, "steps", 0) + 1
            if self.steps > self.after:
                answer.energies.data[0] = np.nan
        return answer


class Greedy(Toy):
    """Runs out of memory with more than `fits` atoms at once, as a GPU does; `words` makes it a plain RuntimeError."""

    def __init__(self, fits: int = 10, words: str = "", seed: int = 0) -> None:
        super().__init__(seed)
        self.fits, self.words, self.largest = fits, words, 0

    def evaluate(self, batch, properties=("energy", "forces", "stress"), *, create_graph=False):
        if sum(batch.sizes) > self.fits:
            raise RuntimeError(self.words) if self.words else torch.cuda.OutOfMemoryError("CUDA out of memory.")
        self.largest = max(self.largest, sum(batch.sizes))
        return super().evaluate(batch, properties, create_graph=create_graph)
