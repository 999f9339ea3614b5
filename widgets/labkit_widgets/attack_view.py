"""`AttackView`: a committee under attack: the dial moves towards the wanted error, and the atoms move with it.

The wanted error is a slider that can be turned meanwhile. `view.run`, `view.steps` and `view.structure` hold what is on
the screen; everything is read off the run's folder.
"""

from __future__ import annotations

import math
import threading

import ipywidgets as w
import numpy as np
import pandas as pd
from ase import Atoms

from labkit.runs import Run

from . import theme
from .attack_dial import AttackCurve, Dial
from .attack_model import Attacked, AttackModel
from .error_view import ErrorView
from .panel import Panel, muted
from .run_view import RunView
from .steering import Steering
from .ticker import IDLE_S, TICKER
from .trajectory import TrajectoryView

INTERVAL_S = 0.3
_COLOURS = {"waiting": theme.GREY, "moving": theme.BLUE, "reached": theme.GREEN, "stopped": theme.ORANGE}
_WORDS = {"left": "not finished"}


class AttackView(Panel):
    """Status, the wanted error, the dial and its curve, the moving atoms, and how each structure is doing."""

    def __init__(self, run: Run, *, status: RunView | None = None, height: int = 360) -> None:
        self.run = run
        self.model = AttackModel(run)
        self._lock = threading.RLock()
        self._silent = False
        self._was_active: bool | None = None
        self._steering = Steering(run, self._report)
        self.status = status or RunView(run)
        self.trajectory = TrajectoryView(run, view=ErrorView(height=f"{height}px"))
        self.dial, self.curve = Dial(height // 2 - 10), AttackCurve(height // 2 + 50)
        self.states, self.error = w.HTML(), w.HTML()
        self.wanted = self._slider()
        self.wanted.observe(lambda change: self._on_wanted(change["new"]), "value")
        row = w.HBox([w.HTML(muted("wanted error")), self.wanted, w.HTML('<span class="lk-unit">eV/Å</span>')])
        row.layout = w.Layout(align_items="center", width="100%")
        dial = [theme.title("Predicted error", "of the worst atom"), row, self.error, self.dial, self.curve]
        atoms = [theme.title("Atoms", "coloured by predicted error"), self.trajectory]
        cells = [w.VBox(part, layout=_cell(flex)) for part, flex in ((atoms, "1 1 460px"), (dial, "1 1 380px"))]
        body = w.Box(cells, layout=w.Layout(flex_flow="row wrap", width="100%", align_items="flex-start"))
        super().__init__([self.status, body, theme.title("Structures"), self.states])
        self._poll()
        TICKER.subscribe(self._poll, INTERVAL_S)

    @property
    def state(self) -> str:
        """The state of the run."""
        return self.run.state

    @property
    def steps(self) -> pd.DataFrame:
        """Every step so far, one row each, errors in eV/Å."""
        return self.model.table

    @property
    def structure(self) -> Atoms | None:
        """The atoms on the screen, with the array `predicted_error` (eV/Å)."""
        return self.trajectory.atoms

    def _slider(self) -> w.FloatLogSlider:
        wanted = self.model.wanted
        low = min(-2, math.floor(math.log10(wanted)))
        high = max(1, math.ceil(math.log10(wanted)))
        slider = w.FloatLogSlider(
            wanted, base=10, min=low, max=high, step=0.01, readout_format=".3f", continuous_update=False,
            layout=w.Layout(flex="1 1 auto", min_width="160px"),
        )  # fmt: skip
        slider.tooltip = "The error that the committee shall expect of the worst atom, eV/Å"
        return slider

    def _poll(self) -> None:
        active = self.run.status().active
        with self._lock:
            found = self.model.poll()
            ended, self._was_active = active != self._was_active, active
            self.wanted.disabled = not active
            if "controls" in found and not self._steering.busy:
                self._follow_wanted()
            if found or ended:
                self._draw()
        TICKER.pace(self._poll, INTERVAL_S if active else IDLE_S)

    def _draw(self) -> None:
        model = self.model
        self.dial.draw(model.predicted, model.wanted, model.tolerance)
        self.curve.draw(*model.curve())
        self.trajectory.view.scale_to(model.wanted, {"wanted": model.wanted})
        self.states.value = states_html(model.structures())

    def _follow_wanted(self) -> None:
        """Show a wanted error that another view has set."""
        wanted = self.model.wanted
        if wanted > 0 and not math.isclose(wanted, self.wanted.value, rel_tol=1e-3):
            self._silent = True
            try:
                if not 10**self.wanted.min <= wanted <= 10**self.wanted.max:
                    self.wanted.min = min(self.wanted.min, math.floor(math.log10(wanted)))
                    self.wanted.max = max(self.wanted.max, math.ceil(math.log10(wanted)))
                self.wanted.value = wanted
            finally:
                self._silent = False

    def _on_wanted(self, value: float) -> None:
        with self._lock:
            if not self._silent:
                self._steering.set(wanted_eV_A=float(f"{value:.4g}"))

    def _report(self, error: Exception | None) -> None:
        self.error.value = "" if error is None else theme.message(error)

    def on_tick_error(self, error: Exception) -> None:
        """Show an error of the reader thread under the slider."""
        self.error.value = theme.message(f"The attack could not be read: {error}")

    def release(self) -> None:
        """Stop following and close the parts; the run goes on."""
        TICKER.unsubscribe(self._poll)
        for part in (self.status, self.trajectory, self.dial, self.curve):
            part.close()


def states_html(structures: list[Attacked]) -> str:
    """Return a table with a line for each structure: how it is doing, errors, steps, and why it stopped."""
    if not structures:
        return muted("waiting for the first structure")
    heads = ("", "structure", "state", "predicted (eV/Å)", "wanted (eV/Å)", "steps", "moved (Å)", "")
    rows = ["".join(f'<th style="text-align:left;padding-right:18px">{head}</th>' for head in heads)]
    for one in structures:
        badge = theme.badge(_WORDS.get(one.state, one.state), _COLOURS.get(one.state, theme.GREY))
        numbers = [f"{value:.3f}" if np.isfinite(value) else "–" for value in (one.predicted, one.wanted)]
        moved = f"{one.moved_A:.2f}" if np.isfinite(one.moved_A) else "–"
        cells = [f"{one.index}", theme.escape(one.formula or "–"), badge, *numbers, f"{one.steps}", moved]
        reason = f'<td style="padding-right:0">{theme.escape(one.reason)}</td>'
        rows.append("".join(f'<td style="padding-right:18px">{cell}</td>' for cell in cells) + reason)
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    return f'<div style="max-height:240px;overflow:auto"><table class="lk-facts">{body}</table></div>'


def _cell(flex: str) -> w.Layout:
    return w.Layout(flex=flex, min_width="300px", margin="0 14px 6px 0", overflow="hidden")
