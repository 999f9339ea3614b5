import pytest

from labkit.runs import Store
from tests.training.toy import dataset

TOY = "tests.training.toy:Toy"


@pytest.fixture
def store(tmp_path):
    """An empty store, whose runs are stopped at the end of the test."""
    store = Store(tmp_path / "store")
    yield store
    for run in store.runs():
        if run.status().active:
            run.cancel()


@pytest.fixture(scope="session")
def copper(tmp_path_factory):
    """24 labelled copper crystals as a file."""
    return str(dataset(24).write(tmp_path_factory.mktemp("data") / "copper.extxyz"))


@pytest.fixture
def toy_task(copper):
    """The arguments of a short training of the toy."""
    return {
        "dataset": copper,
        "validation_fraction": 0.25,
        "start_from": TOY,
        "refit_energies": True,
        "epochs": 6,
        "batch_size": 4,
        "learning_rate": 0.02,
        "warmup_steps": 3,
        "device": "cpu",
    }
