"""Selection: what each rule takes and why, the same for the same seed."""

import numpy as np
import pytest

from labkit.active_learning import (
    adaptive_lower,
    at_random,
    by_threshold,
    by_volume,
    farthest_point,
    sort_out,
    top_k,
)

GRADES = [0.5, 2.0, 3.0, 12.0, float("nan"), 1.99, float("inf")]


def indices(choices):
    return [choice.index for choice in choices]


def test_thresholds_sort_into_accurate_candidate_and_failed():
    verdict = sort_out(GRADES, 2.0, 10.0)
    assert [verdict.accurate.tolist(), verdict.candidate.tolist(), verdict.failed.tolist()] == [
        [0, 5],
        [1, 2],
        [3, 4, 6],
    ]
    with pytest.raises(ValueError, match="not below"):
        sort_out(GRADES, 3, 3)


def test_candidates_say_why_and_are_thinned_by_the_seed():
    chosen = by_threshold(GRADES, 2.0, 10.0)
    assert indices(chosen) == [1, 2]
    assert chosen[0].value == 2.0
    assert "lower threshold 2" in chosen[0].reason
    many = list(np.linspace(2, 9, 50))
    thinned = [indices(by_threshold(many, 2, 10, most=5, seed=seed)) for seed in (0, 0, 1)]
    assert len(thinned[0]) == 5
    assert thinned[0] == thinned[1] != thinned[2]
    assert "drawn from 50" in by_threshold(many, 2, 10, most=5)[0].reason


def test_the_adaptive_threshold_leaves_as_many_as_wanted_but_never_falls_below_the_fixed_one():
    values = np.arange(20.0)
    lower = adaptive_lower(values, 4, 2.0, 15.0)
    assert len(sort_out(values, lower, 15.0).candidate) == 4
    assert adaptive_lower(values, 100, 2.0, 15.0) == 2.0


def test_the_largest_come_first_and_what_broke_is_left_out():
    assert indices(top_k(GRADES, 2)) == [3, 2]
    assert indices(top_k(GRADES, 2, upper=10)) == [2, 1]
    assert indices(top_k([1.0, 1.0, 1.0], 2)) == [0, 1]


def test_farthest_points_are_the_corners():
    points = np.array([[0, 0], [0.1, 0], [1, 0], [0, 1], [1, 1], [0.5, 0.5]], dtype=float)
    assert set(indices(farthest_point(points, 3, known=points[:1]))) == {4, 2, 3}
    chosen = farthest_point(points, 10, known=points[:1])
    assert len(chosen) == 5  # a point that is known already is not worth a label
    assert [choice.value for choice in chosen] == sorted((choice.value for choice in chosen), reverse=True)
    assert indices(farthest_point(points, 4, seed=3)) == indices(farthest_point(points, 4, seed=3))
    assert len(farthest_point(points, 10, known=points[:1], least=0.3)) < 5


def test_volume_takes_what_known_rows_do_not_span():
    known = np.eye(3)
    new = np.array([[0.5, 0.5, 0], [3, 0, 0], [0, 0, 0.9]])
    chosen = by_volume(new, known)
    assert indices(chosen) == [1]
    assert chosen[0].value == pytest.approx(3)
    assert len(by_volume(np.random.default_rng(0).normal(size=(9, 3)))) == 3


def test_random_is_random_but_repeatable():
    assert (
        indices(at_random(100, 5, seed=1)) == indices(at_random(100, 5, seed=1)) != indices(at_random(100, 5, seed=2))
    )
    assert len(set(indices(at_random(4, 9)))) == 4


def test_values_of_the_wrong_shape_are_refused():
    with pytest.raises(ValueError, match="one for each structure"):
        top_k(np.ones((2, 2)), 1)
    with pytest.raises(ValueError, match="descriptors"):
        farthest_point(np.ones(3), 1)
