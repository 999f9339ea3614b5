"""`DatasetBrowser`: what a set of labelled structures holds, which of them a potential gets wrong.

A click on a point opens its structure in 3D; a flag takes it out of `browser.kept`, which is what to train on.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ipywidgets as w
import pandas as pd
from ase import Atoms
from itables.widget import ITable

from labkit import datasets
from labkit.datasets import Comparison, Dataset, Record

from . import theme
from .dataset_browser_model import COLUMNS, ENERGY, ERROR_COLUMNS, PARITY_FORCES, DatasetBrowserModel
from .dataset_figures import ScatterFigure, composition_figure, force_figure
from .dataset_predictions import Predictions, PredictionThread
from .panel import Panel, button, muted
from .viewer import AtomsView

if TYPE_CHECKING:
    from labkit.potentials import Potential

SLOW_CHECK = 1000  # records; above it the search for atoms on top of each other takes seconds


class DatasetBrowser(Panel):
    """Shows a `labkit.datasets.Dataset` (or a shipped set by name).

    `predictions` is what `labkit.datasets.compare` takes: a Prediction, a list of them, or a Dataset of the same
    structures; `potential` (an object or a name) computes them here. The answer is `flagged` and `kept`.
    """

    def __init__(
        self,
        dataset: Dataset | str,
        predictions: Any = None,
        potential: Potential | str | None = None,
        *,
        height: int = 360,
    ) -> None:
        if predictions is not None and potential is not None:
            raise ValueError("give either predictions or a potential that makes them, not both")
        dataset = datasets.load(dataset) if isinstance(dataset, str) else dataset
        comparison = None if predictions is None else datasets.compare(dataset, predictions)
        self.model = DatasetBrowserModel(dataset, comparison)
        self._lock = threading.RLock()
        self._silent = False
        self._worker: PredictionThread | None = None
        self.index: int | None = None
        self._make_controls()
        self.scatter = ScatterFigure(height, self.show)
        self.view = AtomsView(height=f"{max(height - 90, 180)}px")
        self.bars, self.histogram = composition_figure(dataset, 220), force_figure(dataset, 220)
        super().__init__(self._parts())
        self.picture.observe(lambda _: self._guarded(self._draw), "value")
        self.record_number.observe(self._on_number, "value")
        self.flag_button.on_click(lambda _: self._guarded(self._toggle))
        self.save_button.on_click(lambda _: self._guarded(self._save))
        self.stop_button.on_click(lambda _: self._stop())
        self._draw()
        if len(dataset):
            self.show(int(self.comparison.worst()[0]) if self._has_force_errors() else 0)
        if potential is not None:
            self._predict(potential)

    def _make_controls(self) -> None:
        last = max(len(self.dataset) - 1, 0)
        self.picture = w.Dropdown(options=self.model.pictures(), layout=w.Layout(width="190px"), tooltip="Picture")
        self.record_number = w.BoundedIntText(
            min=0, max=last, description="Record", layout=w.Layout(width="150px"), style={"description_width": "50px"}
        )
        self.reason = w.Text(placeholder="why (optional)", layout=w.Layout(width="150px"), continuous_update=False)
        self.flag_button = button("Flag", "Leave this record out of browser.kept, or take it back", "lk-danger")
        self.file = w.Text(value=f"{self.dataset.name}.flags.json".replace("/", "_"), layout=w.Layout(width="210px"))
        self.save_button = button("Save flags", "Write the flags as JSON beside the notebook", width="100px")
        self.progress = w.FloatProgress(max=1.0, layout=w.Layout(width="200px"))
        self.stop_button = button("Stop", "Stop predicting", "lk-danger", "80px")
        self._progress_text = w.HTML()
        self._progress_row = w.HBox([self.progress, self.stop_button, self._progress_text])
        self._progress_row.layout = w.Layout(display="none", align_items="center")
        self.note, self.error, self._facts, self._flag_note = w.HTML(), w.HTML(), w.HTML(), w.HTML()
        self.table = ITable(
            self._frame(), select=False, maxBytes=0, showIndex=False, classes="display compact", paging=False,
            layout={"topStart": None, "topEnd": None, "bottomStart": None, "bottomEnd": None}, order=[],
            columnDefs=[{"targets": "_all", "className": "dt-left"}], style="width:100%;margin:0",
        )  # fmt: skip

    def _parts(self) -> list[w.Widget]:
        atoms = sum(len(record) for record in self.dataset)
        level = self.dataset.level_of_theory or "level of theory not stated"
        note = f"{len(self.dataset):,} records · {atoms:,} atoms · {level}"
        wrap = w.Layout(flex_flow="row wrap", width="100%", align_items="flex-start")
        controls = w.HBox([self.picture, self.record_number], layout=w.Layout(flex_flow="row wrap"))
        left = w.VBox([controls, self.scatter, self.note], layout=w.Layout(flex="1 1 460px", min_width="320px"))
        flags = w.HBox([self.flag_button, self.reason], layout=w.Layout(flex_flow="row wrap"))
        right = w.VBox([self.view, self._facts, flags], layout=w.Layout(flex="1 1 360px", min_width="300px"))
        small = [
            w.VBox([one], layout=w.Layout(flex="1 1 340px", min_width="280px")) for one in (self.bars, self.histogram)
        ]
        saving = w.HBox([self.file, self.save_button, self._flag_note], layout=w.Layout(flex_flow="row wrap"))
        return [
            theme.title(self.dataset.name, note),
            w.HTML(self._fault_message()),
            self._progress_row,
            self.error,
            w.Box([left, right], layout=wrap),
            w.Box(small, layout=wrap),
            self.table,
            saving,
        ]

    @property
    def dataset(self) -> Dataset:
        """The whole set, flagged records and all."""
        return self.model.dataset

    @property
    def kept(self) -> Dataset:
        """The set without the flagged records."""
        return self.model.kept

    @property
    def flagged(self) -> list[int]:
        """The indices of the flagged records."""
        return self.model.flagged

    @property
    def comparison(self) -> Comparison | None:
        """Reference and prediction side by side, None while there is no prediction."""
        return self.model.comparison

    @property
    def record(self) -> Record | None:
        """The record that is shown."""
        return None if self.index is None else self.dataset[self.index]

    @property
    def structure(self) -> Atoms | None:
        """The structure that is shown (a copy)."""
        return None if self.record is None else self.record.atoms.copy()

    def show(self, index: int) -> None:
        """Show the structure of a record; raises IndexError for one that is not there."""
        with self._lock:
            self.index = self.model.checked(index)
            self._silent = True
            try:
                self.record_number.value = self.index
            finally:
                self._silent = False
            self.view.show(self.dataset[self.index].atoms)
            self._say()

    def flag(self, index: int | None = None, reason: str = "") -> None:
        """Flag a record (by default the one that is shown) with a reason."""
        self.model.flag(self._chosen(index), reason)
        self._flags_changed()

    def unflag(self, index: int | None = None) -> None:
        """Take the flag of a record away (by default of the one that is shown)."""
        self.model.unflag(self._chosen(index))
        self._flags_changed()

    def save_flags(self, path: str | Path) -> Path:
        """Write the flags as JSON: records, reasons, and the hash of the set they belong to."""
        return self.model.save_flags(path)

    def load_flags(self, path: str | Path) -> None:
        """Take flags that were saved; raises ValueError when they belong to another set."""
        self.model.load_flags(path)
        self._flags_changed()

    def compare(self, predictions: Any) -> None:
        """Show the parity of these predictions (see `labkit.datasets.compare`) and the record that is worst."""
        comparison = datasets.compare(self.dataset, predictions)
        with self._lock:
            self.model.comparison = comparison
            names = self.model.pictures()
            self.picture.options = names
            self.picture.value = PARITY_FORCES if PARITY_FORCES in names else names[-1]
            self.table.update(self._frame())
            self._draw()
            if self._has_force_errors():
                self.show(int(comparison.worst()[0]))

    def _has_force_errors(self) -> bool:
        return self.comparison is not None and len(self.comparison.force_index) > 0

    def _chosen(self, index: int | None) -> int:
        if index is None and self.index is None:
            raise ValueError("no record is shown; click on a point first")
        return self.index if index is None else index

    def _draw(self) -> None:
        with self._lock:
            picture = self.model.picture(self.picture.value or ENERGY)
            self.scatter.draw(picture)
            self.note.value = muted(f"Click on a point to open its structure. {picture.note}")
            self._say()

    def _say(self) -> None:
        self.scatter.mark(self.flagged, self.index)
        if self.index is not None:
            self._facts.value = theme.facts(self.model.facts(self.index))
            self.flag_button.description = "Unflag" if self.index in self.model.flags else "Flag"
        count = len(self.model.flags)
        self._flag_note.value = muted(f"{count} flagged, {len(self.dataset) - count:,} kept") if count else ""

    def _flags_changed(self) -> None:
        with self._lock:
            self.table.update(self._frame())
            self._say()

    def _toggle(self) -> None:
        if self.index in self.model.flags:
            self.unflag()
        else:
            self.flag(reason=self.reason.value)
        self.reason.value = ""

    def _save(self) -> None:
        path = self.save_flags(self.file.value)
        self._flag_note.value = muted(f"{len(self.flagged)} flags written to {path.resolve()}")

    def _on_number(self, change: dict) -> None:
        if not self._silent:
            self._guarded(lambda: self.show(change["new"]))

    def _frame(self) -> pd.DataFrame:
        frame = pd.DataFrame(self.model.table(), columns=list(COLUMNS), dtype=str)
        return frame if self.comparison is not None else frame.drop(columns=list(ERROR_COLUMNS))

    def _fault_message(self) -> str:
        faults = self.dataset.faults(**({"min_distance_A": 0} if len(self.dataset) > SLOW_CHECK else {}))
        if not faults:
            return ""
        count = len({fault.index for fault in faults})
        lines = [f"{count} of {len(self.dataset):,} records are faulty and are not predicted; the first:"]
        return theme.message("\n".join([*lines, *(f"record {i}: {text}" for i, text in faults[:5])]), "warning")

    def _predict(self, potential: Potential | str) -> None:
        self._progress_row.layout.display = "flex"
        name = potential if isinstance(potential, str) else potential.name
        self._progress_text.value = muted(f"{name} is being opened")
        self._worker = PredictionThread(self.dataset, potential, self._on_step, self._on_predicted, self._on_failed)
        self._worker.start()

    def _on_step(self, done: int, total: int, seconds_left: float) -> None:
        self.progress.value = done / total
        self._progress_text.value = muted(f"{done:,} of {total:,} records, about {seconds_left:.0f} s left")

    def _on_predicted(self, predictions: Predictions) -> None:
        self._progress_row.layout.display = "none"
        self._guarded(lambda: self.compare(predictions))

    def _on_failed(self, error: Exception) -> None:
        self._progress_row.layout.display = "none"
        self.error.value = theme.message(f"The predictions could not be made: {error}")

    def _stop(self) -> None:
        if self._worker is not None:
            self._worker.stop()
        self._progress_text.value = muted("stopped; there is no comparison")
        self.stop_button.disabled = True

    def _guarded(self, action: Callable[[], object]) -> None:
        try:
            self.error.value = ""
            action()
        except Exception as error:
            self.error.value = theme.message(error)

    def release(self) -> None:
        """Stop predicting and close the figures and the view."""
        if self._worker is not None:
            self._worker.stop()
        for part in (self.scatter, self.bars, self.histogram, self.view):
            part.close()
