import json
import sys

import numpy as np
import pytest

from labkit.analysis import diffusion, msd

from .walks import D_TRUE, TIMESTEP_FS, frames_of, walk


def fit(positions, **options):
    return diffusion(frames_of(positions), frame_interval_fs=TIMESTEP_FS, drift=None, **options)


def covered(group, seeds=40, **shape):
    """Share of seeds whose D ± 2 errors holds the true value, for all directions together and one by one."""
    hits, single = [], []
    for seed in range(seeds):
        result = fit(walk(seed, group=group, **shape))
        hits.append(abs(result.D_cm2_s - D_TRUE) < 2 * result.error_cm2_s)
        pairs = zip(result.per_direction_cm2_s, result.per_direction_error_cm2_s, strict=True)
        single += [abs(D - D_TRUE) < 2 * error for D, error in pairs]
    return np.mean(hits), np.mean(single)


@pytest.mark.parametrize(
    ("group", "shape"),
    [(1, {}), (4, {}), (1, {"n_frames": 60, "n_atoms": 10}), (1, {"n_frames": 1000, "n_atoms": 1})],
    ids=["independent ions", "ions that hop in fours", "few frames", "a single ion"],
)
def test_two_error_bars_hold_the_true_value_in_85_percent_of_the_walks(group, shape):
    total, single = covered(group, **shape)
    assert total >= 0.85
    assert single >= 0.85


def test_the_error_is_not_merely_large():
    results = [fit(walk(seed)) for seed in range(40)]
    scatter = np.std([result.D_cm2_s for result in results])
    assert np.mean([result.error_cm2_s for result in results]) < 2 * scatter
    assert np.mean([result.D_cm2_s for result in results]) == pytest.approx(D_TRUE, rel=0.1)


def test_an_anisotropic_walker_is_resolved_by_direction():
    true = (1e-5, 3e-6, 0.0)
    result = fit(walk(3, n_frames=2000, n_atoms=64, D_cm2_s=true))
    for D, error, expected in zip(result.per_direction_cm2_s, result.per_direction_error_cm2_s, true, strict=True):
        assert abs(D - expected) <= 3 * error
    assert result.per_direction_cm2_s[2] == 0.0
    plane = fit(walk(3, n_frames=2000, n_atoms=64, D_cm2_s=true), directions="xy")
    assert plane.D_cm2_s == pytest.approx(np.mean(result.per_direction_cm2_s[:2]))
    assert result.D_cm2_s == pytest.approx(np.mean(result.per_direction_cm2_s))


def test_the_slope_of_an_exact_line_comes_out_exactly():
    time = np.arange(101) * TIMESTEP_FS
    x = np.zeros((101, 2, 3))
    x[:, :, 0] = time[:, None] * 1e-2
    result = fit(x, window_fs=(100.0, 500.0))
    # The least-squares slope of t^2 on a symmetric window is the sum of its ends.
    assert result.D_cm2_s == pytest.approx(1e-4 * (100 + 500) / 6 * 0.1)


def test_the_default_window_drops_the_ballistic_part_and_the_long_lags():
    result = fit(walk(0, n_frames=1001))
    assert result.window_fs == pytest.approx((1000.0, 5000.0))
    short = fit(walk(0, n_frames=101))
    assert short.window_fs == pytest.approx((200.0, 500.0))


def test_ballistic_flight_is_called_by_its_name():
    velocities = np.random.default_rng(0).normal(0, 0.01, size=(1, 8, 3))
    result = fit(np.arange(200)[:, None, None] * TIMESTEP_FS * velocities)
    assert result.exponent == pytest.approx(2.0)
    assert "ballistically" in result.warning


def test_vibration_is_not_sold_as_diffusion():
    rng = np.random.default_rng(0)
    sites = rng.permutation(np.mgrid[0:3, 0:3, 0:3].reshape(3, -1).T * 2.5)[:20]
    result = fit(sites + rng.normal(0, 0.1, size=(400, 20, 3)))
    assert "this is vibration, not diffusion" in result.warning
    assert "2.4 Å to the nearest site" in result.warning
    assert abs(result.D_cm2_s) < 1e-7
    assert "vibration" in str(result)


def test_less_than_one_hop_for_each_ion_is_told_apart_from_vibration():
    sites = np.mgrid[0:3, 0:3, 0:3].reshape(3, -1).T * 6.0
    sparse = fit(sites + walk(0, n_frames=300, n_atoms=27, D_cm2_s=(2e-4,) * 3) + 0.0, window_fs=(200, 800))
    assert 3.0 < np.sqrt(6 * 2e-3 * 800) < 6.0
    assert "less than one hop each" in sparse.warning


def test_a_long_walk_raises_no_warning():
    assert fit(walk(0, n_frames=2000)).warning == ""


def test_atoms_at_rest_have_no_diffusion_and_say_so():
    for method in ("block", "bayesian"):
        result = fit(np.ones((100, 4, 3)), method=method)
        assert (result.D_cm2_s, result.error_cm2_s, result.exponent) == (0.0, None, None)
        assert "no atom moved" in result.warning


def test_one_atom_and_few_frames_give_no_error_bar_rather_than_a_wrong_one():
    result = fit(walk(0, n_frames=20, n_atoms=1))
    assert result.error_cm2_s is None
    assert "error bar" in result.warning
    json.dumps(result.to_dict(), allow_nan=False)


def test_what_cannot_be_fitted_is_refused_with_the_limit():
    result = msd(frames_of(walk(0, 100, 3)), frame_interval_fs=TIMESTEP_FS)
    with pytest.raises(ValueError, match=r"9 frames are too few .* at least 10"):
        fit(walk(0, n_frames=9, n_atoms=3))
    with pytest.raises(ValueError, match="holds 2 lag times; it needs at least 3 between 0 and 990 fs"):
        diffusion(result, window_fs=(100, 115))
    with pytest.raises(ValueError, match="needs at least 3"):
        diffusion(result, window_fs=(500, 5000))
    with pytest.raises(ValueError, match="method='magic' is unknown"):
        diffusion(result, method="magic")
    with pytest.raises(ValueError, match="directions='xx'"):
        diffusion(result, directions="xx")
    with pytest.raises(ValueError, match="frame_interval_fs was settled"):
        diffusion(result, frame_interval_fs=1.0)


def test_kinisi_agrees_with_the_blocks_and_is_reproducible():
    np.random.seed(7)  # noqa: NPY002 - kinisi draws from the global generator, which must come back untouched
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    result = msd(frames_of(walk(2)), frame_interval_fs=TIMESTEP_FS, drift=None)
    bayesian = diffusion(result, method="bayesian", seed=3)
    assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002
    assert bayesian.method == "bayesian"
    assert abs(bayesian.D_cm2_s - D_TRUE) < 3 * bayesian.error_cm2_s
    assert bayesian.error_cm2_s < 0.5 * D_TRUE
    block = diffusion(result)
    assert abs(bayesian.D_cm2_s - block.D_cm2_s) < 2 * np.hypot(bayesian.error_cm2_s, block.error_cm2_s)
    assert diffusion(result, method="bayesian", seed=3) == bayesian


def test_without_kinisi_the_way_to_get_it_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipp", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'labkit-mlip\[bayesian\]'"):
        fit(walk(0, 100, 4), method="bayesian")


def test_pymatgen_finds_the_same_displacements_and_a_like_coefficient():
    from pymatgen.analysis.diffusion.analyzer import DiffusionAnalyzer
    from pymatgen.core import Lattice, Structure

    moved = walk(5, n_frames=400, n_atoms=20)
    x = np.concatenate([moved, np.zeros((400, 1, 3))], axis=1)  # one oxygen at rest as the framework
    symbols = ["Li"] * 20 + ["O"]
    structure = Structure(Lattice.cubic(30.0), symbols, x[0], coords_are_cartesian=True)
    displacements = (x - x[0]).transpose(1, 0, 2)
    peer = DiffusionAnalyzer(structure, displacements, "Li", 300, time_step=TIMESTEP_FS, step_skip=1, smoothed="max")
    ours = msd(frames_of(x, symbols), frame_interval_fs=TIMESTEP_FS, species="Li")
    # pymatgen's smoothed MSD averages the squares over origins and atoms, at lags dt.
    np.testing.assert_allclose(np.interp(peer.dt, ours.lag_fs, ours.total_A2), peer.msd, rtol=1e-6)
    result = diffusion(ours, window_fs=(peer.dt[0], peer.dt[-1]))
    assert result.D_cm2_s == pytest.approx(peer.diffusivity, rel=0.25)
