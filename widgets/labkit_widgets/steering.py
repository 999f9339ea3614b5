"""Hands controls to a working run without waiting for the disk: the newest values win, an error is reported.

A slider sends more values than a run needs; while one write is under way, later ones are merged.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import Any

from labkit.runs import Run


class Steering:
    """Writes controls of a run in a thread; `report` is called with the error, or with None when it went well."""

    def __init__(self, run: Run, report: Callable[[Exception | None], None]) -> None:
        self.run, self._report = run, report
        self._lock = threading.Lock()
        self._waiting: dict[str, Any] = {}
        self._busy = False

    @property
    def busy(self) -> bool:
        """Whether values are on their way."""
        return self._busy

    def set(self, **values: Any) -> None:
        """Write these controls soon; returns at once."""
        with self._lock:
            self._waiting.update(values)
            if self._busy:
                return
            self._busy = True
        threading.Thread(target=self._work, name="labkit-steering", daemon=True).start()

    def _work(self) -> None:
        while True:
            with self._lock:
                values, self._waiting = self._waiting, {}
                if not values:
                    self._busy = False
                    return
            failed: Exception | None = None
            try:
                self.run.set_controls(**values)
            except Exception as error:
                failed = error
            with contextlib.suppress(Exception):  # a view that is gone must not keep later values from the run
                self._report(failed)
