"""One batch for images of many bands: how large it may be is found by trying, and one bad image harms nobody else.

A batch grows while larger batches give more atoms in a second, and shrinks when memory runs out; both are remembered.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from ase import Atoms

from labkit.errors import BudgetExceeded, RunCancelled
from labkit.potentials.interface import Potential

#: Atoms in a batch to begin with: a CPU is near its best, a GPU is still bored.
START_ATOMS = {"cpu": 256, "mps": 1024, "cuda": 2048}
#: A doubled batch has to be faster by this factor for each atom to be worth its memory.
WORTH = 1.05
#: Part of the free memory (CPU) that a batch may take.
SHARE = 0.5

#: What `evaluate` gives for each structure: (energy eV, forces (n, 3) eV/Å), or the sentence why not.
Answer = tuple[float, np.ndarray] | str


class Batch:
    """Evaluates structures with one potential, at most `limit` atoms at a time.

    fixed: a limit (atoms) given by the user, which only running out of memory lowers. check: called between calls of
    the potential, may raise to stop. pool: further processes that share the work, or None.
    """

    def __init__(
        self,
        potential: Potential,
        *,
        fixed: int | None = None,
        log: Callable[[str], None] = lambda _: None,
        check: Callable[[], None] = lambda: None,
        pool: Any | None = None,
    ) -> None:
        self.potential, self.log, self.check, self.pool = potential, log, check, pool
        self.device = str(getattr(potential, "device", "cpu")).split(":")[0]
        processes = 1 if pool is None else pool.processes
        self.limit = fixed or START_ATOMS.get(self.device, START_ATOMS["cpu"]) * processes
        self.settled = fixed is not None
        self.bytes_per_atom = 0.0
        self.evaluated_atoms = 0
        self._best: dict[int, float] = {}
        self._tried: dict[int, int] = {}
        self._properties = tuple(name for name in ("energy", "forces") if name in potential.implemented)

    def evaluate(self, structures: Sequence[Atoms]) -> list[Answer]:
        """The answers for `structures`, in their order; a structure that the potential refuses gets its sentence."""
        answers: list[Answer] = []
        waiting = list(structures)
        while waiting:
            self.check()
            count = self._first(waiting)
            answers += self._answers(waiting[:count])
            waiting = waiting[count:]
        return answers

    def _first(self, structures: Sequence[Atoms]) -> int:
        """How many of `structures` go together: up to the limit, and always one."""
        total = np.cumsum([len(atoms) for atoms in structures])
        return max(1, int(np.searchsorted(total, self.limit, side="right")))

    def _answers(self, structures: Sequence[Atoms]) -> list[Answer]:
        atoms = sum(len(one) for one in structures)
        before, begin = _held(), time.perf_counter()
        try:
            found = self._predict(structures)
        except RunCancelled:
            raise
        except Exception as error:
            if _no_memory(error):
                return self._halve(structures, error)
            if len(structures) > 1:  # one bad structure must not take the others along: find it
                return [answer for one in structures for answer in self._answers([one])]
            said = " ".join(str(error).split())
            return [said if isinstance(error, ValueError) and said else f"{type(error).__name__}: {said}"]
        self._learn(atoms, time.perf_counter() - begin, _held() - before)
        return found

    def _predict(self, structures: Sequence[Atoms]) -> list[Answer]:
        if self.pool is not None:
            return self.pool.evaluate(structures, self.potential, self.check)
        prediction = self.potential.predict(structures, self._properties)
        return [
            (float(energy), np.array(forces, dtype=float))
            for energy, forces in zip(prediction.energies, prediction.forces, strict=True)
        ]

    def _halve(self, structures: Sequence[Atoms], error: Exception) -> list[Answer]:
        if self.device == "cuda":
            import torch

            torch.cuda.empty_cache()
        if len(structures) == 1:
            return [f"memory ran out for this one structure of {len(structures[0])} atoms: {error}"]
        atoms = sum(len(one) for one in structures)
        self.limit, self.settled = max(1, min(self.limit, atoms) // 2), True
        self.log(f"memory ran out with {atoms} atoms in the batch; from now on at most {self.limit}")
        return self.evaluate(structures)

    def _learn(self, atoms: int, seconds: float, growth: float) -> None:
        """Grow the limit while that pays. Only full batches say something about the limit."""
        self.evaluated_atoms += atoms
        self.bytes_per_atom = max(self.bytes_per_atom, growth / atoms)
        if self.settled or atoms < 0.7 * self.limit:
            return
        size = self.limit
        self._best[size] = min(self._best.get(size, np.inf), seconds / atoms)
        self._tried[size] = self._tried.get(size, 0) + 1
        if self._tried[size] < 3:  # the first call warms up, and other work on the machine disturbs
            return
        previous = self._best.get(size // 2)
        if previous is not None and previous / self._best[size] < WORTH:
            self.limit, self.settled = size // 2, True
            self.log(f"batches of {self.limit} atoms: twice as many are no faster")
        elif not self._fits(2 * size):
            self.settled = True
            self.log(f"batches of {self.limit} atoms: twice as many might not fit into memory")
        else:
            self.limit = 2 * size

    def _fits(self, atoms: int) -> bool:
        from labkit.potentials.memory import free_bytes

        if self.device == "cuda":  # trying is safe there, and the only way to know
            return True
        free = free_bytes(self.device)
        return free is None or atoms * self.bytes_per_atom <= SHARE * free

    def state(self) -> dict[str, Any]:
        """What a resumed run should not find out again."""
        return {"limit": self.limit, "settled": self.settled}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over `state()`, unless the user gave the limit this time."""
        if not self.settled:
            self.limit, self.settled = int(state["limit"]), bool(state["settled"])


def _no_memory(error: Exception) -> bool:
    return isinstance(error, MemoryError | BudgetExceeded) or type(error).__name__ in (
        "OutOfMemoryError",
        "AcceleratorError",
    )


def _held() -> float:
    import psutil

    return float(psutil.Process().memory_info().rss)
