"""Which tensor products there are: the counts of the paper, and every path obeys the rule that makes it one."""

import pytest

from labkit.potentials.camp.paths import hyper_moment_paths, moment_paths


@pytest.mark.parametrize(("max_v", "counts"), [(0, [1]), (1, [2, 1]), (2, [4, 2, 1]), (3, [7, 4, 2, 1])])
def test_hyper_moments_have_as_many_paths_as_in_the_paper(max_v, counts):
    paths = hyper_moment_paths(max_v)
    assert [len(paths[v]) for v in range(max_v + 1)] == counts


def test_the_scalar_paths_are_those_of_the_paper():
    assert hyper_moment_paths(3)[0] == [(0,), (1, 1), (2, 2), (3, 3), (1, 1, 2), (1, 2, 3), (1, 1, 1, 3)]
    assert hyper_moment_paths(2)[0] == [(0,), (1, 1), (2, 2), (1, 1, 2)]
    assert hyper_moment_paths(1)[0] == [(0,), (1, 1)]


def test_the_largest_rank_of_a_path_is_the_sum_of_the_others_and_of_the_output():
    for output, paths in hyper_moment_paths(3).items():
        assert len(set(paths)) == len(paths)
        for path in paths:
            assert path[-1] == sum(path[:-1]) + output
            assert path == tuple(sorted(path))
            assert path == (0,) or min(path) >= 1


@pytest.mark.parametrize(("max_v", "count"), [(0, 1), (1, 3), (2, 6), (3, 10)])
def test_moments_take_all_messages_whose_direction_tensor_fits(max_v, count):
    """v + v1 <= max_v: (max_v + 1)(max_v + 2)/2 paths; in the first layer features are scalars, one path a rank."""
    paths = moment_paths(max_v, max_v)
    assert len(set(paths)) == len(paths) == count
    assert all(v + v1 <= max_v for v, v1 in paths)
    assert moment_paths(max_v, 0) == [(v, 0) for v in range(max_v + 1)]
