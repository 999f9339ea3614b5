"""Which phase lies lowest, where, and which pieces of its curve survive on the lower convex hull.

The one idea: all phases stand on one grid of compositions, so that at each of it only the lowest counts, and the hull
is that of a single row of points however many phases there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from labkit.errors import InvalidTask
from labkit.phase_diagrams.phases_base import Phase

#: A piece of the curve that lies less than this (eV/atom) above the chord counts as lying on it.
FLAT = 1e-10


@dataclass(frozen=True)
class Grid:
    """Free energies of the lowest phases: x (g,), f (t, g) in eV/atom, owner (t, g) index of the phase."""

    x: np.ndarray
    f: np.ndarray
    owner: np.ndarray


def sampled(phases: Sequence[Phase], temperatures_K: np.ndarray, points: int) -> Grid:
    """Return the lowest free energy of all phases at `points` even compositions, each compound and each end."""
    even = np.linspace(0.0, 1.0, points)
    named = np.array(sorted({end for phase in phases for end in phase.ends}))
    # A compound a rounding error beside an even point would make a field of no width.
    even = even[np.abs(even[:, None] - named).min(axis=1) > 1e-7]
    x = np.sort(np.concatenate([even, named]))
    T = temperatures_K[:, None]
    f = np.full((len(temperatures_K), len(x)), np.inf)
    owner = np.full(f.shape, -1)
    for index, phase in enumerate(phases):
        low, high = phase.compositions
        columns = np.flatnonzero((x >= low - 1e-12) & (x <= high + 1e-12))
        values = np.broadcast_to(phase.free_energy(x[columns], T), (len(T), len(columns)))
        if not np.isfinite(values).all():
            raise InvalidTask(
                f"the free energy of {phase.name} is not finite between x = {low:g} and {high:g} at "
                f"{temperatures_K.min():g} to {temperatures_K.max():g} K. Is its table or function right?"
            )
        lower = values < f[:, columns]
        f[:, columns] = np.where(lower, values, f[:, columns])
        owner[:, columns] = np.where(lower, index, owner[:, columns])
    _melting(phases, T[:, 0], x, f, owner)
    return Grid(x, f, owner)


def _melting(phases: Sequence[Phase], T: np.ndarray, x: np.ndarray, f: np.ndarray, owner: np.ndarray) -> None:
    """Where two phases are equal at an end, as a pure element is at its melting point, the one beside it owns the end.

    The field between them has no width there, and no common tangent.
    """
    for end, beside in ((0, 1), (-1, -2)) if len(x) > 1 else ():
        apart = np.flatnonzero((owner[:, end] != owner[:, beside]) & (owner[:, beside] >= 0))
        for index in np.unique(owner[apart, beside]):
            rows = apart[owner[apart, beside] == index]
            equal = phases[index].free_energy(x[end], T[rows]) - f[rows, end] < 1e-12
            owner[rows[equal], end] = index


def lower_hull(x: np.ndarray, f: np.ndarray) -> np.ndarray:
    """Return the indices of the points (rising x, f in eV/atom, infinite ones left out) on the lower convex hull.

    Qhull through scipy. The straight line between both ends is taken off first, so that what is left is of the size of
    the differences that matter, and one point far above makes the body two-dimensional whatever f is.
    """
    from scipy.spatial import ConvexHull

    known = np.flatnonzero(np.isfinite(f))
    if len(known) < 3:
        return known
    x, f = x[known], f[known]
    depth = f - (f[0] + (f[-1] - f[0]) * (x - x[0]) / (x[-1] - x[0]))
    depth[[0, -1]] = 0.0
    if depth.min() > -FLAT:
        return known[[0, -1]] if depth.max() > FLAT else known
    keep = np.flatnonzero(depth <= 0.0)
    size = -depth.min()
    body = np.column_stack([np.append(x[keep], 0.5 * (x[0] + x[-1])), np.append(depth[keep] / size, 1.0)])
    found = ConvexHull(body).vertices
    return known[np.sort(keep[found[found < len(keep)]])]


def gaps(grid: Grid, row: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (hull, left, right) of one temperature: the columns on the hull, and those that each tie-line joins.

    Two neighbours on the hull are joined by a tie-line if they belong to different phases, or to one phase whose curve
    between them lies above the chord (a miscibility gap).
    """
    f, owner, x = grid.f[row], grid.owner[row], grid.x
    hull = lower_hull(x, f)
    left, right = hull[:-1], hull[1:]
    apart = owner[left] != owner[right]
    for index in np.flatnonzero(~apart & (right - left > 1)):
        i, j = left[index], right[index]
        between = np.arange(i + 1, j)
        chord = f[i] + (f[j] - f[i]) * (x[between] - x[i]) / (x[j] - x[i])
        apart[index] = (f[between] - chord).max() > FLAT
    return hull, left[apart], right[apart]
