import json
from importlib import import_module

import numpy as np
import pytest

from labkit.analysis import msd

from .walks import TIMESTEP_FS, frames_of, walk

msd_module = import_module("labkit.analysis.msd")


def brute_force(x):
    """The definition, as a double loop over lags and origins: (L, n, 3)."""
    result = np.zeros_like(x)
    for lag in range(1, len(x)):
        for origin in range(len(x) - lag):
            result[lag] += (x[origin + lag] - x[origin]) ** 2 / (len(x) - lag)
    return result


def test_the_fast_msd_equals_the_double_loop():
    x = walk(0, n_frames=60, n_atoms=4) + 1e3  # an offset far from the origin must not cost digits
    each = brute_force(x)
    np.testing.assert_allclose(msd_module.windowed_msd(x), each, rtol=1e-9, atol=1e-9)
    result = msd(frames_of(x), frame_interval_fs=TIMESTEP_FS, drift=None)
    np.testing.assert_allclose(result.total_A2, each.sum(axis=2).mean(axis=1), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(result.per_direction_A2, each.mean(axis=1).T, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(result.spread_A2, each.sum(axis=2).std(axis=1, ddof=1), rtol=1e-6, atol=1e-6)


def test_chunks_of_atoms_do_not_change_the_result(monkeypatch):
    frames = frames_of(walk(1, n_frames=40, n_atoms=7))
    whole = msd(frames, frame_interval_fs=1.0)
    monkeypatch.setattr(msd_module, "_CHUNK_VALUES", 3 * 40 * 2)
    np.testing.assert_allclose(msd(frames, frame_interval_fs=1.0).total_A2, whole.total_A2, rtol=1e-12)


def test_ballistic_motion_gives_velocity_squared_times_time_squared():
    velocity = np.array([0.01, -0.02, 0.005])  # Å/fs
    time = np.arange(100) * 2.0
    result = msd(frames_of(time[:, None, None] * velocity[None, None]), frame_interval_fs=2.0, drift=None)
    np.testing.assert_allclose(result.total_A2, (velocity @ velocity) * result.lag_fs**2, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(result.per_direction_A2, np.outer(velocity**2, time**2), rtol=1e-9, atol=1e-12)


def test_an_oscillator_returns_to_where_it_was():
    time = np.arange(1000)
    x = np.zeros((1000, 1, 3))
    x[:, 0, 0] = 0.5 * np.sin(2 * np.pi * time / 100)
    result = msd(frames_of(x), frame_interval_fs=1.0)
    assert result.total_A2[100] == pytest.approx(0.0, abs=1e-9)
    assert result.total_A2[50] == pytest.approx(2 * 0.5**2, rel=1e-9)  # A^2 (1 - cos w t) at half a period


def test_only_the_chosen_species_is_counted_and_the_host_is_the_reference():
    x = np.zeros((30, 3, 3))
    x[:, 0, 0] = np.arange(30) * 0.1
    x += np.arange(30)[:, None, None] * 0.5
    result = msd(frames_of(x, ["Li", "O", "O"]), frame_interval_fs=1.0, species="Li")
    assert (result.n_atoms, result.species, result.drift) == (1, ("Li",), "host")
    np.testing.assert_allclose(result.total_A2, (0.1 * result.lag_fs) ** 2, atol=1e-9)
    still = msd(frames_of(x, ["Li", "O", "O"]), frame_interval_fs=1.0, species=["O"], drift=None)
    assert still.n_atoms == 2


def test_atoms_at_rest_have_a_displacement_of_exactly_zero():
    result = msd(frames_of(np.full((20, 2, 3), 7.3)), frame_interval_fs=1.0)
    assert not result.total_A2.any()


def test_the_hop_length_is_the_distance_to_the_nearest_ion_across_the_cell():
    frames = frames_of(np.array([[[0.1, 0, 0], [3.9, 0, 0]]] * 3), cell=[5.0, 8.0, 8.0], pbc=True)
    assert msd(frames, frame_interval_fs=1.0).neighbour_A == pytest.approx(1.2)
    alone = msd(frames_of(np.zeros((3, 1, 3))), frame_interval_fs=1.0)
    assert alone.neighbour_A is None


def test_the_result_becomes_json():
    result = msd(frames_of(walk(0, 20, 3)), frame_interval_fs=TIMESTEP_FS)
    text = json.dumps(result.to_dict(), allow_nan=False)
    assert json.loads(text)["lag_fs"][1] == TIMESTEP_FS
    assert "positions_A" not in text


@pytest.mark.parametrize("timestep", [0.0, -1.0, np.nan])
def test_a_time_step_that_is_not_positive_is_refused(timestep):
    with pytest.raises(ValueError, match="must be positive"):
        msd(frames_of(walk(0, 20, 3)), frame_interval_fs=timestep)
