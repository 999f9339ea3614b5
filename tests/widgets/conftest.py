"""A store that lasts one test, and the wait that a polling view needs."""

import time

import pytest

from labkit.runs import Store


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("LABKIT_RUNS", str(tmp_path / "runs"))
    return Store(tmp_path / "runs")


@pytest.fixture
def soon():
    """Wait until a condition holds, at most some seconds."""

    def wait(condition, timeout=8.0):
        deadline = time.monotonic() + timeout
        while not condition():
            assert time.monotonic() < deadline, "it did not happen in time"
            time.sleep(0.02)

    return wait
