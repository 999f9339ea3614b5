import json

import numpy as np
import pytest
from ase import units
from scipy import stats

from labkit.analysis.luminescence_modes import normal_modes
from labkit.analysis.vibrations_committee import (
    committee_modes,
    matched_modes,
    reweighted_spectrum,
    spectrum_band,
    stick_band,
    t_factor,
)
from labkit.analysis.vibrations_modes import MEV_PER_THZ
from labkit.analysis.vibrations_reweighting import reweighted
from labkit.errors import InvalidStructure

from .luminescence_toys import crystal

T, STIFFNESS = 300.0, 2.0
KT = units.kB * T


@pytest.fixture(scope="module")
def well():
    """Positions in the well ½kx² at temperature T: quantiles instead of random numbers, so that averages are exact."""
    return stats.norm.ppf((np.arange(20000) + 0.5) / 20000) * np.sqrt(KT / STIFFNESS)


def energies(x, shares):
    return 0.5 * STIFFNESS * (1 + np.asarray(shares)) * x[:, None] ** 2


def test_linear_reweighting_gives_the_first_order_of_each_members_average(well):
    share = 0.02
    found = reweighted(well**2, energies(well, [share, -share]), T)
    first_order = KT / STIFFNESS * (1 - np.array([share, -share]))
    np.testing.assert_allclose(found.members, first_order, rtol=2e-3)
    assert found.mean == pytest.approx(KT / STIFFNESS, rel=1e-3)
    assert found.committee_error == pytest.approx(KT / STIFFNESS * share * np.sqrt(2), rel=2e-3)
    assert found.warning == ""
    twice = reweighted(well**2, energies(well, [share, -share]), T, calibration=2.0)
    assert twice.committee_error == pytest.approx(2 * found.committee_error)
    assert twice.error == pytest.approx(np.hypot(twice.committee_error, twice.statistical_error))
    json.dumps(found.to_dict())


@pytest.mark.parametrize(("order", "power"), [("linear", 2), ("second", 3)])
def test_the_error_of_the_expansion_falls_with_the_power_after_its_last_term(well, order, power):
    shares = np.array([0.2, 0.1, 0.05])
    misses = []
    for share in shares:
        found = reweighted(well**2, energies(well, [share, -share]), T, order=order)
        # Against exponential weights on the same frames, which is exact, so that no counting error enters.
        exact = reweighted(well**2, energies(well, [share, -share]), T, order="exponential")
        np.testing.assert_allclose(exact.members, KT / (STIFFNESS * (1 + np.array([share, -share]))), rtol=3e-3)
        misses.append(np.abs(found.members - exact.members).mean())
    slopes = np.diff(np.log(misses)) / np.diff(np.log(shares))
    np.testing.assert_allclose(slopes, power, atol=0.3)


def test_values_of_any_shape_are_reweighted_together_and_a_constant_is_left_alone(well):
    values = np.stack([well**2, np.ones_like(well)], axis=1)
    V = energies(well, [0.1, -0.1])
    found = reweighted(values, V + np.array([3.0, -70.0]), T)  # members' zeros of energy mean nothing
    assert found.members.shape == (2, 2)
    np.testing.assert_allclose(found.members[:, 0], reweighted(well**2, V, T).members)
    np.testing.assert_allclose(found.members[:, 1], 1)
    given = reweighted(values, V, T, mean_energies_eV=energies(well, [0.1])[:, 0])
    assert given.members[0, 0] == pytest.approx(float(found.mean[0]))
    assert given.spread[0] == pytest.approx(0)


def test_a_committee_too_far_apart_is_said(well):
    far = energies(well, [2.0, -0.5])
    assert "over 0.5: linear response does not hold" in reweighted(well**2, far, T).warning
    rare = reweighted(well, np.stack([150 * KT * well, 0 * well], axis=1), T, order="exponential")
    assert "its average rests on few" in rare.warning


def test_the_statistical_error_is_the_scatter_between_trajectories():
    rng = np.random.default_rng(0)
    many = [
        reweighted(x**2, energies(x, [0.1, -0.1]), T) for x in rng.normal(size=(60, 1000)) * np.sqrt(KT / STIFFNESS)
    ]
    scatter = np.std([one.mean for one in many])
    assert np.mean([one.statistical_error for one in many]) == pytest.approx(scatter, rel=0.25)


def test_modes_are_matched_by_pattern_where_frequencies_cross():
    vectors = np.linalg.qr(np.random.default_rng(0).normal(size=(6, 6)))[0].T.reshape(6, 2, 3)
    frequencies = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    order = [2, 0, 1, 5, 4, 3]
    found = matched_modes(
        frequencies, vectors, np.array([frequencies[order] + 0.1, frequencies]), np.array([-vectors[order], vectors])
    )
    np.testing.assert_allclose(found.members_THz, [frequencies + 0.1, frequencies])
    np.testing.assert_allclose(found.error_THz, 0.1 / np.sqrt(2))
    np.testing.assert_allclose(found.overlaps, 1)
    assert found.warning == ""


def test_the_spread_of_harmonic_frequencies_follows_the_spread_of_the_springs():
    atoms, hessian = crystal(n=3)
    found = committee_modes(atoms, np.array([hessian * (1 + share) for share in (0.02, 0.0, -0.02)]), calibration=1.5)
    expected = normal_modes(atoms, hessian).energies_meV / MEV_PER_THZ
    np.testing.assert_allclose(found.reference_THz, expected)
    np.testing.assert_allclose(found.error_THz, 1.5 * 0.01 * expected, rtol=1e-3)
    table = found.table()
    assert list(table.columns) == ["mode", "frequency_THz", "error_THz", "least_overlap"]
    assert table["least_overlap"].min() > 0.999


def test_degenerate_modes_may_turn_among_themselves():
    atoms, _ = crystal(n=3)
    hessian = np.eye(18) * 3.0
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(18, 18)))[0]
    vectors = normal_modes(atoms, hessian).vectors
    frequencies = np.full(18, 3.0)
    other = (turn @ vectors.reshape(18, -1)).reshape(vectors.shape)
    found = matched_modes(frequencies, vectors, np.array([frequencies, frequencies]), np.array([other, vectors]))
    np.testing.assert_allclose(found.overlaps, 1)
    assert found.warning == ""
    apart = matched_modes(np.arange(18.0), vectors, np.array([frequencies, frequencies]), np.array([other, vectors]))
    assert "disagree on the pattern" in apart.warning


def test_the_band_of_a_spectrum_is_the_scatter_beyond_counting():
    rng = np.random.default_rng(0)
    grid = np.linspace(0, 10, 200)
    counted, between = 0.1, 0.3
    own = 1 + between * rng.normal(size=(40, 200))
    seen = own + counted * rng.normal(size=own.shape)
    found = spectrum_band(grid, seen, errors=np.full_like(seen, counted))
    assert found.committee_error.mean() == pytest.approx(between, rel=0.05)
    assert found.statistical_error[0] == pytest.approx(counted / np.sqrt(40))
    np.testing.assert_allclose(found.mean, seen.mean(axis=0))
    same = spectrum_band(grid, 1 + counted * rng.normal(size=(40, 200)), errors=np.full((40, 200), counted))
    assert same.committee_error.mean() < 0.03
    assert spectrum_band(grid, seen).committee_error.mean() == pytest.approx(np.hypot(between, counted), rel=0.05)


def test_two_errors_of_four_members_hold_less_than_two_of_many():
    rng = np.random.default_rng(0)
    spectra, truth = rng.normal(size=(4, 20000)), rng.normal(size=20000)
    # The mean of a committee is as far off as the calibrated spread says, not as its standard error.
    error = spectrum_band(np.arange(20000), spectra).error
    held = [(np.abs(truth) < factor * error).mean() for factor in (2, t_factor(4), t_factor(4, 0.68))]
    assert held == pytest.approx([0.861, 0.95, 0.68], abs=0.01)
    assert t_factor(1000) == pytest.approx(1.96, abs=0.01)
    with pytest.raises(ValueError, match="members=1 must be at least 2"):
        t_factor(1)


def test_the_harmonic_band_is_widest_on_the_flanks_of_a_line_that_members_place_differently():
    atoms, hessian = crystal(n=1)
    modes = committee_modes(atoms[:2], np.array([hessian * s for s in (1.01, 0.99)]))
    grid = np.linspace(0, 1.2 * modes.reference_THz[-1], 4000)
    band = stick_band(modes, grid, fwhm_THz=0.5)
    assert np.trapezoid(band.mean, grid) == pytest.approx(6, rel=0.1)
    top = grid[np.argmax(stick_band(modes, grid, fwhm_THz=0.5, weights=np.eye(6)[5]).mean)]
    assert top == pytest.approx(modes.reference_THz[5], abs=0.05)
    alone = stick_band(modes, grid, fwhm_THz=0.5, weights=np.eye(6)[5])
    assert alone.error[np.argmin(np.abs(grid - top + 0.15))] > 5 * alone.error[np.argmin(np.abs(grid - top))]


def test_each_bin_of_a_spectrum_is_reweighted(well):
    grid = np.array([1.0, 2.0])
    spectra = np.stack([well**2, np.full_like(well, 7.0)], axis=1)
    band, details = reweighted_spectrum(grid, spectra, energies(well, [0.1, -0.1]), T)
    assert band.committee_error[0] == pytest.approx(0.1 * np.sqrt(2) * KT / STIFFNESS, rel=5e-3)
    assert band.committee_error[1] == pytest.approx(0, abs=1e-12)
    assert details.order == "linear"


def test_what_does_not_fit_is_refused_with_the_reason(well):
    V = energies(well, [0.1, -0.1])
    with pytest.raises(ValueError, match="at least 2 members"):
        reweighted(well, V[:, :1], T)
    with pytest.raises(ValueError, match="order='third'"):
        reweighted(well, V, T, order="third")
    with pytest.raises(ValueError, match="temperature_K=0"):
        reweighted(well, V, 0.0)
    with pytest.raises(ValueError, match=r"mean_energies_eV of shape \(5,\) needs a finite energy for each of 20000"):
        reweighted(well, V, T, mean_energies_eV=np.zeros(5))
    with pytest.raises(ValueError, match="3 frames cannot be cut into 10 blocks"):
        reweighted(well[:3], V[:3], T)
    with pytest.raises(ValueError, match="not finite"):
        reweighted(np.full_like(well, np.nan), V, T)
    with pytest.raises(ValueError, match="at least 2 members"):
        committee_modes(crystal()[0], crystal()[1][None])
    with pytest.raises(InvalidStructure, match="the Hessian has shape"):
        committee_modes(crystal()[0], np.zeros((2, 3, 3)))
    with pytest.raises(ValueError, match=r"give \(members, F\), M >= 2"):
        spectrum_band(np.arange(3), np.ones((1, 3)))
    with pytest.raises(ValueError, match="fwhm_THz=0"):
        stick_band(committee_modes(crystal()[0], np.stack([crystal()[1]] * 2)), np.arange(3.0), fwhm_THz=0)
