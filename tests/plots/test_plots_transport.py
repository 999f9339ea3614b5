"""Figures of transport: what is extrapolated is called so, what is doubtful is hollow."""

import matplotlib as mpl
import numpy as np
import pytest
from ase import Atoms

from labkit.analysis.probability_density import probability_density
from labkit.analysis.site_jumps import site_jumps
from labkit.analysis.transport import TransportPoint
from labkit.plots.transport import density, jump_rates, transport

from ..analysis.hopping import chain_of_two_kinds

mpl.use("Agg")


def points(name="crystal", warning=""):
    return [
        TransportPoint(name, T, 1e-3 * np.exp(-3000 / T), 1e-6, 24, 1000.0, warning=warning)
        for T in (700.0, 900.0, 1200)
    ]


@pytest.fixture
def ax():
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots()
    yield ax
    plt.close(figure)


def labels(ax):
    return ax.get_legend_handles_labels()[1]


@pytest.mark.parametrize(("quantity", "unit"), [("D", "D (cm²/s)"), ("sigmaT", "σT (S K/cm)")])
def test_the_extrapolated_part_is_dashed_and_named(ax, quantity, unit):
    transport(points(), ax, quantity=quantity, experiment={"pellet": [(298.0, 1e-3), (350.0, 2e-3)]})
    assert ax.get_ylabel() == unit
    assert "crystal: extrapolated to 300 K" in labels(ax)
    dashed = [line for line in ax.lines if line.get_linestyle() == "--"]
    assert min(dashed[0].get_xdata()) == pytest.approx(1000 / 700)
    star = next(line for line in ax.lines if line.get_label() == "pellet")
    assert star.get_ydata()[0] == pytest.approx(0.298 if quantity == "sigmaT" else 1e-3)


def test_doubtful_points_are_hollow_and_have_no_line(ax):
    transport(points(warning="vibration"), ax)
    assert labels(ax) == ["crystal, doubtful"]
    transport(points(warning="vibration"), ax, doubtful=True)
    assert any("Ea = 0.26" in label for label in labels(ax))
    with pytest.raises(ValueError, match="quantity='sigma'"):
        transport(points(), ax, quantity="sigma")


def test_the_projected_density_adds_up_to_the_ions(ax):
    frames, _ = chain_of_two_kinds(0, frames=200)
    result = probability_density(frames, "Li", spacing_A=0.5, wrapped=False)
    density(result, ax)
    picture = ax.images[0].get_array()
    assert picture[:-1, :-1].sum() * 6.0**2 / picture[:-1, :-1].size == pytest.approx(12)
    assert "O" in [text.get_text() for text in ax.get_legend().get_texts()]
    density(result, ax, along="y", slab_A=(4.9, 7.5))  # across the face, where the ions are
    assert ax.images[1].get_array()[:-1, :-1].sum() * 36 / 144 == pytest.approx(12)
    density(result, ax, along="y", slab_A=(2.0, 4.0))
    assert ax.images[2].get_array().max() == 0
    skew = Atoms("LiO", [[0, 0, 0], [1, 1, 1]], cell=[[4, 0, 0], [2, 3, 0], [0, 0, 4]], pbc=True)
    with pytest.raises(ValueError, match="the cell is skew"):
        density(probability_density([skew], "Li"), ax)


def test_rates_have_their_poisson_bars(ax):
    frames, sites = chain_of_two_kinds(0, frames=1500)
    found = site_jumps(frames, sites, "Li", frame_interval_fs=20, kinds=["A", "B"], wrapped=False)
    jump_rates({"chain": found}, ax)
    assert {text.get_text() for text in ax.get_xticklabels()} >= {"A → B", "B → A"}
    assert len(ax.patches) == len(found.rates_by_kind())
    assert "1/ps" in ax.get_ylabel()
