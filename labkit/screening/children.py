"""Judging a chunk of candidates in a child process that may die: the same few lines in a thread here and on a cluster.

Whatever executor carries a chunk, the work itself is done in a child of that worker; so a candidate that kills its
process, or takes too long, costs one child and one row, and never a worker of the cluster.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import select
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from labkit.errors import RunFailed
from labkit.runs.last_words import ONE_THREAD, obituary
from labkit.screening.child import pack

Answer = dict[str, Any]
#: A child that never says that it is ready: an import that hangs on a dead network disk, say.
START_S = 300.0
#: What packages print is kept for the obituary, up to here.
MOST_WORDS = 1 << 20


#: Not by -m: the package imports that module too, of which Python then warns in every obituary.
START = "import sys; from labkit.screening.child import main; sys.exit(main(sys.argv[1:]))"


class Child:
    """One process of this machine; `judge` is called by one thread at a time."""

    def __init__(self, search_path: list[str]) -> None:
        self._words = tempfile.TemporaryFile("a+b")  # noqa: SIM115 - it lives as long as the process
        environment = {**os.environ, **ONE_THREAD, "PYTHONPATH": os.pathsep.join(search_path)}
        # -P: the folder that this happens to run in must not shadow a package.
        command = [sys.executable, "-P", "-c", START, str(os.getpid())]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._words, env=environment, bufsize=0
        )
        self._data = bytearray()
        self.ready, self.how = False, ""

    @property
    def alive(self) -> bool:
        """Whether the process has not ended."""
        return self._process.poll() is None

    def judge(
        self,
        stage: dict[str, Any],
        asked: list[Answer],
        timeout_s: float,
        say: Callable[[Answer], object],
        again: set[int],
    ) -> list[Answer]:
        """Judge candidates in their order; returns those that are still to be judged because the process is gone.

        The candidate at which it went is among them at its first time, and its number then in `again`: perhaps somebody
        else ended the process. At the second, or when it took too long, it is answered for, with how. Raises RunFailed
        when the process cannot even start.
        """
        current, rest = None, list(asked)
        try:
            if not self.ready:
                self._hear(START_S)
                self.ready = True
            self._process.stdin.write(pack({"stage": stage, "candidates": asked}))
            while rest:
                heard = self._hear(START_S if current is None else timeout_s)
                if "begun" in heard:
                    current, begin = rest[0], time.perf_counter()
                    continue
                rest.pop(0)
                current = None
                say(heard)
        except (_Gone, OSError) as end:
            late = isinstance(end, _TooLong)
            self.how = "it did not answer." if late else self.obituary()
            if not self.ready:
                raise RunFailed(f"a worker process ended before its first candidate: {self.how}") from end
            if current is not None and not late and current["index"] not in again:
                again.add(current["index"])
            elif current is not None:
                rest.pop(0)
                reason = (
                    f"no answer after {timeout_s:g} s, and its process was ended. Raise timeout_s, or make it smaller."
                    if late
                    else f"{self.how} It was tried twice."
                )
                spent = round(time.perf_counter() - begin, 3)
                say(_died(current, f"{'TimedOut' if late else 'WorkerDied'}: {reason}", spent))
            self.end()
        return rest

    def obituary(self) -> str:
        """How the process ended, in a sentence."""
        return obituary(self._process, self._words)

    def rest(self) -> None:
        """Between two chunks: forget what was printed, if it was much."""
        if self._words.seek(0, os.SEEK_END) > MOST_WORDS:
            self._words.truncate(0)

    def kill(self) -> None:
        """End the process; whoever waits for it hears so."""
        self._process.kill()

    def end(self) -> None:
        """End the process and close what led to it."""
        self._process.kill()
        self._process.wait(10)
        for stream in (self._process.stdin, self._process.stdout, self._words):
            with contextlib.suppress(OSError):
                stream.close()

    def _hear(self, wait_s: float) -> Answer:
        deadline = time.monotonic() + wait_s
        poll = select.poll()
        poll.register(self._process.stdout, select.POLLIN | select.POLLHUP)
        while True:
            if len(self._data) >= 8 and len(self._data) >= (end := 8 + struct.unpack(">Q", self._data[:8])[0]):
                message = json.loads(bytes(self._data[8:end]))
                del self._data[:end]
                return message
            if not poll.poll(max(0.0, 1000 * min(deadline - time.monotonic(), 1e6))):
                raise _TooLong
            data = os.read(self._process.stdout.fileno(), 1 << 16)
            if not data:
                raise _Gone
            self._data += data


class _Gone(Exception):
    """The process has ended."""


class _TooLong(_Gone):
    """The process does not answer."""


class Children:
    """The child processes of this process: as many as threads ask at once, kept for the next chunk."""

    def __init__(self) -> None:
        self._lock, self.closed = threading.Lock(), False
        self._idle: list[Child] = []
        self._busy: set[Child] = set()

    def evaluate(self, chunk: dict[str, Any], say: Callable[[Answer], object]) -> None:
        """Judge all candidates of a chunk, with a new child after each that is lost; who has lost one gets a second."""
        rest, losses, again = list(chunk["candidates"]), 0, set[int]()
        while rest and not self.closed:
            child = self._lease(chunk["search_path"])
            before = len(rest), len(again)
            try:
                rest = child.judge(chunk["stage"], rest, chunk["timeout_s"], lambda one: self.closed or say(one), again)
            finally:
                self._give_back(child)
            losses = losses + 1 if (len(rest), len(again)) == before else 0
            if losses > 3 and not self.closed:
                raise RunFailed(f"worker processes end before they begin a candidate: {child.how}")

    def close(self) -> None:
        """End all children, also those at work."""
        with self._lock:
            self.closed = True
            idle, self._idle = self._idle, []
            for child in self._busy:  # the thread that waits for it hears of it and clears up
                child.kill()
        for child in idle:
            child.end()

    def _lease(self, search_path: list[str]) -> Child:
        with self._lock:
            while self._idle:
                child = self._idle.pop()
                if child.alive:
                    break
                child.end()
            else:
                child = Child(search_path)
            self._busy.add(child)
            return child

    def _give_back(self, child: Child) -> None:
        with self._lock:
            self._busy.discard(child)
            if child.alive and child.ready and not self.closed:
                child.rest()
                self._idle.append(child)
            else:
                child.end()


_HERE = Children()
atexit.register(_HERE.close)


def evaluate_elsewhere(chunk: dict[str, Any]) -> list[Answer]:
    """Judge a chunk in a worker of an executor; the answers of its candidates, in their order."""
    own = [str(Path(entry or ".").resolve()) for entry in sys.path]
    path = [*own, *(entry for entry in chunk["search_path"] if entry not in own)]
    answers: list[Answer] = []
    _HERE.evaluate({**chunk, "search_path": path}, answers.append)
    return answers


def _died(asked: Answer, reason: str, spent_s: float) -> Answer:
    return {
        "index": asked["index"],
        "name": asked["name"],
        "formula": "",
        "verdict": "failed",
        "reason": reason,
        "values": {},
        "files": {},
        "cpu_s": spent_s,
        "wall_s": spent_s,
        "worker": "",
    }
