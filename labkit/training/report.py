"""What a training says while it works: tables, parity, progress, the exported best potential; and whom it obeys.

Only the first of several processes writes. Files that cost time are written so seldom that they take a few per cent of
it at most, however short an epoch is.
"""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labkit.training import checkpoint
from labkit.training.memory import used_MB
from labkit.training.validation import Errors

if TYPE_CHECKING:
    from labkit.training.trainer import Trainer

ROWS_AN_EPOCH = 50
PARITY_EVERY_S, EXPORT_EVERY_S = 3.0, 5.0
#: A checkpoint at the end of an epoch waits until this many times its own cost has passed since the one before.
PATIENCE = 30
MAX_RATE_FACTOR = 1000.0
BEST = "best"


class Report:
    """The voice and the ears of one trainer."""

    def __init__(self, trainer: Trainer) -> None:
        self.trainer = trainer
        self.context = trainer.context
        self._every = max(1, trainer.steps_per_epoch // ROWS_AN_EPOCH)
        now = time.monotonic()
        self._parity_at, self._export_at, self._checkpoint_at = now - PARITY_EVERY_S, now - EXPORT_EVERY_S, now
        self._checkpoint_s, self._group_row, self._unsaved, self._latest = 0.0, 0, False, ""

    def batch(self, loss: float, gradient_norm: float, rate: float) -> None:
        """A row of the table "batches", every so many steps."""
        place = self.trainer.place
        if (place.step - 1) % self._every == 0:
            row = {"epoch": place.epoch + 1, "loss": loss, "gradient_norm": gradient_norm, "learning_rate": rate}
            self.context.row("batches", place.step, **row)

    def progress(self, share: float) -> None:
        """Where the training stands, for the progress bar; `share` of it is done."""
        trainer = self.trainer
        place, recipe = trainer.place, trainer.recipe
        total = trainer.steps_per_epoch * recipe.epochs
        limited = recipe.cpu_budget_s is not None or recipe.time_limit_min is not None
        if limited and share > 0:
            total = min(total, max(place.step, round(place.step / share)))
        of_all = "" if limited else f" of {recipe.epochs}"
        self.context.progress(place.step, total, f"epoch {place.epoch + 1}{of_all}{self._latest}")

    def validation(self, epoch: int, errors: Errors, *, better: bool) -> None:
        """A row of the table "training"; with better weights also one for each group; now and then the parity."""
        trainer, place = self.trainer, self.trainer.place
        elapsed, metrics = trainer.clock.elapsed_s(), errors.metrics()
        force, energy = metrics["forces_mae_meV_A"], metrics["energy_mae_meV_atom"]
        self._latest = f": {force:.3g} meV/Å" if math.isfinite(force) else f": {energy:.3g} meV/atom"
        rate = trainer.schedule.rate(place.step, trainer.share_done()) * trainer.rate_factor
        self.context.row(
            "training",
            epoch,
            epoch=epoch,
            time_s=elapsed,
            epoch_s=elapsed - place.epoch_began_s,
            learning_rate=rate,
            train_loss=place.loss_sum / max(1, place.structures),
            validation_loss=errors.loss,
            **metrics,
            memory_MB=used_MB(trainer.potential.device),
        )
        if better:
            self._unsaved = True
            groups = errors.by_group(trainer.validation.groups)
            for number, row in enumerate(groups):
                wanted = {name: row[name] for name in ("group", "n", "energy_mae_meV_atom", "forces_mae_meV_A")}
                self.context.row("groups", epoch * len(groups) + number, epoch=epoch, **wanted)
        if time.monotonic() - self._parity_at >= PARITY_EVERY_S:
            self.parity(epoch, errors)

    def end_of_epoch(self, *, last: bool) -> None:
        """Checkpoint and export, if it is time."""
        now, recipe = time.monotonic(), self.trainer.recipe
        due = self.trainer.place.epoch % recipe.checkpoint_epochs == 0
        if last or (due and now - self._checkpoint_at > PATIENCE * self._checkpoint_s):
            checkpoint.store(self.trainer)
        if self._unsaved and now - self._export_at > EXPORT_EVERY_S:
            self.export()

    def obey(self) -> None:
        """Pause and steer as the controls say; a checkpoint within an epoch when it is time."""
        trainer, context = self.trainer, self.context
        if time.monotonic() - self._checkpoint_at > 60 * trainer.recipe.checkpoint_min:
            checkpoint.store(trainer)
        if not context.controls_changed():
            return
        if self._apply(context.controls()):
            # The change is part of the history: a resume from before it would apply it too early.
            checkpoint.store(trainer)
        if context.controls().get("paused"):
            trainer.clock.pause()
            context.pause_point()
            trainer.clock.unpause()
            self._apply(context.controls())

    def export(self) -> None:
        """Write the best potential so far into the folder "best" of the run."""
        trainer = self.trainer
        self._unsaved, self._export_at = False, time.monotonic()
        folder = getattr(self.context, "folder", None)
        potential, best = trainer.potential, trainer.best
        if hasattr(potential, "provenance"):
            potential.provenance = {**potential.provenance, "metrics": best.metrics, "epoch": best.epoch}
        if folder is None or not trainer.workers.first:
            return
        with trainer.weights.showing(best.weights):
            potential.save(Path(folder) / BEST)

    def metrics(self, errors: Errors) -> dict[str, Any]:
        """Errors as the exported potential states them: overall and by group, and on what."""
        trainer = self.trainer
        on = "the training set" if trainer.validation is trainer.training else "a validation set"
        everything = {"group": "all", "n": len(errors.indices), **errors.metrics()}
        rows = [everything, *(errors.by_group(trainer.validation.groups))]
        return finite({"on": on, **errors.metrics(), "groups": rows})

    def checkpointed(self, seconds: float = 0.0) -> None:
        """Hear that a checkpoint was written, and what it cost."""
        self._checkpoint_at, self._checkpoint_s = time.monotonic(), seconds

    def parity(self, epoch: int, errors: Errors) -> None:
        """Predictions beside labels, of the weights of `epoch`."""
        self._parity_at = time.monotonic()
        self.context.save_json("parity", errors.parity(epoch))

    def _apply(self, controls: dict[str, Any]) -> bool:
        factor = controls.get("learning_rate_factor", self.trainer.rate_factor)
        if factor == self.trainer.rate_factor:
            return False
        if not isinstance(factor, int | float) or isinstance(factor, bool) or not 0 < factor <= MAX_RATE_FACTOR:
            self.context.log(
                f"step {self.trainer.place.step}: learning_rate_factor {factor!r} ignored; a number above 0 and up to "
                f"{MAX_RATE_FACTOR:g} is needed"
            )
            return False
        self.trainer.rate_factor = float(factor)
        self.context.log(f"step {self.trainer.place.step}: the learning rate is now {factor:g} times the planned one")
        return True


def finite(value: Any) -> Any:
    """The same data with None for numbers that JSON does not know: an error without labels is NaN."""
    if isinstance(value, dict):
        return {name: finite(one) for name, one in value.items()}
    if isinstance(value, list):
        return [finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
