"""Temperatures at which three phases are in equilibrium: eutectics, peritectoids, monotectics and their kin.

The one idea: within a bracket of half a kelvin the height of the third phase over the tie-line of the other two
is a straight line in T; its zero is the invariant temperature.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from labkit.phase_diagrams.binary_reactions import kind, written
from labkit.phase_diagrams.equilibrium_tangents import common_tangent, minimum_of
from labkit.phase_diagrams.phases_base import Phase

if TYPE_CHECKING:
    from labkit.phase_diagrams.equilibrium import Equilibrium, TieLine

#: How often the temperature of an invariant may be looked for further away.
SECANTS = 8
#: How far the end of a tie-line may move (atomic fraction) between neighbouring rows.
NEAR = 0.02


@dataclass(frozen=True)
class Invariant:
    """Three phases in equilibrium at one temperature, from low x to high.

    decomposes: whether the middle phase is stable above only and decomposes into the others on cooling; else it is
    stable below only and forms from them. kind: "eutectic", "eutectoid", "peritectic", ... (`binary_reactions.kind`).
    """

    temperature_K: float
    phases: tuple[str, str, str]
    compositions: tuple[float, float, float]
    decomposes: bool
    kind: str

    @property
    def reaction(self) -> str:
        """What happens on cooling, such as "liquid → fcc + bcc"."""
        return written(self.phases, decomposes=self.decomposes)


def invariants(rows: Sequence[Equilibrium], closing_K: float) -> list[Invariant]:
    """Return the invariants between neighbouring rows that are at most `closing_K` apart, rising in temperature."""
    found = []
    for below, above in pairwise(rows):
        if above.temperature_K - below.temperature_K > 1.01 * closing_K:
            continue
        for with_it, without in ((above, below), (below, above)):
            ties = with_it.tie_lines
            for one, two in pairwise(ties):
                if any(_joins(three, one, two) for three in without.tie_lines):
                    kelvin = below.temperature_K, above.temperature_K
                    solved = _solved(with_it.phases, one, two, *kelvin, decomposes=with_it is above)
                    found += [solved] if solved else []
    return found


def unsettled(rows: Sequence[Equilibrium], closing_K: float) -> list[tuple[float, float]]:
    """Neighbouring temperatures (K) between which a tie-line seems to become two others that begin or end elsewhere.

    Near the extremum of a lens compositions run away from an invariant like a square root; closer rows settle it.
    """
    found = []
    for below, above in pairwise(rows):
        if above.temperature_K - below.temperature_K > 1.01 * closing_K:
            continue
        threes = [
            (tie, one, two)
            for with_it, without in ((above, below), (below, above))
            for tie in without.tie_lines
            for one, two in pairwise(with_it.tie_lines)
            if not any(_same(tie, other) for other in with_it.tie_lines)
        ]
        if any(_overlap(*three) for three in threes) and not any(_joins(*three) for three in threes):
            found.append((below.temperature_K, above.temperature_K))
    return found


def _same(tie: TieLine, other: TieLine) -> bool:
    """Whether a tie-line goes on in the neighbouring row."""
    same = (tie.phase1, tie.phase2) == (other.phase1, other.phase2)
    return same and abs(tie.x1 - other.x1) < NEAR and abs(tie.x2 - other.x2) < NEAR


def _joins(tie: TieLine, one: TieLine, two: TieLine) -> bool:
    """Whether a tie-line spans the field between two others of the neighbouring row, from the same ends."""
    near = abs(tie.x1 - one.x1) < NEAR and abs(tie.x2 - two.x2) < NEAR
    return near and _overlap(tie, one, two) and tie.x1 < two.x1 and tie.x2 > one.x2


def _overlap(tie: TieLine, one: TieLine, two: TieLine) -> bool:
    same = (tie.phase1, tie.phase2) == (one.phase1, two.phase2)
    return same and tie.x1 < two.x2 and tie.x2 > one.x1


def _solved(
    phases: Sequence[Phase], one: TieLine, two: TieLine, low_K: float, high_K: float, *, decomposes: bool
) -> Invariant | None:
    by_name = {phase.name: phase for phase in phases}
    three = by_name[one.phase1], by_name[one.phase2], by_name[two.phase2]
    x, T = (one.x1, 0.5 * (one.x2 + two.x1), two.x2), np.array([low_K, high_K])
    # A phase thinner than the grid is seen a little late: then the zero lies beside the bracket, and one looks there.
    for _ in range(SECANTS):
        at, height = _height(three, T, x)
        if not np.isfinite(height).all() or height[0] == height[1]:
            return None
        root = T[0] + height[0] * (T[1] - T[0]) / (height[0] - height[1])
        part = (root - T[0]) / (T[1] - T[0])
        x = tuple(float(ends[0] + part * (ends[1] - ends[0])) for ends in at)
        if -0.01 <= part <= 1.01:
            break
        T = np.clip(root + 0.5 * np.array([low_K - high_K, high_K - low_K]), 0.0, None)
    else:
        return None
    return Invariant(
        float(root), tuple(phase.name for phase in three), x, decomposes, kind(three, decomposes=decomposes)
    )


def _height(
    three: tuple[Phase, Phase, Phase], T: np.ndarray, x: tuple[float, ...]
) -> tuple[list[np.ndarray], np.ndarray]:
    """Compositions at two temperatures, starting from `x`, and how far the middle phase lies above the tie-line."""
    first, middle, last = three
    x = [np.clip(np.full(2, one), *phase.compositions) for one, phase in zip(x, three, strict=True)]
    brackets = [
        np.stack([np.clip(at - 0.05, *phase.compositions), np.clip(at + 0.05, *phase.compositions)], axis=1)
        for at, phase in zip(x, three, strict=True)
    ]
    x1, x3, _ = common_tangent(first, last, T, (x[0], x[2]), (brackets[0], brackets[2]))
    f1 = first.free_energy(x1, T)
    slope = (last.free_energy(x3, T) - f1) / (x3 - x1)
    x2 = minimum_of(middle, T, slope, x[1], brackets[1])
    return [x1, x2, x3], middle.free_energy(x2, T) - f1 - slope * (x2 - x1)
