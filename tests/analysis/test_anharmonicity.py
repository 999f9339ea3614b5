"""Moments and mean force: zero for Gaussians, exact for a double well, with errors that count no frame twice."""

import numpy as np
import pytest
from ase import units

from labkit.analysis.anharmonicity import (
    along,
    anharmonicity,
    axes_to_nearest,
    mean_error,
    potential_of_mean_force,
    statistical_inefficiency,
)
from labkit.structures import named


def remembering(generator, frames, k=1, memory=0.9):
    """Gaussian series (frames, k) of unit width whose autocorrelation is memory^lag."""
    u = generator.normal(size=(frames, k))
    for step in range(1, frames):
        u[step] = memory * u[step - 1] + np.sqrt(1 - memory**2) * u[step]
    return u


def test_a_gaussian_has_no_skewness_and_no_excess_kurtosis_within_errors_that_know_of_memory():
    generator = np.random.default_rng(0)
    found = [anharmonicity(0.1 * remembering(generator, 2000, 4)) for _ in range(60)]
    skew = np.array([one.skewness / one.skewness_error for one in found])
    kurtosis = np.array([one.excess_kurtosis / one.excess_kurtosis_error for one in found])
    assert 0.75 < skew.std() < 1.3
    assert 0.75 < kurtosis.std() < 1.4
    assert abs(skew.mean()) < 0.4
    assert abs(kurtosis.mean()) < 0.5
    # <z^2> of four atoms forgets as memory^(2 lag): g = (1 + 0.81) / (1 - 0.81)
    assert np.mean([one.effective_samples for one in found]) == pytest.approx(2000 / 9.53, rel=0.2)


def test_atoms_that_move_together_do_not_count_twice():
    u = remembering(np.random.default_rng(1), 4000)
    one, twins = anharmonicity(u), anharmonicity(np.repeat(u, 10, axis=1))
    assert twins.skewness == pytest.approx(one.skewness)
    assert twins.skewness_error == pytest.approx(one.skewness_error)


def test_the_moments_of_an_exponential_are_known():
    u = np.random.default_rng(2).exponential(0.05, (20000, 2))
    found = anharmonicity(u)
    assert found.skewness == pytest.approx(2, abs=4 * found.skewness_error)
    assert found.excess_kurtosis == pytest.approx(6, abs=4 * found.excess_kurtosis_error)
    assert found.std_A == pytest.approx(0.05, rel=0.02)


def test_the_inefficiency_of_a_series_with_memory_is_exact():
    u = remembering(np.random.default_rng(3), 50000)[:, 0]
    assert statistical_inefficiency(u) == pytest.approx((1 + 0.9) / (1 - 0.9), rel=0.15)
    assert statistical_inefficiency(np.random.default_rng(4).normal(size=5000)) == pytest.approx(1, abs=0.15)
    assert mean_error(np.ones(50)) == 0


def test_the_mean_force_of_a_single_phi4_site_has_the_exact_barrier():
    k2, k4, T = 2.0, 50.0, 150.0  # eV/Å^2, eV/Å^4: wells at 0.2 Å, a barrier of k2^2 / 4 k4 = 20 meV
    grid = np.linspace(-0.45, 0.45, 20001)
    weight = np.cumsum(np.exp(-(-k2 / 2 * grid**2 + k4 / 4 * grid**4) / (units.kB * T)))
    u = np.interp(np.random.default_rng(5).random((20000, 4)), weight / weight[-1], grid)
    force = potential_of_mean_force(u, T, symmetric=True)
    assert force.barrier_eV() == pytest.approx(k2**2 / (4 * k4), rel=0.05)
    exact = -k2 / 2 * force.displacements_A**2 + k4 / 4 * force.displacements_A**4 + k2**2 / (4 * k4)
    off = (force.energies_eV - exact) / force.errors_eV
    assert abs(off - off.mean()).mean() < 2


def test_the_mean_force_of_a_spring_is_its_parabola_without_a_barrier():
    stiffness, T = 5.0, 300.0
    u = np.sqrt(units.kB * T / stiffness) * remembering(np.random.default_rng(6), 20000, 4, 0.5)
    force = potential_of_mean_force(u, T)
    curve = force.fit(2).convert().coef
    assert 2 * curve[2] == pytest.approx(stiffness, rel=0.05)
    assert force.barrier_eV() < 1e-3


def test_axes_point_to_the_nearest_site_through_the_border_of_the_cell():
    atoms = named("BaFeO3")
    axes, distances = axes_to_nearest(atoms, np.array([[3.5, 0.0, 0.0]]))
    iron = int(np.flatnonzero(atoms.numbers == 26)[0])
    assert distances[iron] == pytest.approx(atoms.cell.lengths()[0] - 3.5)
    assert axes[iron] == pytest.approx([-1, 0, 0])
    u = np.zeros((3, len(atoms), 3))
    u[:, iron] = [-0.1, 0.5, 0.5]
    assert along(u, axes)[:, iron] == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("work", "sentence"),
    [
        (lambda: anharmonicity(np.zeros(50)), "nothing moves"),
        (lambda: anharmonicity(np.arange(5.0)), "at least 20"),
        (lambda: potential_of_mean_force(np.arange(50.0), 0.0), "above zero"),
        (lambda: potential_of_mean_force(np.arange(30.0), 300.0), "too few independent samples"),
        (lambda: axes_to_nearest(named("BaFeO3"), named("BaFeO3").positions[:1]), "sits on a site"),
        (lambda: axes_to_nearest(named("BaFeO3"), np.zeros((0, 3))), "no sites to measure from"),
        (lambda: potential_of_mean_force(np.array([0.1, np.nan] * 30), 300.0), "all of them finite"),
    ],
)
def test_what_says_nothing_is_refused_with_the_reason(work, sentence):
    with pytest.raises(ValueError, match=sentence):
        work()
