"""The funnel of a campaign as a picture, and what it costs: a bar for each stage, a line for each price."""

from __future__ import annotations

import math
from collections.abc import Sequence

from . import theme
from .curves import figure_layout
from .figure import Figure
from .run_model import clock
from .screening_model import VERDICTS, StageLine

_COLOURS = {**VERDICTS, "running": theme.BLUE}
#: From what is certain to what is open.
PARTS = ("passed", "rejected", "failed", "running", "waiting")
_BAR_PX, _FRAME_PX = 34, 74


class Funnel(Figure):
    """One bar for each stage, the first on top: passed, rejected, failed, running, waiting."""

    def __init__(self) -> None:
        layout = figure_layout(_FRAME_PX + _BAR_PX, "Candidates", "")
        layout |= {"barmode": "stack", "bargap": 0.28, "margin": {"l": 20, "r": 16, "t": 28, "b": 36}}
        layout["yaxis"] |= {"autorange": "reversed", "ticks": "", "gridcolor": "rgba(0,0,0,0)"}
        layout["xaxis"] |= {"rangemode": "tozero", "tickformat": ",d", "nticks": 6}
        layout["uniformtext"] = {"mode": "hide", "minsize": 9}
        layout["legend"] |= {"traceorder": "normal"}
        traces = [
            {"type": "bar", "orientation": "h", "name": part, "x": [], "y": [], "marker": {"color": _COLOURS[part]},
             "textposition": "inside", "insidetextanchor": "middle", "textangle": 0, "constraintext": "inside",
             "hovertemplate": "%{y}: %{x:,} " + part + "<extra></extra>"}
            for part in PARTS
        ]  # fmt: skip
        super().__init__(layout, traces)

    def draw(self, stages: Sequence[StageLine]) -> None:
        """Show these stages."""
        names = [theme.escape(one.stage_name) for one in stages]
        with self.batch_update():
            for trace, part in zip(self.data, PARTS, strict=True):
                counts = [getattr(one, part) for one in stages]
                trace.y, trace.x, trace.text = names, counts, [f"{one:,}" if one else "" for one in counts]
            height = _FRAME_PX + _BAR_PX * max(1, len(stages))
            if self.layout.height != height:
                self.layout.height = height


def cost_html(stages: Sequence[StageLine], cost: tuple[float, float, list[str]]) -> str:
    """Return a table of prices: mean, spent and to come of each stage (CPU time), and the sums."""
    if not stages:
        return '<span class="lk-muted">no stage has begun</span>'
    spent, left, unknown = cost
    head = "".join(f"<th>{one}</th>" for one in ("", "mean", "spent", "to come"))
    rows = "".join(
        f"<tr><th>{theme.escape(one.stage_name)}</th><td>{_time(one.mean_cpu_s)}</td><td>{_time(one.cpu_s)}</td>"
        f"<td>{_time(one.to_come_cpu_s)}</td></tr>"
        for one in stages
    )
    more = "more than " if unknown else ""
    total = f"<tr><th>all</th><td></td><td>{_time(spent)}</td><td>{more}{_time(left)}</td></tr>"
    note = "CPU time; to come: mean cost times those that wait and those still expected."
    note += f" Not known yet: {', '.join(unknown)}." if unknown else ""
    return (
        f'<table class="lk-errors"><tr>{head}</tr>{rows}{total}</table><div class="lk-muted">{theme.escape(note)}</div>'
    )


def _time(seconds: float) -> str:
    if not math.isfinite(seconds):
        return "not known"
    if 0 < seconds < 1:
        return f"{1000 * seconds:.0f} ms" if seconds >= 0.001 else "< 1 ms"
    return f"{seconds:.1f} s" if 1 <= seconds < 10 else clock(seconds)
