"""What the barriers say about transport, as HTML: percolation in one, two and three dimensions, and along each axis.

Nothing is claimed that is not known: with hops still missing, a barrier is an upper bound and its absence means little.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from . import theme
from .hop_model import HopModel
from .panel import muted

if TYPE_CHECKING:
    from labkit.simulators.hops import HopNetwork
    from labkit.simulators.hops_percolation import Percolation


def percolation_html(model: HopModel) -> str:
    """Return the read-out for the barriers that are known by now."""
    total, known = len(model.network.hops), len(model.barriers)
    if not known:
        return muted(f"none of the {total} barriers is known yet")
    found = model.percolation()
    missing = found.missing_hops
    rows = [
        f"<tr><th>{words}</th><td>{barrier_words(value, len(missing))}</td><td>{theme.escape(_where(found, rank))}</td>"
        f"<td>{theme.escape(_limit(found, rank, model.network))}</td></tr>"
        for rank, (words, value) in enumerate(
            zip(("in one dimension", "in two dimensions", "in three dimensions"), found.barriers_eV, strict=True)
        )
    ]
    along = model.along()
    rows += [
        f"<tr><th>along {theme.escape(name)}</th><td>{barrier_words(value, len(missing))}</td><td></td><td></td></tr>"
        for name, value in along.items()
    ]
    head = "<tr><th></th><th>barrier</th><th>directions</th><th>limiting hop</th></tr>"
    note = f"{known} of {total} barriers known" + (
        f"; those of {_names(model, missing)} are not: barriers are upper bounds" if missing else ""
    )
    table = f'<table class="lk-errors">{head}{"".join(rows)}</table>'
    lines = [note, *anisotropy_words(along, len(missing))]
    return table + "".join(f'<div class="lk-muted">{theme.escape(line)}</div>' for line in lines)


def barrier_words(value: float, missing: int) -> str:
    """Return a barrier, an upper bound while hops are missing, or why there is none."""
    if math.isfinite(value):
        return f"{'≤ ' if missing else ''}{value:.3f} eV"
    return "not known yet" if missing else "never by these hops"


def anisotropy_words(along: dict[str, float], missing: int) -> list[str]:
    """Return which axis is easiest and by how much; nothing while hops are missing or nothing leads through."""
    finite = sorted((value, name) for name, value in along.items() if math.isfinite(value))
    if missing or not finite:
        return []
    easy, name = finite[0]
    rest = [f"{other} +{value - easy:.3f} eV" for value, other in finite[1:]]
    rest += [f"{other} never" for other, value in along.items() if not math.isfinite(value)]
    return [f"easiest along {name}; {', '.join(rest)}"] if rest else []


def _where(found: Percolation, rank: int) -> str:
    return ", ".join("[" + "".join(_digit(one) for one in vector) + "]" for vector in found.directions[rank])


def _digit(value: int) -> str:
    return str(value) if value >= 0 else f"{-value}\u0305"


def _limit(found: Percolation, rank: int, network: HopNetwork) -> str:
    hop = found.limiting_hops[rank]
    return "" if hop is None else network.hops[hop].name


def _names(model: HopModel, missing: tuple[int, ...], most: int = 3) -> str:
    names = [model.network.hops[index].name for index in missing]
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
