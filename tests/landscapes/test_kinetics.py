import itertools

import networkx as nx
import numpy as np
import pytest
from scipy import constants

from labkit.errors import InvalidStructure
from labkit.landscapes.kinetics import mean_first_passage_time, occupations, rates
from labkit.landscapes.landscape17 import molecules, reference
from labkit.landscapes.network import KineticNetwork
from tests.landscapes.networks import chain, connected, network, random_network

KT = 0.0257  # eV, near room temperature


def test_the_six_reference_networks_are_connected_and_have_the_counted_self_loops():
    networks = [reference(name) for name in sorted(molecules())]
    assert [len(one.self_loops) for one in networks] == [8, 3, 1, 2, 2, 1]  # aspirin .. salicylic acid
    assert all(len(one.components()) == 1 for one in networks)
    assert sum(one.n_minima for one in networks) == 28
    assert sum(one.n_transition_states for one in networks) == 67


def test_two_states_wait_for_one_over_the_rate():
    made = network([0.0, 0.2], [(0, 1, 0.7)])
    assert mean_first_passage_time(made, 0, 1, beta_per_eV=1 / KT) == pytest.approx(np.exp(0.7 / KT), rel=1e-12)
    assert mean_first_passage_time(made, 1, 0, beta_per_eV=1 / KT) == pytest.approx(np.exp(0.5 / KT), rel=1e-12)
    assert mean_first_passage_time(made, 0, 0, beta_per_eV=1 / KT) == 0.0


def test_a_chain_of_three_states_has_its_closed_form():
    made = chain([0.0, 0.1, -0.2], [0.4, 0.3])
    k = rates(made, beta_per_eV=8.0).matrix
    # A -> B -> C: τ_A = 1/k_BA + 1/k_CB + k_AB / (k_BA k_CB)
    expected = 1 / k[1, 0] + 1 / k[2, 1] + k[0, 1] / (k[1, 0] * k[2, 1])
    assert mean_first_passage_time(made, 0, 2, beta_per_eV=8.0) == pytest.approx(expected, rel=1e-12)
    q = rates(made, beta_per_eV=8.0).committors(0, 2)
    np.testing.assert_allclose(q, [0.0, k[2, 1] / (k[2, 1] + k[0, 1]), 1.0], rtol=1e-12)


def test_a_temperature_is_one_over_k_times_beta():
    made = random_network(1)
    hot = rates(made, temperature_K=900.0)
    assert hot.beta_per_eV == pytest.approx(constants.e / (constants.k * 900.0), rel=1e-6)
    np.testing.assert_array_equal(hot.matrix, rates(made, beta_per_eV=hot.beta_per_eV).matrix)


@pytest.mark.parametrize("seed", range(6))
def test_detailed_balance_holds_and_the_occupations_are_stationary(seed):
    made = with_modes(random_network(seed), seed)
    for prefactors in ("unit", "harmonic"):
        found = rates(made, beta_per_eV=12.0, prefactors=prefactors)
        flux = found.matrix * found.occupations
        np.testing.assert_allclose(flux, flux.T, rtol=1e-9)
        np.testing.assert_allclose(flux.sum(axis=0), flux.sum(axis=1), rtol=1e-9)
        assert found.occupations.sum() == pytest.approx(1.0)
        assert not np.diag(found.matrix).any()
    np.testing.assert_allclose(
        found.occupations, np.exp(-12.0 * found.free_energies_eV) / np.exp(-12.0 * found.free_energies_eV).sum()
    )


def test_parallel_saddles_add_and_self_loops_do_nothing():
    one = network([0.0, 0.1], [(0, 1, 0.5)])
    two = network([0.0, 0.1], [(0, 1, 0.5), (1, 0, 0.5), (0, 0, 0.2), (1, 1, 0.01)])
    np.testing.assert_allclose(rates(two, beta_per_eV=9.0).matrix, 2 * rates(one, beta_per_eV=9.0).matrix)


def test_minima_that_no_path_joins_never_meet():
    made = network([0.0, 0.1, 0.2, 0.3], [(0, 1, 0.5), (2, 3, 0.6)])
    found = rates(made, beta_per_eV=5.0)
    assert found.mean_first_passage_time(0, 2) == np.inf
    assert np.isnan(found.committors(0, 1)[2:]).all()
    with pytest.raises(ValueError, match="no path of transition states joins the minima 0 and 3"):
        found.fastest_path(0, 3)


def test_a_source_of_several_minima_is_in_equilibrium_within_itself():
    made = connected(2, extra=20)
    found = rates(made, beta_per_eV=6.0)
    p = found.occupations[[0, 2]] / found.occupations[[0, 2]].sum()
    times = np.exp(found.log_first_passage_times([1, 3]))
    assert found.mean_first_passage_time([0, 2], [1, 3]) == pytest.approx(p @ times[[0, 2]])


@pytest.mark.parametrize("seed", range(4))
def test_the_fastest_path_is_the_most_probable_of_all(seed):
    made = connected(seed, n=8, extra=14)
    found = rates(made, beta_per_eV=10.0)
    branching = found.matrix / found.matrix.sum(axis=0)
    simple = nx.Graph(made.graph)
    best = max(
        nx.all_simple_paths(simple, 0, 1),
        key=lambda path: np.prod([branching[j, i] for i, j in itertools.pairwise(path)]),
    )
    path = found.fastest_path(0, 1)
    assert list(path.minima) == best
    expected = sum(np.log(branching[j, i]) for i, j in itertools.pairwise(best))
    assert path.log_probability == pytest.approx(expected)
    for (i, j), number in zip(itertools.pairwise(path.minima), path.transition_states, strict=True):
        assert made.transition_states[number].energy_eV == min(one.energy_eV for one in made.between(i, j))


def test_fastest_path_of_salicylic_acid_goes_through_minimum_5():
    # The isolated path 3 -> 5 -> 4 of the paper.
    path = rates(reference("salicylic"), beta_per_eV=20.0).fastest_path(3, 4)
    assert path.minima == (3, 5, 4)


def with_modes(made, seed=0, modes=3):
    """A copy with random Hessian eigenvalues and point groups."""
    rng = np.random.default_rng(seed)
    again = KineticNetwork(made.symbols)
    for point in made.minima:
        again.add_minimum(
            point.energy_eV, point.positions, eigenvalues=rng.uniform(0.1, 2.0, modes), order=int(rng.integers(1, 5))
        )
    for point in made.transition_states:
        values = [-rng.uniform(0.1, 2.0), *rng.uniform(0.1, 2.0, modes - 1)]
        order = int(rng.integers(1, 5))
        again.add_transition_state(point.minima, point.energy_eV, point.positions, eigenvalues=values, order=order)
    return again


def test_harmonic_prefactors_are_frequencies_of_the_minimum_over_those_of_the_saddle():
    made = KineticNetwork(["Ar"])
    made.add_minimum(0.0, np.zeros((1, 3)), eigenvalues=[0.5, 0.8, 1.1], order=4)
    made.add_minimum(0.1, np.ones((1, 3)), eigenvalues=[0.6, 0.9, 1.5], order=3)
    made.add_transition_state((0, 1), 0.4, np.ones((1, 3)), eigenvalues=[-0.3, 0.7, 1.2], order=2)
    found = rates(made, temperature_K=300.0, prefactors="harmonic")
    # In SI: ν = √λ / 2π with λ in J/(m² kg)
    nu = np.sqrt(constants.e / 1e-20 / constants.m_u) / (2 * np.pi)
    beta = constants.e / (constants.k * 300.0)
    there = (4 / 2) * nu * np.sqrt(0.5 * 0.8 * 1.1 / (0.7 * 1.2)) * np.exp(-beta * 0.4)
    back = (3 / 2) * nu * np.sqrt(0.6 * 0.9 * 1.5 / (0.7 * 1.2)) * np.exp(-beta * 0.3)
    assert found.matrix[1, 0] == pytest.approx(there, rel=1e-5)
    assert found.matrix[0, 1] == pytest.approx(back, rel=1e-5)
    assert found.occupations[1] / found.occupations[0] == pytest.approx(there / back, rel=1e-5)
    assert mean_first_passage_time(made, 0, 1, temperature_K=300.0, prefactors="harmonic") == pytest.approx(
        1 / there, rel=1e-5
    )


def test_a_network_of_two_wells_of_one_parabola_is_divided_evenly():
    np.testing.assert_allclose(occupations(network([0.3, 0.3], [(0, 1, 0.5)]), temperature_K=77.0), [0.5, 0.5])


def test_what_cannot_be_answered_is_refused_with_a_sentence():
    made = network([0.0, 0.2], [(0, 1, 0.7)])
    for wrong in ({}, {"temperature_K": 300.0, "beta_per_eV": 40.0}):
        with pytest.raises(ValueError, match="either as temperature_K or as beta_per_eV"):
            rates(made, **wrong)
    with pytest.raises(ValueError, match=r"temperature_K is -3\.0 K; it must be a positive number"):
        rates(made, temperature_K=-3.0)
    with pytest.raises(ValueError, match="beta_per_eV is nan"):
        rates(made, beta_per_eV=float("nan"))
    with pytest.raises(ValueError, match="choose 'unit' or 'harmonic'"):
        rates(made, beta_per_eV=1.0, prefactors="quantum")
    with pytest.raises(InvalidStructure, match="minimum 0 has no Hessian eigenvalues"):
        rates(made, beta_per_eV=1.0, prefactors="harmonic")
    with pytest.raises(ValueError, match="target: minimum 7 does not exist; the network has 2 minima"):
        mean_first_passage_time(made, 0, 7, beta_per_eV=1.0)
    with pytest.raises(ValueError, match="source: no minimum is given"):
        mean_first_passage_time(made, [], 1, beta_per_eV=1.0)
    with pytest.raises(ValueError, match="minimum 1 is both source and target"):
        rates(made, beta_per_eV=1.0).committors([0, 1], 1)


def test_a_saddle_with_two_unstable_modes_has_no_rate():
    made = KineticNetwork(["Ar"])
    for place in (0.0, 1.0):
        made.add_minimum(place, np.full((1, 3), place), eigenvalues=[0.5, 0.8, 1.1])
    made.add_transition_state((0, 1), 1.4, np.ones((1, 3)), eigenvalues=[-0.3, -0.1, 1.2])
    with pytest.raises(InvalidStructure, match="transition state 0 has 2 unstable modes of 3; expected 1 of 3"):
        rates(made, beta_per_eV=1.0, prefactors="harmonic")
