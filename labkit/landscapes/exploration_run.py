"""An exploration in a run folder: the checkpoint after each step first, then tables, frames and the network file.

What a kill leaves unwritten is in the checkpoint, so a resumed run writes it, and rows that are there are skipped.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from labkit.landscapes.exploration import NETWORK_FILE, LandscapeExploration
from labkit.landscapes.exploration_book import Book
from labkit.landscapes.exploration_stages import DOUBLE, HOPPING, SINGLE, START, Stages
from labkit.landscapes.exploration_state import Row, State
from labkit.landscapes.exploration_subject import Subject
from labkit.landscapes.network import KineticNetwork
from labkit.landscapes.surface import Surface
from labkit.structures.bare import electrons

if TYPE_CHECKING:
    from labkit.runs import RunContext

#: Atoms evaluated between two looks at the Stop button; a fixed number, so that batches never depend on the clock.
ATOMS_AT_ONCE = 2048
#: Writing checkpoints and the network file may take this part of the time.
WRITING = 0.1
FINE = 10_000


class WatchedSurface(Surface):
    """A surface that asks `check`, which may raise, before every batch, and before every point that takes long."""

    check: Callable[[], None] = staticmethod(lambda: None)

    def watch(self, check: Callable[[], None]) -> None:
        """Ask `check` from now on, in the potential too where it goes from point to point."""
        self.check = check
        if watched := getattr(self._evaluate, "watched", None):
            watched(check)

    def evaluate(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """See `Surface.evaluate`."""
        size = max(1, ATOMS_AT_ONCE // len(self.symbols))
        parts = []
        for begin in range(0, max(1, len(positions)), size):
            self.check()
            parts.append(super().evaluate(positions[begin : begin + size]))
        return np.concatenate([one[0] for one in parts]), np.concatenate([one[1] for one in parts])


class Explorer:
    """Runs a task and writes down what it finds."""

    def __init__(self, task: LandscapeExploration, context: RunContext) -> None:
        self.task, self.context = task, context
        self.surface = WatchedSurface.of(task.potential, task.structure, device=task.device)
        atoms = task.structure
        name = str(atoms.info.get("name") or atoms.get_chemical_formula())
        level = self.surface.level_of_theory
        self.state = State(KineticNetwork(atoms.get_chemical_symbols(), level, name, info=electrons(atoms)))
        self.rows: list[Row] = []
        self._begun, self._saved, self._cost = time.monotonic(), 0.0, 0.0
        stored = context.load_checkpoint()
        if stored is not None:
            self.state, self.rows = State.restore(*stored)
            context.log(f"continuing after step {self.state.step}: {self.state.network!r}")
        state = self.state
        self.surface.evaluations, self._earlier_s = state.evaluations, state.elapsed_s
        subject = Subject.of(atoms, keep_bonds=task.keep_bonds)
        self.book = Book(
            self.surface,
            subject,
            state.network,
            gradient_eV_A=task.gradient_eV_A,
            distance_A=task.distance_A,
            energy_eV=task.energy_eV,
            inversion=task.inversion,
            most_minima=task.max_minima,
            most_saddles=task.max_transition_states,
            seen=state.seen,
        )
        self.stages = Stages(task, self.surface, self.book, state)
        self.surface.watch(self._check)
        self._stage = ""
        self._write()

    def run(self) -> dict[str, Any]:
        """Explore to the end and return the result."""
        while stage := self.stages.next():
            self._stage = stage
            self._check()
            self.stages.do(stage)
            if stage == START and (advice := self.stages.advice()):
                self.context.log(advice)
            self._keep(stage)
            if time.monotonic() - self._saved > self._cost / WRITING:
                self._checkpoint()
        self._checkpoint()
        return self._result()

    def _keep(self, stage: str) -> None:
        """Note what the step changed, as rows to be written after the checkpoint."""
        state, network = self.state, self.state.network
        state.evaluations = self.surface.evaluations
        state.elapsed_s = self._earlier_s + time.monotonic() - self._begun
        growth = {
            "time_s": round(state.elapsed_s, 3),
            "stage": stage,
            "minima": network.n_minima,
            "transition_states": network.n_transition_states,
            "components": len(network.components()),
            "evaluations": state.evaluations,
            "energy_eV": network.global_minimum.energy_eV,
        }
        self.rows.append(("growth", {"step": state.step, **growth}))
        for point in network.minima[state.written[0] :]:
            said = {"minimum": point.index, "energy_eV": point.energy_eV, "found_by": point.info["found_by"]}
            self.rows.append(("minima", {"step": point.index, **said}))
        for point in network.transition_states[state.written[1] :]:
            said = {
                "transition_state": point.index,
                "first": point.minima[0],
                "second": point.minima[1],
                "energy_eV": point.energy_eV,
                "curvature": point.info["curvature_eV_A2"],
                "found_by": point.info["found_by"],
            }
            self.rows.append(("transition_states", {"step": point.index, **said}))
        for reason in self.book.failures:
            by, _, why = reason.partition(": ")
            self.rows.append(("failures", {"step": state.failures, "stage": by, "reason": why}))
            state.failures += 1
        self.book.failures.clear()
        state.written = network.n_minima, network.n_transition_states
        state.step += 1
        state.done = max(state.done, int(FINE * self.stages.fraction()))
        self._progress()

    def _checkpoint(self) -> None:
        begin = time.monotonic()
        self.context.checkpoint(*self.state.store(self.rows))
        self._write()
        self._saved = time.monotonic()
        self._cost = self._saved - begin

    def _write(self) -> None:
        """Tables, frames and the network file of the checkpoint; what is there already is skipped."""
        network = self.state.network
        new = []
        for table, values in self.rows:
            said = dict(values)
            self.context.row(table, said.pop("step"), **said)
            if table in ("minima", "transition_states"):
                new.append((network.minima if table == "minima" else network.transition_states)[values["step"]])
        for point in sorted(new, key=lambda point: point.info["number"]):
            atoms = network.atoms(point)
            atoms.info["found_by"] = point.info["found_by"]
            self.context.frame(atoms, point.info["number"])
        if new:
            network.write(self.context.folder / NETWORK_FILE)
        self.rows.clear()

    def _check(self) -> None:
        self.context.pause_point()
        self.context.raise_if_stopped()
        self._progress()

    def _progress(self) -> None:
        network = self.state.network
        what = {
            HOPPING: f"hop {self.state.hops + 1} of {self.task.hops} of {self.task.walkers} walkers",
            DOUBLE: "bands between pairs of minima",
            SINGLE: f"search {self.state.singles + 1} uphill from single minima",
        }.get(self._stage, "quenching the start structures")
        self.context.progress(
            self.state.done,
            FINE,
            f"{what}: {network.n_minima} minima, {network.n_transition_states} transition states, "
            f"{self.surface.evaluations:,} evaluations",
        )

    def _result(self) -> dict[str, Any]:
        network, state = self.state.network, self.state
        lowest = network.global_minimum
        hits = sum(state.seen)
        return {
            "minima": network.n_minima,
            "transition_states": network.n_transition_states,
            "components": len(network.components()),
            "self_loops": len(network.self_loops),
            "global_minimum": lowest.index,
            "global_minimum_eV": lowest.energy_eV,
            "energies_eV": [point.energy_eV for point in network.minima],
            "barriers_eV": [point.energy_eV for point in network.transition_states],
            "complete": self.stages.complete(),
            "found_once": sum(count == 1 for count in state.seen) / hits if hits else None,
            "evaluations": state.evaluations,
            "steps": state.step,
            "failures": state.failures,
            "level_of_theory": network.level_of_theory,
        }
