"""The outcome of comparing two networks: partners, what is missing or spurious, and how wrong the barriers are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from labkit.landscapes.alignment import Comparison
from labkit.landscapes.network import KineticNetwork, Minimum, TransitionState

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class MinimumPair:
    """Partners: index in the reference, index in the other network, distance (Å, root mean square per atom).

    dE_rel_eV: (E_ref - E_ref,0) - (E_other - E_other,0), energies counted from the lowest matched minimum of each
    network; NaN when no minimum is matched.
    """

    reference: int
    other: int
    rmsd_A: float
    dE_rel_eV: float


@dataclass(frozen=True)
class TransitionStatePair(MinimumPair):
    """Partners among the transition states; the energies are counted from the lowest matched minima."""


@dataclass(frozen=True, eq=False)
class Match:
    """Partners of two networks at one threshold (Å, root mean square per atom; inf: the closest whatever they are).

    comparison: what counted as the same structure, for atoms in the reference's order.
    """

    reference: KineticNetwork
    other: KineticNetwork
    threshold_A: float
    minima: tuple[MinimumPair, ...]
    transition_states: tuple[TransitionStatePair, ...]
    warnings: tuple[str, ...] = ()
    comparison: Comparison | None = None

    def __repr__(self) -> str:
        counts = ", ".join(f"{name} {value}" for name, value in self.counts.items())
        return f"Match({counts})"

    @cached_property
    def partner(self) -> dict[int, int]:
        """The matched minima: index in the reference -> index in the other network."""
        return {pair.reference: pair.other for pair in self.minima}

    @cached_property
    def closest_partner(self) -> dict[int, int]:
        """`partner`, and for the minima that are missing the closest of those that are left, however far."""
        from labkit.landscapes.matching import Matcher

        return Matcher(self.reference, self.other, self.comparison).closest_minima(self.partner)

    @property
    def missing_minima(self) -> list[int]:
        """Minima of the reference that the other network lacks."""
        return _without(self.reference.minima, {pair.reference for pair in self.minima})

    @property
    def extra_minima(self) -> list[int]:
        """Minima of the other network that the reference does not have."""
        return _without(self.other.minima, {pair.other for pair in self.minima})

    @property
    def missing_transition_states(self) -> list[int]:
        """Transition states of the reference that the other network lacks."""
        return _without(self.reference.transition_states, {pair.reference for pair in self.transition_states})

    @property
    def extra_transition_states(self) -> list[int]:
        """Transition states of the other network that are the partner of none."""
        return _without(self.other.transition_states, {pair.other for pair in self.transition_states})

    @property
    def counts(self) -> dict[str, int]:
        """minima_found, missing_minima, extra_minima, transition_states_found, missing_..., extra_transition_states."""
        return {
            "minima_found": len(self.minima),
            "missing_minima": len(self.missing_minima),
            "extra_minima": len(self.extra_minima),
            "transition_states_found": len(self.transition_states),
            "missing_transition_states": len(self.missing_transition_states),
            "extra_transition_states": len(self.extra_transition_states),
        }

    def table(self) -> pd.DataFrame:
        """One row for each stationary point of either network.

        Columns: kind ("minimum", "transition state"), state ("matched", "missing", "extra"), reference, other (indices,
        None where there is none), rmsd_A, dE_rel_eV, reference_eV, other_eV (from the lowest matched minima, or from
        the lowest minimum when none is matched).
        """
        import pandas as pd

        columns = ["kind", "state", "reference", "other", "rmsd_A", "dE_rel_eV", "reference_eV", "other_eV"]
        table = pd.DataFrame(list(self._rows()), columns=columns)
        return table.astype({"reference": "Int64", "other": "Int64"})

    def barriers(self) -> pd.DataFrame:
        """Barriers over the matched transition states, both ways, a row for each way; self-loops once.

        Columns: transition_state (of the reference), start, end (minima of the reference), reference_eV, other_eV
        (E_TS - E_start), error_eV (other - reference).
        """
        import pandas as pd

        rows = []
        for pair in self.transition_states:
            saddle, theirs = self.reference.transition_states[pair.reference], pair.other
            for start, end in dict.fromkeys((saddle.minima, saddle.minima[::-1])):
                if start not in self.partner:
                    continue
                low = self.other.minima[self.partner[start]].energy_eV
                barrier = saddle.energy_eV - self.reference.minima[start].energy_eV
                other = self.other.transition_states[theirs].energy_eV - low
                rows.append((pair.reference, start, end, barrier, other, other - barrier))
        columns = ["transition_state", "start", "end", "reference_eV", "other_eV", "error_eV"]
        return pd.DataFrame(rows, columns=columns)

    def zeros(self) -> tuple[float, float]:
        """The energies (eV) from which each network counts: its lowest matched minimum, or its lowest one."""
        found = []
        for network, taken in (
            (self.reference, [pair.reference for pair in self.minima]),
            (self.other, [pair.other for pair in self.minima]),
        ):
            points = [network.minima[i] for i in taken] or network.minima
            found.append(min((point.energy_eV for point in points), default=float("nan")))
        return found[0], found[1]

    def _rows(self) -> Iterator[tuple[object, ...]]:
        zero, other_zero = self.zeros()
        nan = float("nan")
        for kind, pairs, ours, theirs in (
            ("minimum", self.minima, self.reference.minima, self.other.minima),
            (
                "transition state",
                self.transition_states,
                self.reference.transition_states,
                self.other.transition_states,
            ),
        ):
            by_reference = {pair.reference: pair for pair in pairs}
            for point in ours:
                energy = point.energy_eV - zero
                pair = by_reference.get(point.index)
                if pair is None:
                    yield kind, "missing", point.index, None, nan, nan, energy, nan
                    continue
                other = theirs[pair.other].energy_eV - other_zero
                yield kind, "matched", point.index, pair.other, pair.rmsd_A, pair.dE_rel_eV, energy, other
            for index in _without(theirs, {pair.other for pair in pairs}):
                yield kind, "extra", None, index, nan, nan, nan, theirs[index].energy_eV - other_zero


def _without(points: list[Minimum] | list[TransitionState], taken: set[int]) -> list[int]:
    return [point.index for point in points if point.index not in taken]
