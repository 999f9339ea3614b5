"""`ActiveLearningView`: a campaign while it goes on: what it does, what it costs, what it finds, how far it can be
believed, and the thresholds, which can be moved meanwhile.

`view.run`, `view.rounds`, `view.grades` and `view.structure` hold what is on the screen. Everything is read off the
run's folder, so any number of views of one campaign agree.
"""

from __future__ import annotations

import threading

import ipywidgets as w
import pandas as pd
from ase import Atoms

from labkit.runs import Run

from . import theme
from .active_learning_figures import CalibrationCurve, ErrorCurve, GradeHistogram, ReliabilityDiagram, VerdictBars
from .active_learning_ladder import cost_html, ladder_html
from .active_learning_model import ActiveLearningModel
from .error_view import ErrorView
from .panel import Panel, muted
from .run_view import RunView
from .thresholds import Thresholds
from .ticker import IDLE_S, TICKER

INTERVAL_S = 0.5
#: What the control of the round says for the newest one; None would mean that nothing is selected.
NEWEST = -1


class ActiveLearningView(Panel):
    """Status, cost, levels, thresholds, histogram of predicted errors, the worst structure, errors and calibration."""

    def __init__(self, run: Run, *, status: RunView | None = None, height: int = 320) -> None:
        self.run = run
        self.model = ActiveLearningModel(run)
        self._lock = threading.RLock()
        self._silent = False
        self._chosen: int | None = None
        self._was_active: bool | None = None
        self.status = status or RunView(run)
        self.why, self.cost, self.ladder, self.error = w.HTML(), w.HTML(), w.HTML(), w.HTML()
        self.thresholds = Thresholds(run)
        self.round = w.Dropdown(options=[("newest", NEWEST)], value=NEWEST, layout=w.Layout(width="120px"))
        self.round.tooltip = "Which round the histogram, the structure and the reliability diagram show"
        self.scale = w.ToggleButtons(options=[("log", True), ("linear", False)], style={"button_width": "58px"})
        self.scale.tooltip = "Axis of the predicted errors"
        self.histogram, self.note = GradeHistogram(height), w.HTML(muted("waiting for the first explored structures"))
        self.worst, self.caption = ErrorView(height=f"{height - 40}px"), w.HTML(muted("waiting for the first round"))
        small = height - 60
        self.verdicts, self.errors = VerdictBars(small), ErrorCurve(small, self.model.has_test)
        self.calibration, self.reliability = CalibrationCurve(small), ReliabilityDiagram(small)
        super().__init__([self.status, self.why, *self._rows(), self.error])
        self.round.observe(lambda change: self._choose(change["new"]), "value")
        self.scale.observe(lambda _: self._choose(self.round.value), "value")
        self._poll()
        TICKER.subscribe(self._poll, INTERVAL_S)

    @property
    def state(self) -> str:
        """The state of the run."""
        return self.run.state

    @property
    def rounds(self) -> pd.DataFrame:
        """The rounds so far, one row each."""
        return self.model.tables["rounds"]

    @property
    def grades(self) -> pd.DataFrame:
        """Every explored structure so far with its predicted error (eV/Å) and verdict, one row each."""
        return self.model.tables["grades"]

    @property
    def structure(self) -> Atoms | None:
        """The worst structure of the chosen round, with its array `predicted_error` (eV/Å), or None."""
        return self.model.worst(self._chosen)

    def _rows(self) -> list[w.Widget]:
        levels = _cell([theme.title("Levels", "of quality, one after the other"), self.ladder])
        cost = _cell([theme.title("Cost so far"), self.cost])
        chooser = w.HBox([w.HTML(muted("round")), self.round, w.HTML(muted("axis")), self.scale])
        chooser.layout = w.Layout(align_items="center")
        controls = _row([_cell([chooser]), _cell([self.thresholds])])
        grades = _cell([theme.title("Explored structures", "by predicted error"), self.histogram, self.note])
        worst = _cell([theme.title("Worst structure", "of the round"), self.worst, self.caption])
        plots = [
            ("Verdicts", "by round", self.verdicts),
            ("Error", "by round", self.errors),
            ("Calibration", "0 is right", self.calibration),
            ("Reliability", "on the diagonal is right", self.reliability),
        ]
        cells = [_cell([theme.title(head, words), figure], "1 1 270px") for head, words, figure in plots]
        return [_row([levels, cost]), controls, _row([grades, worst]), _row(cells)]

    def _poll(self) -> None:
        active = self.run.status().active
        with self._lock:
            found = self.model.poll()
            ended, self._was_active = active != self._was_active, active
            if found or ended:
                self._offer_rounds()
                self._draw(active)
            self.thresholds.show(self.model.limits(), self.model.own_limits(), active, self.model.level())
        TICKER.pace(self._poll, INTERVAL_S if active else IDLE_S)

    def _offer_rounds(self) -> None:
        numbers = self.model.round_numbers
        options = [("newest", NEWEST), *((f"{number}", number) for number in numbers)]
        if tuple(options) == tuple(self.round.options):
            return
        self._chosen = self._chosen if self._chosen in numbers else None
        self._silent = True
        try:
            self.round.options = options
            self.round.value = NEWEST if self._chosen is None else self._chosen
        finally:
            self._silent = False

    def _draw(self, active: bool) -> None:
        model, starts = self.model, self.model.level_starts()
        reason = model.reason()
        self.why.value = theme.message(f"It stopped because: {reason}", "success") if reason else ""
        self.ladder.value, self.cost.value = ladder_html(model.ladder(active)), cost_html(model.cost())
        if len(self.rounds):
            self.verdicts.draw(self.rounds, starts)
            self.errors.draw(self.rounds, model.tables["members"], starts)
            self.calibration.draw(self.rounds, starts)
        self._draw_round()

    def _draw_round(self) -> None:
        model, chosen = self.model, self._chosen
        number = model.newest() if chosen is None else chosen
        limits = model.limits(number)
        grades = model.of_round("grades", number)
        if len(grades) or chosen is not None:
            left_out = self.histogram.draw(grades, limits, self.scale.value)
            self.note.value = muted(_histogram_words(number, grades, left_out))
        number = model.newest("reliability") if chosen is None else chosen
        if number is not None:
            rows = (model.of_round("reliability", one) for one in (number, number - 1))
            self.reliability.draw(*rows, number)
        atoms = self.structure
        if atoms is None:
            if chosen is not None:
                self.worst.clear()
            self.caption.value = muted("no structure of this round" if chosen is not None else "waiting for a round")
            return
        if atoms is not self.worst.atoms:
            self.worst.show(atoms)
        marks = {"lower threshold": limits.lower, "upper threshold": limits.upper} if limits else {}
        self.worst.scale_to(None, marks)
        self.caption.value = muted(_worst_words(atoms, model.level_name(atoms.info.get("level"))))

    def _choose(self, number: int) -> None:
        """Show round `number` (or the newest), also when new rounds have just reset the control."""
        try:
            with self._lock:
                if self._silent:
                    return
                self._chosen = None if number == NEWEST else number
                if self.round.value != number:
                    self._silent = True
                    try:
                        self.round.value = number
                    finally:
                        self._silent = False
                self._draw_round()
        except Exception as error:
            self.on_tick_error(error)

    def on_tick_error(self, error: Exception) -> None:
        """Show an error of the reader thread under the plots."""
        self.error.value = theme.message(f"The campaign could not be read: {error}")

    def release(self) -> None:
        """Stop following and close the parts; the run goes on."""
        TICKER.unsubscribe(self._poll)
        figures = (self.histogram, self.verdicts, self.errors, self.calibration, self.reliability)
        for part in (self.status, self.thresholds, self.worst, *figures):
            part.close()


def _histogram_words(number: int | None, grades: pd.DataFrame, left_out: int) -> str:
    if not len(grades):
        return f"round {number} · nothing explored: the first round of a level trains on what is there"
    chosen = int(grades["selected"].sum())
    parts = [f"round {number}", f"{len(grades):,} explored", f"{chosen} selected"]
    return " · ".join([*parts, *([f"{left_out} that cannot be drawn"] if left_out else [])])


def _worst_words(atoms: Atoms, level: str) -> str:
    parts = [f"round {atoms.info['round']}"] if "round" in atoms.info else []
    parts += [f"level {level}"] if level else []
    return " · ".join([*parts, atoms.get_chemical_formula(), f"{len(atoms)} atoms"])


def _cell(children: list[w.Widget], flex: str = "1 1 440px") -> w.VBox:
    return w.VBox(children, layout=w.Layout(flex=flex, min_width="260px", margin="0 14px 6px 0", overflow="hidden"))


def _row(cells: list[w.Widget]) -> w.Box:
    return w.Box(cells, layout=w.Layout(flex_flow="row wrap", width="100%", align_items="flex-start"))
