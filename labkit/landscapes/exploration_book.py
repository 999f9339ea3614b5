"""The growing network of an exploration: nothing enters it that is not proven, and nothing enters twice.

The one idea: every search hands in candidates, and here alone is decided what they are: a copy of a known point, a new
minimum or saddle whose full Hessian says so, or a failure with its reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from labkit.landscapes.eigenvector_following import Saddle
from labkit.landscapes.exploration_ends import PUSHES_A, Points, descended
from labkit.landscapes.exploration_subject import Subject
from labkit.landscapes.exploration_symmetry import point_group_order
from labkit.landscapes.hessian import normal_modes
from labkit.landscapes.network import KineticNetwork
from labkit.landscapes.quench import Quench, minimise
from labkit.landscapes.surface import Surface

#: A minimum is looked at once more: its largest force may be this many times the criterion (noise of the potential).
AT_REST = 2.0


@dataclass
class Book:
    """Settles what searches found. distance_A, energy_eV: two points closer in both are one. inversion: mirror images
    too. seen: how often each transition state was found. failures: sentences since they were last taken.
    softest_eV_A2: the smallest curvature of a minimum that was added here.
    """

    surface: Surface
    subject: Subject
    network: KineticNetwork
    gradient_eV_A: float
    distance_A: float
    energy_eV: float
    inversion: bool
    most_minima: int
    most_saddles: int
    seen: list[int] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    softest_eV_A2: float = np.inf

    def __post_init__(self) -> None:
        self.comparison = self.subject.comparison(inversion=self.inversion)

    def quench(self, positions: np.ndarray) -> Quench:
        """Quench structures (k, n, 3) as tightly as this network wants its minima."""
        return minimise(self.surface, positions, self.gradient_eV_A)

    def minima(
        self, quenched: Quench | Points, found_by: str, pushes: tuple[float, ...] = PUSHES_A, *, strict: bool = False
    ) -> list[int | None]:
        """The indices of quenched structures in the network, new ones added; None for a failure.

        One that rests on a saddle is pushed off it to both sides and counts as the lower minimum found; `strict`: only
        if that is the same on both.
        """
        answers: list[int | None] = [None] * len(quenched.positions)
        fresh: list[int] = []
        for place, (x, energy, converged) in enumerate(
            zip(quenched.positions, quenched.energies, quenched.converged, strict=True)
        ):
            reason = self.subject.fault(x) if converged else quenched.reasons[place] or "not converged"
            if reason:
                self.failures.append(f"{found_by}: {reason}")
                continue
            answers[place] = self.find_minimum(x, float(energy))
            if answers[place] is None:
                fresh.append(place)
        groups = self._groups(quenched, fresh)
        unlike = [group[0] for group in groups]
        ridges: dict[int, np.ndarray] = {}
        proofs = normal_modes(self.surface, quenched.positions[unlike]) if unlike else []
        for place, modes, force in zip(unlike, proofs, self._forces(quenched.positions[unlike]), strict=True):
            x, energy = quenched.positions[place], float(quenched.energies[place])
            if not force <= AT_REST * self.gradient_eV_A:
                self.failures.append(f"{found_by}: a quench is no minimum, it feels {force:.2g} eV/Å")
            elif modes is None or modes.flat:
                what = "the potential refuses a geometry beside it" if modes is None else "it has flat directions"
                self.failures.append(f"{found_by}: a quench is no proven minimum, {what}")
            elif modes.negative:
                ridges[place] = modes.directions[0]
            elif self.full:
                self.failures.append(f"{found_by}: a minimum at {energy:.4f} eV is left out, max_minima is reached")
            else:
                said = {"eigenvalues": modes.eigenvalues, "order": self._order(x), "info": self._info(found_by)}
                self.network.add_minimum(energy, x, **said)
                self.softest_eV_A2 = min(self.softest_eV_A2, float(modes.curvatures.min(initial=np.inf)))
        below: dict[int, int | None] = {}
        if ridges and pushes:
            sides = [(place, side * mode) for place, mode in ridges.items() for side in (1.0, -1.0)]
            starts = np.array([quenched.positions[place] + pushes[0] * move for place, move in sides])
            found = self.minima(self.quench(starts), found_by, pushes[1:], strict=strict)
            for place, sides in zip(ridges, zip(found[::2], found[1::2], strict=True), strict=True):
                ends = {side for side in sides if side is not None}
                if len(ends) > 1 and strict:
                    self.failures.append(f"{found_by}: a path ends on a ridge between two minima")
                elif ends and not (strict and None in sides):
                    below[place] = min(ends, key=lambda index: (self.network.minima[index].energy_eV, index))
        for group in groups:
            for place in group:
                x, energy = quenched.positions[place], float(quenched.energies[place])
                answers[place] = below[group[0]] if group[0] in below else self.find_minimum(x, energy)
        return answers

    def saddles(self, searches: Sequence[Saddle], found_by: str) -> list[int | None]:
        """The indices of proven saddles in the network, new ones added with the minima they lead to; else None."""
        answers: list[int | None] = [None] * len(searches)
        fresh: list[int] = []
        for place, one in enumerate(searches):
            if one.state == "known":
                answers[place] = self.find_saddle(one.positions, one.energy_eV)
                if answers[place] is None:
                    self.failures.append(f"{found_by}: minimum; the search fell into a minimum that is known already.")
                continue
            if not one.found:
                self.failures.append(f"{found_by}: {one.state}; {one.reason}")
                continue
            if parted := self.subject.parted(one.positions):
                self.failures.append(f"{found_by}: fell apart; {parted}")
                continue
            answers[place] = self.find_saddle(one.positions, one.energy_eV)
            if answers[place] is None:
                fresh.append(place)
        groups = self._groups(Points.of(searches), fresh)
        for places, index in zip(groups, self._connected([searches[g[0]] for g in groups], found_by), strict=True):
            for place in places:
                answers[place] = index
        for index in answers:
            if index is not None:
                self.seen[index] += 1
        return answers

    def knows(self, positions: np.ndarray, energy_eV: float) -> bool:
        """Whether a structure at rest is a copy of a proven point, so that it needs no proof of its own."""
        return self.find_saddle(positions, energy_eV) is not None or self.find_minimum(positions, energy_eV) is not None

    def find_minimum(self, positions: np.ndarray, energy_eV: float) -> int | None:
        """The known minimum that this structure is a copy of."""
        return self._find(positions, energy_eV, self.network.minima)

    def find_saddle(self, positions: np.ndarray, energy_eV: float) -> int | None:
        """The known transition state that this structure is a copy of."""
        return self._find(positions, energy_eV, self.network.transition_states)

    @property
    def full(self) -> bool:
        """Whether no further minimum is taken in; saddles between known ones still are."""
        return self.network.n_minima >= self.most_minima

    def _find(self, positions: np.ndarray, energy_eV: float, known: Sequence) -> int | None:
        near = [point for point in known if abs(point.energy_eV - energy_eV) < self.energy_eV]
        if not near:
            return None
        row = self.comparison.matrix([positions], [point.positions for point in near], self.distance_A)[0]
        return near[int(row.argmin())].index if row.min() < self.distance_A else None

    def _groups(self, points: Quench | Points, places: list[int]) -> list[list[int]]:
        """Places with the same structure together, in the order of the first of each."""
        groups: list[list[int]] = []
        for place in places:
            x, energy = points.positions[place], points.energies[place]
            for group in groups:
                first = points.positions[group[0]], points.energies[group[0]]
                if self.comparison.same(*first, x, energy, self.distance_A, self.energy_eV):
                    group.append(place)
                    break
            else:
                groups.append([place])
        return groups

    def _connected(self, searches: list[Saddle], found_by: str) -> list[int | None]:
        """The indices of new saddles, added with the minima that steepest descent leads to both ways; else None."""
        if not searches:
            return []
        ends, ways = descended(self.surface, searches, self.gradient_eV_A)
        found = self.minima(ends, found_by, strict=True)
        answers: list[int | None] = []
        for number, one in enumerate(searches):
            first, second = found[2 * number], found[2 * number + 1]
            if first is None or second is None or self.network.n_transition_states >= self.most_saddles:
                if first is None or second is None:
                    self.failures.append(f"{found_by}: a saddle at {one.energy_eV:.4f} eV does not join two minima")
                answers.append(None)
                continue
            turn = slice(None) if first <= second else slice(None, None, -1)
            info = {"curvature_eV_A2": one.curvature_eV_A2, "branched": ways[number].branched}
            answers.append(
                self.network.add_transition_state(
                    (first, second)[turn],
                    one.energy_eV,
                    one.positions,
                    eigenvalues=one.modes.eigenvalues,
                    order=self._order(one.positions),
                    info=self._info(found_by) | info,
                    path=ways[number].positions[turn],
                    path_energies_eV=ways[number].energies_eV[turn],
                )
            )
            self.seen.append(0)
        return answers

    def _forces(self, positions: np.ndarray) -> np.ndarray:
        """The largest force (eV/Å) in each structure, NaN where the potential refuses it."""
        if not len(positions):
            return np.zeros(0)
        gradients = self.surface.gradients(positions)[1].reshape(positions.shape)
        return np.linalg.norm(gradients, axis=2).max(axis=1)

    def _order(self, positions: np.ndarray) -> int:
        return point_group_order(self.network.symbols, positions, inversion=self.inversion)

    def _info(self, found_by: str) -> dict:
        return {"found_by": found_by, "number": self.network.n_minima + self.network.n_transition_states}
