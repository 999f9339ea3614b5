import subprocess
import sys

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from ase import Atoms
from ase.build import bulk
from matplotlib.figure import Figure

from labkit import analysis, plots
from labkit.plots.palette import ink, ramp


@pytest.fixture(scope="module")
def walk():
    x = np.cumsum(np.random.default_rng(0).normal(0, 0.1, size=(300, 8, 3)), axis=0)
    return analysis.msd([Atoms("Li8", frame) for frame in x], frame_interval_fs=10.0, drift=None)


@pytest.fixture
def table():
    step = np.arange(20)
    return pd.DataFrame(
        {
            "step": step,
            "time_fs": step * 2.0,
            "temperature_K": 900.0 + step,
            "potential_energy_eV": -100.0 + 0.1 * step,
            "kinetic_energy_eV": 1.0,
            "total_energy_eV": -99.0,
        }
    )


def labels(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def drawn(ax):
    """Render, so that what only fails while drawing fails here."""
    ax.figure.canvas.draw()
    return ax


def test_thermo_stacks_temperature_over_energies_that_start_from_zero(table):
    upper, lower = plots.thermo(table)
    assert upper.get_ylabel() == "temperature (K)"
    assert lower.get_xlabel() == "time (ps)"
    assert "(eV)" in lower.get_ylabel()
    assert labels(lower) == ["potential", "total"]
    time, energy = lower.lines[0].get_data()
    assert time[-1] == pytest.approx(0.038)
    assert energy[0] == 0
    assert upper.figure is drawn(lower).figure


def test_thermo_of_an_empty_or_torn_table_draws_or_names_the_missing_column(table):
    plots.thermo(table.iloc[:0])
    with pytest.raises(ValueError, match=r"no column temperature_K; it has: time_fs"):
        plots.thermo({"time_fs": [0.0]})


def test_the_msd_shows_the_fit_window_and_the_coefficient_with_its_error(walk):
    fit = analysis.diffusion(walk)
    ax = drawn(plots.msd(walk, fit))
    assert ax.get_xlabel() == "lag time (ps)"
    assert ax.get_ylabel() == "mean-squared displacement (Å²)"
    assert labels(ax)[:2] == ["Li", "fit window"]
    assert labels(ax)[2].startswith("D = ")
    assert " ± " in labels(ax)[2]
    assert labels(ax)[2].endswith("cm²/s")
    x, y = ax.lines[1].get_data()
    np.testing.assert_allclose(x, np.array(fit.window_fs) / 1000)
    # The line is the fit itself: 6 D t + intercept, through the curve.
    np.testing.assert_allclose(y, np.interp(x, *ax.lines[0].get_data()), rtol=0.2)
    assert ax.get_ylim()[0] == 0


def test_a_fit_along_some_directions_is_drawn_with_their_curve(walk):
    ax = plots.msd(walk, analysis.diffusion(walk, directions="z"))
    assert labels(ax)[0] == "Li along z"
    np.testing.assert_allclose(ax.lines[0].get_ydata(), walk.per_direction_A2[2])


def test_a_warning_of_the_fit_is_shown_on_the_figure():
    still = analysis.msd([Atoms("Li2", np.ones((2, 3)))] * 40, frame_interval_fs=10.0)
    ax = drawn(plots.msd(still, analysis.diffusion(still)))
    assert "no atom moved" in ax.get_title()
    assert labels(ax)[2] == "D = 0 cm²/s"


def test_the_displacement_is_told_apart_by_colour_and_by_dash(walk):
    ax = drawn(plots.displacement(walk))
    assert labels(ax) == ["Li along x", "Li along y", "Li along z"]
    assert len({line.get_linestyle() for line in ax.lines}) == 3
    assert len({line.get_color() for line in ax.lines}) == 3


def test_the_rdf_names_its_pair_and_can_show_the_neighbours():
    salt = bulk("NaCl", "rocksalt", a=5.64)
    ax = drawn(plots.rdf(analysis.rdf(salt, pair=("Na", "Cl")), coordination=True))
    assert ax.get_xlabel() == "distance r (Å)"
    assert ax.get_ylabel() == "g(r) (dimensionless)"
    assert labels(ax) == ["Na–Cl"]
    assert ax.figure.axes[1].get_ylabel() == "neighbours within r"
    assert labels(plots.rdf(analysis.rdf(salt))) == ["all pairs"]


def test_a_relaxation_falls_in_energy_and_force():
    table = {"step": [0, 1, 2], "energy_eV": [-1.0, -2.0, -2.5], "max_force_eV_A": [1.0, 0.1, 0.0]}
    upper, lower = plots.relaxation(table, fmax_eV_A=0.05)
    np.testing.assert_allclose(upper.lines[0].get_ydata(), [1.5, 0.5, 0.0])
    assert (lower.get_xlabel(), lower.get_ylabel(), lower.get_yscale()) == ("step", "largest force (eV/Å)", "log")
    assert labels(lower) == ["converged below 0.05 eV/Å"]
    drawn(lower)


def test_a_batch_of_relaxations_shows_how_many_still_move():
    table = pd.DataFrame({"step": [0, 1, 2], "active": [8, 8, 3], "max_force_eV_A": [2.0, 1.0, 0.1]})
    upper, lower = plots.relaxation(table)
    assert upper.get_ylabel() == "structures still moving"
    np.testing.assert_array_equal(upper.lines[0].get_ydata(), [8, 8, 3])
    drawn(lower)


def test_a_relaxation_without_its_columns_says_which_is_missing():
    with pytest.raises(ValueError, match="no column energy_eV; it has: step, max_force_eV_A"):
        plots.relaxation({"step": [0], "max_force_eV_A": [1.0]})
    plots.relaxation({"step": [], "energy_eV": [], "max_force_eV_A": []})


def test_the_arrhenius_figure_says_what_is_extrapolated():
    T = np.array([600.0, 800.0, 1000.0])
    D = 1e-3 * np.exp(-3500 / T)
    ax = drawn(plots.arrhenius(analysis.arrhenius(T, D, 0.2 * D), down_to_K=300))
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_yscale()) == ("1000 / T (1/K)", "D (cm²/s)", "log")
    assert "extrapolated to 300 K" in labels(ax)
    assert any(label.startswith("Ea = 0.302 ±") for label in labels(ax))


def test_given_axes_are_used_and_pyplot_keeps_out(walk, table):
    figure = Figure()
    upper, lower, single = figure.subplots(3)
    assert plots.thermo(table, ax=[upper, lower]) == [upper, lower]
    assert plots.msd(walk, ax=single) is single
    assert plt.get_fignums() == []
    with pytest.raises(ValueError, match="holds 1 axes; this figure needs 2"):
        plots.thermo(table, ax=[single])


def test_new_figures_belong_to_pyplot_so_that_a_notebook_shows_them(walk):
    ax = plots.msd(walk)
    assert [plt.figure(number) for number in plt.get_fignums()] == [ax.figure]


def test_the_palette_is_that_of_okabe_and_ito():
    assert len(plots.PALETTE) == 8
    assert plots.PALETTE["vermillion"] == "#D55E00"
    assert plots.PALETTE["blue"] == "#0072B2"
    assert set(plots.CYCLE) < set(plots.PALETTE.values())


@pytest.mark.parametrize("dark", [True, False])
def test_a_style_colours_its_figures_and_leaves_no_trace(walk, dark):
    before = dict(matplotlib.rcParams)
    with plots.style(dark=dark):
        ax = drawn(plots.msd(walk))
    page = plots.ground(dark)
    assert matplotlib.colors.to_hex(ax.get_facecolor()).upper() == page["background"]
    assert matplotlib.colors.to_hex(ax.xaxis.label.get_color()).upper() == page["text"]
    assert dict(matplotlib.rcParams) == before


def test_importing_the_rooms_loads_neither_matplotlib_nor_torch_nor_pandas():
    code = (
        "import sys, labkit.analysis, labkit.plots\n"
        "heavy = {'matplotlib', 'torch', 'pandas', 'kinisi', 'scipp', 'pymatgen'}\n"
        "sys.exit(', '.join(heavy & set(sys.modules)) or None)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def test_on_a_dark_page_the_curve_takes_the_lighter_blue(walk):
    light = plots.msd(walk).lines[0].get_color()
    with plots.style(dark=True):
        dark = plots.msd(walk).lines[0].get_color()
    assert (light, dark) == (plots.PALETTE["blue"], plots.PALETTE["sky_blue"])


def test_neither_black_nor_dark_blue_is_drawn_on_a_dark_page():
    with plots.style(dark=True):
        ax = Figure().subplots()
        assert ink(ax, "black") == plots.ground(dark=True)["text"]
        assert ramp(ax, "cividis")(np.linspace(0, 1, 20))[:, :3].sum(axis=1).min() > 0.9
    page = Figure().subplots()
    assert (ink(page, "black"), ramp(page, "cividis").name) == ("#000000", "cividis")


def test_two_radial_distribution_functions_on_one_pair_of_axes_differ_in_colour_and_name():
    crystal = analysis.rdf(bulk("Cu", cubic=True), r_max_A=6.0)
    ax = plots.rdf(crystal, label="crystal")
    plots.rdf(crystal, ax=ax, label="melt")
    named = [line for line in ax.lines if not line.get_label().startswith("_")]
    assert [line.get_label() for line in named] == ["crystal", "melt"]
    assert named[0].get_color() != named[1].get_color()
