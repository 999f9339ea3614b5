import os
import time

import pytest

from labkit.runs import Store

os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture
def store(tmp_path):
    """An empty store, whose runs are stopped at the end of the test."""
    store = Store(tmp_path / "store")
    yield store
    for run in store.runs():
        if run.status().active:
            run.cancel()


@pytest.fixture
def until():
    """Wait for a condition, and fail with a sentence when it does not come true."""

    def wait_until(condition, seconds=60.0, every=0.02):
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, "the condition did not come true in time"
            time.sleep(every)

    return wait_until
