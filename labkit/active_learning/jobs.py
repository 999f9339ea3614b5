"""Exploration as jobs that fan out: over this process, over processes of this machine, or over a Dask scheduler.

A job's structures are on the disk before they count, so a resumed round does only the jobs that are missing; a job that
was cut off starts again from its own seed and gives the same.
"""

from __future__ import annotations

import importlib
import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, ProcessPoolExecutor, wait
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from ase import Atoms

from labkit.active_learning import explore
from labkit.active_learning.trajectories import Watch
from labkit.errors import InvalidTask, RunCancelled, RunFailed
from labkit.runs.atomic import read_json, write_file, write_json

if TYPE_CHECKING:
    from labkit.active_learning.levels import QualityLevel
    from labkit.active_learning.loop import ActiveLearning
    from labkit.potentials.committee import Committee

POLL_S = 0.1
Upper = Callable[[], float]


class Crew:
    """Who explores and labels: `executor` is a Dask client's, or None for this machine."""

    def __init__(self, task: ActiveLearning, stack: ExitStack) -> None:
        self.processes, self.executor = task.processes, None
        self._stack, self._own, self._stop = stack, None, None
        if task.scheduler:
            try:
                from distributed import Client
            except ImportError as error:
                raise ModuleNotFoundError(
                    'a Dask scheduler needs the package distributed: pip install "labkit-mlip[dask]"'
                ) from error
            self.executor = stack.enter_context(Client(task.scheduler)).get_executor()

    def explorers(self) -> Executor | None:
        """Where jobs go; None means here."""
        if self.executor is not None or self.processes == 1:
            return self.executor
        if self._own is None:
            context = multiprocessing.get_context("spawn")
            self._stop = context.Event()
            self._own = ProcessPoolExecutor(
                self.processes, mp_context=context, initializer=_begin, initargs=(os.getpid(), self._stop)
            )
            self._stack.callback(self._end)
        return self._own

    def _end(self) -> None:
        self._stop.set()
        self._own.shutdown(cancel_futures=True)


def jobs(
    task: ActiveLearning,
    level: QualityLevel,
    pool: Sequence[Atoms],
    seed: Sequence[int],
    committee: Path,
    calibration: dict[str, Any],
    thresholds: tuple[float, float],
) -> list[explore.Job]:
    """One job for each structure and start: all temperatures of it, an attack, or a random crystal."""
    from labkit.runs.extxyz import write_frame

    lower, upper = thresholds
    common = {
        "kind": task.explore,
        "committee": str(committee),
        "device": task.device,
        "calibration": calibration,
        "upper_eV_A": upper,
        "wanted_eV_A": min(2 * lower, (lower + upper) / 2),
        "temperatures_K": level.temperatures_K,
        **{name: getattr(task, name) for name in ("duration_fs", "timestep_fs", "sample_every_fs", "friction_per_ps")},
        "rattle_A": task.rattle_A,
    }
    return [
        {**common, "frame": write_frame(atoms).decode(), "structure": index, "seed": [*seed, index, start]}
        for start in range(task.starts)
        for index, atoms in enumerate(pool)
    ]


def perform_all(
    todo: Sequence[explore.Job], folder: Path, crew: Crew, listen: Callable[[float, str], None], upper: Upper
) -> tuple[float, list[str]]:
    """Do the jobs that `folder` does not hold yet; (CPU seconds, sentences on what ended early) of all of them.

    `listen(share, sentence)` is called often and may raise. upper: the break threshold, asked at every step here and
    when a job is handed over elsewhere. Raises RunFailed when the executor breaks.
    """
    folder.mkdir(exist_ok=True)
    missing = [number for number in range(len(todo)) if not _note(folder, number).exists()]
    done = len(todo) - len(missing)
    executor = crew.explorers() if missing else None
    if executor is None:
        for number in missing:
            share = done / len(todo)
            _keep(folder, number, explore.perform(todo[number], lambda text, at=share: listen(at, text), upper))
            done += 1
        return _found(folder, len(todo))
    waiting, futures = missing[::-1], {}
    try:
        while waiting or futures:
            while waiting and len(futures) < crew.processes:
                number = waiting.pop()
                futures[executor.submit(perform_elsewhere, {**todo[number], "upper_eV_A": upper()})] = number
            for future in wait(futures, timeout=POLL_S, return_when=FIRST_COMPLETED).done:
                _keep(folder, futures.pop(future), future.result())
                done += 1
            listen(done / len(todo), f"{done} of {len(todo)} explorations, {len(futures)} under way")
    except BrokenExecutor as error:
        raise RunFailed(
            f"a process that explored has died ({error}); out of memory? What was found so far is kept: resume the "
            "run, with fewer processes if it happens again."
        ) from error
    finally:
        for future in futures:
            future.cancel()
    return _found(folder, len(todo))


def by_function(
    address: str,
    committee: Committee,
    pool: Sequence[Atoms],
    seed: Sequence[int],
    level: QualityLevel,
    folder: Path,
    watch: Watch,
) -> tuple[float, list[str]]:
    """Let the user's function(committee, pool, rng, level) explore in this process, and keep what it gives."""
    folder.mkdir(exist_ok=True)
    if not _note(folder, 0).exists():
        from labkit.runs.extxyz import write_frame

        began = time.process_time()
        module, _, name = address.partition(":")
        try:
            function = getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError) as error:
            raise InvalidTask(
                f"the function {address} cannot be imported ({error}); install what defines it."
            ) from error
        found = function(committee, [atoms.copy() for atoms in pool], np.random.default_rng(list(seed)), level)
        if not isinstance(found, Sequence) or not all(isinstance(atoms, Atoms) and len(atoms) for atoms in found):
            raise InvalidTask(f"{address} gave {type(found).__name__}; a list of ase.Atoms with atoms in it is needed.")
        sources = [str(atoms.info.get("source") or f"{name} {number}") for number, atoms in enumerate(found)]
        sights = explore.look(committee, found, sources, watch)
        frames = b"".join(write_frame(explore.as_frame(sight, -1)) for sight in sights).decode()
        _keep(folder, 0, {"frames": frames, "ends": watch.ends, "cpu_s": time.process_time() - began})
    return _found(folder, 1)


def found_frames(folder: Path) -> list[Atoms]:
    """All structures that the jobs of a folder gave, in the order of the jobs."""
    from labkit.active_learning.round_folder import read_frames

    return [atoms for path in sorted(folder.glob("*.extxyz")) for atoms in read_frames(path)]


def perform_elsewhere(job: explore.Job) -> dict[str, Any]:
    """`explore.perform` in another process, which ends within a step when it is told to."""

    def listen(_: str) -> None:
        if _told_to_stop():
            raise RunCancelled("the exploration was cancelled on request.")

    return explore.perform(job, listen)


def _note(folder: Path, number: int) -> Path:
    return folder / f"{number:05d}.json"


def _keep(folder: Path, number: int, found: dict[str, Any]) -> None:
    """The frames first, then the note that says that they are there."""
    data = found["frames"].encode()
    write_file(folder / f"{number:05d}.extxyz", lambda file: file.write(data))
    write_json(_note(folder, number), {name: found[name] for name in ("ends", "cpu_s")})


def _found(folder: Path, count: int) -> tuple[float, list[str]]:
    notes = [read_json(_note(folder, number)) for number in range(count)]
    return sum(note["cpu_s"] for note in notes), [sentence for note in notes for sentence in note["ends"]]


_told_to_stop: Callable[[], bool] = lambda: False  # noqa: E731 - set in a worker process, before its first job


def _begin(parent: int, stop: Any) -> None:
    """In a new process: hear of Stop, and end with the process that started it."""
    global _told_to_stop
    _told_to_stop = stop.is_set

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
