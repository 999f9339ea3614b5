"""Common tangents to many figures: from neighbours on a grid to the compositions that are in equilibrium.

The one idea: the slope of the chord is already right to second order in the errors of its ends, so one Newton step of
each end towards that slope converges quadratically, for all temperatures at once.
"""

from __future__ import annotations

import numpy as np
from scipy.special import expit, logit

from labkit.phase_diagrams.phases_base import Phase

#: ln[x/(1-x)] beyond these cannot be told from 0 and 1.
LOWEST, HIGHEST = -690.0, 36.0
STEPS = 60


def common_tangent(
    first: Phase, second: Phase, temperatures_K: np.ndarray, start: tuple[np.ndarray, np.ndarray],
    brackets: tuple[np.ndarray, np.ndarray], tolerance: float = 1e-9,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    """Solve f1'(x1) = f2'(x2) = [f2(x2) - f1(x1)]/(x2 - x1) = μ for x1 < x2 at each temperature.

    `start`: two arrays (k,); `brackets`: two arrays (k, 2) that each end must not leave. Steps are taken in
    ln[x/(1-x)], in which dilute ends are straight, until none is longer than `tolerance`; the error left is its square.
    Returns x1, x2 and whether each has converged.
    """
    T = np.asarray(temperatures_K, dtype=float)
    sides = [_Side(phase, T, *one, sign) for phase, one, sign in zip(
        (first, second), zip(start, brackets, strict=True), (1, -1), strict=True)]  # fmt: skip
    done = np.zeros(T.shape, bool)
    for _ in range(STEPS):
        one, two = (side.x for side in sides)
        width = np.where(np.abs(two - one) < 1e-13, 1e-13, two - one)
        slope = (second.free_energy(two, T) - first.free_energy(one, T)) / width
        moved = np.maximum(*(side.step(slope) for side in sides))
        done = moved < tolerance
        if done.all():
            break
    return sides[0].x, sides[1].x, done


def minimum_of(phase: Phase, T: np.ndarray, slope: np.ndarray, start: np.ndarray, bracket: np.ndarray) -> np.ndarray:
    """Return the x in `bracket` (k, 2) at which f - slope x is least, from `start`, at each temperature."""
    side = _Side(phase, np.asarray(T, float), start, bracket, 0)
    for _ in range(STEPS):
        if side.step(slope).max(initial=0.0) < 1e-9:
            break
    return side.x


class _Side:
    """One end of the tangents; `sign` says on which side the other end lies (a spinodal may be there)."""

    def __init__(self, phase: Phase, T: np.ndarray, start: np.ndarray, bracket: np.ndarray, sign: int) -> None:
        self.phase, self.T, self.sign = phase, T, sign
        if phase.line:
            self.x = np.full(T.shape, phase.compositions[0])
            return
        low, high = np.asarray(bracket, float).T
        inner = np.zeros(T.shape, bool)
        # Where a range ends inside of a spinodal the end itself is in equilibrium: no tangent lies beside it.
        for end in phase.compositions:
            there = np.abs(start - end) < 1e-12
            pinned = there & (phase.curvature(np.full(T.shape, end), T) <= 0)
            low, high = np.where(pinned, end, low), np.where(pinned, end, high)
            inner |= there & (0 < end < 1)
        with np.errstate(divide="ignore"):
            self.low, self.high = (np.clip(logit(one), LOWEST, HIGHEST) for one in (low, high))
            middle = np.clip(start, low + 0.1 * (high - low), high - 0.1 * (high - low))
            start = np.where(inner, np.clip(start, low, high), middle)
            self.u = np.clip(logit(start), self.low, self.high)
        self.x = expit(self.u)

    def step(self, slope: np.ndarray) -> np.ndarray:
        """One Newton step towards f' = slope, kept in the bracket; returns how far ln[x/(1-x)] has moved (k,)."""
        if self.phase.line:
            return np.zeros(self.T.shape)
        x, u = self.x, self.u
        miss = self.phase.slope(x, self.T) - slope
        stiff = self.phase.curvature(x, self.T) * x * (1 - x)
        concave = stiff <= 0
        # f' rises with u where f is convex: its sign says which end of the bracket comes nearer.
        if self.sign:
            self.high = np.where(concave & (self.sign > 0), u, self.high)
            self.low = np.where(concave & (self.sign < 0), u, self.low)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            new = u - miss / stiff
        new = np.where(concave | ~np.isfinite(new), 0.5 * (self.low + self.high), new)
        self.u = np.clip(new, self.low, self.high)
        self.x = expit(self.u)
        # Near x = 1 rounding of x itself is more than a step in ln[x/(1-x)] can be.
        return np.where(x > 0.5, np.minimum(np.abs(self.u - u), 1e6 * np.abs(self.x - x)), np.abs(self.u - u))
