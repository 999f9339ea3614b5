"""One shared thread that lets every live view look at its run a few times per second.

Views subscribe a bound method; it is held weakly, called at its own interval, and dropped when its widget is closed.
An exception does not vanish: it is handed to the view's `on_tick_error`, which shows it beside the picture.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

SHORTEST_S = 0.05
IDLE_S = 2.0  # how often a view looks whether a run that was over has been resumed


@dataclass
class _Subscriber:
    method: Callable[[], Callable[[], None] | None]  # a weak reference, or what says that the view is gone
    interval_s: float
    due: float = 0.0


def _is_closed(owner: Any) -> bool:
    """Tell whether an ipywidget was closed: a closed widget has no comm; other owners are never closed."""
    return hasattr(owner, "comm") and owner.comm is None


class Ticker:
    """Calls subscribed methods at their interval from a single daemon thread, which ends when nobody is left."""

    def __init__(self) -> None:
        # re-entrant: the garbage collector may close a widget, which unsubscribes, while this thread holds the lock
        self._lock = threading.RLock()
        self._wake = threading.Event()
        self._subscribers: list[_Subscriber] = []
        self._thread: threading.Thread | None = None

    def subscribe(self, method: Callable[[], None], interval_s: float = 0.15) -> None:
        """Call the bound `method` every `interval_s` seconds until `unsubscribe`, the widget's close, or its
        collection.
        """
        if not hasattr(method, "__self__"):
            raise TypeError("the ticker holds bound methods only: a function would never be let go")
        with self._lock:
            self._subscribers = [one for one in self._subscribers if one.method() not in (None, method)]
            self._subscribers.append(_Subscriber(weakref.WeakMethod(method), max(interval_s, SHORTEST_S)))
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._loop, name="labkit-ticker", daemon=True)
                self._thread.start()
        self._wake.set()

    def pace(self, method: Callable[[], None], interval_s: float) -> None:
        """Change how often a subscribed `method` is called from its next call on."""
        with self._lock:
            for one in self._subscribers:
                if one.method() == method:
                    one.interval_s = max(interval_s, SHORTEST_S)

    def unsubscribe(self, method: Callable[[], None]) -> None:
        """Stop calling `method`; unknown methods are ignored."""
        if sys.is_finalizing():  # the thread is gone, perhaps with the lock, and nothing is called any more
            return
        with self._lock:
            self._subscribers = [one for one in self._subscribers if one.method() not in (None, method)]

    def __len__(self) -> int:
        with self._lock:
            return sum(one.method() is not None for one in self._subscribers)

    def _loop(self) -> None:
        while True:
            with self._lock:
                self._subscribers = [one for one in self._subscribers if self._alive(one)]
                if not self._subscribers:
                    self._thread = None
                    return
                now = time.monotonic()
                due = [one for one in self._subscribers if one.due <= now]
            for one in due:
                self._call(one)
                one.due = time.monotonic() + one.interval_s
            with self._lock:
                next_due = min((one.due for one in self._subscribers), default=0.0)
            self._wake.wait(min(max(next_due - time.monotonic(), 0.01), 0.5))
            self._wake.clear()

    @staticmethod
    def _alive(subscriber: _Subscriber) -> bool:
        method = subscriber.method()
        return method is not None and not _is_closed(method.__self__)

    @staticmethod
    def _call(subscriber: _Subscriber) -> None:
        method = subscriber.method()
        if method is None:
            return
        try:
            method()
        except Exception as error:
            report = getattr(method.__self__, "on_tick_error", None)
            try:
                if report is not None:
                    report(error)
            except Exception:
                # The view cannot even show its error: it is dropped, and the others go on.
                logging.getLogger(__name__).exception("a view could not show its error")
                subscriber.method = lambda: None


TICKER = Ticker()
