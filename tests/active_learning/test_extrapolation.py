"""Extrapolation grade: the largest volume by brute force, grades of known rows, directions without data."""

from itertools import combinations

import numpy as np
import pytest

from labkit.active_learning import ActiveSet, maxvol, moment_tensor_grades
from labkit.active_learning.extrapolation import TOLERANCE


def rows(n, p, seed=0):
    return np.random.default_rng(seed).normal(size=(n, p))


@pytest.mark.parametrize("seed", range(5))
def test_maxvol_ends_where_no_swap_enlarges_the_volume_and_near_the_largest(seed):
    matrix = rows(12, 3, seed)
    found = maxvol(matrix)
    volume = abs(np.linalg.det(matrix[found]))
    largest = max(abs(np.linalg.det(matrix[list(each)])) for each in combinations(range(12), 3))
    assert np.abs(matrix @ np.linalg.inv(matrix[found])).max() <= TOLERANCE
    assert volume >= largest / 2


def test_the_same_set_as_moteps():
    maxvol_of_motep = pytest.importorskip("motep.grade.maxvol")
    matrix = rows(60, 6, 2)
    theirs = maxvol_of_motep.MaxVol().run(matrix).indices
    assert maxvol(matrix, tolerance=1 + 1e-9).tolist() == theirs.tolist()


def test_fitted_rows_interpolate_and_a_longer_row_extrapolates_by_its_length():
    matrix = rows(40, 5)
    active = ActiveSet.of(matrix)
    assert active.grades(matrix).max() <= TOLERANCE + 1e-9
    assert active.grades(matrix[active.rows]) == pytest.approx(1)
    assert active.grades(3 * matrix[active.rows]) == pytest.approx(3)


def test_the_grade_does_not_depend_on_the_units_of_a_descriptor():
    matrix, new = rows(40, 4), rows(10, 4, 9)
    units = np.array([1e-4, 1.0, 1e3, 1e5])
    assert ActiveSet.of(matrix * units).grades(new * units) == pytest.approx(ActiveSet.of(matrix).grades(new), rel=0.5)


def test_columns_that_repeat_each_other_are_reduced_and_a_new_direction_is_infinitely_far():
    matrix = rows(30, 3)
    doubled = np.hstack([matrix, matrix[:, :1] + matrix[:, 1:2]])
    active = ActiveSet.of(doubled)
    assert len(active.rows) == 3
    assert active.grades(doubled).max() <= TOLERANCE + 1e-9
    assert np.isinf(active.grades(doubled[0] + [0, 0, 0, 1.0]))


def test_fewer_structures_than_parameters_still_have_an_active_set():
    few = rows(3, 8)
    active = ActiveSet.of(few)
    assert sorted(active.rows) == [0, 1, 2]
    assert active.grades(few[0] * 2)[0] == pytest.approx(2)


def test_a_structure_is_as_far_out_as_its_worst_atom():
    active = ActiveSet.of(rows(40, 4))
    atoms = [rows(5, 4, 5), 10 * rows(2, 4, 6)]
    assert active.structure_grades(atoms) == pytest.approx([active.grades(each).max() for each in atoms])


def test_what_has_no_active_set_is_refused():
    with pytest.raises(ValueError, match="all zero"):
        ActiveSet.of(np.zeros((4, 2)))
    with pytest.raises(ValueError, match="span fewer"):
        maxvol(np.ones((5, 2)))
    with pytest.raises(ValueError, match="at least as many"):
        maxvol(rows(2, 3))
    with pytest.raises(ValueError, match="made with 4"):
        ActiveSet.of(rows(9, 4)).grades(rows(2, 3))


MOMENT_TENSOR_POTENTIAL = """MTP
version = 1.1.0
potential_name = pair
scaling = 1.0
species_count = 1
potential_tag =
radial_basis_type = RBChebyshev
	min_dist = 1.5
	max_dist = 5
	radial_basis_size = 3
	radial_funcs_count = 1
	radial_coeffs
		0-0
			{0.1, 0.2, 0.3}
alpha_moments_count = 1
alpha_index_basic_count = 1
alpha_index_basic = {{0, 0, 0, 0}}
alpha_index_times_count = 0
alpha_index_times = {}
alpha_scalar_moments = 1
alpha_moment_mapping = {0}
species_coeffs = {-0.5}
moment_coeffs = {1.0}
"""


@pytest.mark.parametrize("per_atom", [False, True])
def test_a_compressed_crystal_is_beyond_what_a_moment_tensor_potential_saw(tmp_path, per_atom):
    pytest.importorskip("motep")
    from ase.build import bulk

    def copper(seed, scale):
        atoms = bulk("Cu", cubic=True)
        atoms.set_cell(scale * atoms.cell.array, scale_atoms=True)
        atoms.rattle(0.1, seed=seed)
        return atoms

    path = tmp_path / "pair.mtp"
    path.write_text(MOMENT_TENSOR_POTENTIAL)
    training = [copper(seed, 1 + 0.01 * seed) for seed in range(8)]
    grades = moment_tensor_grades(path, training, [*training, copper(1, 0.8)], ["Cu"], per_atom=per_atom)
    assert grades[:-1].max() <= 1 + 1e-6
    assert grades[-1] > 2
