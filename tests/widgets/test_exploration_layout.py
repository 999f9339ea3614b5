"""Where the minima of a growing network are drawn: places that stay."""

from itertools import pairwise

import networkx as nx
import numpy as np
import pytest
from labkit_widgets.exploration_layout import GraphLayout
from labkit_widgets.exploration_lines import line_of
from labkit_widgets.exploration_model import Point
from labkit_widgets.exploration_scales import SCALE, Scales, legend_html

from labkit.landscapes.network import KineticNetwork


def grown(steps):
    """Every state of a layout while a network grows edge by edge."""
    layout, states, edges = GraphLayout(), [], []
    for minima, edge in steps:
        edges += [edge] if edge else []
        layout.update(range(minima), edges)
        states.append(({one: place.copy() for one, place in layout.places.items()}, dict(layout.slots)))
    return layout, states


def random_steps(n=40, seed=3):
    rng = np.random.default_rng(seed)
    steps = [(4, None)]
    for new in range(1, n):
        steps.append((max(4, new + 1), (new, int(rng.integers(0, new)))))
        if new % 5 == 0:
            steps.append((max(4, new + 1), tuple(int(one) for one in rng.integers(0, new, 2))))
    return steps


def test_a_minimum_that_stands_never_moves_again():
    _, states = grown(random_steps())
    for (before, _), (after, _) in pairwise(states):
        assert set(before) <= set(after)
        for one, place in before.items():
            assert np.array_equal(place, after[one])
    assert len(states[-1][0]) == 40


def test_a_new_minimum_is_placed_beside_its_neighbour_and_on_nobody():
    steps = random_steps()
    layout, _ = grown(steps)
    edges = [edge for _, edge in steps if edge and edge[0] != edge[1]]
    lengths = [np.linalg.norm(layout.places[i] - layout.places[j]) for i, j in edges]
    assert np.median(lengths) < 1.4
    points = np.array(list(layout.places.values()))
    gaps = np.linalg.norm(points[:, None] - points[None], axis=-1) + 9 * np.eye(len(points))
    assert gaps.min() > 0.3


def test_a_minimum_without_transition_states_waits_in_the_tray_and_keeps_its_slot():
    layout, states = grown([(3, None), (3, (0, 2)), (5, None), (5, (1, 1))])
    assert states[0] == ({}, {0: 0, 1: 1, 2: 2})
    assert states[1][1] == {1: 1}
    assert states[2][1] == {1: 1, 3: 0, 4: 2}  # gaps are filled, nobody moves up
    assert set(layout.places) == {0, 1, 2}  # a loop is a transition state as well
    assert layout.slots == {3: 0, 4: 2}


def test_minima_that_are_gone_are_dropped_and_the_others_stay():
    layout, states = grown(random_steps(12))
    kept = [one for one in range(12) if one != 5]
    layout.update(kept, [(0, 1), (1, 2)])
    assert set(layout.places) == set(kept)
    assert all(np.array_equal(layout.places[one], states[-1][0][one]) for one in kept)


def test_everything_placed_anew_has_edges_about_one_long_and_parts_apart():
    graph = nx.disjoint_union(nx.cycle_graph(9), nx.star_graph(6))
    edges = [*graph.edges, (16, 16)]
    layout = GraphLayout()
    layout.arrange(range(18), edges)
    assert layout.slots == {17: 0}
    assert np.median([np.linalg.norm(layout.places[i] - layout.places[j]) for i, j in edges[:-1]]) == pytest.approx(1)
    ring, star = (np.array([layout.places[one] for one in part]) for part in (range(9), range(9, 16)))
    assert np.linalg.norm(ring[:, None] - star[None], axis=-1).min() > 1
    low, high = layout.box()
    assert all((low <= place).all() and (place <= high).all() for place in layout.places.values())
    again = GraphLayout()
    again.arrange(range(18), edges)
    assert all(np.array_equal(layout.places[one], again.places[one]) for one in layout.places)


def test_saddles_of_the_same_pair_bow_apart_and_the_first_stays_straight():
    start, end = np.array([0.0, 0.0]), np.array([2.0, 0.0])
    lines = [line_of(start, end, order) for order in range(3)]
    assert lines[0][1].tolist() == [1, 0]
    assert lines[1][1][1] * lines[2][1][1] < 0
    for line, middle in lines:
        assert np.allclose(line[[0, -1]], [start, end])
        assert np.abs(line - middle).sum(axis=1).min() < 1e-9 or len(line) == 2
    loop, mark = line_of(start, start, 0)
    assert np.allclose(loop[[0, -1]], start)
    assert np.linalg.norm(mark) > 0.3


def test_the_scales_follow_the_energies_and_one_broken_molecule_does_not_bleach_the_rest():
    network = KineticNetwork(["Ar"])
    for energy in (*np.linspace(-1.0, -0.8, 30), 9.0):
        network.add_minimum(energy, [[0, 0, 0]])
    for number in range(29):
        network.add_transition_state((number, number + 1), -0.7, [[0, 0, 0]])
    scales = Scales.of(network)
    assert scales.heights_eV[0] == 0
    assert scales.heights_eV[-1] == pytest.approx(10)
    assert scales.top_height_eV == 0.2
    assert scales.barriers_eV[0] == pytest.approx(0.3)
    assert scales.classes()[0] == len(SCALE) - 1
    assert scales.classes()[-1] < scales.classes()[0]
    assert "0.3 eV" in legend_html(scales)
    empty = Scales.of(KineticNetwork(["Ar"]))
    assert empty.top_height_eV > 0
    assert len(empty.classes()) == 0


def test_points_have_names_that_people_can_write():
    assert Point.of(" transition state 12 ") == Point("transition state", 12)
    assert str(Point.of("minimum 0")) == "minimum 0"
    for wrong in ("saddle 3", "minimum", "minimum -1", "minimum three"):
        with pytest.raises(ValueError, match="is no stationary point"):
            Point.of(wrong)
