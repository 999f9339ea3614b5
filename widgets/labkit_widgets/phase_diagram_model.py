"""What a phase diagram view shows, without a widget: phases that are switched and shifted, and what follows from them.

The one idea: while a slider moves, the diagram is solved on fewer temperatures; asked for as an object it is always the
full one.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from labkit.errors import InvalidTask
from labkit.phase_diagrams.binary import BinaryDiagram, binary_diagram
from labkit.phase_diagrams.equilibrium import Equilibrium, equilibrium
from labkit.phase_diagrams.phases import Phase

from .phase_diagram_rows import Row

TEMPERATURES, QUICK = 60, 25
#: How far apart two temperatures may be (K) between which a field ends; in the quick diagram a part of their distance,
#: so that one more pass does.
CLOSING_K, QUICK_PART = 0.5, 1 / 3
_POINTS = 101


@dataclass
class PhaseDiagramModel:
    """All `phases` in their order; `on` and `shifts_meV` (meV/atom) say which count and how far they are moved."""

    phases: tuple[Phase, ...]
    temperatures_K: np.ndarray
    on: list[bool] = field(default_factory=list)
    shifts_meV: list[float] = field(default_factory=list)
    took_ms: float = 0.0
    _moved: tuple[tuple[float, ...], list[Phase]] | None = field(default=None, repr=False)

    @classmethod
    def of(cls, phases: Sequence[Phase], temperatures_K: Sequence[float] | None = None) -> PhaseDiagramModel:
        """Take what was given; raises TypeError for what is no phase, ValueError for none or two of one name."""
        given = [phases] if isinstance(phases, Phase) else list(phases)
        strangers = {type(one).__name__ for one in given if not isinstance(one, Phase)}
        if strangers:
            raise TypeError(
                f"PhaseDiagramView shows phases (LinePhase, SolutionPhase, ...), not {', '.join(strangers)}."
            )
        names = [one.name for one in given]
        if not given or len(set(names)) < len(names):
            raise ValueError("there are no phases to show." if not given else "two phases have the same name.")
        range_K = interesting(given) if temperatures_K is None else np.unique(np.asarray(temperatures_K, float))
        if len(range_K) < 3:
            raise ValueError("a diagram needs at least 3 temperatures.")
        return cls(tuple(given), range_K, [True] * len(given), [0.0] * len(given))

    @property
    def numbers(self) -> dict[str, int]:
        """The number of each phase by its name."""
        return {phase.name: at for at, phase in enumerate(self.phases)}

    @property
    def moved(self) -> list[Phase]:
        """All phases with their shifts."""
        shifts = tuple(self.shifts_meV)
        if self._moved is None or self._moved[0] != shifts:
            found = [one.shifted(1e-3 * by) if by else one for one, by in zip(self.phases, shifts, strict=True)]
            self._moved = shifts, found
        return self._moved[1]

    @property
    def active(self) -> list[Phase]:
        """The phases that count, with their shifts; raises InvalidTask when none does."""
        found = [one for one, on in zip(self.moved, self.on, strict=True) if on]
        if not found:
            raise InvalidTask("all phases are switched off; switch on at least one.")
        return found

    def diagram(self, *, quick: bool = False) -> BinaryDiagram:
        """Solve the diagram; `quick` with fewer temperatures and less sharp ends of fields."""
        started = time.perf_counter()
        asked, closing_K = self.temperatures_K, CLOSING_K
        if quick and len(asked) > QUICK:
            asked = np.linspace(asked[0], asked[-1], QUICK)
            closing_K = max(QUICK_PART * (asked[1] - asked[0]), CLOSING_K)
        found = binary_diagram(self.active, asked, points=_POINTS, closing_K=closing_K, settle=not quick)
        self.took_ms = 1e3 * (time.perf_counter() - started)
        return found

    def equilibrium(self, temperature_K: float) -> Equilibrium:
        """Solve one temperature."""
        return equilibrium(self.active, temperature_K)

    def rows(self, diagram: BinaryDiagram) -> list[Row]:
        """Return the diagram as numbers."""
        numbers = self.numbers
        return [Row.of(one, numbers) for one in diagram.equilibria]


def interesting(phases: Sequence[Phase]) -> np.ndarray:
    """Return even temperatures (K) that reach somewhat above the last change of the order of the phases along x.

    Looked for between 50 and 4000 K, within what the tables of the phases cover.
    """
    low, high = covered(phases)
    steps = np.linspace(low, high, 48)
    kinds = []
    for T in steps:
        found = equilibrium(phases, float(T), 51)
        kinds.append([one.phase for one in found.single_phase])
    changes = [at for at in range(1, len(steps)) if kinds[at] != kinds[at - 1]]
    top = high if not changes else min(high, low + 1.12 * (steps[changes[-1]] - low))
    return np.linspace(low, top, TEMPERATURES)


def covered(phases: Sequence[Phase], low: float = 50.0, high: float = 4000.0) -> tuple[float, float]:
    """Return the first and the last temperature (K, to 1e-3 K within) at which all phases know their free energy.

    Tables may lie deep inside of a phase (those of its end members), so the phases are asked. Raises InvalidTask if no
    temperature is known to all.
    """

    def known(T: float) -> bool:
        try:
            for one in phases:
                one.free_energy(one.compositions[0], T)
        except InvalidTask:
            return False
        return True

    def edge(inside: float, outside: float) -> float:
        while abs(outside - inside) > 1e-3:
            middle = 0.5 * (inside + outside)
            inside, outside = (middle, outside) if known(middle) else (inside, middle)
        return inside

    steps = np.linspace(low, high, 159).tolist()
    good = [T for T in steps if known(T)]
    if not good:
        raise InvalidTask(
            f"no temperature from {low:g} to {high:g} K is in the tables of all phases: give temperatures_K, or tables "
            "that overlap."
        )
    first = good[0] if good[0] == low else edge(good[0], good[0] - (steps[1] - steps[0]))
    last = good[-1] if good[-1] == high else edge(good[-1], good[-1] + (steps[1] - steps[0]))
    return first, last
