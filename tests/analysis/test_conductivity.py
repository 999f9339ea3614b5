import json

import numpy as np
import pytest

from labkit.analysis import charge_msd, diffusion, diffusion_from_conductivity, haven_ratio, msd, nernst_einstein

from .walks import TIMESTEP_FS, frames_of, walk

# Li6PS5Cl, arXiv 2407.04126, abstract: D in cm^2/s at 300 K and conductivity in mS/cm; 24 Li in the cubic cell, whose
# edge is 9.859 Å (experiment) or 10.32 Å (PBE-relaxed). As worked out in the project's methods B, 1.2 item 3.
PUBLISHED = [
    (0.012e-7, 9.859, 0.186),
    (0.012e-7, 10.32, 0.162),
    (2.203e-7, 9.859, 34.2),
    (2.203e-7, 10.32, 29.8),
]


@pytest.mark.parametrize(("D", "edge", "sigma"), PUBLISHED)
def test_the_published_pairs_for_argyrodite_come_out_to_one_percent(D, edge, sigma):
    assert 1000 * nernst_einstein(D, 24, edge**3, 300) == pytest.approx(sigma, rel=0.01)
    assert diffusion_from_conductivity(sigma / 1000, 24, edge**3, 300) == pytest.approx(D, rel=0.01)


def test_the_charge_enters_squared_and_the_temperature_inversely():
    one = nernst_einstein(1e-6, 10, 1000.0, 300)
    assert nernst_einstein(1e-6, 10, 1000.0, 300, charge=-2) == pytest.approx(4 * one)
    assert nernst_einstein(1e-6, 10, 1000.0, 600) == pytest.approx(one / 2)
    assert nernst_einstein(0.0, 10, 1000.0, 300) == 0.0


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((-1e-6, 10, 1000.0, 300), "D_cm2_s=-1e-06 must be zero or positive"),
        ((1e-6, 0, 1000.0, 300), "n_ions=0 must be positive"),
        ((1e-6, 10, -5.0, 300), "volume_A3=-5.0 must be positive"),
        ((1e-6, 10, 1000.0, 0), "temperature_K=0 must be positive"),
        ((np.nan, 10, 1000.0, 300), "D_cm2_s=nan"),
        ((1e-6, 10, 1000.0, 300, 0), "charge=0"),
    ],
)
def test_values_without_meaning_are_refused_by_name(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        nernst_einstein(*arguments)


def ions(positions):
    return msd(frames_of(positions), frame_interval_fs=TIMESTEP_FS, drift=None)


def test_independent_ions_have_a_haven_ratio_of_one_within_its_error():
    results = [haven_ratio(ions(walk(seed, n_frames=2000, n_atoms=12)), window_fs=(200, 2000)) for seed in range(20)]
    ratios = np.array([result.tracer_D_cm2_s / result.charge_D_cm2_s for result in results])
    assert np.median(ratios) == pytest.approx(1.0, abs=0.25)
    assert np.mean([abs(result.ratio - 1) < 2 * result.ratio_error for result in results]) >= 0.8
    json.dumps(results[0].to_dict(), allow_nan=False)


def test_ions_that_all_move_together_have_a_haven_ratio_of_one_over_their_number():
    result = haven_ratio(ions(walk(0, n_frames=300, n_atoms=6, group=6)))
    assert result.ratio == pytest.approx(1 / 6)


def test_opposite_charges_that_move_together_carry_no_current():
    together = ions(walk(0, n_frames=300, n_atoms=2, group=2))
    result = haven_ratio(together, charges=[1, -1])
    assert result.charge_D_cm2_s == pytest.approx(0.0, abs=1e-15)
    assert result.ratio is None


def test_charges_of_one_kind_only_scale_the_walker():
    result = ions(walk(1, n_frames=100, n_atoms=5))
    np.testing.assert_allclose(charge_msd(result).total_A2, charge_msd(result, [2] * 5).total_A2)


def test_the_haven_ratio_is_refused_where_it_would_be_an_artefact():
    tied = msd(frames_of(walk(0, 50, 4)), frame_interval_fs=TIMESTEP_FS, drift="all")
    with pytest.raises(ValueError, match="ties the summed displacement of the ions to zero"):
        haven_ratio(tied)
    with pytest.raises(ValueError, match="give one finite charge"):
        charge_msd(ions(walk(0, 50, 4)), charges=[1, 1])


def test_a_diffusion_result_feeds_the_conductivity():
    fit = diffusion(ions(walk(0)))
    sigma = nernst_einstein(fit.D_cm2_s, 24, 1000.0, 600)
    assert nernst_einstein(fit.error_cm2_s, 24, 1000.0, 600) / sigma == pytest.approx(fit.error_cm2_s / fit.D_cm2_s)
