import itertools

import networkx as nx
import numpy as np
import pytest

from labkit.errors import InvalidStructure
from labkit.landscapes.disconnectivity import DisconnectivityTree
from labkit.landscapes.network import KineticNetwork
from tests.landscapes.networks import network, random_network


def superbasins(made, energy):
    """The components that the minima and saddles at or below an energy make."""
    graph = nx.Graph()
    graph.add_nodes_from(point.index for point in made.minima if point.energy_eV <= energy)
    graph.add_edges_from(point.minima for point in made.transition_states if point.energy_eV <= energy)
    return {frozenset(found) for found in nx.connected_components(graph)}


def as_sets(found):
    return {frozenset(one) for one in found}


@pytest.fixture
def two_funnels():
    """Minima 0 and 1 below 0.5, 2 and 3 below 0.6, both funnels joined at 1.0; 4 hangs alone."""
    return network(
        [0.0, 0.2, 0.1, 0.3, 0.4],
        [(0, 1, 0.5), (2, 3, 0.6), (1, 2, 1.0), (0, 3, 1.3), (0, 1, 0.9), (2, 2, 0.2)],
    )


def test_a_small_tree_is_the_one_drawn_by_hand(two_funnels):
    tree = DisconnectivityTree.of(two_funnels)
    assert tree.minima.tolist() == [0, 1, 2, 3]
    assert tree.energies_eV.tolist() == [0.0, 0.2, 0.1, 0.3, 0.5, 0.6, 1.0]
    assert tree.parent.tolist() == [4, 4, 5, 5, 6, 6, -1]
    assert tree.saddle.tolist() == [-1, -1, -1, -1, 0, 1, 2]
    assert tree.superbasins(0.05) == [{0}]
    assert tree.superbasins(0.55) == [{0, 1}, {2}, {3}]
    assert tree.superbasins(0.6) == [{0, 1}, {2, 3}]
    assert tree.superbasins(1.0) == [{0, 1, 2, 3}]
    assert tree.superbasins(-1.0) == []
    assert tree.lowest_pass_eV(1, 3) == 1.0
    assert tree.lowest_pass_eV(3, 2) == 0.6
    assert tree.lowest_pass_eV(3, 3) == 0.3


def test_a_component_can_be_chosen_and_all_make_a_forest(two_funnels):
    assert DisconnectivityTree.of(two_funnels, component=4).minima.tolist() == [4]
    forest = DisconnectivityTree.of(two_funnels, component="all")
    assert len(forest.roots) == 2
    assert forest.lowest_pass_eV(0, 4) == np.inf
    assert forest.superbasins(2.0) == [{0, 1, 2, 3}, {4}]
    with pytest.raises(ValueError, match=r"component=7; choose 'global', 'all' or one of 5 minima"):
        DisconnectivityTree.of(two_funnels, component=7)
    with pytest.raises(InvalidStructure, match="minimum 4 is not in this tree"):
        DisconnectivityTree.of(two_funnels).lowest_pass_eV(0, 4)
    with pytest.raises(InvalidStructure, match="has no minima yet"):
        DisconnectivityTree.of(KineticNetwork(["Ar"]))


@pytest.mark.parametrize("seed", range(25))
def test_superbasins_are_the_connected_components_at_every_level(seed):
    made = random_network(seed, n=15, extra=22)
    tree = DisconnectivityTree.of(made, component="all")
    for energy in np.linspace(-1.0, 3.0, 41):
        assert as_sets(tree.superbasins(energy)) == superbasins(made, energy)


@pytest.mark.parametrize("seed", range(10))
def test_passes_are_the_highest_edges_of_the_minimum_spanning_tree(seed):
    made = random_network(seed, n=12, extra=25)
    tree = DisconnectivityTree.of(made, component="all")
    spanning = nx.minimum_spanning_tree(nx.MultiGraph(made.graph), weight="energy_eV")
    for first, second in [(0, 1), (2, 7), (3, 11), (5, 6)]:
        if nx.has_path(spanning, first, second):
            path = nx.shortest_path(spanning, first, second)
            highest = max(next(iter(spanning[i][j].values()))["energy_eV"] for i, j in itertools.pairwise(path))
            assert tree.lowest_pass_eV(first, second) == highest
        else:
            assert tree.lowest_pass_eV(first, second) == np.inf


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("n", [1, 4, 13])
def test_a_tree_with_levels_joins_what_the_network_joins_below_each_level(seed, n):
    made = random_network(seed, n=15, extra=30)
    part = made.subset(sorted(made.components()[0]))
    tree = DisconnectivityTree.of(part)
    coarse = tree.levels(n)
    top, bottom = tree.energies_eV.max(), tree.energies_eV[: tree.n_leaves].min()
    for number in range(n):
        level = top - number * (top - bottom) / n + 1e-9
        assert as_sets(coarse.superbasins(level)) == superbasins(part, level)
    joints = coarse.energies_eV[coarse.n_leaves :]
    steps = (top - joints) / (top - bottom) * n
    np.testing.assert_allclose(steps, np.round(steps), atol=1e-6)
    assert all(
        coarse.energies_eV[above] > coarse.energies_eV[node] for node, above in enumerate(coarse.parent) if above >= 0
    )


def test_branches_that_meet_at_one_energy_meet_in_one_node():
    tree = DisconnectivityTree.of(network([0.0] * 6, [(0, 1, 1.0), (2, 3, 1.0), (4, 5, 1.0), (1, 2, 1.0), (5, 0, 1.0)]))
    assert tree.parent.tolist() == [6] * 6 + [-1]
    with pytest.raises(ValueError, match="0 levels; a tree needs at least 1"):
        tree.levels(0)


def test_a_saddle_below_its_minimum_joins_at_the_minimum():
    tree = DisconnectivityTree.of(network([0.0, 0.5], [(0, 1, 0.4999)]))
    assert tree.lowest_pass_eV(0, 1) == 0.5
    assert tree.superbasins(0.4999) == [{0}]


@pytest.mark.parametrize("order", ["centre", "energy"])
@pytest.mark.parametrize("seed", range(6))
def test_every_basin_has_an_interval_of_its_own(seed, order):
    tree = DisconnectivityTree.of(random_network(seed, n=25, extra=40), component="all")
    placed = tree.layout(order)
    assert sorted(placed.x[: tree.n_leaves]) == list(range(tree.n_leaves))
    np.testing.assert_array_equal(tree.minima[np.argsort(placed.x[: tree.n_leaves])], placed.order)
    where = dict(zip(placed.order.tolist(), range(tree.n_leaves), strict=True))
    for node in range(len(tree.parent)):
        places = sorted(where[one] for one in tree.minima_below(node))
        assert places == list(range(places[0], places[-1] + 1))
        assert placed.x[node] == (places[0] + places[-1]) / 2


def test_branches_run_from_their_node_up_to_the_joint_above(two_funnels):
    tree = DisconnectivityTree.of(two_funnels)
    placed = tree.layout()
    for node, above, line in zip(placed.nodes, tree.parent, placed.segments, strict=True):
        assert tuple(line[0]) == (placed.x[node], tree.energies_eV[node])
        assert line[1, 0] == placed.x[node]
        assert line[0, 1] <= line[1, 1] <= line[2, 1]
        if above >= 0:
            assert tuple(line[2]) == (placed.x[above], tree.energies_eV[above])
    np.testing.assert_array_equal(placed.square()[:, 1, 1], placed.segments[:, 2, 1])
    with pytest.raises(ValueError, match="order='size'; choose 'centre' or 'energy'"):
        tree.layout("size")


def test_the_lowest_minimum_of_a_funnel_stands_in_its_middle():
    funnel = network([0.1 * step for step in range(11)], [(0, step, 1.0 + 0.1 * step) for step in range(1, 11)])
    assert DisconnectivityTree.of(funnel).layout().order.tolist().index(0) == 5
    assert DisconnectivityTree.of(funnel).layout("energy").order.tolist() == list(range(11))


def test_a_funnel_of_five_thousand_minima_is_laid_out_without_recursion():
    rng = np.random.default_rng(0)
    energies = np.sort(rng.gamma(4.0, 0.25, 5000))
    # A funnel as deep as it has minima: what a recursive builder would not survive.
    saddles = [(n, int(rng.integers(n)), energies[n] + rng.exponential(0.1)) for n in range(1, 5000)]
    made = network(energies, saddles)
    placed = DisconnectivityTree.of(made).layout()
    DisconnectivityTree.of(network([0.0], [])).levels(3).layout()
    assert placed.segments.shape == (9999, 3, 2)
