"""Which minima and transition states of one network are those of another.

The one idea: two points are partners when the root mean square distance of their aligned atoms is below a threshold.
The published criterion of 0.3 Å is such a mean per atom, the norm of the 3N vector divided by √n: with it all counts of
Landscape17 come out as printed, and the distances agree to 1e-4 Å wherever the published search did not stop early.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from labkit.errors import InvalidStructure, InvalidTask
from labkit.landscapes.alignment import Comparison, default_comparison, like_order
from labkit.landscapes.match import Match, MinimumPair, TransitionStatePair
from labkit.landscapes.network import KineticNetwork

#: Å per atom (root mean square), Carare et al. 2025.
THRESHOLD_A = 0.3
#: Pairs of structures between two words to `progress`, a quarter of a second in clusters; Å that count as shorter.
AT_ONCE, SHORTER_A = 10, 1e-6


def match(
    reference: KineticNetwork,
    other: KineticNetwork,
    threshold_A: float = THRESHOLD_A,
    comparison: Comparison | None = None,
) -> Match:
    """The exact matches: partners closer than the threshold (Å, root mean square per atom); see `Matcher.match`."""
    return Matcher(reference, other, comparison).match(threshold_A)


def closest_match(reference: KineticNetwork, other: KineticNetwork, comparison: Comparison | None = None) -> Match:
    """The closest matches whatever their distance, as many as the smaller network has; see `Matcher.closest`."""
    return Matcher(reference, other, comparison).closest()


class Matcher:
    """Compares two networks at any threshold, and keeps the distances, so that a slider can ask again and again.

    A search ends at the first alignment below its threshold. What it found above a narrower one is therefore searched
    below once more, when that one is asked for. comparison: what counts as the same structure, of atoms in any order;
    see `default_comparison`. Raises InvalidStructure for networks of different atoms.
    """

    def __init__(self, reference: KineticNetwork, other: KineticNetwork, comparison: Comparison | None = None) -> None:
        if sorted(reference.symbols) != sorted(other.symbols):
            raise InvalidStructure(
                f"the networks hold {_formula(reference)} and {_formula(other)}; only networks of the same atoms can "
                "be compared."
            )
        self.reference, self.other = reference, other
        self.comparison = (comparison or default_comparison(reference)).for_symbols(reference.symbols)
        # the other network may list its atoms differently: both by element, each in its own order
        self._order = like_order(reference.symbols, other.symbols)
        self._root_n = np.sqrt(len(reference.symbols))
        self._minima, self._reach = np.zeros((0, 0)), 0.0
        self._settled = np.zeros((0, 0), dtype=bool)
        self._saddles: dict[tuple[int, int], tuple[float, float, bool]] = {}

    def minima_A(
        self, threshold_A: float | None = None, *, progress: Callable[[str], None] | None = None
    ) -> np.ndarray:
        """(m, k) root mean square distances (Å) of all minima; inf for those proven to be beyond the threshold.

        progress: told how far this is, several times a second; an error that it raises ends the search.
        """
        reach = np.inf if threshold_A is None else float(threshold_A)
        ours, theirs = ([p.positions for p in one.minima] for one in (self.reference, self.other))
        known = self._minima.shape == (len(ours), len(theirs))
        if reach > self._reach or not known:
            found = self._blocks(ours, theirs, reach, progress)
            settled = np.full(found.shape, np.isinf(reach))
            if known:
                settled |= self._settled & (self._minima <= found)
                found = np.minimum(found, self._minima)
            self._minima, self._settled, self._reach = found, settled, reach
        doubtful = np.argwhere(~self._settled & np.isfinite(self._minima) & (self._minima >= reach))
        for at, (i, j) in enumerate(doubtful):
            if progress is not None:
                progress(f"pair {at + 1:,} of {len(doubtful):,} once more")
            self._minima[i, j] = self._settle(ours[i], theirs[j], self._minima[i, j])
            self._settled[i, j] = True
        return np.where(self._minima < reach, self._minima, np.inf)

    def transition_state_A(self, i: int, j: int, threshold_A: float | None = None) -> float:
        """Root mean square distance (Å) of transition state i of the reference and j of the other network."""
        reach = np.inf if threshold_A is None else float(threshold_A)
        a, b = self.reference.transition_states[i].positions, self.other.transition_states[j].positions
        known, value, settled = self._saddles.get((i, j), (0.0, np.inf, False))
        if reach > known:
            wider = float(self._distances([a], [b], reach)[0, 0])
            settled = np.isinf(reach) or (settled and value <= wider)
            known, value = reach, min(value, wider)
        if reach <= value < np.inf and not settled:
            value, settled = self._settle(a, b, value), True
        self._saddles[i, j] = known, value, settled
        return value if value < reach else np.inf

    def match(self, threshold_A: float = THRESHOLD_A, *, progress: Callable[[str], None] | None = None) -> Match:
        """Exact matches as Carare et al. count them.

        Every minimum of the reference takes its nearest minimum if that is closer than the threshold; of several that
        take the same one the closest keeps it, and the others count as missing. A transition state is found when both
        its minima are, and a transition state between their partners is closer than the threshold; of parallel ones
        the nearest is taken, and one may be the partner of two (it is named in `warnings` then). progress: as in
        `minima_A`.
        """
        if not threshold_A > 0:
            raise InvalidTask(f"the threshold is {threshold_A} Å; it must be a positive distance.")
        lengths = self.minima_A(threshold_A, progress=progress)
        owners: dict[int, int] = {}
        for i in range(self.reference.n_minima if self.other.n_minima else 0):
            j = int(lengths[i].argmin())
            if np.isfinite(lengths[i, j]) and (j not in owners or lengths[i, j] < lengths[owners[j], j]):
                owners[j] = i
        partner = {i: j for j, i in owners.items()}
        pairs = []
        for saddle in self.reference.transition_states:
            if progress is not None:
                progress(f"transition state {saddle.index + 1:,} of {self.reference.n_transition_states:,}")
            if not all(end in partner for end in saddle.minima):
                continue
            parallel = [p.index for p in self.other.between(*(partner[end] for end in saddle.minima))]
            near = [self.transition_state_A(saddle.index, j, threshold_A) for j in parallel]
            if near and min(near) < threshold_A:
                pairs.append((saddle.index, parallel[int(np.argmin(near))], min(near)))
        minima = [(i, j, float(lengths[i, j])) for i, j in sorted(partner.items())]
        return self._match(float(threshold_A), minima, pairs)

    def closest(self) -> Match:
        """Closest matches: one-to-one, the smallest distances first, whatever they are; minima and saddles apart.

        Every pair is aligned to the end, which takes tens of milliseconds each: slow for large networks.
        """
        saddles = self._distances(
            [p.positions for p in self.reference.transition_states],
            [p.positions for p in self.other.transition_states],
            np.inf,
        )
        return self._match(np.inf, _greedy(self.minima_A()), _greedy(saddles))

    def closest_minima(self, exact: Mapping[int, int] | None = None) -> dict[int, int]:
        """The closest partners of the minima alone: index in the reference -> index in the other network.

        exact: partners that stay as they are; the closest are then sought among the others.
        """
        exact = dict(exact or {})
        ours = [point for point in self.reference.minima if point.index not in exact]
        theirs = [point for point in self.other.minima if point.index not in exact.values()]
        lengths = (
            self.minima_A()
            if not exact
            else self._distances([p.positions for p in ours], [p.positions for p in theirs], np.inf)
        )
        return exact | {ours[i].index: theirs[j].index for i, j, _ in _greedy(lengths)}

    def _blocks(
        self, ours: list[np.ndarray], theirs: list[np.ndarray], reach: float, progress: Callable[[str], None] | None
    ) -> np.ndarray:
        """All distances; a few at a time where somebody wants to know how far this is."""
        if progress is None:
            return self._distances(ours, theirs, reach)
        found = np.full((len(ours), len(theirs)), np.inf)
        for i, one in enumerate(ours):
            for j in range(0, len(theirs), AT_ONCE):
                progress(f"minimum {i + 1:,} of {len(ours):,}")
                found[i, j : j + AT_ONCE] = self._distances([one], theirs[j : j + AT_ONCE], reach)[0]
        return found

    def _settle(self, a: np.ndarray, b: np.ndarray, value: float) -> float:
        """The distance below which a search finds nothing more; in a fixed frame it is known."""
        while self.comparison.mode != "fixed frame" and value > SHORTER_A:
            shorter = float(self._distances([a], [b], value - SHORTER_A)[0, 0])
            if not np.isfinite(shorter):
                break
            value = shorter
        return value

    def _distances(self, first: list[np.ndarray], second: list[np.ndarray], reach: float) -> np.ndarray:
        threshold = None if np.isinf(reach) else reach * self._root_n
        return self.comparison.matrix(first, [x[self._order] for x in second], threshold) / self._root_n

    def _match(
        self, threshold_A: float, minima: list[tuple[int, int, float]], saddles: list[tuple[int, int, float]]
    ) -> Match:
        reference, other = self.reference, self.other
        warnings = []
        zero = 0.0
        if minima:
            low = min(minima, key=lambda pair: reference.minima[pair[0]].energy_eV)
            their = min(minima, key=lambda pair: other.minima[pair[1]].energy_eV)
            zero = reference.minima[low[0]].energy_eV - other.minima[their[1]].energy_eV
            if low != their:
                warnings.append(
                    f"the lowest matched minimum of {other.name or 'the other network'} is {their[1]} (reference "
                    f"{their[0]}), not the partner {low[1]} of the reference's lowest, {low[0]}; relative energies are "
                    "counted from different structures."
                )
        takers: dict[int, list[int]] = {}
        for i, j, _ in saddles:
            takers.setdefault(j, []).append(i)
        warnings += [
            f"transition state {j} of the other network is the nearest of {len(all_)} of the reference: {all_}."
            for j, all_ in takers.items()
            if len(all_) > 1
        ]
        relative = zero if minima else float("nan")
        return Match(
            reference,
            other,
            threshold_A,
            tuple(
                MinimumPair(i, j, d, reference.minima[i].energy_eV - other.minima[j].energy_eV - relative)
                for i, j, d in minima
            ),
            tuple(
                TransitionStatePair(
                    i,
                    j,
                    d,
                    reference.transition_states[i].energy_eV - other.transition_states[j].energy_eV - relative,
                )
                for i, j, d in saddles
            ),
            tuple(warnings),
            self.comparison,
        )


def _greedy(lengths: np.ndarray) -> list[tuple[int, int, float]]:
    pairs = []
    left = np.array(lengths, dtype=float)
    for _ in range(min(left.shape)):
        i, j = np.unravel_index(left.argmin(), left.shape)
        pairs.append((int(i), int(j), float(lengths[i, j])))
        left[i], left[:, j] = np.inf, np.inf
    return sorted(pairs)


def _formula(network: KineticNetwork) -> str:
    from ase import Atoms

    return Atoms(network.symbols).get_chemical_formula()
