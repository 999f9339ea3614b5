import numpy as np
import pytest
from ase import Atoms
from matplotlib.colors import to_hex

from labkit.plots.barriers import barrier_profile, percolation
from labkit.plots.palette import PALETTE, style
from labkit.simulators.hops_percolation import Percolation
from labkit.simulators.neb_path import MinimumEnergyPath


def path(height, name="", n=7, length=3.0, state="converged"):
    """E(x) = h sin²(πx/L) along a straight line, exact energies and forces."""
    x = np.linspace(0, length, n)
    places, forces = np.zeros((2, n, 1, 3))
    places[:, 0, 0] = x
    forces[:, 0, 0] = -height * np.pi / length * np.sin(2 * np.pi * x / length)
    said = {"state": state, "reason": "", "steps": 3, "max_force_eV_A": 0.0, "name": name}
    return MinimumEnergyPath.of(Atoms("Li"), places, height * np.sin(np.pi * x / length) ** 2 - 5.0, forces, **said)


def drawn(ax):
    ax.figure.canvas.draw()
    return ax


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_a_profile_goes_through_its_images_and_starts_from_zero():
    ax = drawn(barrier_profile(path(0.27, "[010]")))
    curve, points = [line for line in ax.lines if len(line.get_xdata()) > 2]
    assert curve.get_ydata()[0] == 0
    assert curve.get_ydata().max() == pytest.approx(0.27, abs=2e-3)
    np.testing.assert_allclose(np.interp(points.get_xdata(), *curve.get_data()), points.get_ydata(), atol=2e-3)
    x = curve.get_xdata()
    np.testing.assert_allclose(curve.get_ydata(), 0.27 * np.sin(np.pi * x / 3) ** 2, atol=6e-3)
    assert [text.get_text() for text in ax.texts] == ["0.27 eV"]
    assert legend(ax) == ["[010]"]
    assert ax.get_xlabel() == "distance along the path (Å)"
    assert ax.get_ylabel() == "energy (eV)"


def test_two_potentials_share_the_axes_and_differ_in_colour_and_marker():
    ax = drawn(barrier_profile({"CHGNet 0.2.0": path(0.20), "CHGNet 0.3.0": path(0.24), "to come": None}))
    assert legend(ax) == ["CHGNet 0.2.0, 0.20 eV", "CHGNet 0.3.0, 0.24 eV"]
    named = [line for line in ax.lines if not line.get_label().startswith("_")]
    assert len({line.get_color() for line in named}) == len({line.get_marker() for line in named}) == 2


def test_paths_added_later_take_the_next_colour():
    ax = barrier_profile(path(0.2, "first"))
    drawn(barrier_profile([path(0.3, "second"), path(0.4, "third")], ax=ax))
    named = [line for line in ax.lines if not line.get_label().startswith("_")]
    assert [line.get_label() for line in named] == ["first", "second, 0.30 eV", "third, 0.40 eV"]
    assert len({line.get_color() for line in named}) == 3
    assert len(ax.texts) == 1


def test_a_path_that_is_not_converged_is_dashed_and_says_so():
    ax = drawn(barrier_profile(path(0.3, "[001]", state="not converged")))
    assert legend(ax) == ["[001], not converged"]
    assert any(line.get_linestyle() == "--" for line in ax.lines if len(line.get_xdata()) > 20)


def failed(name):
    nothing = np.full((2, 1, 3), np.nan)
    said = {"state": "failed", "reason": "", "steps": 0, "max_force_eV_A": np.nan, "name": name}
    return MinimumEnergyPath.of(
        Atoms("Li"), np.array([[[0.0, 0, 0]], [[3.0, 0, 0]]]), nothing[:, 0, 0], nothing, **said
    )


def test_a_path_without_energies_stands_in_the_legend_alone():
    assert np.isnan(failed("x").profile()[1]).all()
    ax = drawn(barrier_profile([failed("[100]"), path(0.3, "[010]")]))
    assert legend(ax) == ["[100], failed", "[010], 0.30 eV"]
    assert len([line for line in ax.lines if len(line.get_xdata()) > 20]) == 1
    assert 0.3 < ax.get_ylim()[1] < 0.5
    barrier_profile(path(0.2, "later"), ax=ax)
    named = [line for line in ax.lines if not line.get_label().startswith("_")]
    assert len({line.get_color() for line in named}) == 3
    assert legend(drawn(barrier_profile(failed("[001]")))) == ["[001], failed"]


def test_a_path_whose_forces_are_unknown_has_no_profile():
    known = path(0.3)
    known.images[2].calc.results["forces"][:] = np.inf
    assert np.isnan(known.profile()[1]).all()


def test_paths_of_different_lengths_are_compared_on_a_common_scale():
    ax = drawn(barrier_profile([path(0.2, "a", length=3.0), path(0.3, "b", length=6.0)], relative=True))
    assert ax.get_xlabel() == "fraction of the path"
    assert {line.get_xdata()[-1] for line in ax.lines if len(line.get_xdata()) > 20} == {1.0}


@pytest.mark.parametrize("nothing", [[], {}, {"a": None}])
def test_nothing_to_draw_is_said(nothing):
    with pytest.raises(ValueError, match="no path to draw"):
        barrier_profile(nothing)


OLIVINE = Percolation(
    0.27, 1.8, float("inf"), (((0, 1, 0),), ((0, 0, 1), (0, 1, 0)), ()), limiting_hops=(0, 3, None), missing_hops=()
)


def test_percolation_draws_a_bar_for_each_dimension_that_is_reached():
    ax = drawn(percolation(OLIVINE))
    assert [bar.get_height() for bar in ax.patches if bar.get_height()] == [0.27, 1.8]
    assert [text.get_text() for text in ax.texts] == ["0.27", "1.80", "never"]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["1D\n[010]", "2D\n[001] [010]", "3D"]
    assert ax.get_ylabel() == "percolation barrier (eV)"


def test_unknown_hops_make_the_barriers_upper_bounds():
    partial = Percolation(0.3, float("inf"), float("inf"), (((1, 0, 0),), (), ()), (0, None, None), missing_hops=(1,))
    assert [text.get_text() for text in drawn(percolation(partial)).texts] == ["≤ 0.30", "never", "never"]


def test_several_crystals_stand_side_by_side():
    ax = drawn(percolation({"LiFePO4": OLIVINE, "cubic": Percolation(*[0.4] * 3, ((), (), ()), (0, 0, 0))}))
    assert legend(ax) == ["LiFePO4", "cubic"]
    bars = [bar for bar in ax.patches if bar.get_height()]
    assert len(bars) == 5
    assert len({to_hex(bar.get_facecolor()) for bar in bars}) == 2
    left, right = bars[0], bars[2]
    assert left.get_x() + left.get_width() <= right.get_x() + 1e-9  # no bar hides another


def test_the_figures_take_the_dark_style():
    with style(dark=True):
        ax = drawn(barrier_profile(path(0.2, "x")))
        assert ax.lines[1].get_color() == PALETTE["sky_blue"]
        drawn(percolation(OLIVINE))
