"""Spread of a committee: the definitions say what they say, and symmetry does not change them."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from labkit.active_learning import ATOM_WISE, STRUCTURE_WISE, atom_error, atom_spread, member_forces, structure_spread


def forces(m=5, n=7, seed=0):
    return np.random.default_rng(seed).normal(size=(m, n, 3))


def test_two_members_that_differ_by_a_known_vector_have_the_spread_of_the_definition():
    pair = np.zeros((2, 1, 3))
    pair[0, 0], pair[1, 0] = (0.3, 0.0, 0.4), (-0.3, 0.0, -0.4)  # each 0.5 eV/Å from their mean
    assert atom_spread(pair, "component")[0] == pytest.approx(np.sqrt(2 * 0.25 / 3))
    assert atom_spread(pair, "vector")[0] == pytest.approx(np.sqrt(2 * 0.25))
    assert atom_spread(pair, "dp-gen")[0] == pytest.approx(0.5)


def test_the_component_spread_is_the_standard_deviation_of_a_component():
    samples = np.random.default_rng(1).normal(scale=0.2, size=(4000, 3, 3))
    assert atom_spread(samples) == pytest.approx(0.2, rel=0.02)


@pytest.mark.parametrize("definition", ATOM_WISE)
def test_rotation_order_of_members_and_order_of_atoms_do_not_matter(definition):
    members = forces()
    turned = members @ Rotation.random(rng=3).as_matrix().T
    order, atoms = [3, 0, 4, 1, 2], [6, 2, 4, 0, 1, 3, 5]
    expected = atom_spread(members, definition)
    assert atom_spread(turned[order], definition) == pytest.approx(expected)
    assert atom_spread(members[:, atoms], definition) == pytest.approx(expected[atoms])


def test_the_structure_wise_definitions_are_ordered():
    spreads = atom_spread(forces())
    worst, mean, square = (structure_spread(spreads, name) for name in STRUCTURE_WISE)
    assert mean < square < worst == spreads.max()


def test_the_error_is_the_root_mean_square_over_components():
    assert atom_error(np.array([[1.0, 2.0, 2.0]]), np.zeros((1, 3)))[0] == pytest.approx(3 / np.sqrt(3))
    members = forces()
    assert atom_error(members, members.mean(axis=0)) == pytest.approx(0, abs=1e-15)


def test_the_uncertainty_of_a_committee_is_the_largest_vector_spread():
    from ase.build import bulk

    from labkit.potentials.camp import CAMPSettings
    from labkit.potentials.committee import Committee

    atoms = bulk("Al", cubic=True)
    atoms.rattle(0.1, seed=1)
    committee = Committee.untrained(
        CAMPSettings(channels=4, max_v=1, n_layers=1, dtype="float64"), ["Al"], n_members=3, device="cpu"
    )
    (members,) = member_forces(committee, [atoms])
    assert members.shape == (3, 4, 3)
    said = committee.predict([atoms]).uncertainty[0]
    assert structure_spread(atom_spread(members, "vector")) == pytest.approx(said, rel=1e-9)
    (again,) = member_forces(list(committee.members), [atoms])
    assert again == pytest.approx(members, abs=1e-9)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (np.zeros((1, 2, 3)), "M ≥ 2"),
        (np.zeros((2, 3)), "M ≥ 2"),
        (np.full((2, 2, 3), np.nan), "not a finite number"),
    ],
)
def test_forces_without_a_spread_are_refused(wrong, sentence):
    with pytest.raises(ValueError, match=sentence):
        atom_spread(wrong)


def test_an_unknown_definition_names_the_known_ones():
    with pytest.raises(ValueError, match="component, vector, dp-gen"):
        atom_spread(forces(), "max")
    with pytest.raises(ValueError, match="largest, mean"):
        structure_spread(np.ones(3), "median")
    with pytest.raises(ValueError, match="not of the same atoms"):
        atom_error(np.zeros((2, 3)), np.zeros((3, 3)))
