import json

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, make_supercell

from labkit.analysis import rdf
from labkit.errors import BudgetExceeded, InvalidStructure


@pytest.mark.parametrize("cubic", [True, False], ids=["cubic cell", "primitive rhombohedral cell"])
def test_fcc_has_12_neighbours_at_a_over_root_2_then_6_24_and_12(cubic):
    a = 3.61
    result = rdf(bulk("Cu", "fcc", a=a, cubic=cubic), r_max_A=8.0, bins=400)  # far beyond half of the cell
    shells = a * np.sqrt(np.arange(1, 5) / 2)
    expected = np.cumsum([12, 6, 24, 12])
    for distance, neighbours in zip(shells, expected, strict=True):
        assert result.coordination_at(distance + 0.05) == pytest.approx(neighbours)
        assert result.coordination_at(distance - 0.05) == pytest.approx(
            neighbours - np.diff([0, *expected])[shells == distance][0]
        )
    assert result.peak_A == pytest.approx(a / np.sqrt(2), abs=result.bin_A)


def test_an_ideal_gas_has_g_equal_to_one():
    rng = np.random.default_rng(0)
    cell = np.array([[14.0, 0, 0], [5.0, 13.0, 0], [-4.0, 3.0, 12.0]])
    gas = [Atoms("Ar400", rng.random((400, 3)) @ cell, cell=cell, pbc=True) for _ in range(10)]
    result = rdf(gas, r_max_A=9.0, bins=9)
    np.testing.assert_allclose(result.g[1:], 1.0, atol=0.02)
    density = 400 / gas[0].get_volume()
    assert result.coordination[-1] == pytest.approx(density * 4 / 3 * np.pi * 9.0**3, rel=0.01)


def test_a_binary_ideal_gas_has_g_equal_to_one_for_each_pair():
    rng = np.random.default_rng(1)
    gas = [Atoms(["Li"] * 100 + ["O"] * 300, rng.random((400, 3)) * 15, cell=[15] * 3, pbc=True) for _ in range(15)]
    for pair in (("Li", "Li"), ("Li", "O"), ("O", "Li")):
        assert rdf(gas, r_max_A=8.0, bins=4, pair=pair).g[2:] == pytest.approx(1.0, abs=0.04)


def test_rock_salt_pairs_are_told_apart():
    salt = bulk("NaCl", "rocksalt", a=5.64, cubic=True)
    unlike = rdf(salt, pair=("Na", "Cl"), r_max_A=6.0)
    assert unlike.peak_A == pytest.approx(2.82, abs=unlike.bin_A)
    assert unlike.coordination_at(3.5) == pytest.approx(6)
    like = rdf(salt, pair=("Na", "Na"), r_max_A=6.0)
    assert like.coordination_at(4.5) == pytest.approx(12)
    assert like.coordination_at(3.5) == 0


def test_the_coordination_of_a_counts_its_b_neighbours_and_not_the_reverse():
    fluorite = bulk("CaF2", "fluorite", a=5.46, cubic=True)
    assert rdf(fluorite, pair=("Ca", "F"), r_max_A=5.0).coordination_at(3.0) == pytest.approx(8)
    assert rdf(fluorite, pair=("F", "Ca"), r_max_A=5.0).coordination_at(3.0) == pytest.approx(4)


def test_cell_choice_handedness_and_wrapping_do_not_matter():
    cell = bulk("Si", cubic=True)
    cell.rattle(0.05, seed=1)
    reference = rdf(cell, r_max_A=7.0)
    outside = cell.copy()
    outside.positions += np.array([[3, -2, 5]]) @ cell.cell.array * np.arange(len(cell))[:, None]
    left_handed = make_supercell(cell, [[0, 1, 0], [1, 0, 0], [0, 0, 1]])
    skew = make_supercell(cell, [[1, 0, 0], [2, 1, 0], [-1, 3, 1]])
    for other in (outside, left_handed, skew):
        np.testing.assert_allclose(rdf(other, r_max_A=7.0).coordination, reference.coordination, atol=0.3)
        np.testing.assert_allclose(rdf(other, r_max_A=7.0).coordination[-1], reference.coordination[-1])


def test_the_result_becomes_json():
    assert json.loads(json.dumps(rdf(bulk("Cu"), pair=("Cu", "Cu")).to_dict(), allow_nan=False))["pair"] == ["Cu", "Cu"]


def test_what_has_no_density_is_refused():
    with pytest.raises(InvalidStructure, match="not periodic in three directions"):
        rdf(Atoms("H2", [[0, 0, 0], [0, 0, 0.74]]))
    slab = bulk("Cu", cubic=True)
    slab.pbc = [True, True, False]
    with pytest.raises(InvalidStructure, match="periodic cell first"):
        rdf(slab)


def test_bad_requests_are_refused_with_the_limit():
    copper = bulk("Cu")
    with pytest.raises(InvalidStructure, match="species Li not in the trajectory; present: Cu"):
        rdf(copper, pair=("Cu", "Li"))
    with pytest.raises(ValueError, match="r_max_A=-1"):
        rdf(copper, r_max_A=-1)
    with pytest.raises(ValueError, match="bins=0"):
        rdf(copper, bins=0)
    with pytest.raises(BudgetExceeded, match="take a smaller r_max_A"):
        rdf(copper, r_max_A=1000.0)
    with pytest.raises(ValueError, match=r"lies outside of 0 to 8 Å; .* larger r_max_A"):
        rdf(copper).coordination_at(9.0)
    assert rdf(copper, r_max_A=1.0).peak_A is None
