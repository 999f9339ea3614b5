"""The ladder of quality levels with its lamps, and the cost so far, as HTML: never colour alone, every text escaped."""

from __future__ import annotations

import numpy as np

from . import theme
from .active_learning_model import Cost, Limits, Rung
from .run_model import clock

_WORDS = {"reached": "reached", "now": "working on it", "not yet": "not reached"}
_FILL = {"reached": theme.GREEN, "now": theme.BLUE, "not yet": "transparent"}
_LAMP = "display:inline-block;width:13px;height:13px;border-radius:50%;box-sizing:border-box"
_STAGES = (("explore", "explore_s", theme.BLUE), ("label", "label_s", theme.ORANGE), ("train", "train_s", theme.GREEN))


def ladder_html(rungs: list[Rung]) -> str:
    """Return the levels side by side, a lamp and a line for each, from the first to the last."""
    if not rungs:
        return '<span class="lk-muted">this run has no quality levels</span>'
    arrow = '<span class="lk-muted" style="align-self:center">→</span>'
    row = "display:flex;flex-wrap:wrap;gap:6px 14px;margin:4px 0"
    return f'<div style="{row}" role="list">{arrow.join(_rung(rung) for rung in rungs)}</div>'


def _rung(rung: Rung) -> str:
    glow = f"box-shadow:0 0 0 3px {theme.BLUE}44;" if rung.lamp == "now" else ""
    border = theme.GREY if rung.lamp == "not yet" else _FILL[rung.lamp]
    lamp = f'<span style="{_LAMP};{glow}background:{_FILL[rung.lamp]};border:2px solid {border}"></span>'
    rounds = f"{rung.rounds} round{'s' * (rung.rounds != 1)}"
    facts = [rung.reference, *([limits_words(rung.limits)] if np.isfinite(rung.limits.lower) else []), rounds]
    facts = " · ".join(theme.escape(one) for one in facts if one)
    return (
        f'<div role="listitem" data-lamp="{rung.lamp}" style="display:flex;gap:9px;align-items:flex-start">'
        f'<span style="padding-top:4px">{lamp}</span><div><b>{theme.escape(rung.name)}</b> '
        f'<span class="lk-muted">{_WORDS[rung.lamp]}</span><br><span class="lk-muted">{facts}</span></div></div>'
    )


def limits_words(limits: Limits) -> str:
    """Return both thresholds as people write them."""
    if not np.isfinite(limits.upper):
        return f"from {limits.lower:.3g} eV/Å"
    return f"{limits.lower:.3g} to {limits.upper:.3g} eV/Å"


def cost_html(cost: Cost) -> str:
    """Return labels and CPU time, and a bar of what the time went into."""
    total = cost.explore_s + cost.label_s + cost.train_s
    head = f"<div><b>{theme.escape(cost.words())}</b></div>"
    if total <= 0:
        return head
    parts = [(name, getattr(cost, field), colour) for name, field, colour in _STAGES]
    strips = "".join(
        f'<span title="{name} {clock(seconds)}" style="width:{100 * seconds / total:.2f}%;background:{colour}"></span>'
        for name, seconds, colour in parts
    )
    words = "".join(
        f'<span><i style="background:{colour};border-radius:2px"></i>{name} {clock(seconds)}</span>'
        for name, seconds, colour in parts
    )
    bar = f'<div style="display:flex;height:9px;border-radius:3px;overflow:hidden;margin:4px 0 2px 0">{strips}</div>'
    return f'{head}{bar}<div class="lk-legend lk-muted">{words}</div>'
