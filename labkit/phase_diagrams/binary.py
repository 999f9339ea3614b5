"""The temperature-composition diagram of a binary system.

The one idea: solve every temperature for itself, then bisect where the order of the phases along x has changed, so that
fields close where they should and not at the nearest temperature that was asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from labkit.errors import InvalidTask
from labkit.phase_diagrams.binary_congruent import Congruent, congruent_points
from labkit.phase_diagrams.binary_fields import DiagramField, single_phase_fields, two_phase_fields
from labkit.phase_diagrams.binary_invariants import Invariant, invariants, unsettled
from labkit.phase_diagrams.equilibrium import Equilibrium, equilibrium
from labkit.phase_diagrams.equilibrium_solve import Solved, checked, solve
from labkit.phase_diagrams.phases_base import Phase

if TYPE_CHECKING:
    import pandas as pd

#: Each pass cuts an interval in which the phases change into so many.
SECTIONS = 6
#: More passes where three phases seem to meet, with so many times more points: a phase may be thinner than the grid.
CLOSER, FINER = 4, 10


@dataclass(frozen=True)
class BinaryDiagram:
    """Equilibria at rising temperatures (those asked for, and where fields were closed), and the fields they bound."""

    phases: tuple[Phase, ...]
    equilibria: tuple[Equilibrium, ...]
    asked_K: tuple[float, ...]
    closing_K: float
    points: int

    @property
    def temperatures_K(self) -> np.ndarray:
        """All temperatures that were solved, rising."""
        return np.array([row.temperature_K for row in self.equilibria])

    @cached_property
    def invariants(self) -> list[Invariant]:
        """Equilibria of three phases, rising in temperature."""
        return invariants(self.equilibria, self.closing_K)

    @cached_property
    def congruent(self) -> list[Congruent]:
        """Where a phase turns into another of its own composition, rising in temperature."""
        return congruent_points(self.equilibria, self.closing_K)

    @cached_property
    def two_phase(self) -> list[DiagramField]:
        """Fields of two phases, with the compositions of both at each temperature."""
        return two_phase_fields(self.equilibria, self.invariants)

    @cached_property
    def single_phase(self) -> list[DiagramField]:
        """Fields of one phase; those of compounds have no width."""
        return single_phase_fields(self.equilibria, self.invariants)

    def at(self, x: float, temperature_K: float) -> list:
        """Return the stable phases at (x, T) with compositions and fractions (`equilibrium.Share`)."""
        return self.equilibrium(temperature_K).at(x)

    def equilibrium(self, temperature_K: float) -> Equilibrium:
        """Solve the same phases at one temperature."""
        return equilibrium(self.phases, temperature_K, self.points)

    def table(self, *, all_rows: bool = False) -> pd.DataFrame:
        """Return every tie-line: temperature_K, phase1, x1, phase2, x2, chemical_potential_eV, exact.

        Those at the temperatures asked for; with `all_rows` also those at which fields were closed.
        """
        import pandas as pd

        asked = set(self.asked_K)
        rows = [
            (row.temperature_K, tie.phase1, tie.x1, tie.phase2, tie.x2, tie.chemical_potential_eV, tie.exact)
            for row in self.equilibria
            if all_rows or row.temperature_K in asked
            for tie in row.tie_lines
        ]
        names = ["temperature_K", "phase1", "x1", "phase2", "x2", "chemical_potential_eV", "exact"]
        return pd.DataFrame(rows, columns=names)


def binary_diagram(
    phases: Sequence[Phase],
    temperatures_K: Sequence[float],
    *,
    points: int = 201,
    closing_K: float = 0.5,
    settle: bool = True,
) -> BinaryDiagram:
    """Return the diagram of these phases over the temperatures (K).

    points: as in `equilibrium`. closing_K: how far two temperatures may be apart between which a phase comes or goes;
    invariant temperatures are interpolated within it. settle: look up to a thousand times closer, on a finer grid,
    where three phases seem to meet but compositions run too fast to tell, as near the extremum of a lens. A phase that
    comes and goes between two neighbouring temperatures that were asked for is not seen.
    """
    asked = np.unique(checked(phases, temperatures_K, points))
    if not closing_K > 0:
        raise InvalidTask(f"closing_K is {closing_K:g}; it must be positive, such as 0.5 K.")
    solved = dict(zip(asked.tolist(), solve(phases, asked, points), strict=True))
    while extra := _cuts(solved, closing_K):
        solved |= dict(zip(extra, solve(phases, np.array(extra), points), strict=True))
    for _ in range(CLOSER if settle else 0):
        rows = _rows(phases, solved)
        extra = [T for ends in unsettled(rows, closing_K) for T in np.linspace(*ends, SECTIONS + 1)[1:-1].tolist()]
        if not extra:
            break
        solved |= dict(zip(extra, solve(phases, np.array(extra), FINER * points), strict=True))
    return BinaryDiagram(tuple(phases), _rows(phases, solved), tuple(asked.tolist()), closing_K, points)


def _rows(phases: Sequence[Phase], solved: dict[float, Solved]) -> tuple[Equilibrium, ...]:
    return tuple(Equilibrium(T, tuple(phases), solved[T]) for T in sorted(solved))


def _cuts(solved: dict[float, Solved], closing_K: float) -> list[float]:
    """Temperatures between neighbours with different phases along x that are further apart than `closing_K`."""
    T = sorted(solved)
    kinds = [_along(solved[one]) for one in T]
    cuts = []
    for low, high, before, after in zip(T[:-1], T[1:], kinds[:-1], kinds[1:], strict=True):
        if before != after and high - low > closing_K:
            # No finer than needed: the last pass is the common one.
            pieces = min(SECTIONS, int(np.ceil((high - low) / closing_K)))
            cuts += np.linspace(low, high, pieces + 1)[1:-1].tolist()
    return cuts


def _along(solved: Solved) -> tuple[int, ...]:
    """The phases that one meets from low x to high."""
    return solved.first[0], *solved.pairs.ravel().tolist(), solved.last[0]
