"""Where a phase turns into another of its own composition: compounds that melt, polymorphs, extrema of lenses.

The one idea: a field within another phase closes where its least height over that phase is zero, and this height is a
straight line in T over half a kelvin.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from labkit.phase_diagrams.phases_base import Phase

if TYPE_CHECKING:
    from labkit.phase_diagrams.equilibrium import Equilibrium, TieLine

#: How often the temperature may be looked for further away; the points among which the least height is, and how far
#: (atomic fraction) beside the field they reach.
SECANTS, POINTS, BESIDE = 8, 201, 0.02


@dataclass(frozen=True)
class Congruent:
    """`low`, the phase below `temperature_K`, turns into `high` without a change of composition.

    kind: "congruent melting" of a solid, else "congruent transformation", such as of a compound that loses its order.
    """

    temperature_K: float
    low: str
    high: str
    composition: float
    kind: str

    @property
    def reaction(self) -> str:
        """What happens on cooling, such as "liquid → AB"."""
        return f"{self.high} → {self.low}"


def congruent_points(rows: Sequence[Equilibrium], closing_K: float) -> list[Congruent]:
    """Return congruent points inside of the diagram between neighbouring rows at most `closing_K` apart, rising in T.

    Melting points of the elements, x = 0 and 1, are not among them.
    """
    found = []
    for below, above in pairwise(rows):
        if above.temperature_K - below.temperature_K > 1.01 * closing_K:
            continue
        named = {phase.name: phase for phase in below.phases}
        kelvin = np.array([below.temperature_K, above.temperature_K])
        # Outer phase, inner phase, where; and whether the inner one is that below.
        pairs = [(one.phase1, one.phase2, one.x1, two.x2, True) for one, two in _closing(below, above)]
        pairs += [(one.phase1, one.phase2, one.x1, two.x2, False) for one, two in _closing(above, below)]
        pairs += [(high, low, x, x, True) for low, high, x in _polymorphs(below, above)]
        for outer, inner, left, right, inner_below in pairs:
            if point := _solved(named[outer], named[inner], (left, right), kelvin):
                low, high = (inner, outer) if inner_below else (outer, inner)
                kind = "melting" if named[high].is_liquid and not named[low].is_liquid else "transformation"
                found.append(Congruent(point[0], low, high, point[1], f"congruent {kind}"))
    return found


def _polymorphs(below: Equilibrium, above: Equilibrium) -> list[tuple[str, str, float]]:
    """Compounds (below, above, x) that take each other's place at one composition."""
    line = {phase.name: phase.compositions[0] for phase in below.phases if phase.line and 0 < phase.compositions[0] < 1}
    low, high = (
        {line[one.phase]: one.phase for one in row.single_phase if one.phase in line} for row in (below, above)
    )
    return [(low[x], high[x], x) for x in low if x in high and low[x] != high[x]]


def _closing(with_it: Equilibrium, without: Equilibrium) -> list[tuple[TieLine, TieLine]]:
    """The tie-lines on both sides of a phase that lies in another, where there are fewer of them in the other row."""
    inside = [(one, two) for one, two in pairwise(with_it.tie_lines) if _inside(one, two)]
    left = Counter((one.phase1, one.phase2) for one, two in pairwise(without.tie_lines) if _inside(one, two))
    counts = Counter((one.phase1, one.phase2) for one, _ in inside)
    return [
        (one, two)
        for one, two in inside
        if left[one.phase1, one.phase2] < counts[one.phase1, one.phase2]
        and any(
            field.phase == one.phase1 and field.lowest < 0.5 * (one.x2 + two.x1) < field.highest
            for field in without.single_phase
        )
    ]


def _inside(one: TieLine, two: TieLine) -> bool:
    return one.phase1 == two.phase2 != one.phase2


def _solved(outer: Phase, inner: Phase, x: tuple[float, float], T: np.ndarray) -> tuple[float, float] | None:
    """Temperature and composition at which f_inner - f_outer touches zero from above, from two temperatures (2,)."""
    step = float(T[1] - T[0])
    limits = [np.clip(at, *inner.compositions) for at in (x[0] - BESIDE, x[1] + BESIDE)]
    limits = [float(np.clip(at, *outer.compositions)) for at in limits]
    # A phase thinner than the grid is seen a little late: then the zero lies beside the two rows.
    for _ in range(SECANTS):
        (low, x_low), (high, x_high) = (_lowest(outer, inner, limits, one) for one in T.tolist())
        if not np.isfinite([low, high]).all() or low == high:
            return None
        part = low / (low - high)
        if -0.01 <= part <= 1.01:
            return float(T[0] + part * (T[1] - T[0])), float(x_low + part * (x_high - x_low))
        T = np.clip(T[0] + part * (T[1] - T[0]) + step * np.array([-0.5, 0.5]), 0.0, None)
    return None


def _lowest(outer: Phase, inner: Phase, limits: Sequence[float], temperature_K: float) -> tuple[float, float]:
    """The least f_inner - f_outer (eV/atom) within `limits`, and where: a parabola through the lowest three points."""
    x = np.unique(np.linspace(*limits, POINTS))
    height = np.asarray(inner.free_energy(x, temperature_K)) - np.asarray(outer.free_energy(x, temperature_K))
    best = int(height.argmin())
    if not 0 < best < len(x) - 1:
        return float(height[best]), float(x[best])
    before, here, after = height[best - 1 : best + 2].tolist()
    bend = before - 2 * here + after
    shift = 0.5 * (before - after) / bend if bend > 0 else 0.0
    return here - 0.25 * (before - after) * shift, float(x[best] + shift * (x[1] - x[0]))
