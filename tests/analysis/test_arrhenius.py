import json

import numpy as np
import pytest
from scipy.constants import e, k

from labkit.analysis import arrhenius

T = np.array([600.0, 700.0, 800.0, 1000.0])


def law(temperatures, energy=0.3, D0=1e-3):
    return D0 * np.exp(-energy * e / (k * np.asarray(temperatures)))


def test_an_exact_law_is_recovered():
    result = arrhenius(T, law(T))
    assert result.activation_energy_eV == pytest.approx(0.3, rel=1e-6)
    assert result.D0_cm2_s == pytest.approx(1e-3, rel=1e-6)
    assert result.activation_energy_error_eV == pytest.approx(0, abs=1e-6)


def test_the_95_percent_interval_of_the_extrapolation_holds_the_truth():
    rng = np.random.default_rng(0)
    held, within = [], []
    for _ in range(200):
        D = law(T) * np.exp(rng.normal(0, 0.1, size=4))
        fit = arrhenius(T, D, 0.1 * D)
        point = fit.at(300)
        held.append(point.low_cm2_s < law(300) < point.high_cm2_s)
        within.append(abs(fit.activation_energy_eV - 0.3) < 2 * fit.activation_energy_error_eV)
    assert np.mean(held) >= 0.9
    assert np.mean(within) >= 0.9


def test_an_extrapolation_is_called_one():
    fit = arrhenius(T, law(T))
    cold = fit.at(300)
    assert cold.extrapolated
    assert "extrapolated from 600 to 1000 K" in str(cold)
    assert cold.D_cm2_s == pytest.approx(law(300), rel=1e-6)
    assert not fit.at(750).extrapolated
    assert "interpolated" in fit.at(750).note


def test_the_noisy_point_weighs_less():
    D = law(T)
    D[0] *= 3
    free = arrhenius(T, D).activation_energy_eV
    weighed = arrhenius(T, D, [10 * D[0], *(0.01 * D[1:])]).activation_energy_eV
    assert abs(weighed - 0.3) < 0.01 < abs(free - 0.3)


def test_too_little_or_meaningless_data_is_refused():
    with pytest.raises(ValueError, match="needs at least 3"):
        arrhenius(T[:2], law(T[:2]))
    with pytest.raises(ValueError, match="1 distinct temperature"):
        arrhenius([600, 600], [1e-6, 2e-6], [1e-7, 1e-7])
    with pytest.raises(ValueError, match=r"D_cm2_s=.* must hold one positive"):
        arrhenius(T, -law(T))
    with pytest.raises(ValueError, match="temperature_K=0"):
        arrhenius(T, law(T)).at(0)


def test_the_result_becomes_json():
    text = json.dumps(arrhenius(T, law(T), 0.1 * law(T)).to_dict(), allow_nan=False)
    assert json.loads(text)["temperatures_K"] == T.tolist()
