"""Sums over the Brillouin zone where a short cut would lie: isotopes that symmetry does not see, meshes of Γ alone."""

import numpy as np
import pytest
from ase.build import bulk

from labkit.simulators.phonons_imaginary import commensurate_points
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


def test_a_mesh_without_a_vibration_is_refused_in_words():
    crystal = HarmonicCrystal(bulk("Ar", "fcc", 5.25), np.eye(3), np.zeros((1, 1, 3, 3)))
    with pytest.raises(ValueError, match="nothing but translations"):
        crystal.thermal([300.0], (1, 1, 1))
    with pytest.raises(ValueError, match="Γ alone"):
        crystal.dos((1, 1, 1))
