"""A child process that is asked questions over pipes: deadlines, and a sentence when it crashes.

The messages are those of `foreign_worker`. What the child sends is read as bounded JSON and float64 arrays of the
shapes that were asked for: it cannot make the parent execute or allocate what it wants.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import queue
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import weakref
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from labkit.errors import LabkitError

WORKER = Path(__file__).with_name("foreign_worker.py")
MAX_HEADER_BYTES = 1_000_000
LAST_WORDS = 600
#: Header and arrays of each answer; a text when there will be no more.
Answers = queue.SimpleQueue[tuple[dict[str, Any], dict[str, np.ndarray]] | str]


class ForeignFailed(LabkitError):
    """A foreign calculator that failed, crashed, or did not answer in time; it runs in a process of its own."""


class Child:
    """One running `foreign_worker`; every failure ends it, so that question and answer never get out of step."""

    def __init__(self, label: str, python: str | None = None) -> None:
        self.label = label
        environment = {**os.environ}
        environment.setdefault("OMP_NUM_THREADS", "1")
        if python is not None:
            environment.pop("PYTHONPATH", None)  # packages of this Python are of no use to another one
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the child
        try:
            self.process = subprocess.Popen(
                [python or sys.executable, str(WORKER)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._log,
                env=environment,
            )
        except OSError as error:
            self._log.close()
            raise ForeignFailed(f"{label}: the Python {python} cannot be started ({error}).") from error
        self._answers: Answers = queue.SimpleQueue()
        self._largest = [0]
        # The thread knows the stream, not this object: a potential that nobody holds any more takes its child along.
        arguments = (self.process.stdout, self._answers, self._largest)
        self._reader = threading.Thread(target=_read, args=arguments, name="labkit-foreign", daemon=True)
        self._reader.start()
        self._end = weakref.finalize(self, _end, self.process, self._reader, self._log)

    def ask(
        self, header: dict[str, Any], arrays: dict[str, np.ndarray], *, timeout_s: float, largest: int = 0, what: str
    ) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Send one message and wait for its answer; `largest` bounds the arrays of the answer in bytes.

        Raises ForeignFailed when the child ends, answers nonsense, or is silent for `timeout_s` seconds; it is gone
        then.
        """
        self._largest[0] = largest
        raw = {name: np.asarray(values, dtype="<f8", order="C") for name, values in arrays.items()}
        text = json.dumps({**header, "arrays": {name: list(one.shape) for name, one in raw.items()}}).encode()
        try:
            try:
                pipe = self.process.stdin
                pipe.write(struct.pack(">I", len(text)) + text + b"".join(one.tobytes() for one in raw.values()))
                pipe.flush()
                found = self._answers.get(timeout=timeout_s)
            except queue.Empty:
                raise ForeignFailed(
                    f"{self.label} was still silent {timeout_s:g} s after it was asked to {what}, and was ended. "
                    "Give it more time (timeout_s), or a smaller structure."
                ) from None
            except OSError as error:
                self._reader.join(2)
                raise ForeignFailed(self._obituary(what, str(error))) from error
            if isinstance(found, str):
                raise ForeignFailed(self._obituary(what, found))
        except BaseException:  # an interrupt, too, leaves an answer in the pipe that nobody asked for any more
            self.close()
            raise
        return found

    @property
    def alive(self) -> bool:
        """Whether the process still runs."""
        return self.process.poll() is None

    def close(self) -> None:
        """End the process."""
        self._end()

    def _obituary(self, what: str, reason: str) -> str:
        try:
            code = self.process.wait(2)
        except subprocess.TimeoutExpired:  # it lives, but what it sent was nonsense
            return f"{self.label} was asked to {what} and sent what is no answer ({reason}). It was ended."
        how = f"ended with exit code {code}"
        if code < 0:
            how = f"was killed by signal {-code} ({signal.Signals(-code).name}; out of memory?)"
        words = self._last_words()
        tail = f" Its last words: {words}" if words else ""
        return f"{self.label} {how} when it was asked to {what}; this notebook is unharmed.{tail}"

    def _last_words(self) -> str:
        size = self._log.seek(0, os.SEEK_END)
        self._log.seek(max(0, size - LAST_WORDS))
        return " ".join(self._log.read().decode(errors="replace").split())


def _read(stream: BinaryIO, answers: Answers, largest: list[int]) -> None:
    """Hand on one answer after the other; a text, the last, says why there are no more."""
    while True:
        try:
            length = struct.unpack(">I", _exactly(stream, 4))[0]
            if length > MAX_HEADER_BYTES:
                raise ValueError("its header is too long")
            header = json.loads(_exactly(stream, length))
            arrays, left = {}, largest[0]
            for name, shape in header.pop("arrays", {}).items():
                size = 8 * math.prod(int(one) for one in shape)
                if not 0 <= size <= left:
                    raise ValueError("its arrays are larger than what was asked for")
                left -= size
                arrays[str(name)] = np.frombuffer(_exactly(stream, size), dtype="<f8").reshape(shape).copy()
            answers.put((header, arrays))
        except EOFError:
            answers.put("it ended")
            return
        except Exception as error:
            answers.put(str(error))
            return


def _exactly(stream: BinaryIO, size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise EOFError
    return data


def _end(process: subprocess.Popen, reader: threading.Thread, log: BinaryIO) -> None:
    process.kill()
    process.wait(10)
    with contextlib.suppress(OSError):  # unsent bytes for a process that is gone
        process.stdin.close()
    reader.join(2)
    if not reader.is_alive():  # a grandchild that holds the pipe keeps the reader, and closing would wait for it
        process.stdout.close()
    log.close()
