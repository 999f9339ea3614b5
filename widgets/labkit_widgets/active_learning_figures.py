"""The plots of an active-learning campaign: histogram of predicted errors; verdicts, errors and calibration by round.

Each is a figure with one `draw`; the colours of the verdicts are those of `labkit.plots.grade_histogram`.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from . import theme
from .active_learning_model import VERDICTS, Limits
from .curves import figure_layout
from .figure import Figure

COLOURS = dict(zip(VERDICTS, (theme.GREEN, theme.ORANGE, theme.RED), strict=True))
BINS = 36
_PURPLE = theme.PALETTE["purple"]
_LOG = {"type": "log", "tickformat": "~g", "nticks": 6}
_PALE = "rgba(138,143,152,0.55)"
_LEGEND = {"traceorder": "normal"}


class GradeHistogram(Figure):
    """Predicted errors of the explored structures of a round, stacked by verdict, and both thresholds."""

    def __init__(self, height: int) -> None:
        layout = figure_layout(height, "Predicted error of the worst atom (eV/Å)", "Structures")
        bars = [_bar(name) for name in VERDICTS]
        lines = [_line("lower threshold", theme.BLUE, dash="dash"), _line("upper threshold", _PURPLE, dash="dash")]
        layout["xaxis"] |= _LOG
        layout["legend"] |= _LEGEND
        super().__init__({**layout, "barmode": "stack", "bargap": 0}, bars + lines)

    def draw(self, grades: pd.DataFrame, limits: Limits | None, log: bool = True) -> int:
        """Show a round's grades; returns how many of them are no numbers (or not positive on the logarithmic axis)."""
        values = grades["predicted_eV_A"].to_numpy(float) if len(grades) else np.zeros(0)
        verdicts = grades["verdict"].to_numpy(str) if len(grades) else np.zeros(0, str)
        usable = np.isfinite(values) & ((values > 0) | (not log))
        ends = [] if limits is None else [one for one in (limits.lower, limits.upper) if np.isfinite(one) and one > 0]
        edges = bin_edges(values[usable], ends, log)
        counts = {name: np.histogram(values[usable & (verdicts == name)], edges)[0] for name in VERDICTS}
        top = 1.06 * max(1.0, float(sum(counts.values()).max()))
        with self.batch_update():
            self.layout.xaxis.type = "log" if log else "linear"
            self.layout.yaxis.range = [0, top]
            for trace, name in zip(self.data[:3], VERDICTS, strict=True):
                trace.x, trace.y, trace.width = (edges[1:] + edges[:-1]) / 2, counts[name], np.diff(edges)
                trace.name = f"{name} ({int((verdicts == name).sum())})"
            for place, name in enumerate(("lower", "upper")):
                at, line = getattr(limits, name, np.nan), self.data[3 + place]
                shown = np.isfinite(at)
                line.x, line.y = ([at, at], [0, top]) if shown else ([], [])
                line.name = f"{name} threshold {at:.3g}" if shown else f"no {name} threshold"
        return int((~usable).sum())


class VerdictBars(Figure):
    """Accurate, candidate and failed structures of each round, stacked."""

    def __init__(self, height: int) -> None:
        layout = figure_layout(height, "Round", "Explored structures")
        layout["legend"] |= _LEGEND
        super().__init__({**layout, "barmode": "stack", "bargap": 0.25}, [_bar(name) for name in VERDICTS])

    def draw(self, rounds: pd.DataFrame, starts: dict[int, str]) -> None:
        """Show all rounds; `starts` names the level that begins at a round."""
        with self.batch_update():
            for trace, name in zip(self.data, VERDICTS, strict=True):
                trace.x, trace.y = (rounds["step"], rounds[name]) if len(rounds) else ([], [])
            _round_ticks(self, rounds, starts)


class ErrorCurve(Figure):
    """Root mean square force error of the committee by round, and of its members on their validation sets."""

    def __init__(self, height: int, has_test: bool) -> None:
        layout = figure_layout(height, "Round", "Force RMSE (eV/Å)")
        layout["yaxis"] |= {**_LOG, "nticks": 4}
        words = "committee, test set" if has_test else "committee, new labels"
        dots = {"color": theme.PALETTE["sky_blue"], "size": 5, "opacity": 0.8}
        members = _line("members, validation", dots["color"], mode="markers", marker=dots)
        super().__init__(layout, [members, _line(words, theme.BLUE)])

    def draw(self, rounds: pd.DataFrame, members: pd.DataFrame, starts: dict[int, str]) -> None:
        """Show all rounds."""
        with self.batch_update():
            for trace, rows, column in zip(self.data, (members, rounds), ("round", "step"), strict=True):
                good = rows[np.isfinite(rows["force_rmse_eV_A"])] if len(rows) else rows
                trace.x, trace.y = (good[column], good["force_rmse_eV_A"]) if len(good) else ([], [])
            _round_ticks(self, rounds, starts)


class CalibrationCurve(Figure):
    """Expected normalised calibration error by round: 0 for a committee that knows how wrong it is."""

    def __init__(self, height: int) -> None:
        layout = figure_layout(height, "Round", "ENCE (1)")
        layout["yaxis"] |= {"rangemode": "tozero"}
        super().__init__(layout, [_line("calibration error", _PURPLE, showlegend=False)])

    def draw(self, rounds: pd.DataFrame, starts: dict[int, str]) -> None:
        """Show all rounds."""
        good = rounds[np.isfinite(rounds["ence"])] if len(rounds) else rounds
        with self.batch_update():
            self.data[0].x, self.data[0].y = (good["step"], good["ence"]) if len(good) else ([], [])
            _round_ticks(self, rounds, starts)


class ReliabilityDiagram(Figure):
    """Predicted against observed errors, bin by bin, of one round and the one before it; right is on the diagonal."""

    def __init__(self, height: int) -> None:
        layout = figure_layout(height, "Predicted error (eV/Å)", "Observed error (eV/Å)")
        layout["xaxis"] |= {**_LOG, "nticks": 4}
        layout["yaxis"] |= {**_LOG, "nticks": 4}
        ideal = _line("ideal", theme.GREY, mode="lines", dash="dot", hoverinfo="skip")
        super().__init__(layout, [ideal, _line("before", _PALE), _line("this round", theme.BLUE)])

    def draw(self, rows: pd.DataFrame, before: pd.DataFrame, number: int) -> None:
        """Show the bins of round `number` and of the round before it."""
        pairs = [_positive(one) for one in (before, rows)]
        drawn = np.concatenate([np.ravel(pair) for pair in pairs])
        ends = [float(drawn.min()) * 0.8, float(drawn.max()) * 1.25] if len(drawn) else [0.01, 1.0]
        with self.batch_update():
            self.data[0].x, self.data[0].y = ends, ends
            for trace, (x, y) in zip(self.data[1:], pairs, strict=True):
                trace.x, trace.y = x, y
            # Of all three, because a batch that names one trace forgets the names of the others.
            names = ("ideal", f"round {number - 1}", f"round {number}")
            for trace, name, seen in zip(self.data, names, (True, len(pairs[0][0]) > 0, True), strict=True):
                trace.name, trace.showlegend = name, seen
            span = [float(one) for one in np.log10(ends)]
            self.layout.xaxis.range, self.layout.yaxis.range = span, span


def bin_edges(values: np.ndarray, ends: list[float], log: bool) -> np.ndarray:
    """Edges of some `BINS` bins, equal on the axis, which cover all values and the thresholds `ends`.

    The first threshold is one of the edges, so that no bar has structures of both sides.
    """
    covered = np.concatenate([values, ends]) if len(values) or ends else np.array([0.01, 1.0])
    covered = np.log(covered) if log else np.append(covered, 0.0)
    low, high = float(covered.min()), float(covered.max())
    width = ((high - low) or 1.0) / BINS
    origin = (np.log(ends[0]) if log else ends[0]) if ends else low
    before, after = (int(np.ceil(span / width)) + 1 for span in (origin - low, high - origin))
    edges = origin + width * np.arange(-before, after + 1)
    return np.exp(edges) if log else edges[edges > low - width]


def _bar(name: str) -> dict:
    hover = f"%{{y}} {name}<extra></extra>"
    return {"type": "bar", "x": [], "y": [], "name": name, "marker": {"color": COLOURS[name], "line": {"width": 0}},
            "hovertemplate": hover}  # fmt: skip


def _line(name: str, colour: str, dash: str = "solid", mode: str = "", **more: object) -> dict:
    line = {"color": colour, "width": 1.8, "dash": dash}
    mode = mode or ("lines+markers" if dash == "solid" else "lines")
    shared = {"type": "scatter", "x": [], "y": [], "marker": {"size": 6}}
    return {**shared, "name": name, "mode": mode, "line": line, **more}


def _positive(rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    if not len(rows):
        return np.zeros(0), np.zeros(0)
    rows = rows.sort_values("bin")
    x, y = rows["predicted_eV_A"].to_numpy(float), rows["observed_eV_A"].to_numpy(float)
    good = np.isfinite(x) & np.isfinite(y) & (x > 0) & (y > 0)
    return x[good], y[good]


def _round_ticks(figure: Figure, rounds: pd.DataFrame, starts: dict[int, str]) -> None:
    """Whole rounds on the axis; under the first round of a level stands its name when there is more than one."""
    numbers = [int(one) for one in rounds["step"]] if len(rounds) else [0]
    every = max(1, -(-len(numbers) // 12))
    begin = starts if len(starts) > 1 else {}
    shown = [one for one in numbers if one in begin or (one - numbers[0]) % every == 0]
    figure.layout.xaxis.tickvals = shown
    figure.layout.xaxis.ticktext = [
        f"{one}<br>{theme.escape(begin[one])}" if one in begin else f"{one}" for one in shown
    ]
    figure.layout.xaxis.range = [numbers[0] - 0.6, numbers[-1] + 0.6]
