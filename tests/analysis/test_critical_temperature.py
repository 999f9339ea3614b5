"""Where an order parameter falls through one half: exact on a line, honest about its error, silent where it must be."""

import numpy as np
import pytest

from labkit.analysis.critical_temperature import critical_temperature

TEMPERATURES = np.array([50.0, 100.0, 150.0, 200.0, 250.0])


def test_a_straight_line_crosses_where_it_does():
    found = critical_temperature(TEMPERATURES, 1 - TEMPERATURES / 280, np.full(5, 1e-3))
    assert pytest.approx(140) == found.T_K
    assert found.error_K == pytest.approx(0.28, rel=0.4)
    assert found.crossing == 1
    assert "T_c = 140" in str(found)
    shuffled = critical_temperature(TEMPERATURES[::-1], (1 - TEMPERATURES / 280)[::-1], np.full(5, 1e-3))
    assert pytest.approx(140) == shuffled.T_K


def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    generator, truth = np.random.default_rng(0), 1 / (1 + np.exp((TEMPERATURES - 160) / 30))
    inside = 0
    exact = critical_temperature(TEMPERATURES, truth, np.full(5, 1e-6)).T_K
    for _ in range(60):
        low, high = critical_temperature(
            TEMPERATURES, generator.normal(truth, 0.08), np.full(5, 0.08), samples=300
        ).interval_K
        inside += (low or 0) <= exact <= (high or np.inf)
    assert inside >= 54


def test_a_crossing_between_points_far_apart_is_said_to_be_a_straight_line():
    two = critical_temperature([10, 2000], [1.0, 0.0], [0.01, 0.01])
    assert "straight line from 10 to 2000 K" in two.text
    wide = critical_temperature([10, 20, 30, 1000, 1010], [1.0, 1.0, 1.0, 0.0, 0.0], [0.01] * 5)
    assert "straight line from 30 to 1000 K" in wide.text
    dense = critical_temperature(TEMPERATURES, 1 - TEMPERATURES / 280, np.full(5, 0.1))
    assert "straight line" not in dense.text


def test_a_rising_pair_of_points_is_taken_together():
    found = critical_temperature([1, 2, 3, 4], [0.9, 0.4, 0.6, 0.1], [0.1, 0.1, 0.1, 0.1])
    assert pytest.approx(2.5) == found.T_K


@pytest.mark.parametrize(
    ("order", "side"), [([0.9, 0.8], "above 200 K, the highest"), ([0.2, 0.1], "below 100 K, the lowest")]
)
def test_without_a_crossing_there_is_no_temperature(order, side):
    found = critical_temperature([100, 200], order, [0.05, 0.05])
    assert found.T_K is None
    assert side in found.text
    assert found.to_dict()["T_K"] is None


@pytest.mark.parametrize(
    ("temperatures", "errors", "sentence"),
    [
        ([100], [0.1], "at least two points"),
        ([100, 100], [0.1, 0.1], "must differ"),
        ([100, 200], [0.1, 0.0], "positive"),
    ],
)
def test_points_that_say_nothing_are_refused(temperatures, errors, sentence):
    with pytest.raises(ValueError, match=sentence):
        critical_temperature(temperatures, np.linspace(1, 0, len(temperatures)), errors)
