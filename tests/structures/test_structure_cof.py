"""The framework of benzene rings: its formula, its bonds, its symmetry, and how layers are stacked."""

import numpy as np
import pytest
from ase.neighborlist import neighbor_list

from labkit.errors import InvalidStructure
from labkit.structures import check, space_group
from labkit.structures.build_cof import phenylene_framework, stacked


@pytest.mark.parametrize(("rings", "formula"), [(1, "C30H18"), (2, "C48H30"), (3, "C66H42")])
def test_the_formula_is_that_of_the_rings_on_each_edge(rings, formula):
    assert phenylene_framework(rings).get_chemical_formula() == formula


@pytest.mark.parametrize("twist_deg", [0.0, 30.0])
def test_every_carbon_has_three_bonds_and_every_hydrogen_one(twist_deg):
    layer = check(phenylene_framework(2, twist_deg=twist_deg))
    bonds = np.bincount(neighbor_list("i", layer, {("C", "C"): 1.6, ("C", "H"): 1.2}), minlength=len(layer))
    assert (bonds[layer.numbers == 6] == 3).all()
    assert (bonds[layer.numbers == 1] == 1).all()
    lengths = neighbor_list("d", layer, {("C", "C"): 1.6})
    assert set(lengths.round(6)) == {1.40, 1.49}
    assert (np.bincount((lengths > 1.45).astype(int)) / 2 == [48, 9]).all()  # 8 rings of 6; three edges of three bonds


def test_the_planar_layer_has_the_symmetry_of_a_honeycomb():
    layer = phenylene_framework(2)
    assert space_group(layer) == ("P6/mmm", 191)
    assert layer.cell.lengths()[0] == pytest.approx(np.sqrt(3) * (6 * 1.40 + 3 * 1.49), abs=1e-9)
    assert np.ptp(layer.positions[:, 2]) < 1e-9


def test_a_twist_turns_neighbouring_rings_against_each_other():
    layer = phenylene_framework(2, twist_deg=20.0)
    height = layer.positions[:, 2] - 10.0
    assert height.max() == pytest.approx((1.40 + 1.08) * np.sqrt(3) / 2 * np.sin(np.radians(20.0)))
    assert abs(height.mean()) < 1e-9


def test_layers_stand_at_the_distance_and_shift_asked_for():
    layer = phenylene_framework(2)
    pair = stacked(layer, 3.4, (1 / 3, 1 / 3), vacuum_A=15.0)
    assert len(pair) == 156
    assert pair.cell.lengths()[2] == pytest.approx(18.4)
    heights = np.unique(pair.positions[:, 2].round(6))
    assert np.diff(heights) == pytest.approx(3.4)
    eclipsed = stacked(layer, 3.4)
    assert _atoms_over_atoms(eclipsed) == 78
    assert _atoms_over_atoms(pair) == 6  # one node over the other kind of node
    assert space_group(eclipsed)[1] == 191
    assert space_group(pair)[1] != 191


def _atoms_over_atoms(pair) -> int:
    vectors = neighbor_list("D", pair, 3.5)
    return int((np.linalg.norm(vectors[:, :2], axis=1) < 1e-6).sum() / 2)


@pytest.mark.parametrize("rings", [0, 2.5, 40])
def test_a_number_of_rings_that_means_nothing_is_refused(rings):
    with pytest.raises(InvalidStructure, match="1 to 6 phenylenes"):
        phenylene_framework(rings)


def test_impossible_distances_are_refused():
    with pytest.raises(InvalidStructure, match="cannot be built"):
        phenylene_framework(2, vacuum_A=1.0)
    with pytest.raises(InvalidStructure, match="cannot be built"):
        stacked(phenylene_framework(2), -1.0)
    flat = phenylene_framework(2)
    flat.pbc = [True, True, False]
    with pytest.raises(InvalidStructure, match="periodic in three directions"):
        stacked(flat, 3.4)
