"""Which phases are stable at one temperature, with which compositions and in which amounts.

The one idea: the stable free energy is the lower convex hull of all f(x). Where the hull touches a curve, one phase is
stable; where it is straight, two phases share the material along a tie-line, by the lever rule. A miscibility gap is a
tie-line of a phase with itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from labkit.errors import InvalidTask
from labkit.phase_diagrams.equilibrium_solve import Solved, solve
from labkit.phase_diagrams.phases_base import Phase


@dataclass(frozen=True)
class TieLine:
    """Two phases in equilibrium: x1 < x2, and the slope of their common tangent, μ_B - μ_A (eV/atom).

    `intercept_eV`: the tangent at x = 0, which is μ_A. `exact`: whether the tangent converged (else x is the grid's).
    """

    x1: float
    phase1: str
    x2: float
    phase2: str
    chemical_potential_eV: float
    intercept_eV: float
    exact: bool = True

    def free_energy(self, x: float | np.ndarray) -> float | np.ndarray:
        """The tangent at x in eV/atom."""
        return self.intercept_eV + self.chemical_potential_eV * x


@dataclass(frozen=True)
class Field:
    """The range of compositions in which one phase is stable alone (lowest = highest for a compound)."""

    phase: str
    lowest: float
    highest: float


@dataclass(frozen=True)
class Share:
    """A stable phase, its composition, and the fraction of the atoms that are in it."""

    phase: str
    composition: float
    fraction: float


@dataclass(frozen=True)
class Tangent:
    """The tangent to the hull at x: intercept_eV + chemical_potential_eV x (eV/atom), and where it touches."""

    chemical_potential_eV: float
    intercept_eV: float
    touches: tuple[Share, ...]

    def free_energy(self, x: float | np.ndarray) -> float | np.ndarray:
        """The tangent at x in eV/atom."""
        return self.intercept_eV + self.chemical_potential_eV * x


@dataclass(frozen=True)
class Equilibrium:
    """The stable phases of all compositions at one temperature, from low x to high."""

    temperature_K: float
    phases: tuple[Phase, ...]
    solved: Solved

    @cached_property
    def tie_lines(self) -> list[TieLine]:
        """The two-phase fields, from low x to high."""
        found, names = self.solved, [phase.name for phase in self.phases]
        return [
            TieLine(x1, names[one], x2, names[two], slope, intercept, exact)
            for (x1, x2), (one, two), slope, intercept, exact in zip(
                found.x.tolist(), found.pairs.tolist(), found.slope.tolist(), found.intercept.tolist(),
                found.exact.tolist(), strict=True,
            )
        ]  # fmt: skip

    @cached_property
    def single_phase(self) -> list[Field]:
        """The fields of one phase, from low x to high; those of compounds have no width."""
        found, names = self.solved, [phase.name for phase in self.phases]
        starts = [found.first, *((int(pair[1]), float(x[1])) for pair, x in zip(found.pairs, found.x, strict=True))]
        ends = [*(float(x[0]) for x in found.x), found.last[1]]
        return [Field(names[index], low, max(low, high)) for (index, low), high in zip(starts, ends, strict=True)]

    def at(self, x: float) -> list[Share]:
        """Return the stable phases at overall composition x with their fractions (lever rule), one or two of them."""
        x = self._inside(x)
        for tie in self.tie_lines:
            if tie.x1 < x < tie.x2:
                part = (x - tie.x1) / (tie.x2 - tie.x1)
                return [Share(tie.phase1, tie.x1, 1 - part), Share(tie.phase2, tie.x2, part)]
        nearest = min(self.single_phase, key=lambda one: max(one.lowest - x, x - one.highest))
        return [Share(nearest.phase, x, 1.0)]

    def tangent(self, x: float) -> Tangent:
        """Return the tangent to the hull at x; at a compound, the mean of the slopes on both sides.

        At a pure element next to a solution the slope is infinite: the one at 1e-9 from it is given.
        """
        shares = tuple(self.at(x))
        if len(shares) == 2:
            tie = next(one for one in self.tie_lines if one.x1 < x < one.x2)
            return Tangent(tie.chemical_potential_eV, tie.intercept_eV, shares)
        phase = next(one for one in self.phases if one.name == shares[0].phase)
        if phase.line:
            beside = [one for one in self.tie_lines if phase.name in (one.phase1, one.phase2)]
            slope = float(np.mean([one.chemical_potential_eV for one in beside])) if beside else 0.0
        else:
            slope = float(phase.slope(np.clip(x, 1e-9, 1 - 1e-9), self.temperature_K))
        return Tangent(slope, float(phase.free_energy(x, self.temperature_K)) - slope * x, shares)

    def free_energy(self, x: float) -> float:
        """Return the lowest free energy at overall composition x, on the hull (eV/atom)."""
        tangent = self.tangent(x)
        return float(tangent.free_energy(x))

    @property
    def stable(self) -> list[str]:
        """The names of the phases that are stable somewhere, from low x to high."""
        return list(dict.fromkeys(one.phase for one in self.single_phase))

    def _inside(self, x: float) -> float:
        low, high = self.solved.first[1], self.solved.last[1]
        if not low - 1e-12 <= x <= high + 1e-12:
            raise InvalidTask(
                f"no phase of this system reaches x = {x:g}: they go from {low:g} to {high:g}. "
                "Add the phases of the pure elements."
            )
        return float(min(max(x, low), high))


def equilibrium(phases: Sequence[Phase], temperature_K: float, points: int = 201) -> Equilibrium:
    """Return the stable phases at `temperature_K`: lower convex hull, then common tangents by Newton's method.

    `points`: even compositions at which the hull is built. A phase that is stable over less than 1/`points` may be
    missed; compositions in equilibrium are solved to 1e-12 whatever it is. Raises InvalidTask for phases of one name,
    for free energies that are not finite, and for temperatures outside of a phase's table.
    """
    temperature = np.array([float(temperature_K)])
    (solved,) = solve(phases, temperature, points)
    return Equilibrium(float(temperature_K), tuple(phases), solved)
