import numpy as np
import pytest
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex

from labkit.landscapes.disconnectivity import DisconnectivityTree
from labkit.plots.landscapes import compare_trees, disconnectivity, first_passage, growth, match_counts
from labkit.plots.palette import PALETTE
from tests.landscapes.networks import network


@pytest.fixture
def tree():
    made = network([-5.0, -4.8, -4.9, -4.7], [(0, 1, -4.5), (2, 3, -4.4), (1, 2, -4.0)])
    return DisconnectivityTree.of(made)


def drawn(ax):
    ax.figure.canvas.draw()
    return ax


def lines(ax):
    return next(one for one in ax.collections if isinstance(one, LineCollection))


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_a_tree_is_drawn_from_its_lowest_minimum_with_a_unit(tree):
    ax = drawn(disconnectivity(tree))
    assert ax.get_ylabel() == "relative energy (eV)"
    lower_ends = np.array([segment[0] for segment in lines(ax).get_segments()])
    np.testing.assert_allclose(lower_ends[:, 1], tree.energies_eV + 5.0)
    assert sorted(text.get_text() for text in ax.texts) == ["0", "1", "2", "3"]
    assert drawn(disconnectivity(tree, relative=False)).get_ylabel() == "energy (eV)"
    ax = drawn(disconnectivity(tree, origin_eV=-4.0, unit="ε", labels={2: "funnel"}, square=True, cut_eV=-0.5))
    assert ax.get_ylabel() == "relative energy (ε)"
    assert [text.get_text() for text in ax.texts] == ["funnel"]
    assert lines(ax).get_segments()[0][0][1] == pytest.approx(-1.0)
    assert lines(ax).get_segments()[0][1][1] == lines(ax).get_segments()[0][2][1]
    assert ax.lines[-1].get_ydata()[0] == -0.5


def test_leaves_take_the_colour_and_the_marker_of_their_class(tree):
    ax = drawn(disconnectivity(tree, classes={0: "matched", 1: "missing", 3: "spurious", 2: "matched"}))
    colours = [to_hex(colour).upper() for colour in lines(ax).get_colors()[:4]]
    assert colours == [PALETTE[name] for name in ("blue", "orange", "blue", "vermillion")]
    assert legend(ax) == ["matched (2)", "missing (1)", "spurious (1)"]
    assert len({line.get_marker() for line in ax.lines}) == 3
    with pytest.raises(ValueError, match="class 'wrong'; the leaves of a tree are matched, missing, spurious"):
        disconnectivity(tree, classes={0: "wrong"})


def test_trees_side_by_side_share_the_energy_axis(tree):
    shallow = DisconnectivityTree.of(network([3.0, 3.1], [(0, 1, 3.2)]))
    axes = compare_trees({"DFT": tree, "model": shallow}, classes={"model": {1: "spurious"}})
    drawn(axes[0])
    assert axes[0].get_ylim() == axes[1].get_ylim()
    assert axes[0].get_ylim()[1] > 1.0
    assert [ax.get_title() for ax in axes] == ["DFT", "model"]
    assert legend(axes[1]) == ["spurious (1)"]
    with pytest.raises(ValueError, match="2 trees need 2 axes; 1 are given"):
        compare_trees({"a": tree, "b": tree}, axes[:1])
    with pytest.raises(ValueError, match="there is no tree"):
        compare_trees({})


def test_first_passage_times_and_their_ratio_stand_on_a_logarithmic_axis():
    times = {"DFT": [1.0, 1e3, 1e9], "model": [2.0, 1e3, 1e8]}
    ax = drawn(first_passage([1, 10, 40], times, unit="s"))
    assert (ax.get_yscale(), ax.get_xlabel(), ax.get_ylabel()) == ("log", "1/kT (1/eV)", "mean first passage time (s)")
    assert legend(ax) == ["DFT", "model"]
    assert ax.lines[0].get_color() != ax.lines[1].get_color()
    ax = drawn(first_passage([300, 400, 500], times, against="temperature", reference="DFT"))
    np.testing.assert_allclose(ax.lines[0].get_ydata(), [2.0, 1.0, 0.1])
    assert ax.get_xlabel() == "temperature (K)"
    assert ax.get_ylabel() == "mean first passage time / that of DFT"
    with pytest.raises(ValueError, match="the reference 'CCSD' has no times; there are: DFT, model"):
        first_passage([1], times, reference="CCSD")
    with pytest.raises(ValueError, match="choose 'beta' or 'temperature'"):
        first_passage([1], times, against="time")


def test_a_growing_network_is_three_curves():
    table = {"step": [0, 1, 2], "time_s": [0, 1, 3], "minima": [1, 2, 4], "transition_states": [0, 1, 3]}
    with pytest.raises(ValueError, match="no column components"):
        growth(table)
    ax = drawn(growth({**table, "components": [1, 1, 2]}, against="time_s"))
    assert legend(ax) == ["minima", "transition states", "components"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("time (s)", "found so far")
    assert ax.get_ylim()[0] == 0
    with pytest.raises(ValueError, match="choose one of step, time_s, evaluations"):
        growth(table, against="minima")


def test_match_counts_are_bars_to_both_sides_of_zero():
    table = {"model": ["a", "b"], "minima_matched": [20, 27], "minima_missing": [8, 1], "minima_extra": [8, 10]}
    ax = drawn(match_counts(table))
    assert sorted(patch.get_width() for patch in ax.patches) == [-8, -1, 8, 10, 20, 27]
    assert [text.get_text() for text in ax.get_yticklabels()] == ["a", "b"]
    assert "-" not in "".join(text.get_text() for text in ax.get_xticklabels())
    assert ax.get_xlabel() == "number of minima"
