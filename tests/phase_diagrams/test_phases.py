import json
from types import SimpleNamespace

import numpy as np
import pytest
from ase.build import bulk
from ase.units import kB

from labkit.errors import InvalidTask, UnreadableFile
from labkit.phase_diagrams.cluster_expansion_sampling import SampledAlloy
from labkit.phase_diagrams.phases import LinePhase, SolutionPhase, TabulatedPhase
from labkit.phase_diagrams.phases_free_energy import TabulatedEnergy
from labkit.phase_diagrams.phases_vibrations import expanding, vibrating

T = np.array([300.0, 700.0, 1500.0])[:, None]
X = np.array([0.01, 0.2, 0.5, 0.9])


def solution() -> SolutionPhase:
    return SolutionPhase("s", (-2.0, kB), (-3.0, 1.5 * kB), (0.2, -0.1, 0.05), (1e-5, 2e-5))


def table(configurational: bool = True) -> TabulatedPhase:
    grid, temperatures = np.linspace(0, 1, 21), np.linspace(200, 1600, 15)
    return TabulatedPhase("t", grid, temperatures, solution().free_energy(grid[None], temperatures[:, None]))


def test_a_solution_is_the_sum_of_its_ends_ideal_mixing_and_redlich_kister_terms():
    x, t = 0.3, 900.0
    ends = 0.7 * (-2.0 - kB * t) + 0.3 * (-3.0 - 1.5 * kB * t)
    ideal = kB * t * (0.3 * np.log(0.3) + 0.7 * np.log(0.7))
    strengths = [0.2 + 1e-5 * t, -0.1 + 2e-5 * t, 0.05]
    excess = 0.3 * 0.7 * sum(one * 0.4**k for k, one in enumerate(strengths))
    assert solution().free_energy(x, t) == pytest.approx(ends + ideal + excess, abs=1e-12)


@pytest.mark.parametrize("phase", [solution(), table()], ids=["solution", "table"])
def test_slope_and_curvature_are_the_derivatives_of_the_free_energy(phase):
    h = 1e-4
    f = [phase.free_energy(X + step, T) for step in (-h, 0, h)]
    np.testing.assert_allclose(phase.slope(X, T), (f[2] - f[0]) / (2 * h), rtol=2e-4, atol=2e-4)
    np.testing.assert_allclose(phase.curvature(X, T), (f[2] - 2 * f[1] + f[0]) / h**2, rtol=2e-3, atol=2e-3)


def test_a_table_of_a_solution_is_that_solution_to_its_ends():
    x = np.array([1e-6, 0.03, 0.37, 1 - 1e-6])
    np.testing.assert_allclose(table().free_energy(x, T), solution().free_energy(x, T), atol=1e-6)
    np.testing.assert_allclose(table().slope(x, T), solution().slope(x, T), atol=2e-4)


def test_shifting_moves_the_free_energy_and_nothing_else():
    for phase in (solution(), table(), LinePhase("c", 0.5, -1.0, kB)):
        moved = phase.shifted(0.02).shifted(0.01)
        assert moved.name == phase.name
        assert moved.compositions == phase.compositions
        np.testing.assert_allclose(moved.free_energy(0.5, T), phase.free_energy(0.5, T) + 0.03, atol=1e-14)
        np.testing.assert_array_equal(moved.slope(0.4, T), phase.slope(0.4, T))


def test_a_line_phase_exists_at_its_composition_only():
    phase = LinePhase("A3B", 0.25, -1.0, 2 * kB, structures=bulk("Cu"))
    assert phase.line
    assert len(phase.structures) == 1
    assert phase.free_energy(0.25, 1000.0) == pytest.approx(-1 - 2000 * kB)
    assert np.isinf(phase.free_energy(0.26, 1000.0))


def test_free_energies_are_taken_from_a_table_and_never_extrapolated():
    temperatures = np.linspace(0, 1000, 11)
    source = {"temperature_K": temperatures, "free_energy_eV": -1 - 1e-7 * temperatures**2}
    phase = LinePhase("c", 0.5, source=source)
    assert phase.free_energy(0.5, 450.0) == pytest.approx(-1 - 1e-7 * 450**2, abs=1e-9)
    with pytest.raises(InvalidTask, match="c is known from 0 to 1000 K; 1200 to 1200 K"):
        phase.free_energy(0.5, 1200.0)
    nameless = SolutionPhase("liquid", TabulatedEnergy([0, 900], [0.0, -0.1]), 0.0)
    with pytest.raises(InvalidTask, match="the free energy of liquid is known from 0 to 900 K"):
        nameless.free_energy(0.5, 1000.0)
    with pytest.raises(InvalidTask, match="t is known from 200 to 1600 K"):
        table().free_energy(0.5, 100.0)


def test_a_function_that_knows_one_temperature_at_a_time_is_asked_one_by_one():
    phase = SolutionPhase("s", lambda T: -1e-4 * (T - 300) if T > 300 else 0.0, lambda T: -0.1)
    f = phase.free_energy(np.array([0.0, 1.0]), np.array([[200.0], [400.0]]))
    np.testing.assert_allclose(f, [[0.0, -0.1], [-0.01, -0.1]], atol=1e-15)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: LinePhase("c", "half"), "half of c is no atomic fraction"),
        (lambda: LinePhase("c", 0.5, -1.0, 1.5), "1.5 eV/K per atom is 17407 k_B"),
        (lambda: LinePhase("c", 1.5), "1.5 of c is no atomic fraction"),
        (lambda: LinePhase("c", 0.5, source="cold"), "c has a free energy of type str"),
        (lambda: LinePhase("c", 0.5, source={"T": [1]}), "no column temperature_K; it has: T"),
        (lambda: SolutionPhase("s", 0.0, 0.0, composition_range=(0.5, 0.5)), "use LinePhase"),
        (lambda: TabulatedPhase("t", [0, 1], [1, 2], np.zeros((2, 2))), "at least 2 and 3"),
        (lambda: TabulatedPhase("t", [0, 1, 0.5], [1, 2], np.zeros((2, 3))), "rising x"),
        (lambda: TabulatedEnergy([1, 2], [1, np.nan]), "finite free energies"),
        (lambda: TabulatedEnergy([1], [1]), "at least two points"),
    ],
)
def test_a_phase_that_makes_no_sense_is_refused_with_a_sentence(make, sentence):
    with pytest.raises(InvalidTask, match=sentence):
        make()


class Crystal:
    """A crystal of two atoms that has a thermal free energy, and perhaps imaginary modes."""

    atoms = bulk("NaCl", "rocksalt", a=5.6)

    def __init__(self, left_out: float = 0.0):
        self.left_out = left_out

    def thermal(self, temperatures_K):
        T = np.asarray(temperatures_K, float)
        return SimpleNamespace(temperatures_K=T, free_energy_eV=0.1 - 2e-7 * T**2, imaginary_fraction=self.left_out)


def expanded(left_out):
    grid = np.arange(0, 1001, 100.0)
    return SimpleNamespace(atoms=2, temperatures_K=grid, gibbs_eV=-6 - 2e-6 * grid, left_out=left_out)


def test_vibrations_make_a_free_energy_for_each_atom():
    phase = LinePhase("c", 0.5, source=vibrating(Crystal(), -3.0, name="c"))
    assert phase.free_energy(0.5, 900.0) == pytest.approx(-3 + 0.05 - 1e-7 * 900**2, abs=1e-9)
    expands = expanded(np.zeros(5))
    assert LinePhase("q", 0.5, source=expands).free_energy(0.5, 500.0) == pytest.approx(-3 - 5e-4)


def test_a_crystal_with_imaginary_modes_has_no_free_energy():
    with pytest.raises(InvalidTask, match=r"4.0% of the modes of c are imaginary"):
        vibrating(Crystal(0.04), -3.0, name="c")
    with pytest.raises(InvalidTask, match=r"2.0% of the modes of q are imaginary"):
        expanding(expanded(np.array([0, 0, 0, 0, 0.02])), "q")


def sampled(noise: float = 0.0) -> SampledAlloy:
    x, temperatures = np.linspace(0, 1, 13), np.array([400.0, 800.0, 1200.0])
    f = SolutionPhase("s", 0.0, 0.0, (0.1, 0.05)).free_energy(x[None], temperatures[:, None])
    f = f + noise * np.random.default_rng(0).normal(size=f.shape) * ((x > 0) & (x < 1))
    betas = np.linspace(0, 1 / (kB * 400), 5)
    return SampledAlloy(("A", "B"), x, temperatures, f, betas, np.zeros((13, 5)), np.zeros((13, 5)), 216)


def test_a_polynomial_takes_the_noise_out_of_a_sampled_alloy():
    clean, noisy = sampled(), sampled(0.001)
    exact = SolutionPhase("s", (-1.0, kB), (-2.0, kB), (0.1, 0.05))
    x, T = np.linspace(0, 1, 50), 700.0
    phase = noisy.phase("s", (-1.0, kB), (-2.0, kB), terms=2)
    np.testing.assert_allclose(phase.free_energy(x, T), exact.free_energy(x, T), atol=0.002)
    assert clean.smoothed(2)[1] < 1e-12
    assert noisy.smoothed(2)[1] == pytest.approx(0.001, rel=0.5)
    with pytest.raises(InvalidTask, match="12 terms cannot be fitted to 11"):
        noisy.smoothed(12)


def test_a_sampled_alloy_survives_a_json_file():
    again = SampledAlloy.from_dict(json.loads(json.dumps(sampled().to_dict())))
    assert (again.elements, again.sites) == (("A", "B"), 216)
    np.testing.assert_allclose(again.mixing_eV, sampled().mixing_eV, atol=1e-6)
    with pytest.raises(UnreadableFile, match="it lacks sites, x"):
        SampledAlloy.from_dict({"elements": ["A", "B"]})
