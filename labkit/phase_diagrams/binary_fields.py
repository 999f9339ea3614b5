"""Fields of a binary diagram as polygons: rows of one temperature each, joined into chains.

The one idea: between two neighbouring temperatures a field continues if one of the same phases lies beside it; where it
ends it is closed at the invariant temperature, or in a point.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from labkit.phase_diagrams.binary_invariants import Invariant
    from labkit.phase_diagrams.equilibrium import Equilibrium

#: A field narrower than this where it ends is closed in a point; a wider one goes on into another.
TIP = 0.2


@dataclass(frozen=True)
class DiagramField:
    """One field: `phases` (one name, or two of a tie-line), rising temperatures (k,) K, x from `low` to `high` (k,)."""

    phases: tuple[str, ...]
    temperatures_K: np.ndarray
    low: np.ndarray
    high: np.ndarray

    @property
    def polygon(self) -> np.ndarray:
        """The outline (2k, 2) as (x, T): up the low side, down the high one."""
        x = np.concatenate([self.low, self.high[::-1]])
        return np.column_stack([x, np.concatenate([self.temperatures_K, self.temperatures_K[::-1]])])

    @property
    def compound(self) -> bool:
        """Whether the field is a line: one phase of one composition."""
        return len(self.phases) == 1 and bool(np.all(self.high - self.low < 1e-9))

    def centre(self) -> tuple[float, float]:
        """A place for a label (x, T): the middle of the row that leaves most room to every side."""
        T, width, x = self.temperatures_K, self.high - self.low, 0.5 * (self.low + self.high)
        span = max(float(np.ptp(T)), 1e-9)
        # To the next row that does not hold the place: a field may widen at once, as above a miscibility gap.
        outside = (self.low[None] > x[:, None]) | (self.high[None] < x[:, None])
        rows = np.arange(len(T))
        floor = np.where(outside & (rows[None] < rows[:, None]), T[None], T[0]).max(axis=1)
        roof = np.where(outside & (rows[None] > rows[:, None]), T[None], T[-1]).min(axis=1)
        room = width * (0.15 + np.minimum(T - floor, roof - T) / span)
        best = int(np.argmax(room)) if width.max() > 0 else len(width) // 2
        return float(x[best]), float(T[best])


def two_phase_fields(rows: Sequence[Equilibrium], invariants: Sequence[Invariant]) -> list[DiagramField]:
    """Chain the tie-lines of all rows (rising T) into fields of two phases."""
    spans = [[((tie.phase1, tie.phase2), tie.x1, tie.x2) for tie in row.tie_lines] for row in rows]
    return _chained(rows, spans, invariants)


def single_phase_fields(rows: Sequence[Equilibrium], invariants: Sequence[Invariant]) -> list[DiagramField]:
    """Chain the single-phase ranges of all rows (rising T) into fields of one phase."""
    spans = [[((one.phase,), one.lowest, one.highest) for one in row.single_phase] for row in rows]
    return _chained(rows, spans, invariants)


def _chained(rows: Sequence[Equilibrium], spans: list, invariants: Sequence[Invariant]) -> list[DiagramField]:
    T = np.array([row.temperature_K for row in rows])
    compounds = [phase.compositions[0] for phase in rows[0].phases if phase.line]
    done, active = [], []
    for index, row in enumerate(spans):
        last = [chain[-1] for chain in active]
        match = _matched([one[1:] for one in last], row)
        going = []
        for number, (phases, low, high) in enumerate(row):
            old = match.get(number)
            chain = [] if old is None else active[old]
            if not chain and index:
                chain += _closing(phases, low, high, T[index], T[index - 1], invariants, compounds)
            chain.append((float(T[index]), phases, low, high))
            going.append(chain)
        for number, chain in enumerate(active):
            if number not in match.values():
                chain += _closing(*chain[-1][1:], T[index - 1], T[index], invariants, compounds)
                done.append(chain)
        active = going
    return [_field(chain) for chain in done + active]


def _matched(before: list, row: list) -> dict[int, int]:
    """Which span of the row before (values) each span of this row (keys) continues: same phases, most overlap."""
    found, taken = {}, set()
    kinds = Counter(one[0] for one in before), Counter(one[0] for one in row)
    pairs = [
        (min(high, old[2]) - max(low, old[1]), number, past)
        for number, (phases, low, high) in enumerate(row)
        for past, old in enumerate(before)
        if old[0] == phases
    ]
    for overlap, number, past in sorted(pairs, reverse=True):
        # A narrow field may move by more than its width between two rows; if there is no other it is the same one.
        near = overlap > -0.1 or all(kind[row[number][0]] == 1 for kind in kinds)
        if near and number not in found and past not in taken:
            found[number] = past
            taken.add(past)
    return found


def _closing(
    phases: tuple[str, ...], low: float, high: float, inside_K: float, outside_K: float,
    invariants: Sequence[Invariant], compounds: Sequence[float],
) -> list:  # fmt: skip
    """The row that closes a field between its last temperature and the next: an invariant, a point, or flat."""
    for one in invariants:
        if not min(inside_K, outside_K) <= one.temperature_K <= max(inside_K, outside_K):
            continue
        for first in range(3):
            for last in range(first, 3):
                names = one.phases[first : last + 1 : max(last - first, 1)]
                ends = one.compositions[first], one.compositions[last]
                if names == phases and abs(ends[0] - low) < 0.05 and abs(ends[1] - high) < 0.05:
                    return [(one.temperature_K, phases, *ends)]
    if high - low > TIP:
        return [(outside_K, phases, low, high)]
    middle = 0.5 * (low + high)
    # Fields beside a melting compound or element end in it.
    middle = next((x for x in compounds if min(abs(x - low), abs(x - high)) < 1e-9), middle)
    middle = round(middle) if min(middle, 1 - middle) < 0.02 else middle
    return [(0.5 * (inside_K + outside_K), phases, middle, middle)]


def _field(chain: list) -> DiagramField:
    temperatures, low, high = (np.array([row[key] for row in chain], dtype=float) for key in (0, 2, 3))
    return DiagramField(tuple(chain[0][1]), temperatures, low, high)
