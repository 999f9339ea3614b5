"""Several labels at once: processes of this machine that may die, or the workers of any `concurrent.futures.Executor`.

Both pools have the same four words: `room`, `submit`, `collect`, `close`. A process that is killed by its structure, or
that takes too long, is replaced by a new one, and its structure is answered for.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from typing import Any

from labkit.errors import RunFailed
from labkit.references.label_worker import answer_elsewhere, receive, send
from labkit.runs.last_words import ONE_THREAD, obituary

Answer = dict[str, Any]
#: A worker that has not opened its reference after so long (s) never will.
START_S = 600.0


class LocalPool:
    """Up to `processes` workers, each a process of this machine with one thread; started when they are needed.

    timeout_s: wall time (s) that one label may take.
    """

    def __init__(self, reference: str, options: Mapping[str, Any], processes: int, timeout_s: float) -> None:
        # -P: the folder that this happens to run in must not shadow a package.
        self._command = [sys.executable, "-P", "-m", "labkit.references.label_worker", str(os.getpid())]
        self._command += [reference, json.dumps(dict(options))]
        self._most, self._timeout_s = processes, timeout_s
        self._workers: list[_Worker] = []
        self._answers: queue.Queue[tuple[_Worker, Answer | None]] = queue.Queue()

    @property
    def busy(self) -> int:
        """How many structures are being computed."""
        return sum(worker.index is not None for worker in self._workers)

    def room(self) -> bool:
        """Whether another structure can be handed over."""
        return self.busy < self._most

    def submit(self, index: int, asked: Mapping[str, Any]) -> None:
        """Hand over structure `index`; its answer comes out of `collect`."""
        idle = [worker for worker in self._workers if worker.index is None]
        if not idle:
            idle = [_Worker(self._command, self._answers)]
            self._workers += idle
        idle[0].ask(index, asked, self._timeout_s)

    def collect(self, wait_s: float) -> list[tuple[int, Answer]]:
        """Return what was answered within `wait_s` seconds; raises RunFailed when a worker cannot even start."""
        found: list[tuple[int, Answer]] = []
        with contextlib.suppress(queue.Empty):
            while True:
                worker, said = self._answers.get(timeout=0 if found else wait_s)
                found += self._heard(worker, said)
        for worker in [one for one in self._workers if one.index is not None and time.monotonic() > one.deadline]:
            index = worker.index
            self._drop(worker)
            if not worker.ready:
                raise RunFailed(
                    f"a worker process had not opened the reference after {START_S:g} s and was ended; the labels so "
                    "far are kept. Open it by hand (labkit.references.load) to see what it waits for."
                )
            found.append((index, _timed_out(self._timeout_s, "its process was ended")))
        return found

    def close(self) -> None:
        """End all workers."""
        for worker in list(self._workers):
            self._drop(worker)

    def _heard(self, worker: _Worker, said: Answer | None) -> list[tuple[int, Answer]]:
        if worker not in self._workers:  # it was ended meanwhile
            return []
        if said is not None and "fatal" in said:
            raise RunFailed(f"the reference cannot be opened in a worker process: {said['fatal']}")
        if said is not None and "ready" in said:
            worker.begin(self._timeout_s)
            return []
        index, worker.index = worker.index, None
        if said is not None:
            return [] if index is None else [(index, said)]
        obituary = worker.obituary()
        self._drop(worker)
        if not worker.ready:
            raise RunFailed(f"a worker process ended before its first label: {obituary}")
        return [] if index is None else [(index, {"kind": "WorkerDied", "reason": obituary, "cpu_s": 0.0})]

    def _drop(self, worker: _Worker) -> None:
        self._workers.remove(worker)
        worker.end()


def _timed_out(spent_s: float, what: str) -> Answer:
    reason = f"no label after {spent_s:g} s, and {what}. Raise timeout_s, or take a smaller structure."
    return {"kind": "TimedOut", "reason": reason, "cpu_s": spent_s}


class _Worker:
    """One process, the thread that hears it, and the thread that speaks to it: a full pipe must not stop the others."""

    def __init__(self, command: list[str], answers: queue.Queue[tuple[_Worker, Answer | None]]) -> None:
        self.index: int | None = None
        self.ready, self.deadline = False, time.monotonic() + START_S
        self._words = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the process
        search = [entry or "." for entry in sys.path]
        environment = {**os.environ, **ONE_THREAD, "PYTHONPATH": os.pathsep.join(map(os.path.abspath, search))}
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._words, env=environment
        )
        self._questions: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=self._listen, args=(answers,), name="labkit-labels", daemon=True),
            threading.Thread(target=self._speak, name="labkit-questions", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def ask(self, index: int, asked: Mapping[str, Any], timeout_s: float) -> None:
        self.index = index
        if self.ready:
            self.begin(timeout_s)
        self._questions.put(dict(asked))

    def begin(self, timeout_s: float) -> None:
        """From now on the label in hand has `timeout_s` seconds; starting the process does not count."""
        self.ready, self.deadline = True, time.monotonic() + timeout_s

    def obituary(self) -> str:
        """How the process ended, in a sentence."""
        return obituary(self._process, self._words)

    def end(self) -> None:
        self._process.kill()
        self._process.wait(10)
        self._questions.put(None)
        for thread in self._threads:
            thread.join(2)
        for stream in (self._process.stdin, self._process.stdout, self._words):
            with contextlib.suppress(OSError):
                stream.close()

    def _listen(self, answers: queue.Queue[tuple[_Worker, Answer | None]]) -> None:
        while True:
            try:
                said = receive(self._process.stdout)
            except (OSError, ValueError):
                said = None
            answers.put((self, said))
            if said is None:
                return

    def _speak(self) -> None:
        with contextlib.suppress(OSError, ValueError):  # it is gone, which the other thread reports
            while (asked := self._questions.get()) is not None:
                send(self._process.stdin, asked)


class ExecutorPool:
    """The workers of any executor, a Dask client's above all; `most` structures are handed over at once.

    timeout_s: wall time (s) from there until a label is given up; its worker cannot be ended from here and goes on.
    """

    def __init__(
        self, executor: Executor, reference: str, options: Mapping[str, Any], most: int, timeout_s: float
    ) -> None:
        self._executor, self._name, self._options, self._most = executor, reference, json.dumps(dict(options)), most
        self._timeout_s = timeout_s
        self._futures: dict[Future[Answer], tuple[int, float]] = {}

    @property
    def busy(self) -> int:
        """How many structures are with the executor."""
        return len(self._futures)

    def room(self) -> bool:
        """Whether another structure can be handed over."""
        return self.busy < self._most

    def submit(self, index: int, asked: Mapping[str, Any]) -> None:
        """Hand over structure `index`; its answer comes out of `collect`."""
        future = self._executor.submit(answer_elsewhere, self._name, self._options, dict(asked))
        self._futures[future] = index, time.monotonic() + self._timeout_s

    def collect(self, wait_s: float) -> list[tuple[int, Answer]]:
        """Return what was answered within `wait_s` seconds; raises RunFailed when the executor is broken."""
        if not self._futures:
            time.sleep(wait_s)
            return []
        found = []
        for future in wait(self._futures, timeout=wait_s, return_when=FIRST_COMPLETED).done:
            index, _ = self._futures.pop(future)
            try:
                said = future.result()
            except BrokenExecutor as error:
                raise RunFailed(
                    f"the executor broke while it labelled structure {index} ({error}); its labels so far are kept. "
                    "Resume the run without an executor: there a structure that kills its process is left out."
                ) from error
            except Exception as error:
                if type(error).__name__ != "KilledWorker":  # Dask's word for a structure that killed several workers
                    # The method's own errors come back as answers; this one is of the executor, not of the structure.
                    raise RunFailed(
                        f"the executor could not label structure {index} ({type(error).__name__}: {error}); its labels "
                        "so far are kept. Mend it (is labkit with this reference installed there?) and resume."
                    ) from error
                said = {"kind": type(error).__name__, "reason": str(error), "cpu_s": 0.0}
            found.append((index, said))
        for future, (index, deadline) in list(self._futures.items()):
            if time.monotonic() > deadline:
                future.cancel()
                del self._futures[future]
                found.append((index, _timed_out(self._timeout_s, "the executor's worker was left to itself")))
        return found

    def close(self) -> None:
        """Take back what has not begun."""
        for future in self._futures:
            future.cancel()
        self._futures.clear()
