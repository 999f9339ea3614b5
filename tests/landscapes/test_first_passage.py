import mpmath
import numpy as np
import pytest

from labkit.landscapes import first_passage
from labkit.landscapes.kinetics import mean_first_passage_time, rates
from labkit.landscapes.landscape17 import reference
from tests.landscapes.networks import chain, connected, network

# Mean first passage times 3 -> 4 of salicylic acid (DFT network of Carare et al., doi:10.1038/s41524-025-01878-x, unit
# prefactors), computed independently of labkit with the networks' public files.
SALICYLIC = {5.0: 30.6191, 10.0: 612.115, 20.0: 534497.4, 38.68: 1.8665e11}


def dense_times(network, beta, target):
    """The textbook way: solve Qᵀ τ = -1 without the target."""
    matrix = rates(network, beta_per_eV=beta).matrix
    generator = matrix - np.diag(matrix.sum(axis=0))
    rest = [index for index in range(network.n_minima) if index != target]
    times = np.zeros(network.n_minima)
    times[rest] = np.linalg.solve(generator[np.ix_(rest, rest)].T, -np.ones(len(rest)))
    return times


def exact_times(network, beta, target, digits=600):
    """The same with as many digits as it takes."""
    with mpmath.workdps(digits):
        n = network.n_minima
        generator = mpmath.zeros(n)
        for saddle in network.transition_states:
            first, second = saddle.minima
            for i, j in ((first, second), (second, first)):
                k = mpmath.exp(-mpmath.mpf(beta) * (mpmath.mpf(saddle.energy_eV) - network.minima[i].energy_eV))
                if i != j:
                    generator[i, j] += k
                    generator[i, i] -= k
        rest = [index for index in range(n) if index != target]
        matrix = mpmath.matrix([[generator[i, j] for j in rest] for i in rest])
        solved = mpmath.lu_solve(matrix, mpmath.matrix([-1] * len(rest)))
        logs = [float(mpmath.log(value)) for value in solved]
        return dict(zip(rest, logs, strict=True))


@pytest.mark.parametrize("beta", SALICYLIC)
def test_the_first_passage_times_of_salicylic_acid_are_the_published_networks(beta):
    time = mean_first_passage_time(reference("salicylic"), 3, 4, beta_per_eV=beta)
    assert time == pytest.approx(SALICYLIC[beta], rel=1e-4)


@pytest.mark.parametrize("seed", range(6))
def test_hot_networks_agree_with_the_dense_solution(seed):
    made = connected(seed, extra=20)
    times = np.exp(rates(made, beta_per_eV=2.0).log_first_passage_times(1))
    np.testing.assert_allclose(times, dense_times(made, 2.0, 1), rtol=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_committors_agree_with_the_dense_solution(seed):
    made = connected(seed, extra=20)
    found = rates(made, beta_per_eV=2.0)
    generator = found.matrix - np.diag(found.matrix.sum(axis=0))
    rest = list(range(2, made.n_minima))
    solved = np.linalg.solve(generator[np.ix_(rest, rest)].T, -found.matrix[1, rest])
    np.testing.assert_allclose(found.committors(0, 1)[rest], solved, rtol=1e-9)
    np.testing.assert_allclose(found.committors(1, 0), 1 - found.committors(0, 1), atol=1e-12)


def test_a_stiff_network_keeps_the_digits_that_a_dense_solution_loses():
    # Two deep funnels at 40/eV: rates from 1 to e^-140.
    made = network(
        [0.0, 0.4, 0.9, 0.5, -0.3, 0.2, 1.1],
        [(0, 1, 0.5), (1, 2, 1.4), (2, 3, 3.2), (3, 4, 0.9), (4, 5, 0.31), (0, 5, 3.5), (2, 6, 1.2), (6, 3, 3.3)],
    )
    found = rates(made, beta_per_eV=40.0).log_first_passage_times(4)
    exact = exact_times(made, 40.0, 4)
    for state, value in exact.items():
        assert found[state] == pytest.approx(value, abs=1e-11)  # an absolute error of ln τ is a relative one of τ
    assert max(exact.values()) > 120
    dense = dense_times(made, 40.0, 4)
    assert abs(dense[0] / np.exp(exact[0]) - 1) > 0.5


@pytest.mark.parametrize("seed", range(4))
def test_random_stiff_networks_are_exact(seed):
    made = connected(seed, n=9, extra=14, height=2.5)
    found = rates(made, beta_per_eV=40.0).log_first_passage_times(0)
    for state, value in exact_times(made, 40.0, 0).items():
        assert found[state] == pytest.approx(value, abs=1e-11)


def test_a_large_network_where_all_are_neighbours_is_solved_as_a_small_one_is(monkeypatch):
    made = connected(5, n=150, extra=900)
    target, apart = 3, rates(made, beta_per_eV=2.0)
    np.testing.assert_allclose(np.exp(apart.log_first_passage_times(target)), dense_times(made, 2.0, target), rtol=1e-9)
    stiff = rates(made, beta_per_eV=40.0)
    found, share = stiff.log_first_passage_times([target, 4]), stiff.committors(0, [1, 2])
    monkeypatch.setattr(first_passage, "FEW", 10**6)  # never in arrays
    np.testing.assert_allclose(stiff.log_first_passage_times([target, 4]), found, rtol=1e-13)
    np.testing.assert_allclose(stiff.committors(0, [1, 2]), share, rtol=1e-10)


def test_absolute_energies_of_a_molecule_cost_no_digits():
    low = chain([0.0, 0.125, -0.25], [0.5, 0.375])
    deep = chain([-17647.0, -16 - 17630.875, -17647.25], [-17646.5, -17646.625])
    np.testing.assert_allclose(
        rates(deep, beta_per_eV=40.0).log_first_passage_times(2)[:2],
        rates(low, beta_per_eV=40.0).log_first_passage_times(2)[:2],
        rtol=1e-14,
    )


def test_a_time_too_long_for_a_number_is_refused_and_its_logarithm_is_not():
    made = network([0.0, 0.0], [(0, 1, 8.0)])
    cold = rates(made, beta_per_eV=200.0)
    with pytest.raises(ValueError, match=r"exp\(1600\).*take log_first_passage_times"):
        cold.mean_first_passage_time(0, 1)
    assert cold.log_first_passage_times(1)[0] == pytest.approx(1600.0)
