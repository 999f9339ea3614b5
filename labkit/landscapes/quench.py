"""Quenches: from many geometries downhill to the minima of their basins, all in one batch.

The one idea: every geometry keeps its own L-BFGS memory and step, and only the evaluations are shared, so that a batch
takes exactly the steps that its members would take one by one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from labkit.landscapes.surface import Surface

#: An energy may rise by so much (eV) in an accepted step: the noise of a single-precision network.
RISE_EV = 1e-5
#: Length of the first step (Å), and inverse curvature (Å^2/eV) that it assumes.
FIRST_STEP_A, FIRST_INVERSE_CURVATURE = 0.1, 0.02
#: A step that went uphill is retried at this fraction of its length; shorter than this (Å) it is given up.
SHRINK, SHORTEST_A = 0.25, 1e-7


@dataclass(frozen=True)
class Quench:
    """Where k quenches ended.

    positions (k, n, 3) Å, energies (k,) eV, forces (k, n, 3) eV/Å, converged (k,) booleans, steps (k,) evaluations of
    each, reasons (k,) sentences, empty where converged. A geometry that left physics has NaN energy.
    """

    positions: np.ndarray
    energies: np.ndarray
    forces: np.ndarray
    converged: np.ndarray
    steps: np.ndarray
    reasons: list[str]


class Memory:
    """Limited-memory inverse Hessians of k structures with d coordinates, `size` pairs each.

    The two-loop recursion of Nocedal, Math. Comp. 35, 773 (1980), over all structures at once; a pair of weight zero
    leaves it untouched, so that structures with shorter memories share the arrays.
    """

    def __init__(self, k: int, d: int, size: int = 12) -> None:
        self.steps, self.changes = np.zeros((size, k, d)), np.zeros((size, k, d))
        self.weights, self.scale = np.zeros((size, k)), np.full(k, FIRST_INVERSE_CURVATURE)

    def learn(self, which: np.ndarray, steps: np.ndarray, changes: np.ndarray) -> None:
        """Store s = x' - x and y = g' - g, both (j, d), of structures `which`; negative curvature is skipped."""
        product = np.einsum("kd,kd->k", steps, changes)
        length = np.einsum("kd,kd->k", changes, changes)
        good = product > 1e-10 * np.sqrt(length * np.einsum("kd,kd->k", steps, steps))
        which, steps, changes = which[good], steps[good], changes[good]
        for store, new in ((self.steps, steps), (self.changes, changes), (self.weights, 1.0 / product[good])):
            store[:-1, which], store[-1, which] = store[1:, which], new
        self.scale[which] = product[good] / length[good]

    def forget(self, which: np.ndarray) -> None:
        """Start the structures `which` anew."""
        self.weights[:, which] = 0.0
        self.scale[which] = FIRST_INVERSE_CURVATURE

    def direction(self, which: np.ndarray, gradients: np.ndarray) -> np.ndarray:
        """-H g (j, d) for gradients (j, d) of the structures `which`."""
        q, alphas = gradients.copy(), []
        pairs = range(len(self.weights))
        for i in reversed(pairs):
            alpha = self.weights[i, which] * np.einsum("kd,kd->k", self.steps[i, which], q)
            q -= alpha[:, None] * self.changes[i, which]
            alphas.append(alpha)
        q *= self.scale[which][:, None]
        for i, alpha in zip(pairs, reversed(alphas), strict=True):
            beta = self.weights[i, which] * np.einsum("kd,kd->k", self.changes[i, which], q)
            q += (alpha - beta)[:, None] * self.steps[i, which]
        return -q


def minimise(
    surface: Surface,
    positions: np.ndarray,
    gradient_eV_A: float = 1e-3,
    max_steps: int = 500,
    *,
    max_step_A: float = 0.3,
    memory: int = 12,
) -> Quench:
    """Quench k geometries (k, n, 3) to their minima.

    x' = x - H g with the L-BFGS inverse Hessian H, no atom further than `max_step_A` in a step; a step that raises the
    energy is retried at a quarter of its length. Converged: no atom feels more than `gradient_eV_A`. Stationary points
    of higher order are not left: a start must not be one.
    """
    x = np.array(positions, dtype=float)
    k, n = x.shape[:2]
    energies, forces = surface.evaluate(x)
    steps, reasons = np.ones(k, dtype=int), [""] * k
    store = Memory(k, 3 * n, memory)
    gradients = -surface.project(x, forces)
    moves = np.zeros((k, n, 3))
    fresh = np.ones(k, dtype=bool)
    lost = ~np.isfinite(energies)
    for index in np.flatnonzero(lost):
        reasons[index] = "the potential refused the first geometry. " + surface.said
    active = np.flatnonzero(~lost & (_strongest(gradients) > gradient_eV_A))
    while len(active):
        new = active[fresh[active]]
        if len(new):
            moves[new] = _moves(store, new, gradients[new], max_step_A)
            fresh[new] = False
        trial = x[active] + moves[active]
        e, f = surface.evaluate(trial)
        steps[active] += 1
        g = np.where(np.isfinite(f), -surface.project(trial, np.nan_to_num(f)), np.nan)
        down = e <= energies[active] + RISE_EV
        done, gone = active[down], down
        if len(done):
            store.learn(done, moves[done].reshape(len(done), -1), (g[gone] - gradients[done]).reshape(len(done), -1))
            x[done], energies[done], forces[done], gradients[done] = trial[gone], e[gone], f[gone], g[gone]
            fresh[done] = True
        up = active[~down]
        moves[up] *= SHRINK
        short = up[np.linalg.norm(moves[up], axis=2).max(axis=1, initial=0.0) < SHORTEST_A]
        for index in short:
            if store.weights[:, index].any():
                store.forget(np.array([index]))
                fresh[index] = True
            else:
                reasons[index] = "no step lowers the energy any more: forces and energies disagree. " + surface.said
        finished = (_strongest(gradients[active]) <= gradient_eV_A) | np.array([bool(reasons[i]) for i in active])
        spent = ~finished & (steps[active] >= max_steps)
        for index in active[spent]:
            reasons[index] = (
                f"not at {gradient_eV_A:g} eV/Å after {max_steps} evaluations (now "
                f"{_strongest(gradients[[index]])[0]:.2g}). Allow more steps or start elsewhere."
            )
        active = active[~finished & ~spent]
    converged = np.array([not reason for reason in reasons], dtype=bool)
    return Quench(x, energies, forces, converged, steps, reasons)


def _moves(store: Memory, which: np.ndarray, gradients: np.ndarray, max_step_A: float) -> np.ndarray:
    flat = gradients.reshape(len(which), -1)
    moves = store.direction(which, flat)
    wrong = np.einsum("kd,kd->k", moves, flat) >= 0
    if wrong.any():
        store.forget(which[wrong])
        moves[wrong] = store.direction(which[wrong], flat[wrong])
    moves = moves.reshape(gradients.shape)
    limit = np.where(store.weights[:, which].any(axis=0), max_step_A, min(FIRST_STEP_A, max_step_A))
    longest = np.linalg.norm(moves, axis=2).max(axis=1)
    return moves * np.minimum(1.0, limit / np.maximum(longest, 1e-300))[:, None, None]


def _strongest(vectors: np.ndarray) -> np.ndarray:
    """The longest of n vectors, for each of k structures; NaN counts as infinite."""
    return np.nan_to_num(np.linalg.norm(vectors, axis=2).max(axis=1), nan=np.inf)
