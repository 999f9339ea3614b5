"""`TrainingView`: a training while it goes on: status and Stop, curves, parity, errors by group, the best potential.

`view.run` is the run and `view.potential` the best potential so far. Everything is read off the run's folder, so any
number of views of one training agree.
"""

from __future__ import annotations

import ipywidgets as w

from labkit.errors import LabkitError
from labkit.potentials import Potential
from labkit.runs import Run

from . import theme
from .panel import Panel, button, muted
from .potential_card import PotentialCard
from .run_view import RunView
from .ticker import IDLE_S, TICKER
from .training_curves import INTERVAL_S, BatchCurves, TrainingCurves
from .training_model import TrainingModel, TrainingPicture
from .training_parity import ParityView


class TrainingView(Panel):
    """Status, Stop, Pause and Resume of a training, its curves, parity, errors by group and best potential."""

    def __init__(self, run: Run, *, status: RunView | None = None, device: str = "auto") -> None:
        self.run, self._device = run, device
        self.model = TrainingModel(run)
        self.picture = TrainingPicture()
        self._opened: tuple[int, Potential] | None = None
        self._card: PotentialCard | None = None
        self.status = status or RunView(run)
        self.curves, self.batches, self.parity = TrainingCurves(run), BatchCurves(run), ParityView()
        self._line, self._best, self.error = w.HTML(), w.HTML(), w.HTML()
        self.factor = w.BoundedFloatText(1.0, min=0, max=1000, step=None, layout=w.Layout(width="80px"))
        self.factor.tooltip = "Factor on the learning rate of the schedule"
        self.apply = button("Set", "Multiply the learning rate of the running training", width="56px")
        self.apply.on_click(lambda _: self._set_factor())
        label = w.HTML('<span class="lk-muted">learning rate ×</span>')
        controls = w.HBox([self._line, label, self.factor, self.apply], layout=w.Layout(align_items="center"))
        controls.layout.flex_flow, self._line.layout.margin = "row wrap", "0 14px 0 0"
        self._card_place = w.VBox([w.HTML(muted("there is no best potential yet"))])
        folds = [self.batches, self._card_place]
        self.folds = w.Accordion(folds, titles=("Single batches", "Card of the best potential"))
        # Before the first epoch is over, batches are all that moves.
        self.folds.selected_index = None if self.model.picture().epoch else 0
        self.folds.observe(lambda _: self._show_card(), "selected_index")
        parts = [self.status, controls, self._best, self.curves, theme.title("Parity", "validation set")]
        super().__init__([*parts, self.parity, self.folds, self.error])
        self._poll()
        TICKER.subscribe(self._poll, INTERVAL_S)

    @property
    def state(self) -> str:
        """The state of the run."""
        return self.run.state

    @property
    def potential(self) -> Potential:
        """The best potential so far, opened from the run's folder; raises LabkitError before there is one."""
        from labkit import potentials

        folder = self.model.best_folder
        if folder is None:
            raise LabkitError(
                f"run {self.run.id} has no best potential yet: it is written after the first validation "
                f"({self.picture.words()})."
            )
        stamp = (folder / "potential.json").stat().st_mtime_ns
        if self._opened is None or self._opened[0] != stamp:
            self._opened = stamp, potentials.load(folder, self._device)
        return self._opened[1]

    def _poll(self) -> None:
        active = self.run.status().active
        if self.model.changed("training.csv") or self.picture.epoch is None or not active:
            self.picture = self.model.picture()
            self._line.value = muted(self.picture.words())
            self._best.value = muted(best_in_words(self.picture))
        parity = self.model.parity()
        if parity is not None:
            self.parity.show_parity(parity)
        groups = self.model.groups()
        if groups is not None:
            self.parity.show_groups(groups)
        self.apply.disabled = not active
        TICKER.pace(self._poll, INTERVAL_S if active else IDLE_S)

    def _set_factor(self) -> None:
        factor = self.factor.value
        try:
            if not 0 < factor <= 1000:
                raise ValueError(f"The factor on the learning rate must lie between 0 and 1000; {factor:g} was given.")
            self.run.set_controls(learning_rate_factor=factor)
            self.error.value = ""
        except Exception as error:
            self.error.value = theme.message(error)

    def _show_card(self) -> None:
        """Make the card when it is first looked at, and anew when the best potential has changed since."""
        if self.folds.selected_index != 1 or self.model.best_folder is None:
            return
        try:
            card, old = PotentialCard(self.model.best_folder, device=self._device), self._card
            self._card, self._card_place.children = card, [card]
            if old is not None:
                old.close()
        except Exception as error:
            self.error.value = theme.message(f"The best potential has no card: {error}")

    def on_tick_error(self, error: Exception) -> None:
        """Show an error of the reader thread under the plots."""
        self.error.value = theme.message(f"The training could not be read: {error}")

    def release(self) -> None:
        """Stop following and close the parts; the run goes on."""
        TICKER.unsubscribe(self._poll)
        for part in (self.status, self.curves, self.batches, self.parity, self._card):
            if part is not None:
                part.close()


def best_in_words(picture: TrainingPicture) -> str:
    """Return the best epoch with its validation errors in one line; empty before there is one."""
    if picture.best_epoch is None:
        return ""
    units = {"energy_mae_meV_atom": "energy MAE {:.3g} meV/atom", "forces_mae_meV_A": "force MAE {:.3g} meV/Å"}
    parts = [text.format(picture.best[name]) for name, text in units.items() if name in picture.best]
    return " · ".join([f"best so far: epoch {picture.best_epoch}", *parts])
