"""Further processes that share the evaluations of a batch: on a CPU two of them do what one large batch cannot.

Parallel over structures, never inside one. What a worker does not take, this process does; when the workers die, it
goes on alone.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms

if TYPE_CHECKING:
    from labkit.potentials.interface import Potential

#: Atoms that travel to a worker at once.
PART_ATOMS = 128
PARENT_POLL_S = 0.5
PROPERTIES = ("energy", "forces")
Found = list[tuple[float, np.ndarray]]


class Pool:
    """`processes` processes in all, this one included, each with the potential called `name`."""

    def __init__(self, name: str, processes: int, device: str, log: Callable[[str], None] = lambda _: None) -> None:
        from multiprocessing import get_context

        self.processes, self.log = processes, log
        self._executor: ProcessPoolExecutor | None = ProcessPoolExecutor(
            processes - 1, get_context("spawn"), _begin, (name, device, os.getpid())
        )

    def evaluate(self, structures: Sequence[Atoms], potential: Potential, check: Callable[[], None]) -> Found:
        """Energies (eV) and forces (n, 3) eV/Å in the order of `structures`; `potential` is this process's own.

        Raises what the potential raises, here or in a worker.
        """
        parts = _parts(structures, self.processes)
        if self._executor is None or len(parts) == 1:
            return _predict(potential, structures)
        waiting, found = deque(range(len(parts))), {}
        under_way: dict[int, Future[Found]] = {}
        try:
            while waiting or under_way:
                # Workers take from the front, two parts each in advance; this process takes from the back.
                while waiting and len(under_way) < 2 * (self.processes - 1):
                    place = waiting.popleft()
                    under_way[place] = self._executor.submit(_evaluate, [structures[index] for index in parts[place]])
                if waiting:
                    place = waiting.pop()
                    found[place] = _predict(potential, [structures[index] for index in parts[place]])
                    check()
                for place in [one for one, future in under_way.items() if future.done() or not waiting]:
                    found[place] = under_way.pop(place).result()
        except BrokenExecutor as error:
            self.log(f"the further processes ended ({error}); this one goes on alone")
            self.close()
            return _predict(potential, structures)
        answers: dict[int, tuple[float, np.ndarray]] = {}
        for place, part in enumerate(parts):
            answers.update(zip(part, found[place], strict=True))
        return [answers[index] for index in range(len(structures))]

    def close(self) -> None:
        """End the workers."""
        if self._executor is not None:
            self._executor.shutdown(wait=False)
            self._executor = None


def _parts(structures: Sequence[Atoms], processes: int) -> list[list[int]]:
    """Indices in parts of about `PART_ATOMS` atoms, at least two for each process where there are so many."""
    total = sum(len(atoms) for atoms in structures)
    size = min(PART_ATOMS, max(1, total // (2 * processes)))
    parts: list[list[int]] = [[]]
    atoms = 0
    for index, structure in enumerate(structures):
        if parts[-1] and atoms + len(structure) > size:
            parts.append([])
            atoms = 0
        parts[-1].append(index)
        atoms += len(structure)
    return parts


def _predict(potential: Potential, structures: Sequence[Atoms]) -> Found:
    prediction = potential.predict(structures, PROPERTIES)
    return [(float(e), np.array(f, dtype=float)) for e, f in zip(prediction.energies, prediction.forces, strict=True)]


_potential: Potential | None = None


def _begin(name: str, device: str, parent: int) -> None:
    """In a new worker: open the potential, and end with the process that started it."""
    global _potential
    from labkit.potentials import load

    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    _potential = load(name, device)


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(PARENT_POLL_S)
    os._exit(1)


def _evaluate(structures: list[Atoms]) -> Found:
    return _predict(_potential, structures)
