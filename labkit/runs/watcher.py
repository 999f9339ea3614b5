"""The thread beside a working task: it hears cancel requests, keeps the status fresh, and ends a worker that is deaf.

A task that sits in a long call cannot look up; its worker then leaves by itself after a grace time, and everything that
was reported is already on disk.
"""

import os
import threading
import time
from typing import Self

from labkit.runs.context import RunContext
from labkit.runs.controls import cancel_requested

POLL_S = 0.1
GRACE_S = 1.2
EXIT_CANCELLED = 130


class Watcher(threading.Thread):
    """Runs beside the task as a context manager; `may_exit` only in a process that belongs to the run alone."""

    def __init__(self, context: RunContext, may_exit: bool) -> None:
        """Watch over `context`."""
        super().__init__(name=f"labkit-watcher-{context.folder.name}", daemon=True)
        self._context, self._may_exit = context, may_exit
        self._over = threading.Event()

    def __enter__(self) -> Self:
        """Start watching."""
        self.look()
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop watching."""
        self._over.set()
        self.join(timeout=5.0)

    def look(self) -> None:
        """Pass a cancel request on to the task."""
        if not self._context.stop.is_set() and cancel_requested(self._context.folder, self._context.attempt):
            self._context.stop.set()

    def run(self) -> None:
        """Watch until the task is over."""
        deadline = None
        while not self._over.wait(POLL_S):
            try:
                self.look()
                self._context.status.write_if_due()
            except OSError as error:
                self._context.fault = error  # the task meets it at its next report
            if self._context.stop.is_set():
                deadline = deadline or time.monotonic() + GRACE_S
                if self._may_exit and time.monotonic() > deadline:
                    self._leave()

    def _leave(self) -> None:
        status = self._context.status
        try:
            mine = status.finish("cancelled", message="stopped on request in the middle of a step", patience_s=0.3)
        except OSError:
            mine = True  # the disk is full, but a free lock beside a request reads as cancelled all the same
        if mine or not status.closed:
            os._exit(EXIT_CANCELLED)
