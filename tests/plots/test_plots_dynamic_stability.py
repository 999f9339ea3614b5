"""Figures of dynamic stability draw what the results say, with units, and refuse what they cannot draw."""

import numpy as np
import pytest

from labkit.analysis.anharmonicity import anharmonicity, potential_of_mean_force
from labkit.analysis.critical_temperature import critical_temperature
from labkit.plots.dynamic_stability import displacement_cloud, mean_force, order_parameter, skewness

TEMPERATURES = [50.0, 100.0, 150.0]
ORDER = [0.9, 0.6, 0.1]


def points(order=ORDER):
    return [
        {"temperature_K": T, "order": one, "order_error": 0.05, "corrected_A": 0.06, "D_error_A": 0.01}
        for T, one in zip(TEMPERATURES, order, strict=True)
    ]


def test_the_order_parameter_is_drawn_with_its_crossing_and_the_published_line():
    found = critical_temperature(TEMPERATURES, ORDER, [0.05] * 3)
    both = {"stable": points([None] * 3), "soft": points()}
    ax = order_parameter(both, critical={"soft": found}, published_K=130)
    labels = ax.get_legend_handles_labels()[1]
    assert labels == ["soft: $T_c$", "published, 130 K", "soft"]
    assert ax.get_xlabel() == "temperature (K)"
    diamond = next(line for line in ax.lines if line.get_marker() == "D")
    assert diamond.get_xydata()[0] == pytest.approx([found.T_K, 0.5])
    assert order_parameter(both, quantity="D").get_ylabel() == "D (Å)"


def test_bars_stand_in_the_order_of_distance_with_their_errors():
    generator = np.random.default_rng(0)
    moments = [anharmonicity(generator.exponential(1, 400)), anharmonicity(generator.normal(0, 1, 400))]
    ax = skewness(moments, [3.0, 2.0])
    assert [bar.get_height() for bar in ax.patches] == pytest.approx([moments[1].skewness, moments[0].skewness])
    assert [text.get_text() for text in ax.get_xticklabels()] == ["2.00", "3.00"]
    assert skewness(moments, [3.0, 2.0], quantity="excess_kurtosis").get_ylabel() == "excess kurtosis"


def test_a_gaussian_lies_on_its_parabola():
    width = 0.1
    curve = potential_of_mean_force(np.random.default_rng(1).normal(0, width, 40000), 300.0)
    ax = mean_force([curve], harmonic=True)
    line, parabola = ax.lines
    near = abs(line.get_xdata()) < 1.5 * width
    assert line.get_ydata()[near] == pytest.approx(parabola.get_ydata()[near], abs=3)
    assert ax.get_ylabel() == "−kT ln p (meV)"


def test_the_cloud_is_a_density():
    ax = displacement_cloud(np.random.default_rng(2).normal(0, 0.1, (500, 4, 3)), plane="xz")
    mesh = ax.collections[0]
    x = np.unique(mesh.get_coordinates()[..., 0])
    assert mesh.get_array().sum() * (x[1] - x[0]) ** 2 == pytest.approx(1)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("x (Å)", "z (Å)")


def test_what_cannot_be_drawn_is_refused_with_the_reason():
    with pytest.raises(ValueError, match="has no order parameter, but has D"):
        order_parameter({"stable": points([None] * 3)})
    with pytest.raises(ValueError, match="use 'order' or 'D'"):
        order_parameter({"soft": points()}, quantity="eta")
    with pytest.raises(ValueError, match="one distance for each"):
        skewness([], [])
    with pytest.raises(ValueError, match="none of xy"):
        displacement_cloud(np.zeros((5, 3)), plane="xx")
