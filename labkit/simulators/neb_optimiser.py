"""One optimiser state for a whole band: limited-memory BFGS on forces that are nobody's gradient, with guards.

Images of a band are coupled by springs and tangents, so curvature learned for the band as a whole is worth more than
curvature of each image (Sheppard, Terrell & Henkelman, J. Chem. Phys. 128, 134106 (2008)).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

#: Pairs kept; curvature (eV/Å^2) assumed before any is known; the largest move of an atom in a step (Å), and its floor.
MEMORY, CURVATURE, MAX_MOVE_A, MIN_MOVE_A = 25, 50.0, 0.2, 0.02
#: A force that grows by this factor in one step says that the step was not to be trusted.
GROWTH = 1.5
#: A force that is so many times the smallest so far sends the band back to where that was; each return doubles it.
PATIENCE = 4.0


@dataclass
class BandOptimiser:
    """Limited-memory BFGS for the rows (..., 3) of one band or one structure.

    The direction is H F, by the two-loop recursion (Nocedal, Math. Comput. 35, 773 (1980)) with y = F_old - F_new. NEB
    forces have no energy to search a line for, so guards stand in: a pair with negative curvature is not learned, a
    direction that is not downhill drops the memory, a step after which the force grows by half halves the limit on the
    next moves, and a force that has grown several times goes back to where it was smallest and starts afresh.
    """

    limit_A: float = MAX_MOVE_A
    curvature: float = CURVATURE
    patience: float = PATIENCE
    smallest: float = float("inf")
    away: np.ndarray | None = None
    moves: list[np.ndarray] = field(default_factory=list)
    changes: list[np.ndarray] = field(default_factory=list)
    last_move: np.ndarray | None = None
    last_forces: np.ndarray | None = None

    def forget(self) -> None:
        """Drop what was learned: the forces have become those of another function (an image began to climb)."""
        self.moves, self.changes, self.last_move, self.last_forces = [], [], None, None
        self.smallest, self.away = float("inf"), None

    def displacement(self, forces: np.ndarray) -> np.ndarray:
        """The next move, shaped like `forces` (..., 3); eV/Å in, Å out."""
        flat = forces.ravel()
        norm = float(np.linalg.norm(flat))
        if self.away is not None and norm > self.patience * self.smallest:
            back = -self.away
            self.forget()
            self.limit_A, self.patience = max(self.limit_A / 2, MIN_MOVE_A), 2 * self.patience
            return back.reshape(forces.shape)
        self._learn(flat)
        if norm < self.smallest:
            self.smallest, self.away = norm, np.zeros_like(flat)
        step = self._newton(flat)
        if step @ flat <= 1e-3 * np.linalg.norm(step) * np.linalg.norm(flat):
            self.moves, self.changes = [], []
            step = flat / self.curvature
        longest = np.sqrt((step.reshape(-1, 3) ** 2).sum(axis=1).max())
        if longest > self.limit_A:
            step = step * (self.limit_A / longest)
        self.last_move, self.last_forces = step, flat.copy()
        self.away = step.copy() if self.away is None else self.away + step
        return step.reshape(forces.shape)

    def _learn(self, flat: np.ndarray) -> None:
        if self.last_move is None or self.last_forces is None:
            return
        growth = np.linalg.norm(flat) / max(np.linalg.norm(self.last_forces), 1e-300)
        self.limit_A = max(self.limit_A / 2, MIN_MOVE_A) if growth > GROWTH else min(self.limit_A * 1.2, MAX_MOVE_A)
        change = self.last_forces - flat
        stiffest = float(np.linalg.norm(change) / max(np.linalg.norm(self.last_move), 1e-300))
        self.curvature = max(CURVATURE, stiffest) if growth > GROWTH else max(CURVATURE, 0.95 * self.curvature)
        if self.last_move @ change > 1e-2 * np.linalg.norm(self.last_move) * np.linalg.norm(change):
            self.moves, self.changes = [*self.moves, self.last_move][-MEMORY:], [*self.changes, change][-MEMORY:]

    def _newton(self, flat: np.ndarray) -> np.ndarray:
        step, weights = flat.copy(), []
        for move, change in zip(reversed(self.moves), reversed(self.changes), strict=True):
            weight = (move @ step) / (move @ change)
            step -= weight * change
            weights.append(weight)
        step /= self.curvature
        for move, change, weight in zip(self.moves, self.changes, reversed(weights), strict=True):
            step += move * (weight - (change @ step) / (move @ change))
        return step
