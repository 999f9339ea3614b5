"""The steps of an exploration: start, hop, join pairs of minima, search from single ones; each is one batch of work.

The one idea: what is done next follows from the state alone, so the same state always continues the same way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from labkit.errors import NotConverged
from labkit.landscapes.bonded_classes import element_classes
from labkit.landscapes.exploration_bands import candidates
from labkit.landscapes.exploration_book import Book
from labkit.landscapes.exploration_dynamics import dynamics
from labkit.landscapes.exploration_pairs import laid_together, mirrored, next_pairs
from labkit.landscapes.exploration_progress import advice, fraction
from labkit.landscapes.exploration_state import State
from labkit.landscapes.exploration_subject import Subject
from labkit.landscapes.exploration_uphill import pushed, searched
from labkit.landscapes.hessian import hessian, normal_modes
from labkit.landscapes.surface import Surface

if TYPE_CHECKING:
    from labkit.landscapes.exploration import LandscapeExploration

START, HOPPING, DOUBLE, SINGLE = "start", "hopping", "double-ended", "single-ended"
#: Searches from one minimum in one step at the least, so that its Hessian is paid once for many.
EACH = 8
#: Unless the user says so: go on for so many searches without news, for each transition state and at the least. With 6
#: instead of 12, LJ8 ended with 41 of its 42 transition states for three of four seeds.
PATIENCE, LEAST_PATIENCE = 12, 96
#: A search along a mode begins so far from the minimum (Å, length of the 3N vector).
MODE_A = 0.3


class Stages:
    """Does one step after the other on `state`."""

    def __init__(self, task: LandscapeExploration, surface: Surface, book: Book, state: State) -> None:
        self.task, self.surface, self.book, self.state = task, surface, book, state
        self.network, self.comparison = book.network, book.comparison
        self._paired: tuple[tuple[int, int, int], list[tuple[int, int]]] = (-1, -1, -1), []
        self._fit()

    def _fit(self) -> None:
        """Let all lengths be those of the potential: a geometry as it is given may be too wide or too narrow."""
        if self.state.lengths:
            self.book.subject = self.book.subject.scaled_to(np.array(self.state.lengths))
        self.subject: Subject = self.book.subject
        self.step_A = self.task.step_A or self.subject.step_A()
        self.push_A = self.task.push_A or 0.3 * self.subject.nearest_A

    def next(self) -> str:
        """The stage of the next step; empty when all is done or a budget is spent."""
        task, state = self.task, self.state
        if state.walkers is None:
            return START
        if self._used_up():
            return ""
        if self._hopping():
            return HOPPING
        if self.spent():
            return ""
        if task.double_ended and self._pairs():
            return DOUBLE
        return SINGLE if task.single_ended and self._searching() else ""

    def _hopping(self) -> bool:
        state, task = self.state, self.task
        return state.hops < task.hops and state.quiet_hops < task.hop_patience and not self.book.full

    def spent(self) -> bool:
        """Whether a budget ended the exploration."""
        return self._used_up() or self.network.n_transition_states >= self.task.max_transition_states

    def complete(self) -> bool:
        """Whether searches from every minimum ran until nothing new came, before a budget was spent."""
        searched = self.task.single_ended and self.state.singles > 0 and not self._searching()
        return searched and not self.spent() and not self.book.full

    def _used_up(self) -> bool:
        most = self.task.max_evaluations
        return most is not None and self.state.evaluations >= most

    def do(self, stage: str) -> None:
        """Do one step of `stage`."""
        {START: self._start, HOPPING: self._hop, DOUBLE: self._join, SINGLE: self._search}[stage]()

    def fraction(self) -> float:
        """How much is done, 0 to 1, of what is known of now."""
        return fraction(self.task, self.state, hopping=self._hopping(), patience=self._patience())

    def advice(self) -> str:
        """See `exploration_progress.advice`."""
        return advice(self.task, self.book.softest_eV_A2)

    def _rng(self, *numbers: int) -> np.random.Generator:
        return np.random.default_rng([self.task.seed, *numbers])

    def _start(self) -> None:
        task = self.task
        given = self.subject.atoms.positions
        rest = self.book.quench(given[None])
        if rest.converged[0] and not self.subject.fault(rest.positions[0]):
            self.state.lengths = rest.positions[0].tolist()
            self._fit()
            given = rest.positions[0]
        starts = [given] + [self.subject.random(self._rng(0, walker)) for walker in range(1, task.walkers)]
        quenched = self.book.quench(np.array(starts))
        found = self.book.minima(quenched, START)
        good = [index for index in found if index is not None]
        if not good:
            raise NotConverged(
                f"none of {len(starts)} start structures could be quenched to a proven minimum with {task.potential}: "
                f"{'; '.join(dict.fromkeys(self.book.failures[:3]))} Does the potential know this molecule, and are "
                f"its lengths (shortest distance {self.subject.shortest_A:.2f} Å) in the unit of the potential?"
            )
        points = [self.network.minima[good[0] if index is None else index] for index in found]
        self.state.walkers = np.array([point.positions for point in points])
        self.state.walkers_eV = np.array([point.energy_eV for point in points])
        if said := self.advice():
            self.book.failures.append(f"{START}: {said}")

    def _hop(self) -> None:
        task, state = self.task, self.state
        rngs = [self._rng(1, state.hops, walker) for walker in range(task.walkers)]
        if task.search == "random":
            starts = np.array([self.subject.random(rng) for rng in rngs])
        elif task.search == "MD quenches":
            how = {"steps": task.md_steps, "timestep_fs": task.timestep_fs, "temperature_K": task.md_temperature_K}
            starts = dynamics(self.surface, state.walkers, rngs, **how)
        else:
            starts = np.array(
                [
                    self.subject.moved(x, rng, bonds=task.dihedrals, degrees=180.0, step_A=self.step_A)
                    for x, rng in zip(state.walkers, rngs, strict=True)
                ]
            )
        quenched, before = self.book.quench(starts), self.network.n_minima
        for walker, index in enumerate(self.book.minima(quenched, HOPPING)):
            if index is None:
                continue
            energy = self.network.minima[index].energy_eV
            rise = energy - state.walkers_eV[walker]
            if rise <= 0 or rngs[walker].uniform() < np.exp(-rise / task.hop_temperature_eV):
                state.walkers[walker], state.walkers_eV[walker] = quenched.positions[walker], energy
        state.hops += 1
        state.quiet_hops = 0 if self.network.n_minima > before else state.quiet_hops + 1

    def _pairs(self) -> list[tuple[int, int]]:
        now = self.network.n_minima, self.network.n_transition_states, len(self.state.tried)
        if now != self._paired[0]:
            found = next_pairs(
                self.network,
                self.state.tried,
                neighbours=self.task.neighbours,
                joins=self.task.joins,
                most=self.task.batch,
                classes=element_classes(self.network.symbols),
                mirrors=self.task.mirrors and self.task.inversion,
            )
            self._paired = now, found
        return self._paired[1]

    def _join(self) -> None:
        task, pairs = self.task, self._pairs()
        minima = self.network.minima
        self.state.tried.update(pairs)
        seconds = [self._second(minima[a].positions, minima[b].positions, mirror=a == b) for a, b in pairs]
        possible = [pair for pair, second in zip(pairs, seconds, strict=True) if second is not None]
        firsts = np.array([minima[a].positions for a, _ in possible])
        ends = np.array([[minima[a].energy_eV, minima[b].energy_eV] for a, b in possible])
        wanted = np.array([second for second in seconds if second is not None])
        tops = candidates(self.surface, firsts, wanted, ends, images=task.images, steps=task.band_steps)
        for pair, found in zip(possible, tops, strict=True):
            if not found:
                self.book.failures.append(f"{DOUBLE}: the band between minima {pair[0]} and {pair[1]} has no maximum")
        starts = [top for found in tops for top in found]
        self._follow([x for x, _ in starts], [tangent for _, tangent in starts], DOUBLE)

    def _second(self, first: np.ndarray, second: np.ndarray, *, mirror: bool) -> np.ndarray | None:
        if mirror:
            return mirrored(self.subject, self.comparison, first, self.task.distance_A)
        return laid_together(self.subject, self.comparison, first, second)

    def _patience(self) -> int:
        """The more there is, the longer the rare ones take to be found."""
        asked = self.task.patience
        return max(LEAST_PATIENCE, PATIENCE * self.network.n_transition_states) if asked is None else asked

    def _searching(self) -> bool:
        state, task = self.state, self.task
        attempts = state.attempts + [0] * (self.network.n_minima - len(state.attempts))
        return min(attempts) < task.searches or state.quiet < self._patience()

    def _search(self) -> None:
        task, state = self.task, self.state
        state.attempts += [0] * (self.network.n_minima - len(state.attempts))
        order = sorted(
            range(self.network.n_minima), key=lambda i: (state.attempts[i], self.network.minima[i].energy_eV)
        )
        parents = order[: max(1, task.batch // EACH)]
        each = max(EACH, task.batch // len(parents))
        places = np.array([self.network.minima[i].positions for i in parents])
        matrices = hessian(self.surface, places)
        along: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        anywhere: list[np.ndarray] = []
        for parent, x, matrix, modes in zip(
            parents, places, matrices, normal_modes(self.surface, places, matrices), strict=True
        ):
            for _ in range(each):
                attempt = state.attempts[parent]
                state.attempts[parent] += 1
                if modes is None:
                    continue
                if attempt < 2 * min(task.soft_modes, len(modes.curvatures)):
                    mode = modes.directions[attempt // 2] * (1.0 if attempt % 2 else -1.0)
                    along.append((x + MODE_A * mode, mode, matrix))
                else:
                    rng, far = self._rng(2, parent, attempt), attempt % 2 == 1
                    anywhere.append(pushed(self.subject, x, modes, rng, self.push_A, far=far))
        before = self.network.n_minima, self.network.n_transition_states
        self._follow(
            [x for x, _, _ in along], [mode for _, mode, _ in along], SINGLE, [matrix for _, _, matrix in along]
        )
        self._follow(anywhere, None, SINGLE)
        state.singles += len(along) + len(anywhere)
        new = (self.network.n_minima, self.network.n_transition_states) != before
        state.quiet = 0 if new else state.quiet + each * len(parents)

    def _follow(
        self,
        starts: list[np.ndarray],
        directions: list[np.ndarray] | None,
        found_by: str,
        hessians: list[np.ndarray] | None = None,
    ) -> None:
        if not starts:
            return
        options: dict = {"gradient_eV_A": self.task.saddle_gradient_eV_A, "ceiling_eV": self.task.ceiling_eV}
        options["known"] = self.book.knows
        if directions is not None:
            lengths = np.maximum([np.linalg.norm(one) for one in directions], 1e-12)
            options["directions"] = np.array(directions) / lengths[:, None, None]
        if hessians is not None:
            options["hessians"] = np.array(hessians)
        self.book.saddles(searched(self.surface, np.array(starts), **options), found_by)
