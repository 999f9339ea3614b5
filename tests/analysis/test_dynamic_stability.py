"""The structural descriptor: zero for what vibrates, one for what is locked in, blind to drift, wrap and strain."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule

from labkit.analysis.critical_temperature import critical_temperature
from labkit.analysis.dynamic_stability import (
    displacements,
    left_places,
    mode_amplitudes,
    rms_A,
    structural_descriptor,
    symmetric_part,
)
from labkit.analysis.dynamic_stability_symmetry import operations
from labkit.errors import InvalidStructure
from labkit.structures import named
from tests.analysis import phi4


def salt():
    return bulk("NaCl", "rocksalt", a=5.64, cubic=True)


def noise(generator, frames, n, memory=0.8, width=0.1):
    """Gaussian displacements (frames, n, 3) that remember the frame before: a harmonic crystal in a heat bath."""
    u = generator.normal(0, width, (frames, n, 3))
    for k in range(1, frames):
        u[k] = memory * u[k - 1] + np.sqrt(1 - memory**2) * u[k]
    return u - u.mean(axis=1, keepdims=True)


def distortion(n):
    """Neighbours move against each other along z by 0.1 Å."""
    u = np.zeros((n, 3))
    u[:, 2] = 0.1 * (-1.0) ** np.arange(n)
    return u


def as_frames(ideal, u):
    frames = []
    for one in u:
        atoms = ideal.copy()
        atoms.positions += one
        frames.append(atoms)
    return frames


def test_a_harmonic_crystal_has_no_order_and_its_errors_tell_the_truth():
    ideal, generator = salt(), np.random.default_rng(0)
    found = [structural_descriptor(noise(generator, 400, 8), ideal, 0.1) for _ in range(60)]
    order, errors = np.array([(one.order, one.order_error) for one in found]).T
    squares = np.sign(order) * order**2
    assert abs(squares.mean()) < 3 * squares.std() / np.sqrt(60)  # the noise of a finite average is taken out
    assert np.mean([one.D_A**2 for one in found]) / 0.1**2 > 3 * abs(squares.mean())  # from D itself it is not
    assert np.mean(abs(order) < 2 * errors) >= 0.85


def test_a_locked_crystal_has_order_one_and_errors_that_cover_it():
    ideal, generator = salt(), np.random.default_rng(1)
    u0 = distortion(8)
    distorted = as_frames(ideal, [u0])[0]
    found = [structural_descriptor(u0 + noise(generator, 400, 8), ideal, distorted) for _ in range(40)]
    assert found[0].reference_A == pytest.approx(0.1)
    off = np.array([(one.order - 1) / one.order_error for one in found])
    assert np.mean(abs(off) < 2.8) >= 0.9  # Student's 95 % for four degrees of freedom
    assert abs(np.mean([one.order for one in found]) - 1) < 0.02


def test_drift_wrapping_and_strain_change_nothing():
    ideal = salt()
    u = distortion(8) + noise(np.random.default_rng(2), 60, 8)
    plain = displacements(as_frames(ideal, u), ideal)
    moved = as_frames(ideal, u)
    for number, atoms in enumerate(moved):
        atoms.set_cell(atoms.cell.array * (1 + 0.001 * number), scale_atoms=True)
        atoms.positions += 0.37 * number * np.array([1, 2, -0.5])
        atoms.wrap()
    assert np.allclose(displacements(moved, ideal), plain, atol=1e-9)
    assert np.allclose(plain, u - u.mean(axis=1, keepdims=True), atol=1e-9)


def test_a_molecule_is_turned_back_and_a_crystal_is_not():
    ideal = molecule("C6H6")
    turned = ideal.copy()
    turned.rotate(40, (1, 2, 3))
    assert rms_A(displacements([turned], ideal)[0]) < 1e-9
    assert rms_A(displacements([turned], ideal, "drift")[0]) > 0.1
    with pytest.raises(ValueError, match="does not turn"):
        displacements([salt()], salt(), "rotation")


def test_an_atom_that_hopped_away_is_told_from_a_large_distortion():
    ideal = salt()
    moved = np.tile(0.4 * 5.64 / 2 * np.array([0.6, 0.8, 0.0]), (8, 1))
    assert not left_places(moved, ideal).any()
    moved[3] *= 1.5
    assert np.flatnonzero(left_places(moved, ideal)).tolist() == [3]
    (far,) = as_frames(ideal, [moved - moved.mean(axis=0)])
    far.positions[3] += moved[3]
    assert not left_places(moved, ideal, far).any()  # where the distortion itself leads, nothing is lost


def test_the_amplitude_of_a_mode_is_the_part_of_the_displacement_along_it():
    pattern = distortion(8) / 0.1
    u = 0.07 * pattern + 0.02 * np.roll(pattern, 1, axis=1)
    assert mode_amplitudes(np.array([u, -u]), pattern[None]).ravel() == pytest.approx([0.07, -0.07])
    tilted = np.array([pattern, pattern + np.roll(pattern, 1, axis=1)])  # not orthogonal to one another
    assert mode_amplitudes(u[None], tilted)[0] == pytest.approx([0.05, 0.02])


def test_what_keeps_the_symmetry_is_no_distortion():
    rutile = Atoms("TiO2TiO2", cell=[4.6, 4.6, 2.96], pbc=True)
    x = 0.305
    places = [(0, 0, 0), (x, x, 0), (-x, -x, 0), (0.5, 0.5, 0.5), (0.5 + x, 0.5 - x, 0.5), (0.5 - x, 0.5 + x, 0.5)]
    rutile.set_scaled_positions(places)
    other = rutile.copy()
    moves = np.zeros((6, 3))
    moves[[1, 2, 4, 5]] = 0.01 * np.array([[1, 1, 0], [-1, -1, 0], [1, -1, 0], [-1, 1, 0]])
    other.set_scaled_positions(np.array(places) + moves)
    shift = displacements([other], rutile)[0]
    found = operations(rutile)
    assert len(found) == 16
    assert rms_A(shift) > 0.03
    assert np.allclose(symmetric_part(shift, found), shift, atol=1e-9)
    polar = np.zeros((6, 3))
    polar[rutile.numbers == 8, 2] = 0.1
    assert np.allclose(symmetric_part(polar, found), 0, atol=1e-12)


def test_the_order_of_a_phi4_lattice_vanishes_near_its_known_critical_temperature():
    temperatures = phi4.T_C * np.array([0.5, 0.7, 0.8, 0.9, 1.0, 1.1, 1.3, 1.6])
    u = phi4.trajectories(temperatures, size=6, sweeps=2400, every=4)[:, 80:]
    sites = Atoms("H216", np.indices((6, 6, 6)).reshape(3, -1).T * 5.0, cell=[30, 30, 30], pbc=True)
    found = []
    for one in u:  # the wells stand still in space: nothing is to be aligned
        moved = np.zeros((*one.shape, 3))
        moved[..., 2] = one
        found.append(structural_descriptor(moved, sites, phi4.U0, align=None))
    order, errors = [one.order for one in found], [one.order_error for one in found]
    assert order[0] > 0.85
    for one in found[-2:]:
        assert abs(one.order) < 3 * one.order_error
        assert one.D_A < 0.15 * phi4.U0
    T_c = critical_temperature(temperatures / phi4.T_C, order, errors)
    assert pytest.approx(1, abs=0.12) == T_c.T_K


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda ideal: structural_descriptor([ideal] * 10, ideal), "10 frames are too few for 5 blocks"),
        (lambda ideal: structural_descriptor([ideal] * 30, ideal, ideal), "is the ideal one"),
        (lambda ideal: displacements([ideal[:4]], ideal), "build both from the same supercell"),
        (lambda ideal: displacements([_swollen(ideal)], ideal), "3.37 times the ideal volume"),
        (lambda ideal: structural_descriptor([ideal] * 30, ideal, blocks=2), "at least 3"),
        (lambda ideal: structural_descriptor(np.full((30, len(ideal), 3), np.nan), ideal), "not finite numbers"),
        (lambda ideal: displacements([ideal], ideal, "sideways"), "align='sideways' is unknown"),
    ],
)
def test_what_makes_no_sense_is_refused_with_the_reason(change, sentence):
    with pytest.raises(ValueError, match=sentence):
        change(salt())


def _swollen(ideal):
    atoms = ideal.copy()
    atoms.set_cell(1.5 * atoms.cell.array, scale_atoms=True)
    return atoms


def test_the_atoms_of_perovskite_and_its_vacant_bridges_agree():
    from labkit.analysis.vacancies import bridge_vacancies

    assert len(bridge_vacancies(named("BaFeO3"))) == 0
    assert len(bridge_vacancies(named("Ba3Fe3O8"))) == 2
    holed = named("BaFeO3") * (2, 2, 2)
    gone = int(np.flatnonzero(holed.numbers == 8)[5])
    place = holed.positions[gone].copy()
    del holed[gone]
    found = bridge_vacancies(holed)
    assert found == pytest.approx(place[None], abs=1e-6)
    with pytest.raises(InvalidStructure, match="Ni"):
        bridge_vacancies(holed, cation="Ni")
