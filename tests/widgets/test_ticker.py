"""The shared thread of the live views."""

import gc
import subprocess
import sys
import threading
import time

import ipywidgets as w
import pytest
from labkit_widgets.ticker import Ticker


class Counter:
    def __init__(self, fail=False):
        self.calls, self.errors, self.fail = 0, [], fail

    def tick(self):
        self.calls += 1
        if self.fail:
            raise RuntimeError("boom")

    def on_tick_error(self, error):
        self.errors.append(error)


def test_a_subscriber_is_called_at_its_pace_until_it_unsubscribes():
    ticker, counter = Ticker(), Counter()
    ticker.subscribe(counter.tick, 0.05)
    time.sleep(0.5)
    ticker.unsubscribe(counter.tick)
    calls = counter.calls
    assert 4 <= calls <= 12
    time.sleep(0.2)
    assert counter.calls <= calls + 1


def test_a_forgotten_subscriber_is_let_go_and_the_thread_ends():
    ticker, counter = Ticker(), Counter()
    ticker.subscribe(counter.tick, 0.05)
    del counter
    gc.collect()
    deadline = time.monotonic() + 3
    while ticker._thread is not None and time.monotonic() < deadline:
        time.sleep(0.02)
    assert len(ticker) == 0
    assert ticker._thread is None


def test_a_closed_widget_is_dropped():
    class Box(w.VBox):
        calls = 0

        def tick(self):
            self.calls += 1

    ticker, box = Ticker(), Box()
    ticker.subscribe(box.tick, 0.05)
    time.sleep(0.2)
    box.close()
    time.sleep(0.2)
    calls = box.calls
    time.sleep(0.3)
    assert calls > 0
    assert box.calls == calls


def test_an_exception_reaches_the_view_and_does_not_stop_the_others():
    ticker, bad, good = Ticker(), Counter(fail=True), Counter()
    ticker.subscribe(bad.tick, 0.05)
    ticker.subscribe(good.tick, 0.05)
    time.sleep(0.4)
    ticker.unsubscribe(bad.tick)
    ticker.unsubscribe(good.tick)
    assert [str(error) for error in bad.errors[:1]] == ["boom"]
    assert good.calls > 2


def test_all_views_share_one_thread():
    ticker, counters = Ticker(), [Counter() for _ in range(20)]
    before = threading.active_count()
    for counter in counters:
        ticker.subscribe(counter.tick, 0.05)
    assert threading.active_count() <= before + 1
    for counter in counters:
        ticker.unsubscribe(counter.tick)


def test_a_function_is_refused_because_it_would_never_be_let_go():
    with pytest.raises(TypeError, match="bound methods"):
        Ticker().subscribe(lambda: None)


def test_a_script_ends_although_its_last_widget_closes_when_the_ticker_thread_died_with_the_lock():
    code = """
import builtins, threading, time
from labkit_widgets.ticker import TICKER
class View:
    def tick(self): pass
    def __del__(self): TICKER.unsubscribe(self.tick)
def die_with_the_lock():
    TICKER._lock.acquire()
    time.sleep(1000)
threading.Thread(target=die_with_the_lock, daemon=True).start()
time.sleep(0.2)
builtins.kept = View()
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_a_widget_collected_while_the_ticker_holds_its_lock_does_not_stop_it():
    ticker = Ticker()
    with ticker._lock:
        ticker.unsubscribe(lambda: None)
