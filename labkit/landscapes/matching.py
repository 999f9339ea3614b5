"""Which minima and transition states of one network are those of another.

The one idea: two points are partners when the root mean square distance of their aligned atoms is below a threshold.
The published criterion of 0.3 Å is such a mean per atom, the norm of the 3N vector divided by √n: with it all counts of
Landscape17 come out as printed, and the distances agree to 1e-4 Å wherever the published search did not stop early.
"""

from __future__ import annotations

import numpy as np

from labkit.errors import InvalidStructure, InvalidTask
from labkit.landscapes.alignment import Comparison
from labkit.landscapes.match import Match, MinimumPair, TransitionStatePair
from labkit.landscapes.network import KineticNetwork

#: Å per atom (root mean square), Carare et al. 2025.
THRESHOLD_A = 0.3


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
    """Compares two networks at any threshold; distances are computed once, so that a slider can ask again and again.

    comparison: what counts as the same structure; by default mirror images do, and atoms of one element with the same
    bonded neighbours may change places (all atoms, in a cluster of one element). Raises InvalidStructure for networks
    of different atoms.
    """

    def __init__(self, reference: KineticNetwork, other: KineticNetwork, comparison: Comparison | None = None) -> None:
        if sorted(reference.symbols) != sorted(other.symbols):
            raise InvalidStructure(
                f"the networks hold {_formula(reference)} and {_formula(other)}; only networks of the same atoms can "
                "be compared."
            )
        self.reference, self.other = reference, other
        self.comparison = comparison or default_comparison(reference)
        # the other network may list its atoms differently: both by element, each in its own order
        order = np.argsort(np.argsort(np.array(reference.symbols), kind="stable"), kind="stable")
        self._order = np.argsort(np.array(other.symbols), kind="stable")[order]
        self._root_n = np.sqrt(len(reference.symbols))
        self._minima, self._reach = np.zeros((0, 0)), 0.0
        self._saddles: dict[tuple[int, int], tuple[float, float]] = {}

    def minima_A(self, threshold_A: float | None = None) -> np.ndarray:
        """(m, k) root mean square distances (Å) of all minima; inf for those proven to be beyond the threshold."""
        reach = np.inf if threshold_A is None else float(threshold_A)
        if reach > self._reach or self._minima.shape != (self.reference.n_minima, self.other.n_minima):
            self._minima = self._distances(
                [p.positions for p in self.reference.minima], [p.positions for p in self.other.minima], reach
            )
            self._reach = reach
        return np.where(self._minima < reach, self._minima, np.inf)

    def transition_state_A(self, i: int, j: int, threshold_A: float | None = None) -> float:
        """Root mean square distance (Å) of transition state i of the reference and j of the other network."""
        reach = np.inf if threshold_A is None else float(threshold_A)
        known, value = self._saddles.get((i, j), (0.0, np.inf))
        if reach > known:
            a, b = self.reference.transition_states[i], self.other.transition_states[j]
            value = float(self._distances([a.positions], [b.positions], reach)[0, 0])
            self._saddles[i, j] = reach, value
        return value if value < reach else np.inf

    def match(self, threshold_A: float = THRESHOLD_A) -> Match:
        """Exact matches as Carare et al. count them.

        Every minimum of the reference takes its nearest minimum if that is closer than the threshold; of several that
        take the same one the closest keeps it, and the others count as missing. A transition state is found when both
        its minima are, and a transition state between their partners is closer than the threshold; of parallel ones
        the nearest is taken, and one may be the partner of two (it is named in `warnings` then).
        """
        if not threshold_A > 0:
            raise InvalidTask(f"the threshold is {threshold_A} Å; it must be a positive distance.")
        lengths = self.minima_A(threshold_A)
        owners: dict[int, int] = {}
        for i in range(self.reference.n_minima if self.other.n_minima else 0):
            j = int(lengths[i].argmin())
            if np.isfinite(lengths[i, j]) and (j not in owners or lengths[i, j] < lengths[owners[j], j]):
                owners[j] = i
        partner = {i: j for j, i in owners.items()}
        pairs = []
        for saddle in self.reference.transition_states:
            if not all(end in partner for end in saddle.minima):
                continue
            parallel = [p.index for p in self.other.between(*(partner[end] for end in saddle.minima))]
            near = [self.transition_state_A(saddle.index, j, threshold_A) for j in parallel]
            if near and min(near) < threshold_A:
                pairs.append((saddle.index, parallel[int(np.argmin(near))], min(near)))
        minima = [(i, j, float(lengths[i, j])) for i, j in sorted(partner.items())]
        return self._match(float(threshold_A), minima, pairs)

    def closest(self) -> Match:
        """Closest matches: one-to-one, the smallest distances first, whatever they are; minima and saddles apart."""
        saddles = self._distances(
            [p.positions for p in self.reference.transition_states],
            [p.positions for p in self.other.transition_states],
            np.inf,
        )
        return self._match(np.inf, _greedy(self.minima_A()), _greedy(saddles))

    def closest_minima(self) -> dict[int, int]:
        """The closest partners of the minima alone: index in the reference -> index in the other network."""
        return {i: j for i, j, _ in _greedy(self.minima_A())}

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
        )


def default_comparison(network: KineticNetwork) -> Comparison:
    """Bonded classes for a molecule; all atoms alike in a cluster of one element. Mirror images are the same."""
    return Comparison(network.symbols, classes="bonded" if len(set(network.symbols)) > 1 else "elements")


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
