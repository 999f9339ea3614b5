"""What an exploration has to say in words: its counters, why searches failed, and which structure is shown.

Failures that differ only in their numbers are one line, with how often it happened and the newest of them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pandas as pd

from labkit.runs import ACTIVE

from . import theme
from .exploration_model import MINIMUM, Counts, Point
from .run_model import clock

if TYPE_CHECKING:
    from labkit.landscapes.network import KineticNetwork

MOST_REASONS = 6
_NUMBERS = re.compile(r"[-+]?\d+(\.\d+)?([eE][-+]?\d+)?")
_CELL = "display:flex;flex-direction:column;min-width:84px"
_BIG = "font-size:19px;line-height:24px;font-weight:600;font-variant-numeric:tabular-nums"


def counters_html(counts: Counts) -> str:
    """Return the counters side by side; what the run does not say is left out."""
    known = [
        (f"{counts.minima:,}", "minimum" if counts.minima == 1 else "minima"),
        (f"{counts.transition_states:,}", "transition state" + "s" * (counts.transition_states != 1)),
        (f"{counts.components:,}", "separate part" + "s" * (counts.components != 1)),
    ]
    if counts.searches is not None:
        known.append((f"{counts.searches:,}", f"saddle search{'es' * (counts.searches != 1)} tried"))
    known.append((f"{counts.failed_searches:,}", f"saddle search{'es' * (counts.failed_searches != 1)} failed"))
    if counts.failed_others:
        known.append((f"{counts.failed_others:,}", f"other failure{'s' * (counts.failed_others != 1)}"))
    if counts.evaluations is not None:
        known.append((f"{counts.evaluations:,}", "evaluations"))
    if counts.lowest_eV is not None:
        known.append((f"{counts.lowest_eV:.3f} eV", "lowest energy"))
    if counts.evaluations and counts.time_s:
        known.append((f"{1000 * counts.time_s / counts.evaluations:.3g} ms", "per evaluation"))
    cells = "".join(
        f'<div role="listitem" style="{_CELL}"><span style="{_BIG}">{theme.escape(value)}</span>'
        f'<span class="lk-muted">{theme.escape(words)}</span></div>'
        for value, words in known
    )
    return f'<div role="list" style="display:flex;flex-wrap:wrap;gap:4px 22px;margin:6px 0">{cells}</div>'


def failures_html(failures: pd.DataFrame) -> str:
    """Return the reasons of failures, the most frequent first, with how often each of them happened."""
    if not {"stage", "reason"} <= set(failures.columns) or not len(failures):
        return '<span class="lk-muted">nothing has failed</span>'
    groups = grouped(failures)
    rows = "".join(
        f'<tr><td style="text-align:right">{count:,}</td><td style="text-align:left">{theme.escape(stage)}</td>'
        f'<td style="text-align:left;white-space:normal">{theme.escape(reason)}</td></tr>'
        for stage, reason, count in groups[:MOST_REASONS]
    )
    rest = sum(count for _, _, count in groups[MOST_REASONS:])
    more = f'<div class="lk-muted">and {rest:,} more, for {len(groups) - MOST_REASONS:,} other reasons</div>' * (
        rest > 0
    )
    head = (
        "<tr><th>times</th><th style='text-align:left'>stage</th><th style='text-align:left'>reason, newest</th></tr>"
    )
    return f'<table class="lk-errors">{head}{rows}</table>{more}'


def grouped(failures: pd.DataFrame) -> list[tuple[str, str, int]]:
    """(stage, newest reason, count) of each kind of failure: reasons that differ only in their numbers are one kind."""
    found: dict[tuple[str, str], tuple[str, int]] = {}
    rows = failures[["stage", "reason"]].fillna("no reason given").astype(str)
    for stage, reason in rows.itertuples(index=False):
        kind = (stage, _NUMBERS.sub("#", reason))
        found[kind] = reason, found.get(kind, ("", 0))[1] + 1
    ordered = sorted(found.items(), key=lambda item: -item[1][1])
    return [(stage, reason, count) for (stage, _), (reason, count) in ordered]


def point_words(network: KineticNetwork, point: Point) -> str:
    """One line on a stationary point: number, energy, what it connects or how many lines end at it, what found it."""
    lowest = network.global_minimum.energy_eV
    if point.kind == MINIMUM:
        one = network.minima[point.number]
        height, edges = one.energy_eV - lowest, len(network.transition_states_of(point.number))
        parts = [f"minimum {point.number}", "the lowest" if height == 0 else f"{height:.3f} eV above the lowest"]
        parts.append(f"{edges} transition state{'s' * (edges != 1)}")
    else:
        one = network.transition_states[point.number]
        i, j = one.minima
        ends = [f"{one.energy_eV - network.minima[end].energy_eV:.3f} eV from {end}" for end in (i, j)]
        between = f"minimum {i} with itself" if i == j else f"minima {i} and {j}"
        parts = [f"transition state {point.number}", between, "barrier " + " and ".join(dict.fromkeys(ends))]
    found_by = str(one.info.get("found_by", ""))
    search = " search" if found_by.endswith("-ended") else ""
    return " · ".join([*parts, *([f"found by: {found_by}{search}"] if found_by else [])])


def end_words(state: str, counts: Counts) -> str:
    """What is true once the run is over; "" while it works."""
    if not counts.minima:
        return "" if state in ACTIVE else "The exploration is over and has found no minimum."
    found = f"{counts.minima:,} minima and {counts.transition_states:,} transition states"
    if state == "finished":
        took = f" after {clock(counts.time_s)}" if counts.time_s else ""
        return f"The exploration has ended with {found}{took}."
    if state in ("cancelled", "failed", "interrupted"):
        return f"The exploration stopped at {found}; they are kept, and Resume goes on from them."
    return ""
