"""Two fields that move the thresholds of a campaign while it runs, with what is wrong with them beside them."""

from __future__ import annotations

import ipywidgets as w

from labkit.runs import Run

from . import theme
from .active_learning_ladder import limits_words
from .active_learning_model import Limits
from .panel import Panel, button, muted
from .steering import Steering

LARGEST_EV_A = 100.0


class Thresholds(Panel):
    """Lower and upper threshold in eV/Å; Set hands them to the run, which takes them at its next structure.

    They hold for the level at which they were set; the level's own come back with the button beside.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self._shown: Limits | None = None
        self._level = 0
        self._steering = Steering(run, self._report)
        self.lower, self.upper = (self._field(name) for name in ("lower", "upper"))
        self.apply = button("Set", "Use these thresholds from the next structure on", "lk-primary", "56px")
        self.apply.on_click(lambda _: self.send())
        self.own = button("Level's own", "Go back to the thresholds that the level has by itself", width="92px")
        self.own.on_click(lambda _: self._steering.set(lower_eV_A=None, upper_eV_A=None, thresholds_level=None))
        self.own.layout.display = "none"
        self.note, self.error = w.HTML(), w.HTML()
        words = [w.HTML(muted(text)) for text in ("label from", "give up from")]
        unit = w.HTML('<span class="lk-unit">eV/Å</span>')
        parts = [words[0], self.lower, words[1], self.upper, unit, self.apply, self.own, self.note]
        row = w.HBox(parts, layout=w.Layout(align_items="center", flex_flow="row wrap"))
        super().__init__([row, self.error], width="auto")
        for control in (self.lower, self.upper):
            control.observe(lambda _: self._check(), "value")

    def show(self, limits: Limits | None, own: Limits | None, active: bool, level: int = 0) -> None:
        """Show the thresholds that hold, unless somebody is just typing others; `own` are those of level `level`."""
        self.apply.disabled = self.own.disabled = not active
        self._level = level
        if limits is not None and limits != self._shown:
            untouched = self._shown is None or self._wanted() == self._shown
            self._shown = limits
            if untouched:
                self.lower.value, self.upper.value = limits.lower, limits.upper
        steered = own is not None and limits is not None and limits != own
        shown = None if steered else "none"
        if self.own.layout.display != shown:
            self.own.layout.display = shown
        text = muted(f"the level's own: {limits_words(own)}") if steered else ""
        if self.note.value != text:
            self.note.value = text

    def send(self) -> None:
        """Hand both thresholds to the run, or say why they cannot be."""
        wanted = self._wanted()
        if problem := wanted.problem():
            self.error.value = theme.message(problem)
            return
        self._steering.set(lower_eV_A=wanted.lower, upper_eV_A=wanted.upper, thresholds_level=self._level)

    def _wanted(self) -> Limits:
        return Limits(float(self.lower.value), float(self.upper.value))

    def _check(self) -> None:
        problem = self._wanted().problem() if self._shown is not None else ""
        html = theme.message(problem) if problem else ""
        if self.error.value != html:
            self.error.value = html

    def _report(self, error: Exception | None) -> None:
        self.error.value = "" if error is None else theme.message(error)

    @staticmethod
    def _field(name: str) -> w.BoundedFloatText:
        field = w.BoundedFloatText(0.0, min=0, max=LARGEST_EV_A, step=None, layout=w.Layout(width="84px"))
        field.tooltip = f"{name.capitalize()} threshold on the predicted error of the worst atom, eV/Å"
        return field
