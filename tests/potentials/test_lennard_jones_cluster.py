"""Lennard-Jones clusters: analytic limits, gradients, and the promises of every potential."""

import numpy as np
import pytest
from ase import Atoms

from labkit.errors import InvalidStructure
from labkit.potentials.lennard_jones_cluster import PAIRS_AT_ONCE, LennardJonesCluster


@pytest.fixture(scope="module")
def lj():
    return LennardJonesCluster()


def test_two_atoms_at_the_minimum_have_the_depth_of_the_well_and_no_force():
    potential = LennardJonesCluster(epsilon_eV=0.0103, sigma_A=3.405)
    said = potential.predict([Atoms("Ar2", [[0, 0, 0], [0, 0, 3.405 * 2 ** (1 / 6)]])])
    assert said.energies[0] == pytest.approx(-0.0103, rel=1e-12)
    assert abs(said.forces[0]).max() < 1e-12


def test_forces_are_the_gradient_of_the_energy(lj):
    x = np.random.default_rng(1).normal(size=(2, 6, 3)) * 1.5
    forces = lj.energies_and_forces(x)[1]
    h = 1e-6
    for atom, axis in ((0, 0), (3, 1), (5, 2)):
        shift = np.zeros((6, 3))
        shift[atom, axis] = h
        slope = (lj.energies_and_forces(x + shift)[0] - lj.energies_and_forces(x - shift)[0]) / (2 * h)
        np.testing.assert_allclose(-slope, forces[:, atom, axis], rtol=1e-6, atol=1e-6)


def test_a_batch_of_different_sizes_gives_what_its_members_give_alone(lj):
    rng = np.random.default_rng(2)
    clusters = [Atoms(f"Ar{n}", 1.5 * rng.normal(size=(n, 3))) for n in (5, 3, 5, 1)]
    together = lj.predict(clusters)
    for index, atoms in enumerate(clusters):
        alone = lj.predict([atoms])
        assert together.energies[index] == alone.energies[0]
        np.testing.assert_array_equal(together.forces[index], alone.forces[0])
    assert together.energies[3] == 0
    assert np.isnan(together.stresses).all()


def test_more_pairs_than_fit_at_once_are_computed_in_parts(lj, monkeypatch):
    x = 1.5 * np.random.default_rng(3).normal(size=(7, 4, 3))
    whole = lj.energies_and_forces(x)
    monkeypatch.setattr("labkit.potentials.lennard_jones_cluster.PAIRS_AT_ONCE", 40)
    parts = lj.energies_and_forces(x)
    assert PAIRS_AT_ONCE > 40
    np.testing.assert_array_equal(whole[0], parts[0])
    np.testing.assert_array_equal(whole[1], parts[1])


def test_a_periodic_structure_and_a_negative_well_are_refused(lj):
    with pytest.raises(InvalidStructure, match=r"Ar is periodic; lennard-jones-cluster is for clusters"):
        lj.predict([Atoms("Ar", cell=[5, 5, 5], pbc=True)])
    with pytest.raises(ValueError, match="both must be positive"):
        LennardJonesCluster(epsilon_eV=-1)
