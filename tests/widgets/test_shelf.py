"""The shelf of data and potentials, without a browser."""

import time

import pytest
from labkit_widgets import Shelf

from labkit import datasets, potentials


@pytest.fixture
def shelf():
    shelf = Shelf()
    yield shelf
    shelf.close()


def test_a_shelf_offers_all_that_ships_and_opens_nothing_by_itself(shelf):
    assert list(shelf.dataset.options) == datasets.names()
    assert set(potentials.names()) < set(shelf.potential.options)
    assert shelf.browser is None
    assert shelf.card is None


def test_a_set_opens_with_the_errors_of_a_potential(shelf):
    shelf.dataset.value, shelf.potential.value = "mo-mlearn-test", "camp-mo"
    shelf.open_button.click()
    assert len(shelf.browser.dataset) == 23
    assert "camp-mo" in shelf.card._head.value
    deadline = time.monotonic() + 60
    while shelf.browser.comparison is None and time.monotonic() < deadline:
        time.sleep(0.05)
    assert shelf.browser.comparison.errors()["forces_rmse_meV_A"].iloc[-1] < 250
    shelf.potential.value = ""
    shelf.open_button.click()
    assert shelf.card is None
    assert shelf.browser.comparison is None


def test_a_name_that_is_not_there_becomes_a_sentence(shelf):
    shelf.dataset.value = "no such set"
    shelf.open_button.click()
    assert "no such set" in shelf.error.value
    assert shelf.browser is None
    shelf.dataset.value, shelf.potential.value = "acac-isolated-atoms", "camp-moo"
    shelf.open_button.click()
    assert "camp-moo" in shelf.error.value
    assert shelf.browser is None
