"""What the traces of a diagram hold: outlines, tie-lines, names; plain dictionaries, no widget.

The one idea: a figure is made with its first content inside, and later takes content of the same form.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from labkit.phase_diagrams.binary_invariants import Invariant
from labkit.phase_diagrams.phases import Phase

from . import theme
from .phase_diagram_fields import Ribbon, hatching, joined, ribbons
from .phase_diagram_labels import places
from .phase_diagram_rows import COMPOSITION, Row, potential_limits
from .phase_diagram_words import gap

Content = dict[str, dict[str, Any]]
INK = "#5b6370"
_NOTHING = np.zeros((0, 2))


def colours(count: int) -> list[str]:
    """Return a colour for each phase."""
    cycle = theme.palette()
    return [cycle[at % len(cycle)] for at in range(count)]


def faint(colour: str, share: float) -> str:
    """Return a hex colour that lets `1 - share` of what is behind it through."""
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red},{green},{blue},{share})"


def points(found: np.ndarray) -> dict[str, np.ndarray]:
    """Return a line (p, 2) as x and y in half the bytes."""
    x, y = np.ascontiguousarray(np.reshape(found, (-1, 2)).T, dtype="f4")
    return {"x": x, "y": y}


def limits_of(rows: Sequence[Row], axis: str) -> tuple[float, float]:
    """Return the range of the horizontal axis."""
    return (0.0, 1.0) if axis == COMPOSITION else potential_limits(rows)


def fields(
    phases: Sequence[Phase], rows: Sequence[Row], found: Sequence[Invariant], axis: str, size: tuple[float, float]
) -> Content:
    """Return fields, compounds, boundaries, invariants and names; `size` is that of the picture in pixels."""
    over_c, limits = axis == COMPOSITION, limits_of(rows, axis)
    parts = ribbons(rows, axis, limits)
    made: Content = {}
    for number, phase in enumerate(phases):
        mine = [one for one in parts if one.phases == (number,)]
        as_line = phase.line and over_c
        made[f"field {number}"] = points(joined([] if as_line else [one.polygon() for one in mine]))
        if phase.line:
            made[f"line {number}"] = points(joined([one.sides() for one in mine] if as_line else []))
    edges = [one.sides() for one in parts if len(one.phases) == (2 if over_c else 1)]
    three = [np.array([[x, one.temperature_K] for x in one.compositions]) for one in found]
    made["edges"] = points(joined(edges))
    made["hatch"] = points(hatching(rows) if over_c else _NOTHING)
    made["three"] = points(joined(three) if over_c else _NOTHING)
    return made | _names(phases, rows, parts, axis, size)


def _names(
    phases: Sequence[Phase], rows: Sequence[Row], parts: Sequence[Ribbon], axis: str, size: tuple[float, float]
) -> Content:
    limits, top = limits_of(rows, axis), rows[-1].temperature_K
    kelvin = (top - rows[0].temperature_K) / size[1]
    compounds = [one for one in parts if axis == COMPOSITION and len(one.phases) == 1 and phases[one.phases[0]].line]
    # Above the upper end of its line, unless that is the end of the diagram; pure elements beside it.
    taken = []
    for one in compounds:
        x, _, high = one.edges[-1]
        text = phases[one.phases[0]].name
        aside = (0.5 - x) * 18 / size[0] * len(text) / 2 if x in (0.0, 1.0) else 0.0
        taken.append((x + aside, high + (9 if top - high > 16 * kelvin else -9) * kelvin, text))

    def words(which: tuple[int, ...]) -> str:
        return gap([phases[number].name for number in which])

    found = [*taken, *places(rows, axis, limits, size, words, taken)]
    x, y, text = ([one[at] for one in found] for at in range(3))
    return {"names": {"x": x, "y": y, "text": [theme.escape(one) for one in text]}}
