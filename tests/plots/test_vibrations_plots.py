from dataclasses import replace

import numpy as np
import pytest

from labkit.analysis.vibrations import CM_PER_THZ, Velocities
from labkit.analysis.vibrations import vdos as density
from labkit.analysis.vibrations_coherence import coherence as cohere
from labkit.analysis.vibrations_committee import spectrum_band
from labkit.analysis.vibrations_lorentzian import fit_line
from labkit.analysis.vibrations_modes import ModeVelocities
from labkit.plots.vibrations import coherence, mode_line, vdos
from tests.analysis.vibrations_toys import langevin


@pytest.fixture(scope="module")
def moving():
    return langevin((2 * np.pi * 10.0) ** 2, 1.0, 0.025, 0.01, 20000, copies=6, seed=3)[:, :, 0]


@pytest.fixture(scope="module")
def found(moving):
    values = moving.reshape(len(moving), 2, 3)
    return density(Velocities(values, 10.0, [23.0, 35.5], ("Na", "Cl")), resolution_THz=0.2)


def drawn(ax):
    ax.figure.canvas.draw()
    return ax


def test_a_density_of_states_has_a_band_and_units_on_both_axes(found):
    ax = drawn(vdos(found))
    assert ax.get_xlabel() == "frequency (THz)"
    assert ax.get_ylabel() == "density of states (1/THz)"
    shown = len(ax.lines[0].get_xdata())
    np.testing.assert_allclose(ax.lines[0].get_ydata(), found.total[:shown])
    edges = ax.collections[0].get_paths()[0].vertices[:, 1]
    assert edges.max() == pytest.approx((found.total + found.error)[:shown].max())
    assert 10.5 < ax.get_xlim()[1] < 50  # the wings of a Langevin mode are long


def test_wave_numbers_keep_the_number_of_states_and_groups_have_their_names(found):
    ax = drawn(vdos(found, unit="cm", groups=True, up_to_THz=20))
    assert ax.get_xlabel() == "wave number (1/cm)"
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["all atoms", "Na", "Cl"]
    line = ax.lines[0]
    area = np.sum(line.get_ydata()) * np.diff(line.get_xdata())[0]
    assert area == pytest.approx(found.total[found.frequencies_THz <= 20].sum() * found.frequencies_THz[1])
    assert ax.get_xlim()[1] == pytest.approx(20 * CM_PER_THZ)
    assert ax.get_title() == found.warning == ""


def test_a_committees_band_stands_beside_the_statistics_and_wrong_input_is_refused(found):
    band = spectrum_band(found.frequencies_THz, [found.total, 1.2 * found.total])
    ax = drawn(vdos([found, band], labels=["one trajectory", "committee"], errors=2))
    assert len(ax.collections) == 2
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["one trajectory", "committee"]
    doubted = replace(found, warning="frames are too rare")
    assert drawn(vdos([doubted, band, doubted])).get_title() == "frames are too rare"
    with pytest.raises(ValueError, match="at least one"):
        vdos([])
    with pytest.raises(ValueError, match="1 labels were given for 2"):
        vdos([found, band], labels=["a"])
    with pytest.raises(ValueError, match="unit='eV'"):
        vdos(found, unit="eV")
    with pytest.raises(ValueError, match="single VDOS"):
        vdos(band, groups=True)


def test_a_line_is_drawn_with_its_fit_and_its_lifetime(moving):
    line = fit_line(ModeVelocities(moving[:, [0]], 10.0, np.array([0]), np.array([10.3])), 0)
    ax = drawn(mode_line(line))
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), line.power)
    np.testing.assert_array_equal(ax.lines[1].get_ydata(), line.fitted)
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels[0] == "dynamics"
    assert "THz, τ = " in labels[1]
    assert labels[2] == "harmonic, 10.30 THz"
    bar = ax.lines[3].get_xdata()
    assert bar[1] - bar[0] == pytest.approx(line.width_THz)
    assert ax.get_ylabel() == "spectrum of mode 0 (eV/THz)"
    assert mode_line(replace(line, warning="run longer.")).get_title() == "run longer."


def test_the_coherence_map_has_both_groups_and_the_level_of_chance(moving):
    six = ModeVelocities(moving, 10.0, np.arange(10, 16), np.full(6, 10.0))
    result = cohere(six, [10, 11], [12, 13, 14, 15], resolution_THz=0.2)
    ax = drawn(coherence(result))
    np.testing.assert_allclose(ax.images[0].get_array(), result.strength)
    assert [text.get_text() for text in ax.get_xticklabels()] == ["12", "13", "14", "15"]
    assert [text.get_text() for text in ax.get_yticklabels()] == ["10", "11"]
    bar = ax.figure.axes[-1]
    assert bar.get_ylabel() == "coherence, mean over frequency"
    assert bar.lines[-1].get_ydata()[0] == pytest.approx(result.zero_level)
    at = drawn(coherence(result, at_THz=10.0))
    assert at.figure.axes[-1].get_ylabel() == "coherence at 10.00 THz"
    with pytest.raises(ValueError, match="lies outside of 0 to 50"):
        coherence(result, at_THz=80.0)
