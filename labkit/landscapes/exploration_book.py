"""The growing network of an exploration: nothing enters it that is not proven, and nothing enters twice.

The one idea: every search hands in candidates, and here alone is decided what they are: a copy of a known point, a new
minimum or saddle whose full Hessian says so, or a failure with its reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from labkit.landscapes.descent import connect
from labkit.landscapes.eigenvector_following import Saddle
from labkit.landscapes.exploration_subject import Subject
from labkit.landscapes.exploration_symmetry import point_group_order
from labkit.landscapes.hessian import normal_modes
from labkit.landscapes.network import KineticNetwork
from labkit.landscapes.quench import Quench, minimise
from labkit.landscapes.surface import Surface

#: A quench that ended on a saddle is pushed off it by these lengths (Å), one after the other: where the curvature is
#: small, the force beside the saddle is below the criterion, too.
PUSHES_A = (0.2, 0.5, 1.0)


@dataclass
class Book:
    """Settles what searches found. distance_A, energy_eV: two points closer in both are one. inversion: mirror images
    too. seen: how often each transition state was found. failures: sentences since they were last taken.
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

    def __post_init__(self) -> None:
        self.comparison = self.subject.comparison(inversion=self.inversion)

    def quench(self, positions: np.ndarray) -> Quench:
        """Quench structures (k, n, 3) on the surface, as tightly as this network wants its minima."""
        return minimise(self.surface, positions, self.gradient_eV_A)

    def minima(
        self, quenched: Quench | _Points, found_by: str, pushes: tuple[float, ...] = PUSHES_A
    ) -> list[int | None]:
        """The indices of quenched structures in the network, new ones added; None for a failure.

        One that rests on a saddle is pushed off it to both sides, and counts as the minimum found if that is the same.
        """
        answers: list[int | None] = [None] * len(quenched.positions)
        fresh: list[int] = []
        for place, (x, energy, converged) in enumerate(
            zip(quenched.positions, quenched.energies, quenched.converged, strict=True)
        ):
            reason = quenched.reasons[place] if not converged else self.subject.fault(x)
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
        for place, modes in zip(unlike, proofs, strict=True):
            x, energy = quenched.positions[place], float(quenched.energies[place])
            if modes is None or modes.flat:
                what = "the potential refuses a geometry beside it" if modes is None else "it has flat directions"
                self.failures.append(f"{found_by}: a quench is no proven minimum, {what}")
            elif modes.negative:
                ridges[place] = modes.directions[0]
            elif self.full:
                self.failures.append(f"{found_by}: a minimum at {energy:.4f} eV is left out, max_minima is reached")
            else:
                said = {"eigenvalues": modes.eigenvalues, "order": self._order(x), "info": self._info(found_by)}
                self.network.add_minimum(energy, x, **said)
        below: dict[int, int | None] = {}
        if ridges and pushes:
            sides = [(place, side * mode) for place, mode in ridges.items() for side in (1.0, -1.0)]
            starts = np.array([quenched.positions[place] + pushes[0] * move for place, move in sides])
            found = self.minima(self.quench(starts), found_by, pushes[1:])
            below = {
                place: one for place, one, other in zip(ridges, found[::2], found[1::2], strict=True) if one == other
            }
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
            answers[place] = self.find_saddle(one.positions, one.energy_eV)
            if answers[place] is None:
                fresh.append(place)
        groups = self._groups(_Points.of(searches), fresh)
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

    def _groups(self, points: Quench | _Points, places: list[int]) -> list[list[int]]:
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
        paths = connect(self.surface, searches, gradient_eV_A=self.gradient_eV_A)
        ways = [(path.path, path.path_energies_eV) for path in paths]
        ends, energies = (np.array([getattr(path, name) for path in paths]) for name in ("minima", "energies_eV"))
        for number in [number for number, path in enumerate(paths) if not path.found]:
            settled = self._settled(ends[number])
            ends[number], energies[number] = settled.positions, settled.energies
            way, heights = ways[number]
            ways[number] = (
                np.concatenate([ends[number, :1], way, ends[number, 1:]]),
                np.concatenate([energies[number, :1], heights, energies[number, 1:]]),
            )
        flat, heights = ends.reshape(-1, *ends.shape[2:]), energies.ravel()
        said = ["" if finite else "the path from a saddle left physics" for finite in np.isfinite(heights)]
        whole = np.array([not reason for reason in said])
        found = self.minima(_Points(flat, heights, whole, said), found_by)
        answers: list[int | None] = []
        for number, one in enumerate(searches):
            first, second = found[2 * number], found[2 * number + 1]
            if first is None or second is None or self.network.n_transition_states >= self.most_saddles:
                if first is None or second is None:
                    self.failures.append(f"{found_by}: a saddle at {one.energy_eV:.4f} eV does not join two minima")
                answers.append(None)
                continue
            turn = slice(None) if first <= second else slice(None, None, -1)
            info = {"curvature_eV_A2": one.curvature_eV_A2, "branched": not paths[number].found}
            answers.append(
                self.network.add_transition_state(
                    (first, second)[turn],
                    one.energy_eV,
                    one.positions,
                    eigenvalues=one.modes.eigenvalues,
                    order=self._order(one.positions),
                    info=self._info(found_by) | info,
                    path=ways[number][0][turn],
                    path_energies_eV=ways[number][1][turn],
                )
            )
            self.seen.append(0)
        return answers

    def _settled(self, ends: np.ndarray) -> Quench:
        """Minima below the ends (2, n, 3) of a path that stopped short, or on a ridge where it branches.

        A path of higher symmetry than the minima runs along such a ridge; its two branches are mirror images, so that
        either will do.
        """
        quenched = self.quench(ends)
        for length in PUSHES_A:
            proofs = normal_modes(self.surface, quenched.positions)
            pushes = [
                np.zeros_like(ends[0]) if modes is None else length * modes.directions[: modes.negative].sum(axis=0)
                for modes in proofs
            ]
            if not np.any(pushes):
                break
            quenched = self.quench(quenched.positions + np.array(pushes))
        return quenched

    def _order(self, positions: np.ndarray) -> int:
        return point_group_order(self.network.symbols, positions, inversion=self.inversion)

    def _info(self, found_by: str) -> dict:
        return {"found_by": found_by, "number": self.network.n_minima + self.network.n_transition_states}


@dataclass(frozen=True)
class _Points:
    """Structures that are handed on like those of a quench."""

    positions: np.ndarray
    energies: np.ndarray
    converged: np.ndarray
    reasons: list[str]

    @classmethod
    def of(cls, searches: Sequence[Saddle]) -> _Points:
        return cls(
            np.array([one.positions for one in searches]),
            np.array([one.energy_eV for one in searches]),
            np.array([one.found for one in searches]),
            [one.reason for one in searches],
        )
