"""How molecules are turned in the picture of a landscape: flat to the reader, and like the one before."""

import numpy as np
import pytest
from ase import Atoms
from labkit_widgets import scene
from labkit_widgets.landscape_pose import Pose
from scipy.spatial.transform import Rotation

from labkit.landscapes.landscape17 import reference


@pytest.fixture(scope="module")
def molecule():
    network = reference("salicylic")
    return network.atoms(network.global_minimum)


def turned_by(atoms, *angles):
    made = atoms.copy()
    made.positions = Rotation.from_euler("xyz", angles).apply(atoms.positions) + np.array([1.0, -2.0, 0.5])
    return made


def test_the_first_molecule_lies_flat_before_the_reader(molecule):
    pose = Pose()
    pose.take(turned_by(molecule, 0.4, 1.1, -2.0))
    seen = Rotation.from_quat(scene.ORIENTATION).apply(pose.turned(turned_by(molecule, 0.4, 1.1, -2.0)).positions)
    wide, high, deep = np.ptp(seen, axis=0)
    assert wide > high > deep
    assert deep < 0.1  # this molecule is planar


def test_the_next_structure_is_turned_like_the_one_before(molecule):
    pose = Pose()
    pose.take(molecule)
    first = pose.turned(molecule).positions
    other = turned_by(molecule, 2.0, -0.3, 1.0)
    pose.take(other)
    second = pose.turned(other).positions
    assert second - second.mean(axis=0) == pytest.approx(first - first.mean(axis=0), abs=1e-9)


def test_a_mirror_image_is_turned_but_never_reflected():
    chiral = Atoms("CHFClBr", [[0, 0, 0], [0.6, 0.6, 0.6], [-0.8, -0.8, 0.8], [-1, 1, -1], [1.1, -1.1, -1.1]])
    mirrored = chiral.copy()
    mirrored.positions[:, 0] *= -1
    pose = Pose()
    pose.take(chiral)
    pose.take(mirrored)
    drawn = pose.turned(mirrored).positions
    volume = np.linalg.det(drawn[1:4] - drawn[0])
    assert volume == pytest.approx(np.linalg.det(mirrored.positions[1:4] - mirrored.positions[0]))


def test_a_point_of_a_surface_stays_where_it_is():
    pose = Pose()
    point = Atoms("H", [[0.3, 1.2, 0.0]])
    pose.take(point)
    assert np.array_equal(pose.turned(point).positions, point.positions)
