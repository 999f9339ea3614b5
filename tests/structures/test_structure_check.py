"""The gate: what it mends stays the same crystal, what it refuses it names."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from labkit import structures
from labkit.errors import BudgetExceeded, InvalidStructure
from labkit.structures import check
from labkit.structures.contacts import nearest_contacts


def reasons(atoms, **options):
    with pytest.raises(InvalidStructure) as caught:
        check(atoms, **options)
    return caught.value.reasons


def periodic_distances(atoms):
    """Shortest periodic distances by brute force over two shells of images."""
    shifts = np.array(list(np.ndindex(5, 5, 5))) - 2
    vectors = atoms.positions[None] - atoms.positions[:, None]
    images = vectors[:, :, None] + (shifts * atoms.pbc) @ np.asarray(atoms.cell)
    return np.linalg.norm(images, axis=-1).min(axis=2)


def test_no_atoms_are_refused():
    assert reasons(Atoms()) == ["There are no atoms. Give at least one."]


def test_something_else_than_atoms_is_refused():
    assert "ase.Atoms" in reasons("Cu")[0]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_position_that_is_no_number_is_named(value):
    atoms = structures.named("NaCl")
    atoms.positions[3, 1] = value
    assert "Atom 3 (Na) has the position" in reasons(atoms)[0]


def test_an_atom_at_a_million_kilometres_is_refused():
    assert "Are the units right?" in reasons(Atoms("H2", positions=[[0, 0, 0], [1e300, 0, 0]]))[0]


def test_an_unknown_element_is_named():
    assert "Atom 1 has the unknown element 'X'" in reasons(Atoms("HX", positions=[[0, 0, 0], [1, 0, 0]]))[0]


def test_an_atomic_number_beyond_the_table_is_named():
    atoms = Atoms("H2", positions=[[0, 0, 0], [1, 0, 0]])
    atoms.numbers[1] = 200
    assert "Z=200" in reasons(atoms)[0]


def test_a_flat_cell_is_refused():
    atoms = Atoms("Cu", cell=[[3, 0, 0], [0, 3, 0], [3, 3, 0]], pbc=True)
    assert "flat" in reasons(atoms)[0]


def test_a_missing_lattice_vector_is_refused():
    assert "lattice vector c has zero length" in reasons(Atoms("Cu", cell=[3, 3, 0], pbc=True))[0]


def test_a_cell_with_nan_is_refused():
    atoms = Atoms("Cu", cell=[3, 3, np.nan], pbc=True)
    assert "not a number" in reasons(atoms)[0]


def test_a_cell_of_a_third_of_an_angstrom_is_refused():
    assert reasons(Atoms("Cu", cell=[0.3, 4, 4], pbc=True)) == [
        "The cell repeats after 0.3 Å; at least 1.0 Å is needed for a real crystal. Are the lattice vectors in Å?"
    ]
    assert "0.03 Å thick" in reasons(Atoms("Cu", cell=[0.03, 4, 4], pbc=True))[0]


def test_a_skew_cell_of_a_sound_crystal_is_accepted():
    atoms = Atoms("Cu", cell=np.array([[1, 0, 0], [3, 1, 0], [3, 3, 1]]) @ np.diag([3.0, 3.0, 3.0]), pbc=True)
    assert structures.cell_widths(atoms).min() < 1
    assert len(check(atoms)) == 1


def test_overlapping_atoms_are_named_with_their_distance_and_the_limit():
    atoms = structures.named("LiCoO2")
    atoms.positions[1] = atoms.positions[4] + [0.31, 0, 0]
    text = reasons(atoms)[0]
    assert "Atoms 1 (Li) and 4 (Co) are 0.31 Å apart; nothing closer than 0.6 Å" in text


def test_overlap_across_the_cell_face_is_found():
    atoms = Atoms("CuO", positions=[[0.05, 2, 2], [3.9, 2, 2]], cell=[4, 4, 4], pbc=True)
    assert "0.15 Å apart" in reasons(atoms)[0]
    atoms.pbc = [False, True, True]
    check(atoms)


def test_an_atom_too_close_to_its_own_image_is_found():
    assert (
        "its own periodic image are 1.10 Å" in reasons(Atoms("Cu", cell=[1.1, 4, 4], pbc=True), min_distance_A=1.2)[0]
    )


def test_a_collapsed_structure_lists_a_few_pairs_and_counts_the_rest():
    texts = reasons(Atoms("H5000", positions=np.zeros((5000, 3)), cell=[50] * 3, pbc=True))
    assert len(texts) == 4
    assert texts[-1].startswith("... and ")


def test_every_reason_is_listed_at_once():
    atoms = Atoms("HX", positions=[[np.nan, 0, 0], [0, 0, 0]], cell=[0.3, 4, 4], pbc=True)
    assert len(reasons(atoms)) == 3


def test_partial_occupancy_is_refused_with_the_way_out():
    atoms = structures.named("Li")
    atoms.info["occupancy"] = {"0": {"Li": 0.5, "Na": 0.5}, "1": {"Li": 1.0}}
    text = reasons(atoms)[0]
    assert "Site 0 is shared: Li 0.5, Na 0.5" in text
    assert 'ordering="smallest"' in text


def test_too_many_atoms_are_a_question_of_budget():
    with pytest.raises(BudgetExceeded, match=r"20,001 atoms .* max_atoms=20001"):
        check(Atoms("H20001", positions=np.zeros((20001, 3))))


def test_the_argument_is_left_alone():
    atoms = structures.named("Cu")
    atoms.positions += 5
    before = atoms.positions.copy()
    check(atoms)
    assert np.array_equal(atoms.positions, before)
    assert "mended" not in atoms.info


@pytest.mark.parametrize("name", ["LiCoO2", "Li2CO3", "Li10Si2S9", "Zr"])
def test_a_left_handed_cell_becomes_the_same_crystal_right_handed(name):
    right = structures.named(name)
    left = right.copy()
    left.set_cell(np.asarray(right.cell)[[1, 0, 2]], scale_atoms=False)
    assert np.linalg.det(np.asarray(left.cell)) < 0
    mended = check(left)
    assert np.linalg.det(np.asarray(mended.cell)) > 0
    assert "left-handed" in mended.info["mended"][0]
    assert mended.get_volume() == pytest.approx(right.get_volume())
    assert structures.space_group(mended) == structures.space_group(right)
    if len(right) < 30:
        assert np.allclose(periodic_distances(mended), periodic_distances(right), atol=1e-9)
    # The same lattice: each old vector is a whole-number combination of the new ones.
    whole = np.asarray(left.cell) @ np.linalg.inv(np.asarray(mended.cell))
    assert np.allclose(whole, np.round(whole), atol=1e-9)


def test_momenta_and_moments_survive_the_mending():
    atoms = structures.named("LiCoO2")
    generator = np.random.default_rng(0)
    atoms.set_momenta(generator.normal(size=(12, 3)))
    atoms.set_initial_magnetic_moments(generator.normal(size=12))
    atoms.set_cell(-np.asarray(atoms.cell), scale_atoms=False)
    mended = check(atoms)
    assert np.array_equal(mended.get_momenta(), atoms.get_momenta())
    assert np.array_equal(mended.get_initial_magnetic_moments(), atoms.get_initial_magnetic_moments())


def test_wrapping_leaves_open_directions_alone():
    atoms = Atoms("Cu", positions=[[9, 9, 9]], cell=[4, 4, 4], pbc=[True, True, False])
    mended = check(atoms)
    assert mended.positions[0].tolist() == [1, 1, 9]
    assert mended.info["mended"] == ["1 atom outside of the cell moved to the periodic image inside."]
    assert check(atoms, wrap=False).positions[0].tolist() == [9, 9, 9]


cells = hnp.arrays(float, (3, 3), elements=st.floats(-1.5, 1.5)).map(lambda noise: np.diag([6.0, 5.0, 7.0]) + noise)
fractions = hnp.arrays(float, (4, 3), elements=st.floats(-4, 4))


ON_THE_FACE = np.array([[1 - 1e-9, 0, 0], [-1e-9, 0, 0], [1, 0, 0], [-3e-9, 1 - 2e-16, 0]])


@settings(max_examples=60, deadline=None)
@given(cells, fractions, st.booleans())
@example(np.diag([6.0, 5.0, 7.0]), np.eye(4, 3), True)
@example(np.diag([6.0, 5.0, 7.0]), ON_THE_FACE, False)
@example(np.diag([6.0, 5.0, 7.0]), ON_THE_FACE, True)
def test_check_keeps_all_periodic_distances_and_is_idempotent(cell, fraction, flip):
    atoms = Atoms("LiCoO2", scaled_positions=fraction, cell=-cell if flip else cell, pbc=True)
    once = check(atoms, min_distance_A=0)
    # Compare both after wrapping, so that two shells of images are enough.
    wrapped = atoms.copy()
    wrapped.wrap()
    assert np.allclose(periodic_distances(once), periodic_distances(wrapped), atol=1e-8)
    twice = check(once, min_distance_A=0)
    assert np.array_equal(twice.positions, once.positions)
    assert np.array_equal(np.asarray(twice.cell), np.asarray(once.cell))
    assert twice.info.get("mended") == once.info.get("mended")


@settings(max_examples=60, deadline=None)
@given(cells, fractions, st.floats(0.3, 2.0), st.tuples(st.booleans(), st.booleans(), st.booleans()))
def test_the_nearest_contact_agrees_with_brute_force(cell, fraction, limit, pbc):
    atoms = Atoms("LiCoO2", scaled_positions=fraction, cell=cell, pbc=pbc)
    atoms.wrap(eps=0)
    distances = periodic_distances(atoms)
    brute = distances[np.triu_indices(4, 1)].min()
    contacts = [c for c in nearest_contacts(atoms, limit) if c[0] != c[1]]
    if brute < limit - 1e-9:
        assert contacts[0][2] == pytest.approx(brute, abs=1e-9)
    elif brute > limit + 1e-9:
        assert not contacts


def test_twenty_thousand_atoms_are_checked_in_a_second():
    import time

    big = bulk("Cu", cubic=True).repeat((17, 17, 17))
    start = time.perf_counter()
    check(big)
    assert time.perf_counter() - start < 3  # 0.1 s on an idle machine
