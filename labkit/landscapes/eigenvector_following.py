"""Saddles of first order from rough guesses: uphill along the softest mode, downhill along all others.

The one idea: the mode to climb is made true by finite differences (hybrid eigenvector following), the rest of the
Hessian is learned on the way, and what is found counts only when its full Hessian has exactly one negative eigenvalue.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from labkit.landscapes.curvature import learned, sharpened, spectrum
from labkit.landscapes.hessian import NormalModes, hessian, normal_modes
from labkit.landscapes.saddle import Saddle, State
from labkit.landscapes.saddle_step import saddle_step
from labkit.landscapes.surface import Surface

#: Trust radii (Å, length of the 3N vector): to begin with, and the smallest.
START_A, LEAST_A = 0.15, 5e-3
#: The step off a saddle of higher order, along its second negative mode (Å).
OFF_A = 0.15
#: Evaluations a step that sharpen the mode; so many untrustworthy steps in a row and the Hessian is measured anew.
ROUNDS, STALE = 1, 5
#: A curvature (eV/Å^2) above this is no molecule any more.
STIFFEST_EV_A2 = 1e8


def find_saddles(
    surface: Surface,
    positions: np.ndarray,
    *,
    directions: np.ndarray | None = None,
    hessians: np.ndarray | None = None,
    gradient_eV_A: float = 1e-3,
    max_steps: int = 100,
    max_uphill_A: float = 0.3,
    max_step_A: float = 0.3,
    eigenvalue_tolerance: float = 0.05,
    ceiling_eV: float | None = None,
    repairs: int = 1,
    known: Callable[[np.ndarray, float], bool] | None = None,
) -> list[Saddle]:
    """Search saddles from k geometries (k, n, 3), all at once; one answer for each, in their order.

    Each step is `saddle_step` in the eigenbasis of a learned Hessian whose followed mode is made true by finite
    differences, as in hybrid eigenvector following (L. J. Munro, D. J. Wales, Phys. Rev. B 59, 3969 (1999)).

    directions: (k, n, 3), a mode to follow while nothing is unstable; None follows the softest. hessians: (k, 3n, 3n)
    at the starts or near them (those of the minima that were pushed, say); None costs 3n evaluations each.
    eigenvalue_tolerance: residual of the mode that needs no second look. ceiling_eV: give up so far above the start.
    repairs: so often a saddle of higher order is left downhill along its second negative mode. known: says of a point
    (n, 3) and its energy whether it is one already; it then ends as "known", without a Hessian of 6n evaluations. A
    found saddle has no force above `gradient_eV_A` and exactly one negative curvature; failures never carry the state
    "saddle". Every search is independent: a batch gives what its members give one by one.
    """
    limits = _Limits(
        gradient_eV_A,
        max_steps,
        max_uphill_A,
        max_step_A,
        eigenvalue_tolerance,
        np.inf if ceiling_eV is None else ceiling_eV,
        repairs,
    )
    return _Search(surface, np.array(positions, dtype=float), directions, hessians, limits, known).run()


class _Limits(NamedTuple):
    gradient: float
    max_steps: int
    uphill: float
    longest: float
    tolerance: float
    ceiling: float
    repairs: int


class _Search:
    """The state of k searches; every array has k rows, `active` says which still move."""

    def __init__(
        self,
        surface: Surface,
        positions: np.ndarray,
        directions: np.ndarray | None,
        hessians: np.ndarray | None,
        limits: _Limits,
        known: Callable[[np.ndarray, float], bool] | None,
    ) -> None:
        self.surface, self.x, self.limits, self.known = surface, positions, limits, known
        k, n = positions.shape[:2]
        self.k, self.n = k, n
        self.e, self.g = surface.gradients(positions)
        self.counts, self.steps = np.ones(k, dtype=int), np.zeros(k, dtype=int)
        self.done: list[Saddle | None] = [None] * k
        self.top = self.e + limits.ceiling
        self.left = np.full(k, limits.repairs)
        self.stale = np.zeros(k, dtype=int)
        self.trust = np.full(k, min(START_A, limits.longest))
        self.b = np.zeros((k, 3 * n, 3 * n))
        self.followed = np.zeros((k, 3 * n)) if directions is None else np.array(directions, float).reshape(k, -1)
        alive = np.flatnonzero(np.isfinite(self.e))
        if hessians is not None:
            self.b[:] = hessians
        elif len(alive):
            self._measure(alive)
        for index in np.flatnonzero(~np.isfinite(self.e)):
            self._end(index, "refused", "the potential refused the first geometry. " + surface.said)

    def run(self) -> list[Saddle]:
        while len(active := np.array([i for i in range(self.k) if self.done[i] is None], dtype=int)):
            # A start at rest may be a minimum: then the way out is the softest mode, and nothing is proven yet.
            resting = np.array([self._force(i) <= self.limits.gradient and self.steps[i] > 0 for i in active])
            self._judge(active[resting])
            active = np.array([i for i in active if self.done[i] is None], dtype=int)
            if len(active):
                self._step(active)
        return list(self.done)

    def _step(self, which: np.ndarray) -> None:
        stale = which[self.stale[which] >= STALE]
        if len(stale):
            self._measure(stale)
        which = self._sane(which)
        if not len(which):
            return
        self.b[which], _ = sharpened(
            self.surface, self.x[which], self.g[which], self.b[which], rounds=ROUNDS, tolerance=self.limits.tolerance
        )
        self.counts[which] += ROUNDS
        values, vectors = spectrum(self.surface, self.x[which], self.b[which])
        chosen = self._followed(which, values, vectors)
        parts = np.einsum("kdm,kd->km", vectors, self.g[which])
        step, predicted = saddle_step(values, parts, chosen, self.trust[which], self.limits.uphill)
        moves = np.einsum("kdm,km->kd", vectors, step)
        trial = self.x[which] + moves.reshape(-1, self.n, 3)
        e, g = self.surface.gradients(trial)
        self.counts[which] += 1
        self.steps[which] += 1
        finite = np.isfinite(e)
        expected = self.g[which] + np.einsum("kij,kj->ki", self.b[which], moves)
        known = which[finite]
        self.b[known] = learned(self.b[known], moves[finite], g[finite] - self.g[known])
        # Uphill and downhill parts of the predicted energy cancel, so trust is judged by the gradient instead.
        size = np.maximum(np.linalg.norm(self.g[which], axis=1), np.linalg.norm(np.nan_to_num(g), axis=1))
        error = np.linalg.norm(np.nan_to_num(g) - expected, axis=1) / np.maximum(size, 1e-12)
        taken = finite & (e - self.e[which] < 3.0 * abs(predicted) + 0.25)
        good, poor = taken & (error < 0.4), ~taken | (error > 0.9)
        self.stale[which] = np.where(poor, self.stale[which] + 1, 0)
        length = np.linalg.norm(moves, axis=1)
        grown = np.clip(1.5 * length, self.trust[which], self.limits.longest)
        self.trust[which] = np.where(good, grown, np.where(poor, 0.5 * length, self.trust[which]))
        kept = which[taken]
        self.x[kept], self.e[kept], self.g[kept] = trial[taken], e[taken], g[taken]
        for index in which[(self.trust[which] < LEAST_A) & ~taken]:
            self._end(index, "refused", "no step leads on: the potential refuses or jumps. " + self.surface.said)
        self.trust[which] = np.maximum(self.trust[which], LEAST_A)
        for index in which:
            if self.done[index] is not None:
                continue
            if self.e[index] > self.top[index]:
                self._end(index, "too high", f"it climbed more than {self.limits.ceiling:g} eV above its start.")
            elif self.steps[index] >= self.limits.max_steps and self._force(index) > self.limits.gradient:
                left = f"{self._force(index):.2g} eV/Å are left; the goal is {self.limits.gradient:g}."
                self._end(index, "not converged", left)

    def _followed(self, which: np.ndarray, values: np.ndarray, vectors: np.ndarray) -> np.ndarray:
        """The column of the mode to climb: while nothing is unstable the one most like the last, else the softest."""
        alike = abs(np.einsum("kd,kdm->km", self.followed[which], vectors))
        new = ~self.followed[which].any(axis=1)
        chosen = np.where((values[:, 0] < 0) | new, 0, alike.argmax(axis=1))
        self.followed[which] = vectors[np.arange(len(which)), :, chosen]
        return chosen

    def _judge(self, which: np.ndarray) -> None:
        """Count the negative curvatures of what has converged: accept, leave a higher order downhill, or refuse."""
        for index in which if self.known is not None else ():
            if self.known(self.x[index], float(self.e[index])):
                self._end(index, "known", "it is a stationary point that is known already.")
        which = np.array([i for i in which if self.done[i] is None], dtype=int)
        if not len(which):
            return
        matrices = hessian(self.surface, self.x[which])
        self.counts[which] += 2 * int(self.surface.free.sum())
        for index, matrix, modes in zip(
            which, matrices, normal_modes(self.surface, self.x[which], matrices), strict=True
        ):
            if modes is None:
                self._end(index, "refused", "the potential refused a geometry beside it. " + self.surface.said)
            elif modes.flat:
                self._end(index, "flat", f"{modes.flat} directions are flat: it has fallen apart.", modes, matrix)
            elif modes.negative == 1:
                self._end(index, "saddle", "", modes, matrix)
            elif modes.negative == 0:
                self._end(index, "minimum", "no curvature is negative: the search fell into a minimum.", modes, matrix)
            elif self.left[index] and self.steps[index] < self.limits.max_steps:
                self.left[index] -= 1
                self.b[index] = matrix
                self.x[index] += OFF_A * modes.directions[1]
                self.e[[index]], self.g[[index]] = self.surface.gradients(self.x[[index]])
                self.counts[index] += 1
                self.trust[index] = START_A
                if not np.isfinite(self.e[index]):
                    self._end(index, "refused", "the potential refused a geometry beside a higher saddle.")
            else:
                self._end(index, "higher order", f"{modes.negative} curvatures are negative.", modes, matrix)

    def _measure(self, which: np.ndarray) -> None:
        """The Hessians of `which` anew, by one-sided differences."""
        forces = -self.g[which].reshape(-1, self.n, 3)
        self.b[which] = hessian(self.surface, self.x[which], forces=forces)
        self.counts[which] += int(self.surface.free.sum())
        self.stale[which] = 0

    def _sane(self, which: np.ndarray) -> np.ndarray:
        """Those whose Hessian is made of numbers that have eigenvalues; the others end here."""
        with np.errstate(invalid="ignore"):
            good = np.array(np.abs(self.b[which]).max(axis=(1, 2)) < STIFFEST_EV_A2)
        for index in which[~good]:
            self._end(index, "refused", "its curvatures left physics, as if two atoms fused. " + self.surface.said)
        return which[good]

    def _force(self, index: int) -> float:
        return float(np.linalg.norm(self.g[index].reshape(-1, 3), axis=1).max())

    def _end(
        self,
        index: int,
        state: State,
        reason: str,
        modes: NormalModes | None = None,
        matrix: np.ndarray | None = None,
    ) -> None:
        self.done[index] = Saddle(
            self.x[index].copy(),
            float(self.e[index]),
            state,
            reason.strip(),
            mode=None if modes is None else modes.directions[0],
            curvature_eV_A2=float("nan") if modes is None else float(modes.curvatures[0]),
            force_eV_A=self._force(index),
            modes=modes,
            hessian=matrix,
            steps=int(self.steps[index]),
            evaluations=int(self.counts[index]),
        )
