"""Tie-lines of many temperatures at once: hull on a grid first, common tangents from there.

The one idea: tie-lines of the same two phases are solved together for all temperatures, because a diagram asks for
sixty temperatures and a slider for all of them again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from labkit.errors import InvalidTask
from labkit.phase_diagrams.equilibrium_hull import FLAT, Grid, gaps, sampled
from labkit.phase_diagrams.equilibrium_tangents import common_tangent
from labkit.phase_diagrams.phases_base import Phase


@dataclass(frozen=True)
class Solved:
    """Tie-lines of one temperature: `pairs` (k, 2) indices of phases, x (k, 2), slopes and values at x = 0 (eV/atom).

    `first`, `last`: the indices of the phases, and the compositions, at both ends of the hull. `exact` (k,): whether
    the common tangent converged; if not, the compositions are those of the grid.
    """

    pairs: np.ndarray
    x: np.ndarray
    slope: np.ndarray
    intercept: np.ndarray
    exact: np.ndarray
    first: tuple[int, float]
    last: tuple[int, float]


def solve(phases: Sequence[Phase], temperatures_K: np.ndarray, points: int = 201) -> list[Solved]:
    """Return the tie-lines at each temperature; a phase stable over less than 1/`points` may be missed."""
    T = checked(phases, temperatures_K, points)
    grid = sampled(phases, T, points)
    found = [gaps(grid, row) for row in range(len(T))]
    row = np.repeat(np.arange(len(T)), [len(left) for _, left, _ in found])
    left = np.concatenate([one[1] for one in found]).astype(int)
    right = np.concatenate([one[2] for one in found]).astype(int)
    pairs = np.stack([grid.owner[row, left], grid.owner[row, right]], axis=1)
    x, f, exact = _tangents(phases, T, grid, row, left, right, pairs)
    slope, intercept = _line(x, f)
    made, bounds = [], np.searchsorted(row, np.arange(len(T) + 1))
    for index, (hull, _, _) in enumerate(found):
        mine = slice(bounds[index], bounds[index + 1])
        ends = tuple((int(grid.owner[index, one]), float(grid.x[one])) for one in (hull[0], hull[-1]))
        one = Solved(pairs[mine], x[mine], slope[mine], intercept[mine], exact[mine], *ends)
        made.append(_consistent(phases, T[index], one))
    return made


def checked(phases: Sequence[Phase], temperatures_K: np.ndarray, points: int) -> np.ndarray:
    """Return the temperatures as an array, or raise InvalidTask with what is wrong with the input."""
    T = np.atleast_1d(np.asarray(temperatures_K, dtype=float))
    if isinstance(phases, Phase) or not all(isinstance(phase, Phase) for phase in phases):
        raise InvalidTask("phases must be a list of phases, such as [SolutionPhase(...), LinePhase(...)].")
    names = [phase.name for phase in phases]
    if not names:
        raise InvalidTask("no phase was given; an equilibrium needs at least one.")
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InvalidTask(f"two phases are called {twice}; give every phase a name of its own.")
    if T.ndim != 1 or not len(T) or not np.isfinite(T).all() or (T < 0).any():
        raise InvalidTask("temperatures must be finite, not negative, and at least one (K).")
    if points < 11:
        raise InvalidTask(f"{points} points are too few to see a phase; take 51 or more.")
    return T


def _tangents(
    phases: Sequence[Phase], T: np.ndarray, grid: Grid, row: np.ndarray, left: np.ndarray, right: np.ndarray,
    pairs: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    x = grid.x[np.stack([left, right], axis=1)]
    f = np.stack([grid.f[row, left], grid.f[row, right]], axis=1)
    exact = np.zeros(len(row), bool)
    for one, two in sorted({tuple(pair) for pair in pairs.tolist()}):
        mine = np.flatnonzero((pairs == (one, two)).all(axis=1))
        # Within one phase the tangent points are next to the grid's; a thin field of two phases may lie askew.
        reach = 1 if one == two else 2
        brackets = tuple(
            np.stack([np.maximum(grid.x[np.maximum(at - reach, 0)], low),
                      np.minimum(grid.x[np.minimum(at + reach, len(grid.x) - 1)], high)], axis=1)
            for at, (low, high) in ((left[mine], phases[one].compositions), (right[mine], phases[two].compositions))
        )  # fmt: skip
        start = x[mine, 0], x[mine, 1]
        kelvin = T[row[mine]]
        first, second, done = common_tangent(phases[one], phases[two], kelvin, start, brackets)
        ends = np.stack([first, second], axis=1)
        values = np.stack([phases[one].free_energy(first, kelvin), phases[two].free_energy(second, kelvin)], axis=1)
        done &= second > first
        # No tangent where the grid lies below it: beside a kink of f there is none, and Newton ends somewhere else.
        slope, intercept = _line(ends[done], values[done])
        done[done] = (f[mine[done]] - slope[:, None] * x[mine[done]] - intercept[:, None] > -FLAT).all(axis=1)
        exact[mine] = done
        x[mine[done]], f[mine[done]] = ends[done], values[done]
    return x, f, exact


def _consistent(phases: Sequence[Phase], T: float, solved: Solved) -> Solved:
    """Leave out phases that the grid saw as stable and the tangents do not: there μ would fall with x."""
    falls = np.flatnonzero(solved.slope[1:] - solved.slope[:-1] < -1e-13)
    if not len(falls):
        return solved
    k = int(falls[0])
    pair = solved.pairs[k, 0], solved.pairs[k + 1, 1]
    x = np.array([[solved.x[k, 0], solved.x[k + 1, 1]]])
    one, two = (phases[index] for index in pair)
    brackets = tuple(
        np.clip([[at - 0.02, at + 0.02]], *phase.compositions) for at, phase in zip(x[0], (one, two), strict=True)
    )
    first, second, done = common_tangent(one, two, np.array([T]), (x[:, 0], x[:, 1]), brackets)
    done &= second > first
    x = np.stack([first, second], axis=1) if done.all() else x
    f = np.array([[float(phase.free_energy(at, T)) for phase, at in zip((one, two), x[0], strict=True)]])
    olds = solved.pairs, solved.x, solved.slope, solved.intercept, solved.exact
    merged = (
        np.concatenate([old[:k], new, old[k + 2 :]])
        for old, new in zip(olds, (np.array([pair]), x, *_line(x, f), done), strict=True)
    )
    return _consistent(phases, T, Solved(*merged, solved.first, solved.last))


def _line(x: np.ndarray, f: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Slopes (k,) of the lines through two points each (k, 2), and their values at x = 0."""
    slope = (f[:, 1] - f[:, 0]) / (x[:, 1] - x[:, 0])
    return slope, f[:, 0] - slope * x[:, 0]
