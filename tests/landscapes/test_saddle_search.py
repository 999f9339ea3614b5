"""Quenches, Hessians, saddles and descents against surfaces whose stationary points are published."""

import numpy as np
import pytest
from ase import Atoms

from labkit.landscapes.descent import connect
from labkit.landscapes.eigenvector_following import find_saddles
from labkit.landscapes.hessian import PER_CM, hessian, normal_modes
from labkit.landscapes.quench import minimise
from labkit.landscapes.saddle_step import soft_pushes
from labkit.landscapes.surface import Surface
from labkit.potentials.lennard_jones_cluster import LennardJonesCluster
from tests.simulators.neb_helpers import MINIMA, SADDLES, SCALE, MuellerBrown

# Methods A.1: the stationary points of Müller-Brown, and the minima of seven Lennard-Jones atoms.
MINIMA_ENERGIES = {"A": -146.6995, "B": -108.1667, "C": -80.7678}
LJ7 = (-16.50538, -15.93504, -15.59321, -15.53306)


@pytest.fixture(scope="module")
def plane():
    return Surface.of(MuellerBrown(), Atoms("H"), frame="fixed frame", frozen=np.array([[False, False, True]]))


@pytest.fixture(scope="module")
def lj7():
    return Surface.of(LennardJonesCluster(), Atoms("Ar7"))


@pytest.fixture(scope="module")
def minima(lj7):
    """The four minima of LJ7, by rising energy, from random quenches."""
    starts = np.random.default_rng(0).uniform(-1.2, 1.2, (80, 7, 3))
    quenched = minimise(lj7, starts, 1e-6, 2000)
    good = quenched.converged
    energies = quenched.energies[good]
    firsts = [int(np.flatnonzero(abs(energies - energy) < 1e-4)[0]) for energy in LJ7]
    assert {round(energy, 4) for energy in energies} == {round(energy, 4) for energy in LJ7}
    np.testing.assert_allclose(energies[firsts], LJ7, atol=1e-5)
    return quenched.positions[good][firsts]


@pytest.fixture(scope="module")
def starts(lj7, minima):
    """Six soft pushes off each minimum, and the Hessians of the minima."""
    matrices = hessian(lj7, minima)
    rng = np.random.default_rng(0)
    pushes = [soft_pushes(modes, 6, 1.0, rng) for modes in normal_modes(lj7, minima, matrices)]
    return np.concatenate([x + push for x, push in zip(minima, pushes, strict=True)]), np.repeat(matrices, 6, axis=0)


@pytest.fixture(scope="module")
def saddles(lj7, starts):
    return find_saddles(lj7, starts[0], hessians=starts[1])


def planar(*places):
    return np.array([[[x, y, 0.0]] for x, y in places])


def test_the_three_minima_of_mueller_brown_are_the_published_ones(plane):
    found = minimise(plane, planar((-0.7, 1.3), (0.5, 0.1), (0.0, 0.4)), 1e-6)
    assert found.converged.all()
    assert not any(found.reasons)
    for place, energy, name in zip(found.positions[:, 0], found.energies, MINIMA, strict=True):
        np.testing.assert_allclose(place[:2], MINIMA[name], atol=1e-4)
        assert energy / SCALE == pytest.approx(MINIMA_ENERGIES[name], abs=1e-4)


def test_the_two_saddles_of_mueller_brown_are_the_published_ones_and_lead_to_the_right_minima(plane):
    found = find_saddles(plane, planar((-0.7, 0.8), (0.1, 0.35)), gradient_eV_A=1e-6)
    ways = connect(plane, found, gradient_eV_A=1e-6)
    for name, saddle, way in zip(SADDLES, found, ways, strict=True):
        place, energy = SADDLES[name]
        assert saddle.state == "saddle"
        assert saddle.modes.negative == 1
        assert len(saddle.modes.curvatures) == 2
        np.testing.assert_allclose(saddle.positions[0, :2], place, atol=1e-4)
        assert saddle.energy_eV / SCALE == pytest.approx(energy, abs=1e-4)
        assert way.found
        ends = sorted(way.minima[:, 0, :2].tolist())
        np.testing.assert_allclose(ends, sorted(map(list, (MINIMA[name[0]], MINIMA[name[1]]))), atol=2e-4)


def test_a_path_goes_down_on_both_sides_from_one_minimum_to_the_other(plane):
    [way] = connect(plane, find_saddles(plane, planar((0.1, 0.35)), gradient_eV_A=1e-6), images=15)
    top = int(way.path_energies_eV.argmax())
    assert 8 <= len(way.path) <= 16
    assert 0 < top < len(way.path) - 1
    assert (np.diff(way.path_energies_eV[: top + 1]) > -1e-9).all()
    assert (np.diff(way.path_energies_eV[top:]) < 1e-9).all()
    np.testing.assert_array_equal(way.path[[0, -1]], way.minima)


def test_saddles_of_seven_atoms_are_proven_by_one_negative_eigenvalue(lj7, saddles):
    found = [one for one in saddles if one.found]
    assert len(found) >= 20  # of 24
    assert len({round(one.energy_eV, 3) for one in found}) >= 5
    # What the saddle says of itself is checked from outside, with another displacement.
    places = np.array([one.positions for one in found])
    assert np.linalg.norm(lj7.evaluate(places)[1], axis=2).max() < 1e-3
    for one, modes in zip(found, normal_modes(lj7, places, hessian(lj7, places, 1e-4)), strict=True):
        assert len(modes.eigenvalues) == 15
        assert (modes.curvatures < 0).sum() == (modes.eigenvalues < 0).sum() == 1
        assert one.curvature_eV_A2 == pytest.approx(modes.curvatures[0], rel=0.02)
        assert abs((one.mode * modes.directions[0]).sum()) > 0.99


def test_both_descents_from_every_saddle_end_in_one_of_the_four_minima(lj7, saddles):
    ways = connect(lj7, [one for one in saddles if one.found])
    energies = np.array([way.energies_eV for way in ways])
    assert all(way.found for way in ways)
    assert abs(energies[:, :, None] - np.array(LJ7)).min(axis=2).max() < 1e-5
    assert all((way.energies_eV < way.path_energies_eV.max()).all() for way in ways)


def test_a_batch_gives_what_its_members_give_one_by_one_and_twice_the_same(lj7, starts, saddles):
    for index in (0, 7, 20):
        [alone] = find_saddles(lj7, starts[0][[index]], hessians=starts[1][[index]])
        assert alone.state == saddles[index].state
        assert alone.steps == saddles[index].steps
        np.testing.assert_allclose(alone.positions, saddles[index].positions, atol=1e-6)
    again = find_saddles(lj7, starts[0], hessians=starts[1])
    assert all((one.positions == other.positions).all() for one, other in zip(again, saddles, strict=True))
    pair = minimise(lj7, starts[0][:5])
    np.testing.assert_allclose(minimise(lj7, starts[0][[3]]).positions[0], pair.positions[3], atol=1e-6)


def test_a_search_that_starts_in_a_minimum_climbs_out_and_known_points_are_not_proven_again(lj7, minima, saddles):
    [out] = find_saddles(lj7, minima[:1])
    assert out.state in ("saddle", "higher order")
    assert out.steps > 1
    place = next(one for one in saddles if one.found).positions
    rattled = place + np.random.default_rng(1).normal(size=place.shape) * 0.01
    seen = []
    [one] = find_saddles(lj7, rattled[None], known=lambda x, energy: seen.append(energy) or True)
    assert one.state == "known"
    assert not one.found
    assert one.hessian is None
    assert len(seen) == 1


def test_failures_come_back_with_a_state_and_a_reason_and_never_as_saddles(plane, lj7):
    [away] = find_saddles(plane, planar((-0.9, -0.5)), ceiling_eV=0.5, max_steps=60)
    assert away.state == "too high"
    assert away.reason == "it climbed more than 0.5 eV above its start."
    lost = np.full((2, 7, 3), np.nan)
    lost[1] = np.random.default_rng(5).uniform(-1, 1, (7, 3))
    gone, short = find_saddles(lj7, lost, max_steps=2)
    assert gone.state == "refused"
    assert "refused the first geometry" in gone.reason
    assert short.state == "not converged"
    assert "eV/Å are left; the goal is 0.001" in short.reason
    with pytest.raises(ValueError, match=r"saddle 0 is none \(refused"):
        connect(lj7, gone)


def test_a_cluster_that_fell_apart_is_no_saddle(minima):
    pair = Surface.of(LennardJonesCluster(), Atoms("Ar8"))
    [one] = normal_modes(pair, np.concatenate([minima[0], [[60.0, 0, 0]]])[None])
    assert one.flat >= 1
    assert one.negative == 0


def test_nothing_to_search_gives_nothing(lj7):
    none = np.zeros((0, 7, 3))
    assert minimise(lj7, none).positions.shape == (0, 7, 3)
    assert find_saddles(lj7, none) == connect(lj7, []) == normal_modes(lj7, none) == []


def test_a_quench_that_cannot_finish_says_why_and_harms_no_other(lj7):
    x = np.random.default_rng(6).uniform(-1.2, 1.2, (3, 7, 3))
    x[1] = np.nan
    stopped = minimise(lj7, x, 1e-8, 5)
    assert not stopped.converged.any()
    assert np.isnan(stopped.energies[1])
    assert "not at 1e-08 eV/Å after 5 evaluations" in stopped.reasons[0]
    assert "refused the first geometry" in stopped.reasons[1]
    assert (stopped.steps <= 5).all()


def test_the_vibrations_of_three_masses_on_a_line_are_the_textbook_ones():
    """Linear O-C-O with two springs k: ω² = k/m_O and k (1/m_O + 2/m_C); G. Herzberg, Infrared Spectra (1945)."""
    k, length = 90.0, 1.16

    def springs(x):
        energies, forces = np.zeros(len(x)), np.zeros_like(x)
        for end in (0, 2):
            apart = x[:, end] - x[:, 1]
            distance = np.linalg.norm(apart, axis=1)
            energies += 0.5 * k * (distance - length) ** 2
            pull = -(k * (distance - length) / distance)[:, None] * apart
            forces[:, end] += pull
            forces[:, 1] -= pull
        return energies, forces

    surface = Surface(springs, ["O", "C", "O"])
    line = np.array([[-length, 0, 0], [0, 0, 0], [length, 0, 0]])
    [modes] = normal_modes(surface, line[None])
    m_o, m_c = surface.masses[:2]
    expected = [0.0, 0.0, k / m_o, k * (1 / m_o + 2 / m_c)]  # no spring resists bending
    np.testing.assert_allclose(modes.eigenvalues, expected, atol=2e-3)
    assert modes.negative == 0
    assert modes.flat == 2
    assert modes.wavenumbers_per_cm[-1] == pytest.approx(PER_CM * np.sqrt(expected[-1]), rel=1e-4)


def test_the_hessian_of_a_quadratic_surface_is_exact_and_frozen_components_have_none():
    rng = np.random.default_rng(7)
    root = rng.normal(size=(6, 6))
    matrix = root + root.T

    def quadratic(x):
        flat = x.reshape(len(x), 6)
        return 0.5 * np.einsum("ki,ij,kj->k", flat, matrix, flat), -(flat @ matrix).reshape(x.shape)

    surface = Surface(quadratic, ["H", "H"], frame="fixed frame")
    x = rng.normal(size=(1, 2, 3))
    np.testing.assert_allclose(hessian(surface, x)[0], matrix, atol=1e-10)
    np.testing.assert_allclose(hessian(surface, x, forces=surface.evaluate(x)[1])[0], matrix, atol=1e-10)
    [modes] = normal_modes(surface, x)
    np.testing.assert_allclose(modes.curvatures, np.linalg.eigvalsh(matrix), atol=1e-9)
    held = Surface(quadratic, ["H", "H"], frozen=np.array([True, False]))
    [modes] = normal_modes(held, x)
    np.testing.assert_allclose(modes.curvatures, np.linalg.eigvalsh(matrix[3:, 3:]), atol=1e-9)
    assert not modes.directions[:, 0].any()
