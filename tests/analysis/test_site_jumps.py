"""Sites, jumps and rates of a synthetic hopping ion, whose rates are known."""

import numpy as np
import pytest
from ase import Atoms

from labkit.analysis import diffusion
from labkit.analysis.site_jumps import poisson_rate, site_jumps
from labkit.errors import InvalidStructure

from .hopping import chain_of_two_kinds

SPACING_FS = 20.0
OUT_A, OUT_B, EDGE = 0.4, 1.2, 6.0


@pytest.fixture(scope="module")
def hopping():
    return chain_of_two_kinds(1, out_of_A=OUT_A, out_of_B=OUT_B, edge=EDGE)


@pytest.fixture(scope="module")
def jumps(hopping):
    frames, sites = hopping
    return site_jumps(frames, sites, "Li", frame_interval_fs=SPACING_FS, kinds=["A", "B"], wrapped=False)


def test_the_rates_between_kinds_are_those_that_were_put_in(jumps):
    rates = jumps.rates_by_kind()
    assert set(rates) >= {("A", "B"), ("B", "A")}
    fast = jumps.rate_between("A", "A").count  # two jumps between two frames look like one to the next image
    assert fast < 0.05 * jumps.n_jumps
    assert rates["A", "B"].low_1_ps < OUT_A < rates["A", "B"].high_1_ps
    assert rates["B", "A"].low_1_ps < OUT_B < rates["B", "A"].high_1_ps
    assert rates["A", "B"].high_1_ps < 1.4 * rates["A", "B"].low_1_ps
    assert jumps.residence_ps("A") == pytest.approx(1 / OUT_A, rel=0.15)
    assert jumps.warning == ""


def test_the_occupations_obey_detailed_balance(jumps):
    assert jumps.occupation.sum() == pytest.approx(12, abs=0.1)
    assert jumps.occupation[0] / jumps.occupation[1] == pytest.approx(OUT_B / OUT_A, rel=0.2)
    assert abs(jumps.matrix[0, 1] - jumps.matrix[1, 0]) <= 12


def test_the_interval_of_a_rate_holds_the_truth_for_90_percent_of_the_seeds():
    held = []
    for seed in range(30):
        frames, sites = chain_of_two_kinds(seed, n_ions=4, frames=1000)
        rate = site_jumps(frames, sites, "Li", frame_interval_fs=SPACING_FS, wrapped=False).rate_between(0, 1)
        held.append(rate.low_1_ps < OUT_A < rate.high_1_ps)
    assert np.mean(held) >= 0.9


def test_jump_diffusion_is_rate_times_squared_length_and_equals_the_tracers(jumps, hopping):
    D, error = jumps.diffusion(dimensions=1)
    exact = (EDGE / 2) ** 2 * (2 * OUT_A * OUT_B / (OUT_A + OUT_B)) / 2 * 1e-4  # Å^2/ps -> cm^2/s
    assert pytest.approx(jumps.rate.rate_1_ps * (EDGE / 2) ** 2 / 2 * 1e-4, rel=0.05) == D
    assert abs(D - exact) < 3 * error
    assert error < 0.05 * D
    tracer = diffusion(hopping[0], frame_interval_fs=SPACING_FS, species="Li", directions="x", wrapped=False)
    assert tracer.D_cm2_s == pytest.approx(D, rel=0.3)
    assert jumps.returns == pytest.approx(0.5, abs=0.05)


def test_a_drift_that_nobody_knows_is_refused(hopping):
    frames, sites = hopping
    with pytest.raises(ValueError, match="drift='hots' is unknown; use 'host' or None"):
        site_jumps(frames[:3], sites, "Li", frame_interval_fs=SPACING_FS, drift="hots", wrapped=False)


def test_a_vibration_far_out_and_back_is_no_jump_but_one_across_is():
    x = np.array([0.0, 1.2, 1.4, 0.1, 1.49, 2.9, 1.6, 3.0, 3.0])
    frames = [Atoms("LiO", [[one, 0, 0], [0, 3, 3]], cell=[6, 6, 6], pbc=True) for one in x]
    found = site_jumps(frames, np.array([[0, 0, 0], [0.5, 0, 0]]), "Li", frame_interval_fs=10, radius_A=1.0)
    np.testing.assert_array_equal(found.on_site[:, 0], [0, 0, 0, 0, 0, 1, 1, 1, 1])
    assert found.matrix.tolist() == [[0, 1], [0, 0]]
    assert found.between == pytest.approx(4 / 9)


def test_a_jump_to_the_next_image_of_the_same_site_counts_with_its_length():
    x = np.array([0.0, 1.0, 3.0, 4.0, 4.0, 8.0])
    frames = [Atoms("LiO", [[one, 0, 0], [0, 2, 2]], cell=[4, 4, 4], pbc=True) for one in x]
    found = site_jumps(frames, np.zeros((1, 3)), "Li", frame_interval_fs=10, radius_A=0.5, wrapped=False)
    assert found.n_jumps == 2
    np.testing.assert_allclose(found.squares_A2, 16.0)
    assert found.matrix.tolist() == [[2]]


def test_a_rhombohedral_cell_is_searched_by_the_minimum_image():
    from ase.geometry import cellpar_to_cell, find_mic

    cell = cellpar_to_cell([5.0, 5.0, 5.0, 55, 55, 55])
    generator = np.random.default_rng(0)
    sites = np.array([[0.02, 0.0, 0.97], [0.5, 0.5, 0.5]])
    scaled = generator.random((300, 1, 3)) * 3 - 1
    frames = [Atoms("LiO", np.vstack([one @ cell, [[0, 0, 0]]]), cell=cell, pbc=True) for one in scaled]
    found = site_jumps(frames, sites, "Li", frame_interval_fs=10, radius_A=1.2, drift=None, wrapped=False)
    steps = (scaled - sites[None]) @ cell
    distance = find_mic(steps.reshape(-1, 3), cell, True)[1].reshape(300, 2)
    near = np.where(distance.min(axis=1) <= 1.2, distance.argmin(axis=1), -1)
    assert (near >= 0).sum() > 20
    assert found.between == pytest.approx((near < 0).mean())
    np.testing.assert_array_equal(found.on_site[near >= 0, 0], near[near >= 0])


def test_frames_that_are_too_far_apart_are_said_to_miss_jumps(hopping):
    frames, sites = hopping
    coarse = site_jumps(frames[::50], sites, "Li", frame_interval_fs=50 * SPACING_FS, wrapped=False)
    assert "jumps are missed" in coarse.warning
    still = site_jumps([frames[0]] * 5, sites, "Li", frame_interval_fs=10)
    assert "no ion jumped" in still.warning
    assert still.rate.low_1_ps == 0 < still.rate.high_1_ps


def test_a_rate_of_no_events_has_a_limit_of_three_over_the_time():
    rate = poisson_rate(0, 10.0)
    assert rate.low_1_ps == 0
    assert rate.high_1_ps == pytest.approx(0.369, abs=0.001)  # -ln(0.025) / 10


def test_what_has_no_meaning_is_refused(hopping):
    frames, sites = hopping
    some = frames[:3]
    with pytest.raises(ValueError, match=r"radius_A=2.0 must be positive and at most 1.5 Å"):
        site_jumps(some, sites, "Li", frame_interval_fs=10, radius_A=2.0)
    with pytest.raises(ValueError, match="the same place"):
        site_jumps(some, sites[[0, 0]], "Li", frame_interval_fs=10)
    with pytest.raises(ValueError, match="2 sites and 1 kinds"):
        site_jumps(some, sites, "Li", frame_interval_fs=10, kinds=["A"])
    with pytest.raises(InvalidStructure, match="periodic in three directions"):
        site_jumps([Atoms("Li2", np.zeros((2, 3)))] * 2, sites, "Li", frame_interval_fs=10)
    with pytest.raises(ValueError, match="no kind of site 'C'"):
        site_jumps(some, sites, "Li", frame_interval_fs=10).rate_between("C", 0)
