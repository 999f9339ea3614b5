"""Sums over the Brillouin zone where a short cut would lie: isotopes that symmetry does not see, meshes of Γ alone."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from labkit.errors import InvalidStructure
from labkit.simulators.phonons_imaginary import commensurate_points
from labkit.simulators.phonons_phonopy import bare_phonopy
from labkit.simulators.phonons_result import HarmonicCrystal
from tests.simulators.phonons_models import LennardJones
from tests.simulators.test_phonons_result import H_EV_PS, phonons


def test_isotopes_that_symmetry_does_not_see_keep_modes_and_states_of_their_own():
    atoms = bulk("Ar", "fcc", 5.25, cubic=True)
    atoms.set_masses([80.0, 40.0, 40.0, 80.0])
    crystal = phonons(atoms, (2, 2, 2), LennardJones(), exact=False)
    # All wave vectors of the mesh one by one, against the sum that could use symmetry.
    axes = np.arange(3) / 3
    every = crystal.frequencies_THz(np.stack(np.meshgrid(axes, axes, axes), axis=-1).reshape(-1, 3))
    mean = H_EV_PS * every.sum() / 2 / (every.size - 3) * 12
    assert crystal.thermal([0.0], (3, 3, 3)).zero_point_eV == pytest.approx(mean, rel=1e-6)
    dos = crystal.dos((3, 3, 3), points=100)
    # sum_branches omega^2 |e_i|^2 = trace of the force constants of an atom with itself over its mass.
    square = (dos.projected * dos.frequencies_THz**2).sum(axis=1)
    assert square[0] / square[1] == pytest.approx(0.5, rel=0.03)
    assert square[3] / square[0] == pytest.approx(1, rel=0.03)
    assert len(commensurate_points(crystal)) == 8  # each of the eight, while the cubic cell without isotopes has four


def test_forces_that_are_less_symmetric_than_the_atoms_are_summed_without_symmetry():
    """A cubic lattice whose springs differ along x, y and z, as those of spins in layers do; along z it is unstable."""
    atoms, n = Atoms("Ar", cell=[4, 4, 4], pbc=True), 4
    springs = np.array([1.0, 1.0, -0.2])  # eV/Å^2
    places = np.rint(bare_phonopy(atoms, np.diag([n] * 3)).supercell.positions / 4)
    steps = np.abs((places[:, None] - places[None] + n / 2) % n - n / 2)
    bonds = np.einsum("ijc,c,ij->ij", steps == 1, springs, steps.sum(axis=2) == 1)
    constants = np.einsum("ij,ab->ijab", np.diag(bonds.sum(axis=1)) - bonds, np.eye(3))
    crystal = HarmonicCrystal(atoms, np.diag([n] * 3), constants)
    axes = np.arange(n) / n
    every = crystal.frequencies_THz(np.stack(np.meshgrid(axes, axes, axes), axis=-1).reshape(-1, 3))
    assert crystal.thermal([0.0], (n, n, n)).imaginary_fraction == pytest.approx((every < -0.01).mean())
    assert [mode.qpoint for mode in crystal.imaginary()] == [(0, 0, 0.5), (0, 0, 0.25)]


def test_an_atom_without_a_mass_is_refused_before_a_sum_panics():
    weightless = bulk("Ar", "fcc", 5.25)
    weightless.set_masses([0.0])
    with pytest.raises(InvalidStructure, match="has the mass 0"):
        HarmonicCrystal(weightless, np.eye(3), np.zeros((1, 1, 3, 3)))


def test_a_mesh_without_a_vibration_is_refused_in_words():
    crystal = HarmonicCrystal(bulk("Ar", "fcc", 5.25), np.eye(3), np.zeros((1, 1, 3, 3)))
    with pytest.raises(ValueError, match="nothing but translations"):
        crystal.thermal([300.0], (1, 1, 1))
    with pytest.raises(ValueError, match="Γ alone"):
        crystal.dos((1, 1, 1))
