"""Outlines of the fields of a diagram, over composition or over chemical potential.

The one idea: spans of the same phases that overlap at two neighbouring temperatures belong together; `binary_diagram`
has put its temperatures so close where fields end that nothing has to be guessed there.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .phase_diagram_rows import Row

#: A narrow field may move by more than its width between two temperatures.
REACH = -0.15
_GAP = np.full((1, 2), np.nan)


class Ribbon:
    """A field on its way up: `phases`, and `edges` (left, right, T) at each temperature."""

    def __init__(self, phases: tuple[int, ...], edge: tuple[float, float, float]) -> None:
        self.phases, self.edges = phases, [edge]

    def polygon(self) -> np.ndarray:
        """Return the closed outline (p, 2) of position and temperature."""
        found = np.array(self.edges)
        return np.concatenate([found[:, [0, 2]], found[::-1][:, [1, 2]], found[:1, [0, 2]]])

    def sides(self) -> np.ndarray:
        """Return both sides (p, 2), with a gap between them; one line where there is no width."""
        found = np.array(self.edges)
        if np.array_equal(found[:, 0], found[:, 1]):
            return found[:, [0, 2]]
        return np.concatenate([found[:, [0, 2]], _GAP, found[:, [1, 2]]])


def ribbons(rows: Sequence[Row], axis: str, limits: tuple[float, float]) -> list[Ribbon]:
    """Join the spans of rising temperatures into fields and, over composition, gaps."""
    done: list[Ribbon] = []
    alive: list[Ribbon] = []
    for row in rows:
        free, nexts = list(alive), []
        for phases, low, high in row.spans(axis, limits):
            edge = (low, high, row.temperature_K)
            old = max(
                (one for one in free if one.phases == phases and _overlap(one, low, high) > REACH),
                key=lambda one: _overlap(one, low, high),
                default=None,
            )
            if old is None:
                nexts.append(Ribbon(phases, edge))
                continue
            free.remove(old)
            old.edges.append(edge)
            nexts.append(old)
        done += free
        alive = nexts
    return done + alive


def hatching(rows: Sequence[Row], count: int = 26) -> np.ndarray:
    """Return tie-lines (p, 2) at about `count` even temperatures as one line with gaps."""
    found = np.array([row.temperature_K for row in rows])
    wanted = np.linspace(found[0], found[-1], count + 1)
    parts = []
    for at in np.unique(np.abs(found[None] - wanted[:, None]).argmin(axis=1)):
        for _, x1, _, x2, _ in rows[at].ties:
            parts.append(np.array([[x1, found[at]], [x2, found[at]]]))
    return joined(parts)


def joined(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Return lines (p, 2) as one, with gaps between them."""
    if not parts:
        return np.zeros((0, 2))
    return np.concatenate([piece for part in parts for piece in (part, _GAP)])[:-1]


def _overlap(one: Ribbon, low: float, high: float) -> float:
    left, right, _ = one.edges[-1]
    return min(high, right) - max(low, left)
