import numpy as np
import pytest

from labkit.analysis.luminescence import HuangRhys
from labkit.analysis.luminescence_lineshape import lineshape
from labkit.analysis.luminescence_measurement import read_spectrum
from labkit.plots.luminescence import huang_rhys_stems, spectral_function, spectrum


@pytest.fixture(scope="module")
def factors():
    values = (np.array([30.0, 65.0, 150.0]), np.array([0.9, 1.4, 1e-6]), np.ones(3), np.array([1.2, 8.0, 40.0]))
    return HuangRhys(*values, np.arange(3), 0.5, 0.2, name="toy")


def drawn(ax):
    ax.figure.canvas.draw()
    return ax


def test_a_spectrum_has_one_line_for_each_temperature_and_units_on_both_axes(factors):
    lines = [lineshape(factors, 1.945, temperature_K=T) for T in (0, 300)]
    ax = drawn(spectrum(lines))
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["toy, 0 K", "toy, 300 K"]
    assert len({line.get_color() for line in ax.lines}) == 2
    assert ax.get_xlabel() == "photon energy (eV)"
    assert ax.get_ylabel() == "emission (1/eV)"
    np.testing.assert_array_equal(ax.lines[1].get_ydata(), lines[1].intensity)
    low, high = ax.get_xlim()
    assert low < 1.75 < 1.945 < high < 2.3
    with pytest.raises(ValueError, match="1 labels were given for 2"):
        spectrum(lines, labels=["a"])
    with pytest.raises(ValueError, match="at least one"):
        spectrum([])


def test_a_measurement_lies_on_the_curve_it_was_made_of(factors):
    line = lineshape(factors, 1.945)
    x = np.linspace(1.6, 2.0, 300)
    measured = read_spectrum("\n".join(f"{a:.8f} {77 * b:.8f}" for a, b in zip(x, line.at(x), strict=True)))
    ax = drawn(spectrum(line, measured=measured))
    np.testing.assert_allclose(ax.lines[1].get_ydata(), line.at(x), atol=1e-4 * line.intensity.max())
    assert ax.get_legend().get_texts()[1].get_text() == "measured"


def test_stems_show_the_modes_that_matter_coloured_by_localisation(factors):
    ax = drawn(huang_rhys_stems(factors))
    dots = ax.collections[1]
    np.testing.assert_allclose(dots.get_offsets(), [[30, 0.9], [65, 1.4]])
    np.testing.assert_allclose(dots.get_array(), [1.2, 8.0])
    assert ax.get_ylabel() == "partial Huang-Rhys factor S_k"
    labels = [other.get_ylabel() for other in ax.figure.axes]
    assert {"localisation N/IPR", "S(E) (1/meV)"} <= set(labels)
    assert len(huang_rhys_stems(factors, sigma_meV=None).figure.axes) == 2


def test_two_sets_of_phonons_share_the_axes(factors):
    ax = drawn(spectral_function([factors, factors.named("other")]))
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["toy", "other"]
    area = np.trapezoid(ax.lines[0].get_ydata(), ax.lines[0].get_xdata())
    assert area == pytest.approx(factors.total, rel=1e-3)
