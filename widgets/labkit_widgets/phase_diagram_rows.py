"""What is stable at each temperature of a diagram, as plain numbers: fields of one phase, tie-lines, spans to draw.

The one idea: from low composition to high, fields and tie-lines take turns; in a T-µ diagram the same fields lie
between the chemical potentials of their tie-lines.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from labkit.phase_diagrams.equilibrium import Equilibrium

COMPOSITION, POTENTIAL = "c", "mu"
#: What stands in a diagram: (phases, from, to), with one phase for a field and two for a gap.
Span = tuple[tuple[int, ...], float, float]


@dataclass(frozen=True)
class Row:
    """One temperature: `fields` (phase, lowest x, highest x) and `ties` (phase, x, phase, x, µ in eV) between them."""

    temperature_K: float
    fields: tuple[tuple[int, float, float], ...]
    ties: tuple[tuple[int, float, int, float, float], ...]

    @classmethod
    def of(cls, found: Equilibrium, number: Mapping[str, int]) -> Row:
        """Take an equilibrium apart; `number` tells the number of each phase by its name."""
        fields = tuple((number[one.phase], one.lowest, one.highest) for one in found.single_phase)
        ties = tuple(
            (number[one.phase1], one.x1, number[one.phase2], one.x2, one.chemical_potential_eV)
            for one in found.tie_lines
        )
        return cls(float(found.temperature_K), fields, ties)

    def spans(self, axis: str, limits: tuple[float, float]) -> list[Span]:
        """Return fields, and for a composition axis gaps, from left to right, cut off at `limits`."""
        if axis == COMPOSITION:
            made = [((phase,), low, high) for phase, low, high in self.fields]
            made += [((one, two), low, high) for one, low, two, high, _ in self.ties]
            return sorted(made, key=lambda one: (one[1], one[2]))
        edges = [limits[0], *(tie[4] for tie in self.ties), limits[1]]
        cut = [min(max(edge, limits[0]), limits[1]) for edge in edges]
        return [((phase,), cut[at], cut[at + 1]) for at, (phase, _, _) in enumerate(self.fields)]


def potential_limits(rows: Sequence[Row]) -> tuple[float, float]:
    """Return a range of µ (eV) with some room around all tie-lines."""
    found = [tie[4] for row in rows for tie in row.ties] or [0.0]
    low, high = min(found), max(found)
    room = 0.12 * (high - low) or 0.1
    return low - room, high + room


def packed(rows: Sequence[Row]) -> dict[str, Any]:
    """Return rows as the page takes them: rising temperatures, and fields (s) and tie-lines (t) of each."""
    return {
        "T": [round(row.temperature_K, 4) for row in rows],
        "rows": [packed_row(row) for row in rows],
    }


def packed_row(row: Row) -> dict[str, Any]:
    """Return one row as the page takes it."""
    return {
        "s": [[phase, round(low, 6), round(high, 6)] for phase, low, high in row.fields],
        "t": [[p, round(x, 6), q, round(y, 6), round(mu, 6)] for p, x, q, y, mu in row.ties],
    }
