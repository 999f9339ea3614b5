"""The 95 % intervals that are reported hold the true value as often as they say: walks with a known D, many seeds."""

import numpy as np
import pytest

from labkit.analysis import arrhenius, diffusion

from .walks import D_TRUE, TIMESTEP_FS, frames_of, walk

SEEDS = 50


def fit(positions):
    return diffusion(frames_of(positions), frame_interval_fs=TIMESTEP_FS, drift=None)


@pytest.mark.parametrize(
    ("group", "shape"),
    [(1, {}), (4, {}), (1, {"n_frames": 60, "n_atoms": 10}), (1, {"n_frames": 1000, "n_atoms": 1}), (24, {})],
    ids=["independent ions", "ions that hop in fours", "few frames", "a single ion", "all ions as one"],
)
def test_the_interval_of_D_holds_the_true_value_for_90_percent_of_50_walks(group, shape):
    found = [fit(walk(seed, group=group, **shape)) for seed in range(SEEDS)]
    held = [one.interval_cm2_s[0] < D_TRUE < one.interval_cm2_s[1] for one in found]
    assert np.mean(held) >= 0.9


def test_the_interval_is_not_merely_wide():
    found = [fit(walk(seed)) for seed in range(SEEDS)]
    scatter = np.std([one.D_cm2_s for one in found])
    halves = [(one.interval_cm2_s[1] - one.interval_cm2_s[0]) / 2 for one in found]
    assert 1.5 * scatter < np.mean(halves) < 4 * scatter


def test_the_band_of_an_arrhenius_fit_through_walks_holds_the_truth_for_90_percent_of_50_seeds():
    T = np.array([700.0, 850.0, 1000.0, 1200.0])
    energy, D0, kB = 0.25, 1e-3, 8.617333262e-5

    def law(temperature):
        return D0 * np.exp(-energy / (kB * np.asarray(temperature)))

    inside = {300.0: [], 900.0: []}
    for seed in range(SEEDS):
        walks = [walk(100 * seed + k, 200, 12, D_cm2_s=(law(t),) * 3, group=1 + k % 2) for k, t in enumerate(T)]
        found = [fit(one) for one in walks]
        line = arrhenius(T, [one.D_cm2_s for one in found], [one.error_cm2_s for one in found])
        for temperature, held in inside.items():
            point = line.at(temperature)
            held.append(point.low_cm2_s < law(temperature) < point.high_cm2_s)
    assert np.mean(inside[300.0]) >= 0.9
    assert np.mean(inside[900.0]) >= 0.9
