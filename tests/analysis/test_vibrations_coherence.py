import numpy as np
import pytest

from labkit.analysis.vibrations_coherence import coherence, guest_weight, line_change
from labkit.analysis.vibrations_lorentzian import fit_line
from labkit.analysis.vibrations_modes import ModeVelocities, mode_spectra
from labkit.errors import InvalidStructure

from .vibrations_toys import langevin

INTERVAL_PS = 0.02
OMEGA = 2 * np.pi * np.array([3.0, 3.2])
FRICTION = np.array([3.0, 3.0])


def stiffness(coupling):
    return np.diag(OMEGA**2) + coupling * np.array([[1.0, -1.0], [-1.0, 1.0]])


def dynamics(coupling, steps=60000, seed=0, friction=FRICTION):
    values = langevin(stiffness(coupling), friction, 0.025, INTERVAL_PS, steps, seed=seed)[:, 0]
    return ModeVelocities(values, INTERVAL_PS * 1e3, np.array([4, 9]), OMEGA / (2 * np.pi))


def exact(frequencies_THz, coupling):
    """|S_ab|²/(S_aa S_bb) of S(ω) = χ diag(γ) χ^†, χ = (K - ω² + iωγ)^-1, the same for positions and velocities."""
    omega = 2 * np.pi * frequencies_THz[:, None, None]
    chi = np.linalg.inv(stiffness(coupling) - omega**2 * np.eye(2) + 1j * omega * np.diag(FRICTION))
    S = chi @ np.diag(FRICTION) @ chi.conj().transpose(0, 2, 1)
    return np.abs(S[:, 0, 1]) ** 2 / (S[:, 0, 0] * S[:, 1, 1]).real


def test_coupled_oscillators_have_the_coherence_of_the_analytic_response():
    found = coherence(dynamics(60.0), [4], [9], resolution_THz=0.1)
    near = (found.frequencies_THz > 1) & (found.frequencies_THz < 6)
    true = exact(found.frequencies_THz[near], 60.0)
    assert true.max() > 0.5
    values = found.values[0, 0, near]
    # of n segments the estimate is too high by (1 - g²)²/n and scatters by sqrt(2 g²/n)(1 - g²) (Carter et al. 1973)
    expected = true + (1 - true) ** 2 * found.zero_level
    error = np.sqrt(2 * true * found.zero_level) * (1 - true) + found.zero_level
    assert np.mean((values - expected) / error) == pytest.approx(0, abs=0.5)
    assert (np.abs(values - expected) < 3.5 * error).all()


def test_uncoupled_modes_show_one_over_the_number_of_segments():
    found = coherence([dynamics(0.0, steps=20000, seed=seed) for seed in range(3)], [4], [9], resolution_THz=0.1)
    near = (found.frequencies_THz > 1) & (found.frequencies_THz < 6)
    values = found.values[0, 0, near]
    assert found.n_segments == 3 * 79
    assert found.zero_level == pytest.approx(1 / found.n_segments, rel=0.06)
    assert values.mean() == pytest.approx(found.zero_level, rel=0.3)
    assert (values > found.level(0.95)).mean() < 0.12
    assert found.strength[0, 0] < 3 * found.zero_level
    assert found.spectrum[near] == pytest.approx(values)


def test_the_normal_modes_split_as_the_coupling_says_and_are_not_coherent():
    coupling = 60.0
    squares, vectors = np.linalg.eigh(stiffness(coupling))
    sites = dynamics(coupling, friction=np.array([0.5, 0.5]))
    normal = ModeVelocities(sites.values @ vectors, sites.frame_interval_fs, np.arange(2), np.sqrt(squares) / 2 / np.pi)
    spectra = mode_spectra(normal, resolution_THz=0.02)
    lines = [fit_line(normal, k) for k in range(2)]
    for line, peak, square in zip(lines, spectra.peak_THz(), squares, strict=True):
        true = np.sqrt(square) / (2 * np.pi)
        assert peak == pytest.approx(true, abs=0.06)
        assert abs(line.frequency_THz - true) < 3 * line.frequency_error_THz < 0.03
    splitting = lines[1].frequency_THz - lines[0].frequency_THz
    mean, half = np.mean(OMEGA**2) + coupling, np.diff(OMEGA**2)[0] / 2
    root = np.hypot(half, coupling)
    assert splitting == pytest.approx((np.sqrt(mean + root) - np.sqrt(mean - root)) / (2 * np.pi), abs=0.03)
    own, between = (
        coherence(one, *pair, resolution_THz=0.1) for one, pair in ((normal, ([0], [1])), (sites, ([4], [9])))
    )
    assert own.strength[0, 0] < 0.05
    assert between.strength[0, 0] > 0.5
    change = line_change(lines[1], lines[0])
    assert change.shift_THz == pytest.approx(splitting)
    assert abs(change.broadening_rad_ps) < 3 * change.broadening_error_rad_ps


def test_groups_of_modes_give_a_matrix_and_a_table():
    pair, other = dynamics(60.0, steps=20000), dynamics(0.0, steps=20000, seed=7)
    values = np.concatenate([pair.values, other.values], axis=1)
    four = ModeVelocities(values, pair.frame_interval_fs, np.array([4, 9, 11, 12]), np.full(4, np.nan))
    found = coherence(four, [4], [9, 11, 12], resolution_THz=0.2)
    assert found.values.shape == (1, 3, len(found.frequencies_THz))
    assert np.argmax(found.strength[0]) == 0
    table = found.table()
    assert list(table.columns) == ["first", "second", "strength", "peak_THz", "peak"]
    assert table["second"].tolist() == [9, 11, 12]
    assert table["peak"].iloc[0] > 0.4
    assert 2.5 < table["peak_THz"].iloc[0] < 4.5


def test_power_that_differences_of_positions_lose_is_given_back():
    rng = np.random.default_rng(0)
    t = np.arange(4000) * INTERVAL_PS
    waves = np.cos(2 * np.pi * 10 * t[:, None] + [0, 1]) + 1e-3 * rng.normal(size=(4000, 2))
    both = [
        coherence(ModeVelocities(waves * damped, 20.0, np.array([4, 9]), OMEGA, differences=said), [4], [9])
        for damped, said in ((1, False), (np.sinc(0.2), True))
    ]
    assert both[1].first_power.max() == pytest.approx(both[0].first_power.max(), rel=0.01)
    np.testing.assert_allclose(both[1].values, both[0].values, atol=1e-9)


def test_the_guest_weights_of_all_modes_sum_to_three_for_each_guest_atom():
    rng = np.random.default_rng(0)
    vectors = np.linalg.qr(rng.normal(size=(12, 12)))[0].T.reshape(12, 4, 3)
    weights = guest_weight(vectors, [1, 3])
    assert weights.sum() == pytest.approx(6)
    np.testing.assert_allclose(weights, guest_weight(vectors * 1j, np.array([False, True, False, True])))
    np.testing.assert_allclose(weights + guest_weight(vectors, [0, 2]), 1)
    with pytest.raises(ValueError, match=r"guest=\[4\] must name atoms from 0 to 3"):
        guest_weight(vectors, [4])
    with pytest.raises(InvalidStructure, match=r"need the shape \(modes, atoms, 3\)"):
        guest_weight(vectors.reshape(12, 12), [1])


def test_too_few_segments_are_refused():
    short = dynamics(0.0, steps=100)
    with pytest.raises(ValueError, match="1 segments make every coherence near 1"):
        coherence(short, [4], [9], resolution_THz=0.5)
    with pytest.raises(ValueError, match="a group has no modes"):
        coherence(short, [], [9])
    with pytest.raises(ValueError, match="mode 5 was not projected on"):
        coherence(short, [5], [9])
