"""Partly filled sites: refused unless asked for, and then ordered with the composition of the file."""

import time

import pytest
from ase.formula import Formula

from labkit import structures
from labkit.errors import BudgetExceeded, InvalidStructure
from labkit.structures import read

HEADER = """data_x
_cell_length_a {a}
_cell_length_b {a}
_cell_length_c {a}
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_symmetry_space_group_name_H-M '{group}'
loop_
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
_atom_site_occupancy
"""
SALT = HEADER.format(a=5.9, group="F m -3 m") + "Na 0 0 0 {na}\nK 0 0 0 {k}\nCl 0.5 0.5 0.5 1\n"
# Kraft et al., J. Am. Chem. Soc. 139, 10909 (2017): Li6PS5Cl with half of the 48h sites filled (positions rounded).
ARGYRODITE = (
    HEADER.format(a=9.859, group="F -4 3 m")
    + "Cl 0 0 0 1\nP 0.5 0.5 0.5 1\nS 0.25 0.25 0.25 1\nS 0.6188 0.6188 0.6188 1\nLi 0.3185 0.025 0.6815 0.5\n"
)


def reduced(atoms):
    return Formula(atoms.get_chemical_formula()).reduce()[0].count()


def test_partial_occupancy_is_refused_with_the_shares_and_the_way_out():
    with pytest.raises(InvalidStructure) as caught:
        read(SALT.format(na=0.5, k=0.5), filename="salt.cif")
    assert caught.value.reasons == [
        "4 sites of salt.cif are shared or partly filled (Na 0.5, K 0.5). A simulation needs whole atoms: ask for an "
        'ordered cell with ordering="smallest".'
    ]


@pytest.mark.parametrize(("na", "k", "n_atoms"), [(0.5, 0.5, 4), (0.75, 0.25, 8), (0.333, 0.667, 6)])
def test_a_solid_solution_is_ordered_in_the_smallest_cell(na, k, n_atoms):
    atoms = read(SALT.format(na=na, k=k), filename="salt.cif", ordering="smallest")
    assert len(atoms) == n_atoms
    counts = reduced(atoms)
    assert counts["Na"] / (counts["Na"] + counts["K"]) == pytest.approx(na, abs=0.01)
    assert counts["Cl"] == counts["Na"] + counts["K"]
    assert atoms.get_volume() == pytest.approx(5.9**3 / 8 * n_atoms)
    assert "one of many possible orders" in atoms.info["mended"][0]


def test_the_argyrodite_is_ordered_with_one_lithium_for_each_pair():
    atoms = read(ARGYRODITE, filename="lpsc.cif", ordering="smallest")
    assert reduced(atoms) == {"Li": 6, "P": 1, "S": 5, "Cl": 1}
    assert len(atoms) == 13
    distances = atoms[atoms.symbols == "Li"].get_all_distances(mic=True)
    # The two halves of a pair are 1.9 Å apart: charges keep them from being filled both.
    assert distances[distances > 0].min() > 2.0


def test_the_same_file_gives_the_same_order():
    first, second = (read(ARGYRODITE, ordering="smallest") for _ in range(2))
    assert (first.positions == second.positions).all()


def test_many_possible_orders_are_not_searched_for_ever():
    start = time.perf_counter()
    atoms = read(ARGYRODITE.replace("0.6815 0.5", "0.6815 0.55"), ordering="smallest")
    assert time.perf_counter() - start < 20  # 0.1 s on an idle machine; the full search took minutes
    assert reduced(atoms) == {"Li": 33, "P": 5, "S": 25, "Cl": 5}


def test_metals_without_charges_are_ordered_too():
    text = HEADER.format(a=3.7, group="F m -3 m") + "Cu 0 0 0 0.5\nAu 0 0 0 0.5\n"
    atoms = read(text, ordering="smallest")
    assert reduced(atoms) == {"Cu": 1, "Au": 1}


def test_vacancies_are_ordered():
    atoms = read(SALT.format(na=0.5, k=0.25).replace("Cl 0.5 0.5 0.5 1", "Cl 0.5 0.5 0.5 0.75"), ordering="smallest")
    assert reduced(atoms) == {"Na": 2, "K": 1, "Cl": 3}


def test_an_occupancy_that_no_small_cell_can_hold_is_refused():
    with pytest.raises(InvalidStructure, match="No supercell of up to 16 primitive cells"):
        read(SALT.format(na=0.99, k=0.01), ordering="smallest")


def test_an_ordering_obeys_the_budget():
    with pytest.raises(BudgetExceeded):
        read(SALT.format(na=0.75, k=0.25), ordering="smallest", max_atoms=7)


def test_a_full_file_is_left_as_it_is_when_an_ordering_is_asked_for():
    atoms = read(SALT.format(na=1, k=1).replace("K 0 0 0 1\n", ""), ordering="smallest")
    assert len(atoms) == 8
    assert structures.space_group(atoms)[1] == 225
