"""What holds for all tests: a run store of their own, one thread for each process."""

import os
import time

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session", autouse=True)
def _runs_of_tests_stay_out_of_the_users_store(tmp_path_factory):
    before = os.environ.get("LABKIT_RUNS")
    os.environ["LABKIT_RUNS"] = str(tmp_path_factory.mktemp("labkit-runs"))
    yield
    if before is None:
        del os.environ["LABKIT_RUNS"]
    else:
        os.environ["LABKIT_RUNS"] = before


@pytest.fixture
def until():
    """Wait for a condition, and fail with a sentence when it does not come true."""

    def wait_until(condition, seconds=60.0, every=0.02):
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, "the condition did not come true in time"
            time.sleep(every)

    return wait_until
