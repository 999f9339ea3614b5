"""Builders: the right number of atoms in the right cell, the same again for the same seed, the argument untouched."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit import structures
from labkit.errors import BudgetExceeded, InvalidStructure
from labkit.structures.contacts import nearest_contacts
from labkit.structures.field import to_dict

CRYSTALS = [entry.name for entry in structures.entries() if entry.kind == "crystal"]
named = structures.named


@pytest.mark.parametrize("name", CRYSTALS)
def test_primitive_and_conventional_cells_are_the_same_crystal(name):
    atoms = named(name)
    primitive, conventional = structures.primitive(atoms), structures.conventional(atoms)
    for cell in (primitive, conventional):
        assert structures.space_group(cell)[1] == structures.entry(name).space_group
        assert structures.describe(cell).density_g_cm3 == pytest.approx(structures.describe(atoms).density_g_cm3)
        assert cell.info["name"] == name
    assert len(primitive) <= len(conventional)
    assert len(structures.conventional(primitive)) == len(conventional)


@pytest.mark.parametrize(("name", "count"), [("Cu", 1), ("NaCl", 2), ("LiCoO2", 4), ("LiTi2(PO4)3", 36), ("W", 1)])
def test_primitive_cells_have_the_known_number_of_atoms(name, count):
    assert len(structures.primitive(named(name))) == count


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(["LiCoO2", "Cu", "Li2CO3", "LiC6"]), st.floats(3, 16))
def test_a_supercell_is_the_smallest_with_the_wanted_width(name, edge):
    atoms = structures.primitive(named(name))
    large = structures.supercell(atoms, edge)
    widths = structures.cell_widths(large)
    assert np.all(widths >= edge - 1e-6)
    times = np.round(widths / structures.cell_widths(atoms))
    assert np.all(widths - structures.cell_widths(atoms) < edge)
    assert len(large) == len(atoms) * np.prod(times)


def test_a_supercell_of_a_million_atoms_is_a_question_of_budget():
    start = time.perf_counter()
    with pytest.raises(BudgetExceeded, match=r"1,000,188 atoms .* max_atoms=1000188"):
        structures.repeat(named("Cu"), (63, 63, 63))
    with pytest.raises(BudgetExceeded):
        structures.supercell(named("Cu"), 5000.0)
    with pytest.raises(BudgetExceeded):
        structures.repeat(named("Cu"), (10**9, 10**9, 10**9))
    assert time.perf_counter() - start < 1
    assert len(structures.repeat(named("Cu"), (18, 18, 18), max_atoms=30_000)) == 23_328


@pytest.mark.parametrize("times", [(0, 1, 1), (1, 1), (-1, 1, 1), (1.5, 1, 1)])
def test_a_repetition_needs_three_whole_numbers(times):
    with pytest.raises(InvalidStructure, match="three whole numbers"):
        structures.repeat(named("Cu"), times)


def test_a_molecule_has_neither_a_supercell_nor_a_strain():
    for build in (
        lambda m: structures.repeat(m, (2, 1, 1)),
        lambda m: structures.supercell(m, 10),
        lambda m: structures.strain(m, [0.01] * 6),
        structures.primitive,
        structures.conventional,
    ):
        with pytest.raises(InvalidStructure, match="periodic"):
            build(named("water"))


def test_a_transformation_multiplies_volume_and_atoms_by_its_determinant():
    atoms = structures.primitive(named("Cu"))
    cubic = structures.transform(atoms, [[-1, 1, 1], [1, -1, 1], [1, 1, -1]])
    assert len(cubic) == 4
    assert cubic.cell.angles() == pytest.approx([90, 90, 90])
    with pytest.raises(InvalidStructure, match="determinant"):
        structures.transform(atoms, [[1, 0, 0], [1, 0, 0], [0, 0, 1]])


def test_strain_changes_the_metric_as_it_should():
    atoms = named("MgO")
    strained = structures.strain(atoms, [0.01, -0.02, 0.03, 0, 0, 0.04])
    assert strained.get_volume() / atoms.get_volume() == pytest.approx((1.01 * 0.98 - 0.02**2) * 1.03)
    assert np.allclose(strained.get_scaled_positions(), atoms.get_scaled_positions())
    matrix = np.array([[0.01, 0.02, 0], [0.02, -0.02, 0], [0, 0, 0.03]])
    assert np.allclose(structures.strain(atoms, matrix).cell, strained.cell)
    # Engineering shear: the angle between a and b closes by gamma to first order.
    sheared = structures.strain(atoms, [0, 0, 0, 0, 0, 1e-4])
    assert np.radians(90 - sheared.cell.angles()[2]) == pytest.approx(1e-4, rel=1e-3)


@pytest.mark.parametrize(
    ("amount", "sentence"),
    [([1, 2], "six finite numbers"), ([-5, 0, 0, 0, 0, 0], "in per cent"), ([np.nan] * 6, "six")],
)
def test_an_impossible_strain_is_refused(amount, sentence):
    with pytest.raises(InvalidStructure, match=sentence):
        structures.strain(named("Cu"), amount)


def test_vacancies_remove_what_was_asked_for():
    atoms = named("LiFePO4")
    defective = structures.vacancy(atoms, "Li", 2, seed=4)
    assert defective.symbols.count("Li") == 2
    assert len(defective) == 26
    assert len(atoms) == 28


@pytest.mark.parametrize(
    ("symbol", "count", "sentence"),
    [
        ("Li", 5, "5 Li atoms were asked for, but 4"),
        ("K", 1, "but 0"),
        ("Qq", 1, "not an element"),
        ("Li", -1, "-1 Li"),
    ],
)
def test_an_impossible_vacancy_is_refused(symbol, count, sentence):
    with pytest.raises(InvalidStructure, match=sentence):
        structures.vacancy(named("LiFePO4"), symbol, count)


def test_substitution_by_count_by_fraction_and_of_all():
    atoms = named("LiTi2(PO4)3")
    assert structures.substitute(atoms, "Ti", "Al", count=3).symbols.count("Al") == 3
    assert structures.substitute(atoms, "Ti", "Al", fraction=0.25).symbols.count("Al") == 3
    assert structures.substitute(atoms, "Ti", "Zr").symbols.count("Ti") == 0
    with pytest.raises(InvalidStructure, match="not both"):
        structures.substitute(atoms, "Ti", "Al", count=1, fraction=0.5)
    with pytest.raises(InvalidStructure, match="less than half an atom"):
        structures.substitute(atoms, "Ti", "Al", fraction=0.01)
    with pytest.raises(InvalidStructure, match="between 0 and 1"):
        structures.substitute(atoms, "Ti", "Al", fraction=50)


def test_a_substituted_atom_takes_its_own_mass_and_loses_its_moment():
    atoms = named("LiFePO4")
    atoms.set_masses(np.full(28, 5.0))
    atoms.set_initial_magnetic_moments(np.full(28, 4.0))
    changed = structures.substitute(atoms, "Fe", "Mn")
    manganese = changed.symbols == "Mn"
    assert changed.get_masses()[manganese] == pytest.approx(54.938, abs=1e-3)
    assert set(changed.get_masses()[~manganese]) == {5.0}
    assert set(changed.get_initial_magnetic_moments()[manganese]) == {0.0}


def test_anion_disorder_exchanges_half_of_the_chlorine_with_free_sulfide():
    atoms = named("Li6PS5Cl")
    free = structures.unbound(atoms, "S", "P")
    assert len(free) == 4  # one free sulfide for each formula unit
    sites = np.concatenate([free, np.flatnonzero(atoms.symbols == "Cl")])
    mixed = structures.swap_disorder(atoms, "Cl", "S", 0.5, seed=3, among=sites)
    assert mixed.get_chemical_formula() == atoms.get_chemical_formula()
    assert np.array_equal(mixed.positions, atoms.positions)
    assert np.sum(mixed.symbols[free] == "Cl") == 2
    assert len(structures.unbound(mixed, "S", "P")) == 4
    with pytest.raises(InvalidStructure, match="two different elements"):
        structures.swap_disorder(atoms, "S", "S", 0.5)


@pytest.mark.parametrize(
    "build",
    [
        lambda a, seed: structures.vacancy(a, "Li", 5, seed=seed),
        lambda a, seed: structures.substitute(a, "S", "O", fraction=0.3, seed=seed),
        lambda a, seed: structures.swap_disorder(a, "Cl", "S", 0.5, seed=seed),
        lambda a, seed: structures.rattle(a, 0.1, seed=seed),
    ],
)
def test_the_seed_decides(build):
    atoms = named("Li6PS5Cl")
    before = atoms.copy()
    assert build(atoms, 7) == build(atoms, 7)
    assert build(atoms, 7) != build(atoms, 8)
    assert atoms == before


def test_rattling_has_the_wanted_size_and_no_drift():
    atoms = structures.repeat(named("Cu"), (6, 6, 6))
    moved = structures.rattle(atoms, 0.05, seed=1)
    vectors = moved.positions - atoms.positions
    vectors -= np.round(vectors @ np.linalg.inv(np.asarray(atoms.cell))) @ np.asarray(atoms.cell)
    assert vectors.std() == pytest.approx(0.05, rel=0.05)
    assert vectors.mean(axis=0) == pytest.approx(np.zeros(3), abs=1e-12)
    with pytest.raises(InvalidStructure, match="between 0 and 1"):
        structures.rattle(atoms, 3.0)


# Area of the primitive surface cell in units of a²: textbook surfaces of fcc, bcc, diamond and rock salt.
SURFACES = [
    ("Cu", (1, 1, 1), np.sqrt(3) / 4),
    ("Cu", (1, 0, 0), 1 / 2),
    ("Cu", (1, 1, 0), 1 / np.sqrt(2)),
    ("W", (1, 1, 0), 1 / np.sqrt(2)),
    ("W", (1, 0, 0), 1.0),
    ("Si", (1, 1, 1), np.sqrt(3) / 4),
    ("MgO", (1, 0, 0), 1 / 2),
]


@pytest.mark.parametrize(("name", "plane", "area"), SURFACES)
def test_a_slab_has_the_primitive_surface_cell_of_the_textbook(name, plane, area):
    atoms = named(name)
    slab = structures.slab(atoms, plane, 9.0, 12.0)
    assert np.linalg.norm(np.cross(slab.cell[0], slab.cell[1])) == pytest.approx(area * atoms.cell.lengths()[0] ** 2)
    assert np.allclose(slab.cell[:2, 2], 0)
    assert np.allclose(slab.cell[2, :2], 0)


@pytest.mark.parametrize("name", ["LiCoO2", "Li2CO3", "LiFePO4", "Zr", "Li6PS5Cl", "Ba3Fe3O8"])
@pytest.mark.parametrize("plane", [(0, 0, 1), (1, 0, 4), (1, -1, 0), (2, 1, 3)])
def test_a_slab_keeps_composition_thickness_vacuum_and_bonds(name, plane):
    atoms = named(name)
    slab = structures.slab(atoms, plane, 8.0, 10.0)
    count = {symbol: n / len(atoms) for symbol, n in structures.describe(atoms).composition.items()}
    assert {s: n / len(slab) for s, n in structures.describe(slab).composition.items()} == pytest.approx(count)
    extent = np.ptp(slab.positions[:, 2])
    assert extent >= 8.0 - 1e-6
    assert slab.cell[2, 2] - extent == pytest.approx(10.0)
    assert nearest_contacts(slab, 4.0)[0][2] == pytest.approx(nearest_contacts(atoms, 4.0)[0][2], abs=1e-3)


@pytest.mark.parametrize("plane", [(1, 0, 4), (2, 1, 3)])
def test_a_slab_without_vacuum_is_the_crystal_again(plane):
    slab = structures.slab(named("LiCoO2"), plane, 8.0, 0.0)
    assert structures.space_group(slab)[1] == 166
    assert len(structures.primitive(slab)) == 4


def test_multiples_of_a_plane_are_the_same_plane():
    assert structures.slab(named("Cu"), (2, 2, 2), 9, 10) == structures.slab(named("Cu"), (1, 1, 1), 9, 10)


@pytest.mark.parametrize(
    ("plane", "thickness", "vacuum", "sentence"),
    [
        ((0, 0, 0), 9, 9, "not all zero"),
        ((1, 1), 9, 9, "three whole"),
        ((1, 0.5, 0), 9, 9, "three whole"),
        ((1, 1, 1), -1, 9, "Thickness"),
    ],
)
def test_an_impossible_slab_is_refused(plane, thickness, vacuum, sentence):
    with pytest.raises(InvalidStructure, match=sentence):
        structures.slab(named("Cu"), plane, thickness, vacuum)


def test_a_slab_obeys_the_budget():
    with pytest.raises(BudgetExceeded):
        structures.slab(named("Li6PS5Cl"), (1, 1, 1), 9000.0, 10.0)


def test_a_larger_budget_is_asked_for_once_and_then_holds_for_builders_and_tasks():
    copper = structures.named("Cu")
    with pytest.raises(BudgetExceeded, match=r"23,328 atoms .* pass max_atoms=23328 to the builder"):
        structures.repeat(copper, (18, 18, 18))
    large = structures.repeat(copper, (18, 18, 18), max_atoms=30_000)
    assert len(structures.vacancy(large, "Cu")) == 23_327
    assert len(structures.as_structure(to_dict(large))) == 23_328
