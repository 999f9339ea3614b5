"""The lines of a disconnectivity tree, and the colours of its superbasins while a cut moves."""

import itertools

import numpy as np
import pytest
from labkit_widgets.landscape_cut import BasinColours
from labkit_widgets.landscape_drawing import Drawing

from labkit.landscapes.disconnectivity import DisconnectivityTree

from .landscape_networks import chain, random_network


def pieces(points):
    """The straight pieces of a line with gaps, as sets of two rounded points; those of no length left out."""
    made = set()
    for a, b in itertools.pairwise(points):
        if np.isfinite([a, b]).all() and np.abs(a - b).max() > 1e-9:
            made.add(frozenset((tuple(a.round(6)), tuple(b.round(6)))))
    return made


@pytest.fixture(scope="module", params=[(1, 1), (2, 1), (40, 1), (41, 3)], ids=str)
def network(request):
    n, parts = request.param
    return random_network(n, seed=n, parts=parts)


def test_one_walk_draws_every_branch_of_the_tree_and_nothing_else(network):
    drawing = Drawing.of(network)
    tree = DisconnectivityTree.of(network, component="all")
    lowest = network.global_minimum.energy_eV
    branches = tree.layout().segments - [0, lowest]
    wanted = set().union(*(pieces(branch) for branch in branches))
    assert pieces(drawing.walk) == wanted
    gaps = np.isnan(drawing.walk[:, 0]).sum()
    assert gaps == len(network.components())


def test_superbasins_below_a_cut_are_those_of_the_tree(network):
    drawing = Drawing.of(network)
    for cut in (-0.1, 0.0, 0.3, 0.7, 1.2, 9.0):
        found = drawing.basins(cut)
        wanted = drawing.tree.superbasins(cut + drawing.origin_eV)
        assert [drawing.tree.minima_below(int(top)) for top in found.tops] == sorted(wanted, key=len, reverse=True)
        assert found.sizes.tolist() == sorted(map(len, wanted), reverse=True)
        for top, lowest in zip(found.tops, found.lowest, strict=True):
            members = drawing.tree.minima_below(int(top))
            assert lowest == min(members, key=lambda one: network.minima[one].energy_eV)
            assert drawing.top_of(int(lowest), cut) == top


def test_the_line_of_a_superbasin_holds_its_leaves_only_and_ends_at_the_cut(network):
    drawing, cut = Drawing.of(network), 0.7
    feet = {minimum: np.round(drawing.place(minimum), 6) for minimum in range(network.n_minima)}
    for top in drawing.basins(cut).tops:
        line = drawing.below(int(top), cut)
        assert np.isfinite(line).all()
        assert line[:, 1].max() <= cut + 1e-12
        points = {tuple(point) for point in line.round(6)}
        assert {one for one, foot in feet.items() if tuple(foot) in points} == drawing.tree.minima_below(int(top))


def test_a_tree_of_5000_minima_is_one_line_of_four_points_a_branch():
    drawing = Drawing.of(random_network(5000))
    assert np.isnan(drawing.walk[:, 0]).sum() == 1
    assert len(drawing.walk) <= 4 * len(drawing.x)


def test_the_way_between_minima_climbs_to_each_barrier():
    drawing = Drawing.of(chain())
    line = drawing.way([0, 1, 2], [0.5, 0.3])
    assert line[:, 1] == pytest.approx([0, 0.5, 0.5, 0.1, 0.1, 0.3, 0.3, 0.2])
    assert drawing.place(7) is None
    assert len(drawing.way([0], [])) == 0


def test_a_superbasin_keeps_its_colour_and_passes_it_to_its_lowest_part_when_it_splits():
    colours = BasinColours()
    before = dict(zip([4, 9], colours.slots([6, 3], [4, 9]), strict=True))
    after = dict(zip([7, 4, 9], colours.slots([5, 1, 3], [7, 4, 9]), strict=True))
    assert after[4] == before[4]
    assert after[9] == before[9]
    assert after[7] not in before.values()


def test_with_more_superbasins_than_colours_the_smallest_stay_grey():
    colours = BasinColours()
    count = len(colours.colours) + 3
    slots = colours.slots(list(range(count, 0, -1)), list(range(count)))
    assert slots[-3:] == [None] * 3
    assert sorted(slots[:-3]) == list(range(len(colours.colours)))
