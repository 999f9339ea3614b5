"""Which two minima a saddle connects: steepest descent to both sides, then a quench that only polishes.

The one idea: a quench may jump into another basin, a path may not; so the path itself is followed, in steps that solve
the local quadratic landscape exactly and are as long as its learned Hessian can be trusted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from labkit.landscapes.curvature import IDLE_EV_A2, learned, sharpened, spectrum
from labkit.landscapes.descent_step import decay_times, thinned
from labkit.landscapes.hessian import hessian, zero
from labkit.landscapes.quench import RISE_EV, minimise
from labkit.landscapes.saddle import Saddle
from labkit.landscapes.surface import Surface

#: Steps (Å, length of the 3N vector): to begin with and the smallest.
START_A, LEAST_A = 0.1, 0.005
#: A step whose end is wrong by this part of its length is as long as it should be; beyond the second it is repeated.
TRUSTED, REJECTED = 0.2, 0.6
#: The quench may move the end of a path by so much (Å) before it counts as a jump.
JUMP_A = 0.5
#: The softest modes that are looked at in a minimum: a path of high symmetry may end in a saddle, not in a minimum.
TESTED_MODES, LEAVE_A = 3, 0.05
RIDGE = "it ended where a curvature is negative, not in a minimum"


@dataclass(frozen=True)
class Connection:
    """What lies on the two sides of a saddle.

    minima (2, n, 3) Å and energies_eV (2,): side 0 is reached along -mode, side 1 along +mode. path (m, n, 3) from
    minima[0] over the saddle to minima[1] with path_energies_eV (m,). found: both sides ended in a minimum, else
    `reason` says which one did not and why; ridge: none failed but for ending where a curvature is negative.
    """

    minima: np.ndarray
    energies_eV: np.ndarray
    path: np.ndarray = field(repr=False)
    path_energies_eV: np.ndarray = field(repr=False)
    found: bool
    reason: str = ""
    evaluations: int = 0
    ridge: bool = False


def connect(
    surface: Surface,
    saddles: Saddle | Sequence[Saddle],
    *,
    push_A: float = 0.1,
    gradient_eV_A: float = 1e-3,
    max_steps: int = 300,
    max_step_A: float = 0.3,
    images: int = 21,
) -> list[Connection]:
    """The minima and the steepest-descent paths on both sides of each saddle, all sides in one batch.

    dx/dt = -g in Cartesian coordinates; with the local Hessian B = U b U^T a step is
    Δx = -U [(1 - exp(-b t)) / b] U^T g, t chosen for the length of the step (M. Page, J. W. McIver, J. Chem. Phys. 88,
    922 (1988)). push_A: displacement from the saddle along its unstable mode, halved while it does not lead downhill.
    images: kept on each path. Every end is quenched to `gradient_eV_A` and its softest modes are tested; where one is
    unstable (a path that branches) the descent goes on.
    """
    many = [saddles] if isinstance(saddles, Saddle) else list(saddles)
    for number, one in enumerate(many):
        if not one.found:
            raise ValueError(f"saddle {number} is none ({one.state}: {one.reason}). Connect only what has been found.")
    if not many:
        return []
    walk = _Descent(surface, many, push_A, gradient_eV_A, max_steps, max_step_A)
    walk.run()
    return [walk.connection(index, images) for index in range(len(many))]


class _Descent:
    """The state of 2k walkers, the sides 2i and 2i + 1 of saddle i."""

    def __init__(
        self, surface: Surface, saddles: list[Saddle], push: float, gradient: float, max_steps: int, longest: float
    ) -> None:
        self.surface, self.saddles = surface, saddles
        self.gradient, self.max_steps, self.longest = gradient, max_steps, longest
        self.n = len(surface.symbols)
        self.begin = np.repeat([one.positions for one in saddles], 2, axis=0)
        self.top = np.repeat([one.energy_eV for one in saddles], 2)
        self.modes = np.repeat([one.mode for one in saddles], 2, axis=0)
        self.modes[0::2] *= -1
        k = len(self.begin)
        self.counts = np.zeros(k, dtype=int)
        self.reasons = [""] * k
        self.x, self.e, self.g = self._pushed(push)
        known = np.array([one.hessian is not None for one in saddles])
        matrices = np.array(
            [one.hessian if ok else np.zeros((3 * self.n,) * 2) for one, ok in zip(saddles, known, strict=True)]
        )
        if not known.all():
            matrices[~known] = hessian(surface, np.array([one.positions for one in saddles])[~known])
        self.b = np.repeat(matrices, 2, axis=0)
        self.b = learned(self.b, (self.x - self.begin).reshape(k, -1), self.g)
        self.step = np.full(k, min(START_A, longest))
        self.paths = [[(place.copy(), energy)] for place, energy in zip(self.x, self.e, strict=True)]

    def _pushed(self, push: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Both sides of each saddle, displaced along its mode far enough to feel it and not beyond the next rise."""
        length = np.full(len(self.begin), push)
        x, e, g = self.begin.copy(), np.full(len(self.begin), np.nan), np.zeros((len(self.begin), 3 * self.n))
        left = np.arange(len(self.begin))
        for _ in range(6):
            x[left] = self.begin[left] + length[left, None, None] * self.modes[left]
            e[left], g[left] = self._evaluate(left, x[left])
            left = left[~(e[left] < self.top[left])]
            if not len(left):
                break
            length[left] *= 0.5
        for index in left:
            self.reasons[index] = "no way leads down from the saddle along its unstable mode"
        return x, e, g

    def _evaluate(self, which: np.ndarray, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        self.counts[which] += 1
        e, g = self.surface.gradients(positions)
        return e, np.nan_to_num(g)

    def run(self) -> None:
        active = np.array([i for i, reason in enumerate(self.reasons) if not reason], dtype=int)
        for _ in range(self.max_steps):
            active = active[self._force(active) > self.gradient]
            if not len(active):
                break
            self._advance(active)
        self._finish()

    def _advance(self, which: np.ndarray) -> None:
        values, vectors = spectrum(self.surface, self.x[which], self.b[which])
        parts = np.einsum("kdm,kd->km", vectors, self.g[which])
        parts[values > IDLE_EV_A2 / 2] = 0.0
        moves = np.einsum("kdm,km->kd", vectors, -parts * decay_times(values, parts, self.step[which]))
        trial = self.x[which] + moves.reshape(-1, self.n, 3)
        e, g = self._evaluate(which, trial)
        expected = self.g[which] + np.einsum("kij,kj->ki", self.b[which], moves)
        finite, length = np.isfinite(e), np.linalg.norm(moves, axis=1)
        # What a wrong gradient displaces the path by, in parts of the step: little where the landscape is stiff.
        size = np.linalg.norm(self.g[which], axis=1) / np.maximum(length, 1e-12)
        wrong = np.einsum("kdm,kd->km", vectors, g - expected) / (abs(values) + size[:, None])
        error = np.linalg.norm(wrong, axis=1) / np.maximum(length, 1e-12)
        small = length <= 1.01 * LEAST_A
        taken = finite & (e <= self.e[which] + RISE_EV) & ((error < REJECTED) | small)
        known = which[finite]
        self.b[known] = learned(self.b[known], moves[finite], g[finite] - self.g[known])
        factor = np.clip(np.sqrt(TRUSTED / np.maximum(error, 1e-6)), 0.5, 1.6)
        self.step[which] = np.clip(length * np.where(taken, factor, 0.4), LEAST_A, self.longest)
        kept = which[taken]
        self.x[kept], self.e[kept], self.g[kept] = trial[taken], e[taken], g[taken]
        for index in kept:
            self.paths[index].append((self.x[index].copy(), self.e[index]))

    def _finish(self) -> None:
        """Quench every end, and go on where the softest mode of what looks like a minimum is unstable."""
        which = np.array([i for i, reason in enumerate(self.reasons) if not reason], dtype=int)
        for last in (False, True):
            if not len(which):
                return
            before = self.x[which].copy()
            ends = minimise(self.surface, before, self.gradient, max_step_A=0.1)
            self.counts[which] += ends.steps
            moved = np.linalg.norm((ends.positions - before).reshape(len(which), -1), axis=1)
            self.x[which], self.e[which] = ends.positions, ends.energies
            self.g[which] = -ends.forces.reshape(len(which), -1)
            for row, index in enumerate(which):
                if not ends.converged[row]:
                    self.reasons[index] = f"its quench failed: {ends.reasons[row]}"
                elif moved[row] > JUMP_A and not last:
                    self.reasons[index] = f"its path stopped {moved[row]:.2f} Å short of a minimum"
                self.paths[index].append((self.x[index].copy(), self.e[index]))
            which = np.array([i for i in which if not self.reasons[i]], dtype=int)
            if not len(which):
                return
            begun = self.surface.evaluations
            self.b[which], softest = sharpened(
                self.surface, self.x[which], self.g[which], self.b[which], rounds=2, modes=TESTED_MODES
            )
            self.counts[which] += (self.surface.evaluations - begun) // len(which)
            unsure = np.array([zero(self.surface, self.b[index]) for index in which])
            which = which[softest < -unsure]
            if last or not len(which):
                break
            self._leave(which)
        for index in which:
            self.reasons[index] = RIDGE

    def _leave(self, which: np.ndarray) -> None:
        vectors = spectrum(self.surface, self.x[which], self.b[which])[1][:, :, 0]
        # The sign of an eigenvector is arbitrary: its largest component points up, so that results can be repeated.
        rows = np.arange(len(which))
        vectors *= np.where(vectors[rows, abs(vectors).argmax(axis=1)] < 0, -1.0, 1.0)[:, None]
        self.x[which] += LEAVE_A * vectors.reshape(-1, self.n, 3)
        self.e[which], self.g[which] = self._evaluate(which, self.x[which])
        self.step[which] = START_A
        for _ in range(self.max_steps):
            which = which[self._force(which) > self.gradient]
            if not len(which):
                break
            self._advance(which)

    def _force(self, which: np.ndarray) -> np.ndarray:
        return np.linalg.norm(self.g[which].reshape(-1, self.n, 3), axis=2).max(axis=1, initial=0.0)

    def connection(self, index: int, images: int) -> Connection:
        """What the two walkers of saddle `index` found, with `images` points of their paths."""
        sides = (2 * index, 2 * index + 1)
        saddle = self.saddles[index]
        points = [*reversed(self.paths[sides[0]]), (saddle.positions, saddle.energy_eV), *self.paths[sides[1]]]
        kept = thinned(np.array([place for place, _ in points]), len(self.paths[sides[0]]), images)
        said = "; ".join(f"side {side}: {self.reasons[i]}" for side, i in enumerate(sides) if self.reasons[i])
        return Connection(
            minima=self.x[list(sides)].copy(),
            energies_eV=self.e[list(sides)].copy(),
            path=np.array([points[i][0] for i in kept]),
            path_energies_eV=np.array([points[i][1] for i in kept]),
            found=not said,
            reason=said,
            evaluations=int(self.counts[list(sides)].sum()),
            ridge=bool(said) and all(self.reasons[i] in ("", RIDGE) for i in sides),
        )
