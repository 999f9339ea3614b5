"""Points of an Arrhenius plot: pooled over seeds, fitted where they can be trusted, called extrapolated beyond."""

import json

import numpy as np
import pytest

from labkit.analysis import arrhenius, diffusion, nernst_einstein
from labkit.analysis.conductivity_arrhenius import conductivity_arrhenius
from labkit.analysis.transport import TransportPoint, arrhenius_of, conductivity_of, pooled, transport_point

from .walks import D_TRUE, TIMESTEP_FS, frames_of, walk

KB = 8.617333262e-5
T = (700.0, 900.0, 1200.0)


def law(temperature, energy=0.25, D0=1e-3):
    return D0 * np.exp(-energy / (KB * temperature))


def points(temperatures=T, relative=0.1, warning="", name="crystal"):
    return [TransportPoint(name, t, law(t), relative * law(t), 24, 1000.0, 1.0, 10.0, 1, warning) for t in temperatures]


def test_the_line_of_sigma_T_has_the_activation_energy_of_D_and_the_nernst_einstein_prefactor():
    fit = conductivity_of(points())
    assert fit.activation_energy_eV == pytest.approx(0.25, rel=1e-9)
    assert fit.activation_energy_error_eV == pytest.approx(arrhenius_of(points()).activation_energy_error_eV)
    cold = fit.at(300)
    assert cold.sigma_S_cm == pytest.approx(nernst_einstein(law(300.0), 24, 1000.0, 300), rel=1e-9)
    D = arrhenius_of(points()).at(300)
    assert cold.high_S_cm / cold.sigma_S_cm == pytest.approx(D.high_cm2_s / D.D_cm2_s)


def test_the_conductivity_at_room_temperature_is_called_extrapolated():
    fit = conductivity_of(points())
    assert "extrapolated from 700 to 1200 K" in str(fit.at(300))
    assert "S/cm" in str(fit.at(300))
    assert not fit.at(800).extrapolated
    json.dumps(fit.to_dict(), allow_nan=False)


def test_the_band_of_the_conductivity_holds_the_truth():
    generator, held = np.random.default_rng(0), []
    truth = nernst_einstein(law(300.0), 24, 1000.0, 300)
    for _ in range(200):
        sigma = [nernst_einstein(law(t), 24, 1000.0, t) * np.exp(generator.normal(0, 0.1)) for t in T]
        at = conductivity_arrhenius(T, sigma, [0.1 * one for one in sigma]).at(300)
        held.append(at.low_S_cm < truth < at.high_S_cm)
    assert np.mean(held) >= 0.9


def test_a_point_with_a_warning_is_shown_and_not_fitted():
    doubtful = points((500.0,), warning="this is vibration, not diffusion")
    mixed = [TransportPoint("crystal", 500.0, 100 * law(500.0), law(500.0), 24, 1000.0, warning="x"), *points()]
    assert not doubtful[0].trusted
    assert arrhenius_of(mixed).temperatures_K == T
    assert arrhenius_of(mixed).activation_energy_eV == pytest.approx(0.25)
    assert arrhenius_of(mixed, doubtful=True).activation_energy_eV < 0.2
    with pytest.raises(ValueError, match=r"1 of 2 points can be fitted.*doubtful=True"):
        arrhenius_of([*doubtful, *points((900.0,))])
    with pytest.raises(ValueError, match="belong to 2 structures"):
        conductivity_of([*points(), *points(name="another")])


def test_seeds_are_pooled_into_one_point_whose_interval_holds_the_truth():
    held = []
    for seed in range(0, 60, 3):
        singles = []
        for own in range(seed, seed + 3):
            found = diffusion(frames_of(walk(own, 200, 12)), frame_interval_fs=TIMESTEP_FS, drift=None)
            known = {"name": "walk", "temperature_K": 800.0, "n_ions": 12, "volume_A3": 1000.0, "length_ps": 2.0}
            singles.append(transport_point(found, **known))
        (mean,) = pooled(singles)
        assert (mean.n_runs, mean.length_ps) == (3, 6.0)
        assert mean.D_cm2_s == pytest.approx(np.mean([one.D_cm2_s for one in singles]))
        held.append(abs(mean.D_cm2_s - D_TRUE) < 1.96 * mean.error_cm2_s)
    assert np.mean(held) >= 0.9


def seed(D, error=1e-8, warning="", length_ps=1.0):
    return TransportPoint("a", 800.0, D, error, 24, 1000.0, length_ps=length_ps, warning=warning)


def test_runs_that_disagree_widen_the_error_to_their_scatter_and_runs_that_agree_keep_their_own():
    (apart,) = pooled([seed(1e-6), seed(3e-6)])
    assert apart.error_cm2_s == pytest.approx(1e-6)  # std(ddof=1) / sqrt(2) of 1e-6 and 3e-6
    (alike,) = pooled([seed(1.00e-6, 1e-7), seed(1.05e-6, 1e-7)])
    assert alike.error_cm2_s == pytest.approx(1e-7 / np.sqrt(2))
    (without,) = pooled([seed(1e-6, None), seed(3e-6, None)])
    assert without.error_cm2_s == pytest.approx(12.706 / 1.96 * 1e-6, rel=1e-3)  # Student's t of one degree of freedom


@pytest.mark.parametrize("count", [2, 3, 6])
def test_more_seeds_shrink_the_bar_and_it_still_holds_the_truth(count):
    generator = np.random.default_rng(count)
    means = [pooled([seed(generator.normal(1e-5, 2e-6), 2e-6) for _ in range(count)])[0] for _ in range(800)]
    shrunk = np.mean([one.error_cm2_s for one in means]) * np.sqrt(count) / 2e-6
    assert 1.0 <= shrunk < 1.3
    assert np.mean([abs(one.D_cm2_s - 1e-5) < 1.96 * one.error_cm2_s for one in means]) > 0.94


def test_a_vague_run_beside_a_sharp_one_is_no_disagreement():
    (mean,) = pooled([seed(1e-6, 1e-7), seed(3e-6, 3e-6)])
    assert mean.error_cm2_s == pytest.approx(np.hypot(1e-7, 3e-6) / 2)


def test_a_run_with_a_warning_counts_only_where_no_other_is_better():
    melted = seed(1e-3, 1e-4, "the framework moves too: the crystal is melting", 30.0)
    (mean,) = pooled([melted, seed(1.0e-5, 1e-6), seed(1.2e-5, 1e-6)])
    assert mean.D_cm2_s == pytest.approx(1.1e-5)
    assert (mean.n_runs, mean.length_ps, mean.warning) == (2, 2.0, "")
    assert pooled([melted, seed(1e-5, 1e-6)]) == [seed(1e-5, 1e-6)]
    (lost,) = pooled([melted, melted])
    assert (lost.n_runs, lost.warning, lost.trusted) == (2, melted.warning, False)
    assert len(pooled([melted, *points()])) == 4


def test_what_cannot_be_fitted_is_refused_with_its_name():
    with pytest.raises(ValueError, match="sigma_S_cm has 2 values for 3 temperatures"):
        conductivity_arrhenius(T, [1e-3, 1e-2])
    with pytest.raises(ValueError, match=r"sigma_S_cm x T=.* must hold one positive"):
        conductivity_arrhenius(T, [1e-3, 1e-2, -1.0])
    assert arrhenius(T, [law(t) for t in T]).activation_energy_eV == pytest.approx(0.25)
