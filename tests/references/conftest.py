import os

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
