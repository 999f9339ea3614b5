"""The same phases through the package landau: diagrams in (x, T) and (μ, T), drawn and refined by its own methods.

The one idea: landau works with semigrand potentials φ(T, Δμ) = min_x [f(x, T) - Δμ x]; each of our phases answers that
exactly, by a grid and one Newton solve, so that a phase that demixes jumps where it should (landau's own
RegularSolution puts points inside of the miscibility gap).
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from labkit.errors import InvalidTask
from labkit.phase_diagrams.equilibrium_solve import checked, solve
from labkit.phase_diagrams.equilibrium_tangents import minimum_of
from labkit.phase_diagrams.phases_base import Phase

if TYPE_CHECKING:
    import pandas as pd

#: Rows of a border that lie further apart than this belong to two borders.
LONGEST_STEP_K = 20.0
#: How to get the package, for errors.
INSTALL = 'pip install "landau>=1.16,<1.17"'


def as_landau(phase: Phase, points: int = 201) -> Any:
    """Return `phase` as a phase of landau: `semigrand_potential(T, dmu)` (eV/atom) and `concentration(T, dmu)`."""
    base = _landau().phases.Phase

    @dataclass(frozen=True)
    class Adapted(base):
        """One phase of labkit, as landau wants it."""

        def semigrand_potential(self, T: Any, dmu: Any) -> Any:
            x, f = solution.at(T, dmu)
            return _plain(f - x * np.asarray(dmu, float))

        def concentration(self, T: Any, dmu: Any) -> Any:
            return _plain(solution.at(T, dmu)[0])

    solution = _Semigrand(phase, points)
    return Adapted(phase.name)


@dataclass(frozen=True)
class LandauDiagram:
    """What landau found: `points`, its DataFrame (T, phase, mu, c, phi, stable, locus, ...), and the phases."""

    phases: tuple[Phase, ...]
    points: pd.DataFrame
    asked_K: tuple[float, ...]

    def table(self, *, all_rows: bool = False) -> pd.DataFrame:
        """Return its tie-lines in the columns of `BinaryDiagram.table`, rising in temperature and composition.

        landau walks along each border with steps of at most 5 K: those steps with `all_rows`, else its borders
        interpolated to the temperatures that were asked for.
        """
        import pandas as pd

        rows = []
        borders = self.points[np.isfinite(self.points["mu"]) & (self.points["locus"] != "interior")]
        for (T, mu), part in borders.groupby(["T", "mu"]):
            part = part.sort_values("c").drop_duplicates(["phase", "c"])
            rows += [
                (T, one.phase, one.c, two.phase, two.c, mu)
                for one, two in pairwise(part.itertuples())
                if two.c - one.c > 1e-9
            ]
        names = ["temperature_K", "phase1", "x1", "phase2", "x2", "chemical_potential_eV"]
        found = pd.DataFrame(rows, columns=names)
        if not all_rows:
            found = pd.concat([self._at_asked(part) for _, part in found.groupby(["phase1", "phase2"])] or [found])
        return found.sort_values(["temperature_K", "x1"], ignore_index=True)

    def _at_asked(self, border: pd.DataFrame) -> pd.DataFrame:
        """The border of one pair of phases at the temperatures asked for; a gap in it of 20 K is an end of it."""
        border = border.sort_values("temperature_K").drop_duplicates("temperature_K")
        T, asked = border["temperature_K"].to_numpy(), np.array(self.asked_K)
        after = np.searchsorted(T, asked - 1e-9)
        inside = (asked >= T[0] - 1e-9) & (asked <= T[-1] + 1e-9)
        near = T[np.minimum(after, len(T) - 1)] - T[np.maximum(after - 1, 0)] < LONGEST_STEP_K
        asked = asked[inside & (near | np.isin(asked, T))]
        made = border.iloc[np.zeros(len(asked), int)].copy()
        made["temperature_K"] = asked
        for name in ("x1", "x2", "chemical_potential_eV"):
            made[name] = np.interp(asked, T, border[name].to_numpy())
        return made

    def most_phases(self) -> int:
        """Return the largest number of phases that are stable at one (T, Δμ); the phase rule allows three."""
        stable = self.points[self.points["stable"] & np.isfinite(self.points["mu"])]
        return int(stable.groupby(["T", "mu"])["phase"].nunique().max())

    def polygons(self, method: str = "concave") -> dict[str, list[np.ndarray]]:
        """Return the fields of each phase as outlines (k, 2) in (x, T), by landau's polygon `method`.

        They are made from points and may have notches where these are few; the borders in `table` have none.
        """
        from landau.plot import get_polygons

        found: dict[str, list[np.ndarray]] = {}
        with warnings.catch_warnings():
            # It says which of its optional packages are missing, whichever method is asked for.
            warnings.simplefilter("ignore")
            made = get_polygons(self.points, poly_method=method)
        for key, polygon in made.items():
            found.setdefault(key[0] if isinstance(key, tuple) else key, []).append(np.asarray(polygon.get_xy()))
        return found


def landau_diagram(
    phases: Sequence[Phase], temperatures_K: Sequence[float], *, potentials: int = 60, points: int = 201,
    refine: bool = True,
) -> LandauDiagram:  # fmt: skip
    """Return landau's diagram of the phases over the temperatures (K, above 0).

    potentials: how many Δμ are sampled, chosen so that they are even in composition at the lowest and the highest
    temperature. refine: let landau solve for the borders, which it finds between neighbouring samples: with
    temperatures further apart than about 20 K it may miss one. Seconds, where `binary_diagram` takes milliseconds.
    """
    landau = _landau()
    T = np.unique(checked(phases, temperatures_K, points))
    if T[0] <= 0:
        raise InvalidTask("landau needs temperatures above 0 K; use equilibrium for the hull at 0 K.")
    mu = _potentials(phases, T, potentials, points)
    frame = landau.calculate.calc_phase_diagram([as_landau(one, points) for one in phases], T, mu, refine=refine)
    return LandauDiagram(tuple(phases), frame.reset_index(drop=True), tuple(T.tolist()))


class _Semigrand:
    """min_x [f(x, T) - Δμ x] of one phase: argmin on a grid, then Newton between the neighbours."""

    def __init__(self, phase: Phase, points: int) -> None:
        self.phase = phase
        self.x = np.unique(np.concatenate([np.linspace(*phase.compositions, points), phase.ends]))
        self._row = lru_cache(maxsize=4096)(lambda T: np.asarray(phase.free_energy(self.x, T), float))

    def at(self, T: Any, dmu: Any) -> tuple[np.ndarray, np.ndarray]:
        """Compositions and free energies (eV/atom) at T and Δμ (broadcast)."""
        T, dmu = np.broadcast_arrays(np.asarray(T, float), np.asarray(dmu, float))
        flat, slope = T.ravel(), dmu.ravel()
        if self.phase.line:
            x = np.full(flat.shape, self.x[0])
        else:
            f = np.stack([self._row(one) for one in flat.tolist()])
            best = (f - slope[:, None] * self.x).argmin(axis=1)
            bracket = np.stack([self.x[np.maximum(best - 1, 0)], self.x[np.minimum(best + 1, len(self.x) - 1)]], 1)
            x = minimum_of(self.phase, flat, slope, self.x[best], bracket)
        return x.reshape(T.shape), np.asarray(self.phase.free_energy(x, flat)).reshape(T.shape)


def _potentials(phases: Sequence[Phase], T: np.ndarray, count: int, points: int) -> np.ndarray:
    """Δμ at even compositions of the hull at both ends of the temperatures, and around every tie-line there."""
    found = []
    for solved, temperature in zip(solve(phases, T[[0, -1]], points), T[[0, -1]], strict=True):
        x = np.linspace(solved.first[1], solved.last[1], max(count // 2, 2) + 1)[:-1] + 0.5 / count
        for one in x:
            inside = (solved.x[:, 0] < one) & (one < solved.x[:, 1])
            if inside.any():
                continue
            starts = np.append(solved.first[1], solved.x[:, 1])
            index = int(np.searchsorted(starts, one) - 1)
            phase = phases[np.append(solved.first[0], solved.pairs[:, 1])[index]]
            if not phase.line:
                found.append(float(phase.slope(one, temperature)))
        # Beside the tie-lines, not on them: landau looks for the border between two samples.
        found += [slope + side for slope in solved.slope.tolist() for side in (-1e-3, 1e-3)]
    low, high = min(found), max(found)
    margin = 0.05 * (high - low) + 0.05
    even = np.linspace(low - margin, high + margin, max(count - len(found), 2))
    return np.unique(np.concatenate([found, even]))


def _plain(value: np.ndarray) -> Any:
    """A number for a number, an array for an array: landau compares shapes."""
    return float(value) if np.ndim(value) == 0 else value


def _landau() -> Any:
    try:
        import landau
        import landau.calculate
        import landau.phases
    except ImportError as error:
        raise InvalidTask(f"diagrams through landau need the package landau: {INSTALL}.") from error
    return landau
