"""The generating function against series, moments and convolutions that are known exactly."""

import numpy as np
import pytest

from labkit.analysis.luminescence import HuangRhys
from labkit.analysis.luminescence_lineshape import lineshape
from labkit.analysis.luminescence_overlap import (
    KB_MEV_K,
    VibronicOverlap,
    overlap,
    quanta,
    single_mode_lines,
    spectral_density,
)

S, ENERGY = 3.0, 65.0


def factors(energies, values, name=""):
    energies, values = np.asarray(energies, float), np.asarray(values, float)
    ones = np.ones_like(energies)
    return HuangRhys(energies, values, ones, ones, np.arange(len(ones)), 0.0, 0.0, name=name)


def comb(energies, values, temperature, step=5.0):
    """The overlap without any broadening: lines on the points of a commensurate grid."""
    options = {"temperature_K": temperature, "gamma_meV": 0.0, "sigma_meV": 0.0, "step_meV": step}
    return overlap(np.asarray(energies, float), np.asarray(values, float), **options)


def mean(found: VibronicOverlap, power=1, about=0.0):
    return ((found.lost_meV - about) ** power * found.density).sum() * found.step_meV


@pytest.mark.parametrize("temperature", [0.0, 300.0, 800.0])
def test_the_lines_of_one_mode_have_the_weights_of_the_series(temperature):
    found = comb([ENERGY], [S], temperature)
    series = single_mode_lines(ENERGY, S, temperature)
    area = {round(x): value * found.step_meV for x, value in zip(found.lost_meV, found.density, strict=True)}
    for p, weight in series:
        assert area.get(round(p * ENERGY), 0.0) == pytest.approx(weight, abs=1e-6)
    between = np.abs(found.lost_meV / ENERGY - np.round(found.lost_meV / ENERGY)) > 0.01
    assert np.abs(found.density[between]).max() < 1e-9
    if temperature == 0:
        poisson = np.exp(-S) * np.cumprod([1, *(S / k for k in range(1, 8))])
        np.testing.assert_allclose(series[:8, 1], poisson, rtol=1e-12)
        assert series[0, 0] == 0
    else:
        ratio = np.exp(-ENERGY / (KB_MEV_K * temperature))  # detailed balance
        weights = dict(series)
        assert weights[-1.0] / weights[1.0] == pytest.approx(ratio, rel=1e-9)
    assert series[:, 1].sum() == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("temperature", [0.0, 300.0])
def test_each_line_is_a_lorentzian_of_the_given_half_width(temperature):
    gamma = 1.5
    found = overlap(np.array([ENERGY]), np.array([S]), temperature_K=temperature, gamma_meV=gamma, sigma_meV=0.0)
    period = len(found.lost_meV) * found.step_meV
    expected = np.zeros_like(found.density)
    for p, weight in single_mode_lines(ENERGY, S, temperature):
        # a Lorentzian on a ring: the sum over all its images has a closed form
        phase = 2 * np.pi * (found.lost_meV - p * ENERGY) / period
        width = 2 * np.pi * gamma / period
        expected += weight * np.sinh(width) / (np.cosh(width) - np.cos(phase)) / period
    np.testing.assert_allclose(found.density, expected, atol=1e-6 * expected.max())
    assert found.step_meV <= gamma / 10 * (1 + 1e-9)


@pytest.mark.parametrize("temperature", [0.0, 77.0, 600.0])
def test_the_moments_are_exact(temperature):
    energies, values = np.array([20.0, 45.0, 65.0, 160.0]), np.array([0.3, 1.1, 0.7, 0.4])
    found = comb(energies, values, temperature)
    n = quanta(energies, temperature)
    first = values @ energies
    assert mean(found, 0) == pytest.approx(1, abs=1e-12)
    assert mean(found) == pytest.approx(first, rel=1e-9)
    assert mean(found, 2, first) == pytest.approx(values @ ((2 * n + 1) * energies**2), rel=1e-8)
    assert mean(found, 3, first) == pytest.approx(values @ energies**3, rel=1e-5)


def test_a_gaussian_width_adds_its_square_to_the_second_moment_for_each_phonon():
    energies, values, sigma = np.array([45.0, 80.0]), np.array([1.1, 0.6]), 8.0
    found = overlap(energies, values, temperature_K=300, gamma_meV=0, sigma_meV=sigma, step_meV=1.0)
    n, first = quanta(energies, 300.0), values @ energies
    assert mean(found) == pytest.approx(first, rel=1e-6)
    assert mean(found, 2, first) == pytest.approx(values @ ((2 * n + 1) * (energies**2 + sigma**2)), rel=1e-6)


@pytest.mark.parametrize("temperature", [0.0, 400.0])
def test_two_modes_are_the_convolution_of_both(temperature):
    both, one, other = (comb(*modes, temperature) for modes in (([30, 75], [1.4, 0.8]), ([30], [1.4]), ([75], [0.8])))
    product = np.convolve(one.density, other.density) * both.step_meV
    start = one.lost_meV[0] + other.lost_meV[0]
    at = np.round((both.lost_meV - start) / both.step_meV).astype(int)
    inside = (at >= 0) & (at < len(product))
    np.testing.assert_allclose(both.density[inside], product[at[inside]], atol=1e-9)


def test_the_grid_holds_everything_however_hot_or_strong():
    for energies, values, temperature in (([65.0], [30.0], 0), ([5.0], [0.01], 1000), ([3.0, 160.0], [6.0, 0.5], 900)):
        found = overlap(np.array(energies), np.array(values), temperature_K=temperature, gamma_meV=1, sigma_meV=3)
        edge = max(found.density[0], found.density[-1])
        assert edge < 2e-3 * found.density.max()
        assert found.density.sum() * found.step_meV == pytest.approx(1, abs=1e-9)
        assert found.density.min() > -1e-9


def test_emission_and_absorption_mirror_each_other_but_for_the_photon_factor():
    phonons = factors([45, 75, 150], [1.2, 0.9, 0.2])
    options = {"temperature_K": 150.0, "step_meV": 0.2}
    down = lineshape(phonons, 1.945, kind="emission", **options)
    up = lineshape(phonons, 1.945, kind="absorption", **options)
    x = np.linspace(-0.1, 0.6, 200)
    bare = [down.at(1.945 - x) / (1.945 - x) ** 3, up.at(1.945 + x) / (1.945 + x)]
    bare = [one / one.max() for one in bare]
    np.testing.assert_allclose(*bare, atol=1e-3)
    for one in (down, up):
        assert one.intensity.sum() * np.diff(one.energies_eV[:2])[0] == pytest.approx(1, abs=1e-9)
        assert (np.diff(one.energies_eV) > 0).all()
    assert down.energies_eV[down.intensity.argmax()] == pytest.approx(1.945, abs=3e-4)
    assert down.span_eV()[0] < 1.7 < up.span_eV()[0]


def test_phonons_are_absorbed_on_the_other_side_once_it_is_warm():
    phonons = factors([45.0], [1.0])
    cold, warm = (lineshape(phonons, 1.945, temperature_K=T, gamma_meV=1, sigma_meV=2) for T in (0, 300))
    beyond = 1.945 + 0.045  # the first anti-Stokes line, exp(-ħω/kT) of the first Stokes line
    assert warm.at(beyond) > 20 * cold.at(beyond)
    ratio = warm.at(beyond) / warm.at(1.945 - 0.045) * ((1.945 - 0.045) / beyond) ** 3
    assert ratio == pytest.approx(np.exp(-45 / (KB_MEV_K * 300)), rel=0.02)
    assert cold.zpl_weight == pytest.approx(np.exp(-1))
    n = quanta(np.array([45.0]), 300.0)[0]
    assert warm.zpl_weight == pytest.approx(np.exp(-(2 * n + 1)))


def test_the_spectral_density_holds_all_of_S():
    grid = np.linspace(-50, 250, 3001)
    density = spectral_density(np.array([45.0, 75.0]), np.array([1.2, 0.9]), grid, 6.0)
    assert density.sum() * 0.1 == pytest.approx(2.1, rel=1e-9)
    with pytest.raises(ValueError, match="sigma_meV=0"):
        spectral_density(np.ones(1), np.ones(1), grid, 0)


def test_without_phonons_the_zero_phonon_line_is_left():
    line = lineshape(factors([45.0], [0.0]), 2.0, gamma_meV=1.0)
    half = line.energies_eV[line.intensity > 0.5 * line.intensity.max()]
    assert np.ptp(half) == pytest.approx(2e-3, abs=3e-4)
    assert line.zpl_weight == 1.0
    assert dict(single_mode_lines(45.0, 0.0, 300.0))[0.0] == 1.0


def test_six_hundred_modes_take_a_few_milliseconds():
    import time

    rng = np.random.default_rng(0)
    phonons = factors(rng.uniform(20, 165, 645), rng.exponential(0.005, 645))
    times = []
    for temperature in (300.0, 310.0, 320.0, 330.0, 340.0, 350.0):
        started = time.process_time()
        lineshape(phonons, 1.945, temperature_K=temperature)
        times.append(time.process_time() - started)
    assert min(times) < 0.05


BAD = [
    ({"temperature_K": -1.0}, "temperature_K=-1.0"),
    ({"temperature_K": np.nan}, "temperature_K=nan"),
    ({"sigma_meV": -2.0}, "sigma_meV=-2.0"),
    ({"gamma_meV": 0.0}, "gamma_meV=0.0 must be positive"),
    ({"gamma_meV": np.inf}, "gamma_meV=inf"),
    ({"gamma_meV": 1e-6}, "larger gamma"),
    ({"step_meV": -1.0}, "positive step"),
    ({"kind": "both"}, "kind='both'"),
    ({"zpl_eV": -1.0}, "zpl_eV=-1.0"),
    ({"zpl_eV": np.nan}, "zpl_eV=nan"),
]


@pytest.mark.parametrize(("options", "words"), BAD)
def test_parameters_out_of_bounds_are_refused_with_their_name(options, words):
    with pytest.raises(ValueError, match=words):
        lineshape(factors([45.0], [1.0]), **{"zpl_eV": 1.9, **options})


@pytest.mark.parametrize(
    ("energies", "values", "words"),
    [
        ([45.0], [np.nan], "finite"),
        ([0.0], [1.0], "positive energy"),
        ([-5.0], [1.0], "positive energy"),
        ([45.0], [-1.0], "not negative"),
        ([45.0, 50.0], [1.0], "every mode"),
    ],
)
def test_modes_that_are_none_are_refused(energies, values, words):
    with pytest.raises(ValueError, match=words):
        overlap(np.array(energies), np.array(values))
