import json

import numpy as np
import pytest

from labkit.analysis.vibrations_lineshape import LineModel, transform
from labkit.analysis.vibrations_lorentzian import fit_line, fit_lines, lines_table
from labkit.analysis.vibrations_modes import ModeVelocities
from labkit.errors import NotConverged

from .vibrations_toys import langevin

KT = 0.025852
NU_THZ, FRICTION, INTERVAL_PS, LENGTH_PS, SEEDS = 10.0, 1.0, 0.01, 400.0, 50


def projected(values, harmonic=NU_THZ, interval_ps=INTERVAL_PS, **options):
    values = np.asarray(values).reshape(len(values), -1)
    count = values.shape[1]
    return ModeVelocities(values, interval_ps * 1e3, np.arange(count), np.full(count, float(harmonic)), **options)


@pytest.fixture(scope="module")
def noisy():
    """50 seeds of one Langevin mode, (frames, 50): no time-step error in them."""
    steps = round(LENGTH_PS / INTERVAL_PS)
    return langevin((2 * np.pi * NU_THZ) ** 2, FRICTION, KT, INTERVAL_PS, steps, copies=SEEDS, seed=26)[:, :, 0]


@pytest.fixture(scope="module")
def lines(noisy):
    return [fit_line(projected(noisy[:, [k]]), 0) for k in range(SEEDS)]


def test_the_error_bar_of_the_width_holds_the_friction_in_at_least_45_of_50_seeds(lines):
    inside = [line.width_interval_rad_ps[0] < FRICTION < line.width_interval_rad_ps[1] for line in lines]
    assert sum(inside) >= 45
    held = [line.lifetime_interval_ps[0] < 1 / FRICTION < line.lifetime_interval_ps[1] for line in lines]
    assert held == inside
    # and not because it is merely wide: 50 fits scatter as their own error bars say
    widths = np.array([line.width_rad_ps for line in lines])
    errors = np.array([line.width_error_rad_ps for line in lines])
    assert widths.mean() == pytest.approx(FRICTION, abs=3.5 * widths.std() / np.sqrt(SEEDS))
    assert np.median(errors) == pytest.approx(widths.std(), rel=0.3)
    assert np.median(errors) < 0.15 * FRICTION


def test_frequency_and_energy_of_the_mode_are_those_of_equilibrium(lines):
    off = np.array([(line.frequency_THz - NU_THZ) / line.frequency_error_THz for line in lines])
    assert (np.abs(off) < 2.1).mean() >= 0.9
    assert np.mean([line.shift_THz for line in lines]) == pytest.approx(0, abs=0.005)
    assert np.mean([line.energy_eV for line in lines]) == pytest.approx(KT, rel=0.03)
    assert all(line.warning == "" for line in lines)


def test_friction_of_the_thermostat_is_taken_off(noisy, lines):
    less = fit_line(projected(noisy[:, [0]]), 0, friction_per_ps=0.4)
    assert less.width_rad_ps == pytest.approx(lines[0].width_rad_ps - 0.4)
    assert less.lifetime_ps == pytest.approx(1 / (lines[0].width_rad_ps - 0.4))
    assert less.width_THz == pytest.approx(less.width_rad_ps / (2 * np.pi))
    none = fit_line(projected(noisy[:, [0]]), 0, friction_per_ps=2.0)
    assert none.lifetime_ps == float("inf")
    assert "friction explains the whole width" in none.warning


def test_many_trajectories_sharpen_the_width_and_both_shapes_agree(noisy):
    pieces = [projected(noisy[:8000, [k]]) for k in range(40)]
    found = fit_line(pieces, 0, block_ps=20.0)
    assert found.n_blocks == 160
    assert found.width_error_rad_ps < 0.06
    assert abs(found.width_rad_ps - FRICTION) < 2.5 * found.width_error_rad_ps
    lorentzian = fit_line(pieces, 0, block_ps=20.0, shape="lorentzian")
    assert lorentzian.width_rad_ps == pytest.approx(found.width_rad_ps, rel=0.05)
    # The Lorentzian knows no ω² of a velocity: its peak comes out a little high, by less than a tenth of the width.
    assert 0 < lorentzian.frequency_THz - found.frequency_THz < 0.1 * found.width_THz


@pytest.mark.parametrize("window", ["hann", "boxcar"])
@pytest.mark.parametrize("shape", ["lorentzian", "oscillator"])
def test_the_model_is_the_mean_periodogram_of_short_blocks_window_and_all(noisy, window, shape):
    length = 500  # 5 ps, five lifetimes: the window is wider than the line
    blocks = noisy[: len(noisy) // length * length].T.reshape(-1, length)
    w = np.sin(np.pi * np.arange(length) / length) ** 2 if window == "hann" else np.ones(length)
    power = 2 * INTERVAL_PS * np.abs(np.fft.rfft(blocks * w, axis=1)) ** 2 / (w**2).sum()
    grid = np.fft.rfftfreq(length, INTERVAL_PS)
    near = (grid > 8.5) & (grid < 11.5)
    omega = np.sqrt((2 * np.pi * NU_THZ) ** 2 - FRICTION**2 / 4)
    expected = LineModel(grid[near], length * INTERVAL_PS, window, shape)(
        np.array([np.log(KT), omega, np.log(FRICTION), 0.0])
    )[0][0]
    # 4000 blocks: 1.6 % of counting error in each bin; the Lorentzian leaves out ω²/ω0², 15 % in the wings
    assert np.abs(power.mean(axis=0)[near] / expected - 1).max() < (0.08 if shape == "oscillator" else 0.25)


def test_the_transform_of_each_window_equals_its_integral_also_where_the_formula_is_singular():
    shapes = {
        "boxcar": lambda s: 1 - s,
        "hann": lambda s: (1 - s) * (2 + np.cos(2 * np.pi * s)) / 3 + np.sin(2 * np.pi * s) / (2 * np.pi),
    }
    points = np.array([1e-5j, 0.01 + 0.005j, 0.5 + 0.2j, 6.28 + 0.01j, -2 * np.pi + 1e-4j, 20 + 3j, 2 * np.pi + 0.03j])
    nodes, weights = np.polynomial.legendre.leggauss(80)
    s, ds = (nodes + 1) / 2, weights / 2
    for window, shape in shapes.items():
        waves = ds * shape(s) * np.exp(1j * points[:, None] * s)
        value, slope = transform(points, window)
        np.testing.assert_allclose(value, waves.sum(axis=1), atol=1e-10)
        np.testing.assert_allclose(slope, (1j * s * waves).sum(axis=1), atol=1e-8)
    with pytest.raises(ValueError, match="window='flat' is unknown"):
        transform(points, "flat")


def test_the_derivatives_of_the_model_are_its_differences():
    model = LineModel(np.linspace(8, 12, 40), 5.0, "hann", "oscillator")
    at = np.array([0.3, 60.0, 0.5, 0.1])
    slopes = model(at)[1][0]
    for k, step in enumerate(1e-6 * np.eye(4)):
        difference = (model(at + step)[0][0] - model(at - step)[0][0]) / 2e-6
        np.testing.assert_allclose(slopes[:, k], difference, atol=1e-7)


def test_a_line_that_never_decays_is_called_unresolved_and_its_frequency_is_sharp():
    t = np.arange(20000) * INTERVAL_PS
    rng = np.random.default_rng(0)
    line = fit_line(projected(np.cos(2 * np.pi * 9.87 * t)[:, None] + 0.01 * rng.normal(size=(20000, 1))), 0)
    assert "narrower than blocks" in line.warning
    assert line.frequency_THz == pytest.approx(9.87, abs=2e-3)
    assert line.width_rad_ps < 2 / line.block_ps
    assert line.shift_THz == pytest.approx(-0.13, abs=2e-3)


def test_velocities_from_differences_of_positions_lose_no_power(noisy):
    y = 2 * np.pi * NU_THZ * INTERVAL_PS / 2
    damped = projected(noisy[:, [0]] * np.sin(y) / y, differences=True)
    line, direct = fit_line(damped, 0), fit_line(projected(noisy[:, [0]]), 0)
    assert line.energy_eV == pytest.approx(direct.energy_eV, rel=0.02)
    assert line.width_rad_ps == pytest.approx(direct.width_rad_ps, rel=0.02)


def test_the_line_asked_for_is_fitted_where_there_are_two(noisy):
    slow = langevin((2 * np.pi * 4) ** 2, 2.0, KT, INTERVAL_PS, 20000, copies=1, seed=1)[:, 0, 0]
    both = projected(slow + 1.5 * noisy[:20000, 0])
    assert fit_line(both, 0).frequency_THz == pytest.approx(10, abs=0.1)
    found = fit_line(both, 0, range_THz=(2.5, 5.5))
    assert found.frequency_THz == pytest.approx(4, abs=0.15)
    assert found.width_interval_rad_ps[0] < 2.0 < found.width_interval_rad_ps[1]
    assert 2.5 <= found.frequencies_THz[0] <= found.frequencies_THz[-1] <= 5.5


def test_a_line_much_broader_than_the_bins_is_not_taken_for_a_spike_of_its_noise():
    # 6 THz under a thermostat of 10/ps for 400 ps: bins of 0.025 THz, of which the highest is noise.
    modes = langevin((2 * np.pi * 6) ** 2, 10.0, KT, INTERVAL_PS, 40000, copies=4, seed=4)[:, :, 0]
    lines = fit_lines(projected(modes, harmonic=6.0))
    assert [line.width_rad_ps for line in lines] == pytest.approx([10.0] * 4, rel=0.15)
    assert [line.energy_eV for line in lines] == pytest.approx((modes**2).mean(axis=0), rel=0.06)
    # Many narrow lines in one mode stay narrow: the highest of them is fitted.
    many = langevin(np.diag((2 * np.pi * np.arange(6, 10, 0.5)) ** 2), 0.3, KT, INTERVAL_PS, 40000, seed=5)[:, 0]
    assert fit_line(projected(many.sum(axis=1)), 0).width_rad_ps < 1


def test_the_same_seed_gives_the_same_error_bar_and_every_mode_gets_a_line(noisy):
    pair = projected(noisy[:10000, :2])
    first, again = fit_lines(pair), fit_lines(pair)
    assert [line.mode for line in first] == [0, 1]
    assert [line.to_dict() for line in first] == [line.to_dict() for line in again]
    assert fit_line(pair, 1, seed=5).width_rad_ps == first[1].width_rad_ps
    assert "mode 1: " in str(first[1])
    assert "τ = " in str(first[1])
    json.dumps(first[0].to_dict(), allow_nan=False)


def test_a_mode_without_a_line_does_not_stop_the_others_and_says_why(noisy):
    three = projected(np.stack([0 * noisy[:10000, 0], noisy[:10000, 0], noisy[:10000, 1]], axis=1))
    lines = fit_lines(three)
    assert "mode 0 does not move" in lines[0].warning
    assert np.isnan(lines[0].width_rad_ps)
    assert np.isnan(lines[0].lifetime_ps)
    assert lines[0].to_dict()["lifetime_interval_ps"] == [None, None]
    table = lines_table(lines)
    assert table["warning"].tolist() == [lines[0].warning, "", ""]
    assert table["lifetime_ps"][1] == lines[1].lifetime_ps
    assert (table["lifetime_low_ps"] < table["lifetime_high_ps"])[1:].all()


def test_what_cannot_be_fitted_is_refused_with_the_reason(noisy):
    one = projected(noisy[:2000, [0]])
    with pytest.raises(ValueError, match="shape='gauss'"):
        fit_line(one, 0, shape="gauss")
    with pytest.raises(ValueError, match=r"confidence=2 must lie between"):
        fit_line(one, 0, confidence=2)
    with pytest.raises(ValueError, match=r"range_THz=\(9, 9.1\) holds"):
        fit_line(one, 0, range_THz=(9, 9.1))
    with pytest.raises(ValueError, match="blocks of 1500 frames leave 1 of 2000 frames"):
        fit_line(one, 0, block_ps=15)
    with pytest.raises(NotConverged, match="mode 1 does not move"):
        fit_line(projected(np.stack([noisy[:2000, 0], 1e-12 * noisy[:2000, 1]], axis=1)), 1)
    with pytest.raises(ValueError, match="trajectory 1 differs from the first in modes, interval"):
        fit_line([one, projected(noisy[:2000, [0]], interval_ps=0.02)], 0)
    with pytest.raises(ValueError, match="no trajectory; project at least one"):
        fit_lines([])
    with pytest.raises(ValueError, match="mode 4 was not projected on"):
        fit_line(one, 4)
    with pytest.raises(NotConverged, match="no single peak"):
        fit_line(projected(np.random.default_rng(0).normal(size=(2000, 1))), 0)
