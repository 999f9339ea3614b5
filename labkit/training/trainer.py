"""The training loop: batches in, better weights out, watched, steered, stopped and resumed.

The one idea: everything that the next step depends on is in the checkpoint or follows from the recipe, so that a
training that was killed ends, on a CPU, in the same weights to the last bit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from labkit.errors import RunCancelled, RunFailed
from labkit.potentials.trainable import TrainablePotential
from labkit.training import checkpoint
from labkit.training.clock import Clock
from labkit.training.examples import Examples, order_of
from labkit.training.gradients import Gradients
from labkit.training.quiet import Quiet
from labkit.training.recipe import Recipe
from labkit.training.report import Report
from labkit.training.schedule import Schedule
from labkit.training.validation import Errors, Validator
from labkit.training.weights import Weights
from labkit.training.workers import Workers


class DivergedTraining(RunFailed):
    """A loss or a gradient that is not a finite number; `batch` holds the indices of the structures."""

    def __init__(self, message: str, batch: Sequence[int] = ()) -> None:
        super().__init__(message)
        self.batch = list(batch)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.args[0], self.batch)


@dataclass
class Place:
    """Where a training stands: finished epochs, steps of the one that is running, and of all."""

    epoch: int = 0
    step_in_epoch: int = 0
    step: int = 0
    loss_sum: float = 0.0
    structures: int = 0
    epoch_began_s: float = 0.0


@dataclass
class Best:
    """The weights with the smallest validation loss so far; `waited` counts the validations since."""

    loss: float = math.inf
    epoch: int = 0
    waited: int = 0
    metrics: dict[str, Any] = field(default_factory=dict)
    weights: np.ndarray | None = None


@dataclass(frozen=True)
class Outcome:
    """How a training ended; the potential has the best weights.

    metrics, groups: errors of the best weights on the whole validation set (of the training set where there is none).
    tables: the rows of "training" and "batches", when the training had no run folder.
    """

    reason: str
    epochs: int
    steps: int
    best_epoch: int
    validation_loss: float
    metrics: dict[str, float]
    groups: list[dict[str, Any]]
    elapsed_s: float
    cpu_s: float
    tables: dict[str, list[dict[str, Any]]]


class Trainer:
    """Trains a potential on labelled structures; with a run's context, or in a script without one."""

    def __init__(
        self,
        potential: TrainablePotential,
        training_set: Sequence[Any],
        validation_set: Sequence[Any] | None = None,
        recipe: Recipe | None = None,
        *,
        frozen: Sequence[str] = (),
        context: Any = None,
        workers: Workers | None = None,
        **options: Any,
    ) -> None:
        """`options` are fields of the Recipe; sets are sequences of `labkit.datasets.Record`.

        Raises InvalidTask for options that are out of bounds.
        """
        self.potential, self.frozen = potential, tuple(frozen)
        self.recipe = Recipe.of(recipe, **options)
        self.context = Quiet() if context is None else context
        self.workers = Workers(potential.device, self.recipe.precision) if workers is None else workers
        self.sets = training_set, validation_set
        self.clock = Clock()
        self.schedule, self.place, self.best = Schedule(self.recipe), Place(), Best()
        self.rate_factor, self._prepared, self._stopping = 1.0, False, False

    def prepare(self) -> None:
        """Neighbour lists of all structures, optimiser, and the checkpoint if there is one; `fit` does it by itself.

        Raises InvalidTask for a set without the labels that the loss wants, InvalidStructure for a structure that the
        potential refuses.
        """
        if self._prepared:
            return
        recipe, potential = self.recipe, self.potential
        self.workers.place(potential.network)
        potential.network.train()
        weights = self.schedule.weights(1.0)
        terms = [term for term, weight in weights.items() if max(weight, self.schedule.weights(0.0)[term]) > 0]
        training, validation = self.sets
        count = len(training) + len(validation or ())
        self.training = Examples(training, potential, terms, report=self._announce(0, count))
        if validation is not None and len(validation):
            named = {"name": "the validation set", "report": self._announce(len(training), count)}
            self.validation = Examples(validation, potential, terms, need_all=False, **named)
        else:
            self.validation = self.training
        self.validator = Validator(self.validation, recipe, weights)
        # A validation costs a third of a training step for each structure: a tenth of the data makes that 3 per cent.
        watched = np.random.default_rng([recipe.seed, 11]).permutation(len(self.validation))
        self.watched = np.sort(watched[: recipe.validation_structures or max(50, len(self.training) // 10)])
        self.weights = Weights(potential, recipe, self.frozen)
        self.gradients = Gradients(self.training, recipe, self.weights.parameters, self.context.log)
        self.report = Report(self)
        self._prepared = True
        checkpoint.restore(self)

    def fit(self) -> Outcome:
        """Train until the recipe says that it is enough; leaves the best weights in the potential.

        Raises DivergedTraining for a loss that is not finite, RunCancelled when asked to stop; a checkpoint stays.
        """
        self.prepare()
        try:
            while (reason := self._why_stop(self.place.epoch)) is None:
                self._epoch()
            return self._finish(reason)
        finally:
            self.weights.release()
            self.potential.network.eval()

    @property
    def steps_per_epoch(self) -> int:
        """Steps of the optimiser in one epoch."""
        return -(-len(self.training) // self.recipe.batch_size)

    def share_done(self) -> float:
        """Share of the run that is done, 0 to 1: of the epochs or of a limit, whichever is furthest; as the first rank
        sees it.
        """
        recipe, place = self.recipe, self.place
        shares = [(place.epoch + place.step_in_epoch / self.steps_per_epoch) / recipe.epochs]
        if recipe.cpu_budget_s is not None:
            shares.append(self.clock.cpu_s() / recipe.cpu_budget_s)
        if recipe.time_limit_min is not None:
            shares.append(self.clock.elapsed_s() / (60 * recipe.time_limit_min))
        return max(shares) if len(shares) == 1 else self.workers.of_first(max(shares))

    def _why_stop(self, epoch: int) -> str | None:
        recipe = self.recipe
        if epoch >= recipe.epochs:
            return "all epochs are done"
        if recipe.early_stop is not None and self.best.waited >= recipe.early_stop:
            return f"no better validation in {self.best.waited} validations"
        return "the time is used up" if self.share_done() >= 1 else None

    def _epoch(self) -> None:
        place, recipe = self.place, self.recipe
        if place.step_in_epoch == 0:
            place.loss_sum, place.structures, place.epoch_began_s = 0.0, 0, self.clock.elapsed_s()
        batches = order_of(len(self.training), recipe.batch_size, recipe.seed, place.epoch)
        for indices in batches[place.step_in_epoch :]:
            self._obey()
            share = self.share_done()
            if share >= 1 and place.step > 0:
                break
            self._step(indices, share)
            self.report.progress(share)
        epoch = place.epoch + 1
        if epoch % recipe.validation_interval == 0 or self._why_stop(epoch) is not None:
            self._validate(epoch)
        place.epoch, place.step_in_epoch = epoch, 0
        self.report.end_of_epoch(last=self._why_stop(epoch) is not None)

    def _step(self, indices: np.ndarray, share: float) -> None:
        place, recipe, weights = self.place, self.recipe, self.weights
        own = self.workers.share(indices)
        loss = self.gradients.compute(indices, own, self.schedule.weights(share), self._between)
        stop = self.workers.first and self.context.stop_requested()
        loss, self._stopping, self.rate_factor = self.workers.reduce(weights.parameters, loss, stop, self.rate_factor)
        norm = weights.clip(recipe.gradient_clip)
        if not (math.isfinite(loss) and math.isfinite(norm)):
            self._diverged(indices, loss)
        rate = self.schedule.rate(place.step, share) * self.rate_factor
        weights.step(rate)
        place.step, place.step_in_epoch = place.step + 1, place.step_in_epoch + 1
        place.loss_sum += loss * len(indices)
        place.structures += len(indices)
        self.report.batch(loss, norm, rate)

    def _between(self) -> None:
        """Between two parts of a batch: nothing has changed since the last step, so it can be left here."""
        if self.workers.size == 1 and self.context.stop_requested():
            self._stopping = True
            self._obey()

    def _obey(self) -> None:
        if self._stopping:
            checkpoint.store(self)
            self.context.raise_if_stopped()
            raise RunCancelled("the training was cancelled on request.")
        self.report.obey()

    def _diverged(self, indices: np.ndarray, loss: float) -> None:
        names = ", ".join(self.training.names[index] for index in indices[:8])
        more = f" and {len(indices) - 8} more" if len(indices) > 8 else ""
        what = "loss" if not math.isfinite(loss) else "gradient"
        raise DivergedTraining(
            f"epoch {self.place.epoch + 1}, step {self.place.step + 1}: the {what} of the batch with {names}{more} is "
            "not a finite number. The last checkpoint and the best potential are kept. Look at these structures, or "
            f"lower the learning rate (now {self.recipe.learning_rate:g}).",
            [int(index) for index in indices],
        )

    def _validate(self, epoch: int) -> None:
        errors = self._errors(self.watched)
        self.schedule.observe(errors.loss)
        better = errors.loss < self.best.loss or self.best.weights is None
        if better:
            self.best = Best(errors.loss, epoch, 0, self.report.metrics(errors), self.weights.export())
        else:
            self.best.waited += 1
        self.report.validation(epoch, errors, better=better)

    def _errors(self, indices: np.ndarray) -> Errors:
        workers = self.workers
        between = self.context.raise_if_stopped if workers.size == 1 else (lambda: None)
        try:
            with self.weights.averaged():
                vector = self.validator.predict(indices, between, (workers.rank, workers.size))
        except RunCancelled:
            checkpoint.store(self)  # stands before this validation, which a resume does again
            raise
        return self.validator.errors(indices, workers.sum(vector))

    def _finish(self, reason: str) -> Outcome:
        best, place = self.best, self.place
        self.weights.keep(best.weights)
        errors = self._errors(np.arange(len(self.validation)))
        best.metrics = self.report.metrics(errors)
        self.report.parity(best.epoch, errors)
        self.report.export()
        self.context.log(f"{reason} after {place.epoch} epochs; the best weights are those of epoch {best.epoch}")
        return Outcome(
            reason=reason,
            epochs=place.epoch,
            steps=place.step,
            best_epoch=best.epoch,
            validation_loss=errors.loss,
            metrics=errors.metrics(),
            groups=errors.by_group(self.validation.groups),
            elapsed_s=self.clock.elapsed_s(),
            cpu_s=self.clock.cpu_s(),
            tables=getattr(self.context, "tables", {}),
        )

    def _announce(self, offset: int, total: int) -> Callable[[int], None]:
        def announce(done: int) -> None:
            self.context.raise_if_stopped()
            self.context.progress(0, 1, f"neighbours of {offset + done} of {total} structures")

        return announce


def fit(
    potential: TrainablePotential,
    training_set: Sequence[Any],
    validation_set: Sequence[Any] | None = None,
    **options: Any,
) -> Outcome:
    """Train `potential` here and now; `options` are fields of the Recipe, and `frozen` layers."""
    return Trainer(potential, training_set, validation_set, **options).fit()
