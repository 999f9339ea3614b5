"""Where chunks are computed: threads of this process that each drive a child, or any `concurrent.futures.Executor`.

Both have the same four words: `room`, `submit`, `collect`, `close`. An executor carries whole chunks and answers when a
chunk is done; here every candidate is heard of at once.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from labkit.screening.children import Answer, Children, evaluate_elsewhere

#: An elastic cluster is asked this often how large it is now.
SIZE_POLL_S = 2.0
#: Words of executors for a worker that was lost while it had the chunk; anything else is the executor's own trouble.
LOST = ("KilledWorker", "BrokenProcessPool", "BrokenExecutor", "WorkerLostError", "ExecutorlibSocketError")


@dataclass(frozen=True)
class Event:
    """What is heard: one answer, or the end of a chunk, with an error if its worker was lost or could not work."""

    chunk: int
    answer: Answer | None = None
    over: bool = False
    error: BaseException | None = None


class Workers:
    """`executor`: None for child processes of this machine, `processes` at once."""

    def __init__(self, executor: Executor | None, processes: int | None) -> None:
        self._children = None if executor is not None else Children()
        self._own = ThreadPoolExecutor(max(1, processes or 1), "labkit-screening") if executor is None else None
        self._executor: Executor = self._own if executor is None else executor
        self._size, self._asked = _size_of(executor, processes), 0.0
        self._slots = 1
        self._futures: dict[int, Future[Any]] = {}
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()

    @property
    def streams(self) -> bool:
        """Whether each candidate of a chunk is heard of at once; else all of them when the chunk is done."""
        return self._children is not None

    @property
    def slots(self) -> int:
        """How many candidates can be computed at once, at this moment."""
        if time.monotonic() > self._asked + SIZE_POLL_S:
            self._slots, self._asked = max(1, self._size()), time.monotonic()
        return self._slots

    @property
    def busy(self) -> int:
        """How many chunks are out."""
        return len(self._futures)

    def room(self) -> bool:
        """Whether another chunk can be handed over; one more for each slot waits beside it, so that none idles."""
        return self.busy < 2 * self.slots

    def submit(self, number: int, chunk: dict[str, Any]) -> None:
        """Hand over a chunk; what becomes of it comes out of `collect`."""
        if self._children is not None:
            children, events = self._children, self._events
            future = self._executor.submit(
                children.evaluate, chunk, lambda answer: events.put(Event(number, answer=answer))
            )
        else:
            future = self._executor.submit(evaluate_elsewhere, chunk)
        self._futures[number] = future
        future.add_done_callback(lambda done: self._events.put(_ending(number, done)))

    def collect(self, wait_s: float) -> list[Event]:
        """What was heard within `wait_s` seconds."""
        events: list[Event] = []
        try:
            while True:
                event = self._events.get(timeout=wait_s) if not events else self._events.get_nowait()
                events.append(event)
                if event.over and (future := self._futures.pop(event.chunk, None)) and not event.error:
                    # An executor brings all answers with the end.
                    whole = future.result() or []
                    events[-1:] = [*(Event(event.chunk, answer=one) for one in whole), event]
        except queue.Empty:
            return events

    def close(self) -> None:
        """End what is here, take back what has not begun elsewhere."""
        for future in list(self._futures.values()):
            future.cancel()
        if self._children is not None:
            self._children.close()
        if self._own is not None:
            self._own.shutdown(wait=True, cancel_futures=True)


def _ending(number: int, future: Future[Any]) -> Event:
    if future.cancelled():
        return Event(number, over=True, error=RuntimeError("it was cancelled by the executor"))
    return Event(number, over=True, error=future.exception())


def _size_of(executor: Executor | None, processes: int | None) -> Callable[[], int]:
    if processes:
        return lambda: processes
    client = getattr(executor, "_client", None)  # Dask's
    if client is not None and hasattr(client, "nthreads"):
        return lambda: sum(client.nthreads().values())
    return lambda: int(getattr(executor, "_max_workers", None) or 1)
