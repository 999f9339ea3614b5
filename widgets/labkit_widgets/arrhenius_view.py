"""`ArrheniusView`: diffusion or conductivity against inverse temperature, point by point while the runs work.

What lies outside of the simulated temperatures is dashed and called extrapolated, a point that is not to be trusted is
hollow and not fitted, and published values can stand beside.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

import ipywidgets as w
import numpy as np

from labkit.analysis.transport import TransportPoint
from labkit.runs import Run

from . import theme
from .arrhenius_model import BY_D, BY_SIGMA, ArrheniusModel, Experiment, Line, line_of
from .curves import figure_layout
from .figure import Figure
from .panel import Panel, muted
from .run_view import RunView
from .ticker import IDLE_S, TICKER

INTERVAL_S = 0.5
TITLES = {BY_D: "D (cm²/s)", BY_SIGMA: "σT (S K/cm)"}
_PARTS = ("band", "extrapolated band", "fit", "extrapolated", "points", "doubtful")


class ArrheniusView(Panel):
    """Shows runs of `BatchedDynamics` and `TransportPoint`s; `points` and `lines` hold what is drawn.

    `experiment` takes published points (`Experiment`, or mappings with its fields), `down_to_K` is where lines end.
    """

    def __init__(
        self,
        source: Run | Sequence[Run | TransportPoint],
        *,
        experiment: Sequence[Experiment | Mapping[str, Any]] = (),
        quantity: str = BY_D,
        down_to_K: float = 300.0,
        charge: float = 1.0,
        height: int = 380,
        status: RunView | None = None,
    ) -> None:
        self.model = ArrheniusModel.of(source, charge)
        self._lock = threading.RLock()
        self._failed = False
        self.experiment = [one if isinstance(one, Experiment) else Experiment(**one) for one in experiment]
        self.down_to_K = down_to_K
        self.points: list[TransportPoint] = []
        self.lines: dict[str, Line] = {}
        self.status = [status] if status is not None else [RunView(run) for run in self.model.runs]
        self.quantity = w.ToggleButtons(options=(BY_D, BY_SIGMA), value=quantity)
        self.quantity.style.button_width = "64px"
        self.quantity.tooltips = ("Diffusion coefficient", "Nernst-Einstein conductivity times temperature")
        self.doubtful = w.Checkbox(False, description="fit hollow points too", indent=False)
        self.doubtful.layout.width = "200px"
        self.doubtful.tooltip = "Fit also the points that carry a warning"
        for control in (self.quantity, self.doubtful):
            control.observe(lambda _: self._guarded(), "value")
        self._names = self.model.names()
        self.figure = Figure(self._layout(height), self._traces())
        self.text, self.table, self.error = w.HTML(), w.HTML(), w.HTML()
        controls = w.HBox([self.quantity, self.doubtful], layout=w.Layout(align_items="center", flex_flow="row wrap"))
        head = theme.title("Arrhenius plot", "bars and bands: 95 % intervals")
        super().__init__([*self.status, head, controls, self.figure, self.text, self.table, self.error])
        self._poll(force=True)
        if self.model.runs:
            TICKER.subscribe(self._tick, INTERVAL_S)

    def _layout(self, height: int) -> dict:
        layout = figure_layout(height, "1000 / T (1/K)", TITLES[self.quantity.value])
        layout["yaxis"] |= {"type": "log", "exponentformat": "power", "dtick": 1, "minor": {"ticks": "outside"}}
        layout["margin"] = {**layout["margin"], "t": 30}
        return layout

    def _traces(self) -> list[dict]:
        colours, made = theme.palette(), []
        for number, name in enumerate(self._names):
            colour = colours[number % len(colours)]
            common = {"type": "scatter", "x": [], "y": [], "legendgroup": name, "showlegend": False}
            for part in _PARTS[:2]:
                opacity = 0.22 if part == "band" else 0.1
                look = {"mode": "lines", "line": {"width": 0}, "fill": "toself", "hoverinfo": "skip"}
                made.append({**common, **look, "fillcolor": _faint(colour, opacity), "name": f"{name}: {part}"})
            for part, dash in (("fit", "solid"), ("extrapolated", "dash")):
                words = name if part == "fit" else f"{name}: extrapolated"
                look = {"mode": "lines", "line": {"color": colour, "dash": dash, "width": 2}, "name": words}
                made.append({**common, **look, "showlegend": part == "extrapolated"})
            for part, symbol in (("points", "circle"), ("doubtful", "circle-open")):
                bars = {"type": "data", "symmetric": False, "array": [], "arrayminus": [], "color": colour, "width": 4}
                words = name if part == "points" else f"{name}: doubtful"
                look = {"mode": "markers", "marker": {"color": colour, "size": 9, "symbol": symbol}, "name": words}
                made.append({**common, **look, "error_y": bars, "showlegend": True})
        for one in self.experiment:
            star = {"mode": "markers", "marker": {"symbol": "star", "size": 11, "color": theme.GREY}}
            made.append({"type": "scatter", "x": [], "y": [], "name": one.label, "showlegend": True, **star})
        return made

    def _tick(self) -> None:
        self._poll()
        TICKER.pace(self._tick, INTERVAL_S if self.model.active else IDLE_S)

    def _poll(self, *, force: bool = False) -> None:
        with self._lock:
            if self.model.poll() or force or self._failed:
                self._draw()
            self._recover()

    def refresh(self) -> list[TransportPoint]:
        """Read and draw here and now; returns the points."""
        self._poll(force=True)
        return self.points

    def _guarded(self) -> None:
        with self._lock:
            try:
                self._draw()
                self._recover()
            except Exception as error:
                self._fail(f"The plot could not be drawn: {error}")

    def _draw(self) -> None:
        with self._lock:
            self._write(self.quantity.value, self.model.points())

    def _write(self, quantity: str, points: list[TransportPoint]) -> None:
        lines, why = {}, {}
        for name in self._names:
            own = [point for point in points if point.name == name]
            try:
                lines[name] = line_of(own, quantity, self.down_to_K, doubtful=self.doubtful.value)
            except ValueError as error:
                why[name] = str(error)
        with self.figure.batch_update():
            if self.figure.layout.yaxis.title.text != TITLES[quantity]:
                self.figure.layout.yaxis.title.text = TITLES[quantity]
            traces = iter(self.figure.data)
            for name in self._names:
                own = [point for point in points if point.name == name]
                _draw_one(own, lines.get(name), quantity, [next(traces) for _ in _PARTS])
            like = points[0] if points else None
            for trace, one in zip(traces, self.experiment, strict=True):
                value = one.value(quantity, like)
                trace.x, trace.y = ([1000 / one.temperature_K], [value]) if value is not None else ([], [])
        self.text.value = "".join(_sentence(name, lines.get(name), why.get(name, "")) for name in self._names)
        self.table.value = _table(points)
        self.points, self.lines = points, lines

    def on_tick_error(self, error: Exception) -> None:
        """Show an error of the reader thread under the plot, until reading succeeds."""
        self._fail(f"The runs could not be read: {error}")

    def _fail(self, words: str) -> None:
        self._failed = True
        self.error.value = theme.message(words)

    def _recover(self) -> None:
        if self._failed:
            self._failed, self.error.value = False, ""

    def release(self) -> None:
        """Stop following and close the parts; the runs go on."""
        TICKER.unsubscribe(self._tick)
        for part in (*self.status, self.figure):
            part.close()


def _draw_one(points: Sequence[TransportPoint], line: Line | None, quantity: str, traces: list) -> None:
    for trace, far in zip(traces[:2], (False, True), strict=True):
        part = _stretch(line, far)
        x = 1000 / line.temperatures_K[part] if line else np.zeros(0)
        low, high = (line.low[part], line.high[part]) if line else (np.zeros(0), np.zeros(0))
        trace.x, trace.y = np.concatenate([x, x[::-1]]), np.concatenate([low, high[::-1]])
    for trace, far in zip(traces[2:4], (False, True), strict=True):
        part = _stretch(line, far)
        trace.x = 1000 / line.temperatures_K[part] if line else []
        trace.y = line.values[part] if line else []
    for trace, trusted in zip(traces[4:], (True, False), strict=True):
        own = [p for p in points if p.trusted == trusted and p.D_cm2_s > 0]
        values = np.array([_value(p, quantity) for p in own])
        bars = np.array([1.96 * (p.error_cm2_s or 0.0) / p.D_cm2_s for p in own]) * values
        trace.x, trace.y = [1000 / p.temperature_K for p in own], values
        # On a logarithmic axis a bar that reaches zero has no end: it is cut a decade below.
        trace.error_y.update(array=bars, arrayminus=np.minimum(bars, 0.9 * values))


def _value(point: TransportPoint, quantity: str) -> float:
    return point.D_cm2_s if quantity == BY_D else point.sigma_S_cm * point.temperature_K


def _stretch(line: Line | None, far: bool) -> np.ndarray:
    """The extrapolated part (with the point where it begins), or the rest."""
    if line is None:
        return np.zeros(0, dtype=bool)
    beyond = line.extrapolated
    return beyond | np.append(beyond[1:], False) if far and beyond.any() else (~beyond if not far else beyond)


def _faint(colour: str, opacity: float) -> str:
    return f"rgba({','.join(str(int(colour[at : at + 2], 16)) for at in (1, 3, 5))},{opacity})"


def _sentence(name: str, line: Line | None, why: str) -> str:
    if line is not None:
        return f"<div><b>{theme.escape(name)}</b>: {theme.escape(line.words)}</div>"
    return f"<div>{muted(f'{name}: no line yet. {why}')}</div>"


def _table(points: Sequence[TransportPoint]) -> str:
    """The values, one row each; everything that came from a file is escaped."""
    if not points:
        return muted("waiting for the first diffusion coefficients")
    head = ("structure", "T (K)", "D (cm²/s)", "95 % ±", "σ (S/cm)", "ps", "runs", "remark")
    rows = []
    for one in points:
        bar = "" if one.error_cm2_s is None else f"{1.96 * one.error_cm2_s:.1e}"
        sigma = f"{one.sigma_S_cm:.2e}" if one.D_cm2_s > 0 else ""
        numbers = (f"{one.temperature_K:g}", f"{one.D_cm2_s:.2e}", bar, sigma, f"{one.length_ps:.3g}", one.n_runs)
        rows.append((one.name, *numbers, f"doubtful: {one.warning}" if one.warning else ""))
    body = "".join("<tr>" + "".join(f"<td>{theme.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    title = "".join(f'<th style="text-align:left">{cell}</th>' for cell in head)
    return f'<table class="lk-facts" aria-label="Transport"><tr>{title}</tr>{body}</table>'
