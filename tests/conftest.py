"""What holds for all tests: a run store of their own, one thread for each process."""

import os

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
