import itertools
import json
from math import inf, nan
from types import SimpleNamespace

import networkx as nx
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from labkit.simulators.hops import Edge, Hop, HopNetwork, find_hops
from labkit.simulators.hops_percolation import Percolation
from labkit.structures import named, primitive


def made(n_sites, edges, orbits=None):
    """A network of `n_sites` in a cubic cell with one hop for each edge (i, j, image)."""
    hops = [Hop(k, i, j, image, 3.0, 1, f"hop {k}", False) for k, (i, j, image) in enumerate(edges)]
    return HopNetwork(
        Atoms(f"Li{n_sites}", positions=np.random.default_rng(0).random((n_sites, 3)) * 5, cell=[5, 5, 5], pbc=True),
        "Li",
        "vacancy",
        np.random.default_rng(0).random((n_sites, 3)),
        tuple(range(n_sites)) if orbits is None else orbits,
        [Edge(i, j, image, 3.0, k) for k, (i, j, image) in enumerate(edges)],
        hops,
    )


def test_olivine_conducts_along_b_first():
    network = find_hops(named("LiFePO4"), max_distance_A=5.8)
    barriers = {0: 0.27, 1: 2.5, 2: 2.8, 3: 1.8}  # [010], [001], [012], [101]
    result = network.percolation(barriers)
    assert result.barriers_eV == (0.27, 1.8, 1.8)
    assert result.directions[0] == ((0, 1, 0),)
    assert result.directions[2] == ((0, 0, 1), (0, 1, 0), (1, 0, 0))
    assert result.limiting_hops == (0, 3, 3)
    assert result.missing_hops == ()
    assert network.barrier_along((0, 1, 0), barriers) == 0.27
    assert network.barrier_along((0, 0, 1), barriers) == 1.8  # two of [101], not one of [001]
    assert network.barrier_along((0, 0, 1), {**barriers, 3: 2.6}) == 2.5
    assert network.barrier_along((1, 1, 1), barriers) == 1.8


def test_a_channel_alone_never_percolates_in_two_dimensions():
    network = find_hops(named("LiFePO4"), max_distance_A=4.0)
    result = network.percolation([0.27])
    assert result.barriers_eV == (0.27, inf, inf)
    assert result.directions[1:] == ((), ())
    assert result.limiting_hops == (0, None, None)
    assert network.barrier_along((1, 0, 0), [0.27]) == inf


def test_layers_percolate_in_two_dimensions_and_a_cubic_crystal_in_three_at_once():
    layers = find_hops(named("LiCoO2"), max_distance_A=3.0)
    assert layers.percolation([0.5]).barriers_eV == (0.5, 0.5, inf)
    cubic = find_hops(bulk("Cu"), "Cu", max_distance_A=2.6)
    assert cubic.percolation([0.7]).barriers_eV == (0.7, 0.7, 0.7)


@pytest.mark.parametrize("name", ["Li6PS5Cl", "LiTi2(PO4)3", "Li2S"])
def test_the_answer_does_not_depend_on_the_cell(name):
    rng = np.random.default_rng(0)
    reach = {"Li6PS5Cl": 4.8, "LiTi2(PO4)3": 6.2, "Li2S": 4.2}[name]
    small, large = (find_hops(atoms, max_distance_A=reach) for atoms in (primitive(named(name)), named(name)))
    barriers = rng.random(len(small.hops)).tolist()
    assert small.percolation(barriers).barriers_eV == large.percolation(barriers).barriers_eV


def test_the_cages_of_the_argyrodite_percolate_only_with_the_hop_between_them():
    network = find_hops(named("Li6PS5Cl"), max_distance_A=4.0)
    assert [hop.distance_A for hop in network.hops] == pytest.approx([3.22, 3.75], abs=0.01)  # within, between
    graph = network.graph()
    graph.remove_edges_from([edge[:3] for edge in graph.edges(keys=True, data=True) if edge[3]["hop"] == 1])
    assert {len(cage) for cage in nx.connected_components(graph)} == {6}
    closed = network.percolation({0: 0.1})
    assert closed.barrier_1d_eV == inf
    assert closed.missing_hops == (1,)
    assert network.percolation([0.1, 0.3]).barriers_eV == (0.3, 0.3, 0.3)


def test_a_ring_inside_the_cell_leads_nowhere():
    ring = made(3, [(0, 1, (0, 0, 0)), (1, 2, (0, 0, 0)), (2, 0, (0, 0, 0))])
    assert ring.percolation([0.1, 0.1, 0.1]).barrier_1d_eV == inf
    # The same ring through a face and back is no way either.
    there_and_back = made(2, [(0, 1, (1, 0, 0)), (1, 0, (-1, 0, 0))])
    assert there_and_back.percolation([0.1, 0.1]).barrier_1d_eV == inf


def test_two_crossing_channels_become_a_plane_when_they_are_joined():
    network = made(2, [(0, 0, (1, 0, 0)), (1, 1, (0, 2, 0)), (0, 1, (0, 0, 0))])
    result = network.percolation([0.2, 0.3, 0.5])
    assert result.barriers_eV == (0.2, 0.5, inf)
    assert result.directions[1] == ((0, 1, 0), (1, 0, 0))
    assert network.barrier_along((0, 1, 0), [0.2, 0.3, 0.5]) == 0.3
    assert network.barrier_along((1, 1, 0), [0.2, 0.3, 0.5]) == 0.5
    assert network.barrier_along((0, 0, 1), [0.2, 0.3, 0.5]) == inf


def test_a_diagonal_channel_is_named_after_its_direction():
    result = made(2, [(0, 1, (1, 0, 0)), (1, 0, (0, 1, -1))]).percolation([0.2, 0.4])
    assert result.barrier_1d_eV == 0.4
    assert result.directions[0] == ((1, 1, -1),)


def rank_by_walking(network, barriers, threshold, reach=3):
    """Dimension of the motion below a threshold, by walking a (2 reach + 1)^3 block of cells: slow and simple."""
    cells = list(itertools.product(range(-reach, reach + 1), repeat=3))
    graph = nx.Graph()
    for edge in network.edges:
        if barriers[edge.hop] <= threshold:
            for cell in cells:
                goal = tuple(np.add(cell, edge.image))
                if max(map(abs, goal)) <= reach:
                    graph.add_edge((edge.i, cell), (edge.j, goal))
    best = 0
    for site in range(len(network.sites)):
        if (site, (0, 0, 0)) in graph:
            reached = nx.node_connected_component(graph, (site, (0, 0, 0)))
            own = [cell for other, cell in reached if other == site and any(cell)]
            best = max(best, np.linalg.matrix_rank(np.array(own)) if own else 0)
    return best


@pytest.mark.parametrize("seed", range(12))
def test_random_networks_agree_with_walking_through_many_cells(seed):
    rng = np.random.default_rng(seed)
    n_sites = int(rng.integers(1, 4))
    edges = []
    for _ in range(int(rng.integers(2, 7))):
        i, j = (int(x) for x in rng.integers(0, n_sites, 2))
        image = tuple(int(x) for x in rng.integers(-1, 2, 3))
        if i != j or any(image):
            edges.append((i, j, image))
    network = made(n_sites, edges)
    barriers = (rng.permutation(len(edges)) / 10 + 0.1).tolist()
    result = network.percolation(barriers)
    for threshold in sorted(barriers):
        expected = rank_by_walking(network, barriers, threshold)
        assert sum(barrier <= threshold for barrier in result.barriers_eV) == expected


def test_an_uneven_staircase_costs_the_highest_saddle_above_the_lowest_site():
    # A (0 eV) -> B (0.3) -> C (0.5) -> next A, saddles at 0.4, 0.6 and 0.55 eV: no single hop has 0.6.
    network = made(3, [(0, 1, (0, 0, 0)), (1, 2, (0, 0, 0)), (2, 0, (1, 0, 0))])
    barriers = [(0.4, 0.1), (0.3, 0.1), (0.05, 0.55)]
    assert network.percolation(barriers).barrier_1d_eV == pytest.approx(0.6)
    assert network.barrier_along((1, 0, 0), barriers) == pytest.approx(0.6)
    paths = [SimpleNamespace(forward_eV=a, backward_eV=b, state="converged") for a, b in barriers]
    assert network.percolation(paths).barrier_1d_eV == pytest.approx(0.6)


def test_a_hop_without_a_trustworthy_barrier_is_closed_and_told():
    network = made(1, [(0, 0, (1, 0, 0)), (0, 0, (0, 1, 0)), (0, 0, (0, 0, 1))])
    lost = SimpleNamespace(forward_eV=0.1, backward_eV=0.1, state="not converged")
    for unknown in (None, nan, lost):
        result = network.percolation([0.2, unknown, inf])
        assert result.barriers_eV == (0.2, inf, inf)
        assert result.missing_hops == (1,)


@pytest.mark.parametrize(
    ("barriers", "sentence"),
    [
        ([0.1], "1 barriers for 2 hops"),
        ([0.1, -0.2], r"hop 1 has the barrier -0\.2 eV"),
        ({5: 0.1}, "no hop 5; the network has the hops 0 to 1"),
        ([0.1, (0.3, inf)], "either both are finite or none"),
    ],
)
def test_wrong_barriers_are_named(barriers, sentence):
    network = made(1, [(0, 0, (1, 0, 0)), (0, 0, (0, 1, 0))])
    with pytest.raises(ValueError, match=sentence):
        network.percolation(barriers)


@pytest.mark.parametrize("direction", [(0, 0, 0), (0.5, 0, 0), (1, 0)])
def test_a_direction_is_three_whole_numbers(direction):
    with pytest.raises(ValueError, match="is no lattice direction"):
        made(1, [(0, 0, (1, 0, 0))]).barrier_along(direction, [0.1])


def test_a_percolation_survives_json():
    result = made(1, [(0, 0, (1, 0, 0))]).percolation([0.3])
    text = json.dumps(result.to_dict(), allow_nan=False)
    assert Percolation.from_dict(json.loads(text)) == result
