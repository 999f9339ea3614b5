"""Each library entry is what it says it is: formula, space group, distances, source."""

import subprocess
import sys

import numpy as np
import pytest
from ase.formula import Formula

from labkit import structures
from labkit.errors import InvalidStructure
from labkit.structures.contacts import nearest_contacts

ENTRIES = {entry.name: entry for entry in structures.entries()}
CRYSTALS = [name for name, entry in ENTRIES.items() if entry.kind == "crystal"]
MOLECULES = [name for name, entry in ENTRIES.items() if entry.kind == "molecule"]
ISSUE = """LiCoO2 LiMnO2 LiFePO4 graphite LiC6 LiC12 Li6PS5Cl LiTi2(PO4)3 LiMgPO4 LiTiPO5 Li8SiSe6 Li2BaSnS4 BaFeO3
Li3Zr2Si2PO12 Cu Zr Al W Si NaCl MgO water ethanol benzene naphthalene H2 CO2 O2"""

# Shortest bond in Å by the elements of the pair: a site typed wrongly shows here before anything is computed from it.
SHORTEST = {"PO": 1.45, "CO": 1.1, "PS": 1.95, "SiS": 2.0, "SnS": 2.3, "GeS": 2.1, "MnO": 1.85, "CoO": 1.85, "FeO": 1.8}
# Densities from cell and formula, g/cm³; measured ones as in the CRC Handbook, to 2 %.
DENSITIES = {"Cu": 8.96, "Al": 2.70, "W": 19.3, "Zr": 6.52, "Si": 2.33, "diamond": 3.51, "NaCl": 2.17, "MgO": 3.60}


def test_the_library_has_at_least_thirty_structures_and_those_of_the_issue():
    assert len(structures.names()) >= 30
    assert set(ISSUE.split()) <= set(structures.names())


@pytest.mark.parametrize("name", list(ENTRIES))
def test_an_entry_has_a_title_a_source_and_the_formula_of_its_atoms(name):
    entry = structures.entry(name)
    assert entry.title
    assert len(entry.source) > 20
    atoms = structures.named(name)
    reduced = Formula(atoms.get_chemical_formula()).reduce()[0].count()
    assert reduced == Formula(entry.formula).reduce()[0].count()
    assert atoms.info["name"] == name
    assert atoms.info["source"] == entry.source


@pytest.mark.parametrize("name", CRYSTALS)
def test_spglib_finds_the_stated_space_group(name):
    atoms = structures.named(name)
    assert structures.space_group(atoms, symprec_A=1e-2)[1] == ENTRIES[name].space_group
    assert np.linalg.det(np.asarray(atoms.cell)) > 0
    assert atoms.pbc.all()
    assert "mended" not in atoms.info


@pytest.mark.parametrize("name", list(ENTRIES))
def test_no_two_atoms_are_closer_than_a_bond(name):
    atoms = structures.named(name)
    contacts = nearest_contacts(atoms, 1.3)
    assert all({atoms.symbols[i], atoms.symbols[j]} & {"H", "C", "N", "O"} for i, j, _ in contacts)
    assert all(distance > 0.7 for *_, distance in contacts)
    assert name in MOLECULES or not [c for c in contacts if c[2] < 1.2]


@pytest.mark.parametrize("name", CRYSTALS)
def test_known_bonds_have_their_length(name):
    atoms = structures.named(name)
    for i, j, distance in nearest_contacts(atoms, 2.5):
        pair = {atoms.symbols[i] + atoms.symbols[j], atoms.symbols[j] + atoms.symbols[i]}
        for bond in pair & set(SHORTEST):
            assert distance > SHORTEST[bond], (i, j, distance)


@pytest.mark.parametrize(("name", "density"), DENSITIES.items())
def test_the_density_is_the_measured_one(name, density):
    assert structures.describe(structures.named(name)).density_g_cm3 == pytest.approx(density, rel=0.02)


@pytest.mark.parametrize("name", MOLECULES)
def test_a_molecule_is_one_piece_without_a_cell(name):
    atoms = structures.named(name)
    assert not atoms.pbc.any()
    assert structures.describe(atoms).volume_A3 is None
    distances = atoms.get_all_distances()
    reached = {0}
    while True:
        near = {int(j) for i in reached for j in np.flatnonzero(distances[i] < 1.7)}
        if near <= reached:
            break
        reached |= near
    assert len(reached) == len(atoms)


def test_naphthalene_has_the_bonds_of_the_x_ray_structure():
    # Abrahams, Robertson, White, Acta Crystallogr. 2, 238 (1949): 1.36, 1.395, 1.395 and 1.42 Å, each good to 0.01 Å.
    carbon = structures.named("naphthalene")[:10]
    bonds = sorted(d for d in carbon.get_all_distances()[np.triu_indices(10, 1)] if d < 1.6)
    expected = sorted([1.36] * 4 + [1.395] * 3 + [1.42] * 4)
    assert len(bonds) == 11
    assert bonds == pytest.approx(expected, abs=0.03)


def test_oxygen_is_a_triplet():
    assert structures.named("O2").get_initial_magnetic_moments().tolist() == [1.0, 1.0]


def test_lithium_iron_phosphate_has_the_capacity_of_its_formula():
    # 169.9 mAh/g for one electron for each formula unit (methods B, 1.2).
    mass = structures.named("LiFePO4").get_masses().sum() / 4
    assert 26801 / mass == pytest.approx(169.9, abs=0.1)


def test_a_named_structure_is_a_fresh_copy():
    first = structures.named("Cu")
    first.positions += 1.0
    first.info["name"] = "spoiled"
    again = structures.named("Cu")
    assert again.positions[0].tolist() == [0, 0, 0]
    assert again.info["name"] == "Cu"


@pytest.mark.parametrize(("wrong", "hint"), [("licoo2", "LiCoO2"), ("etanol", "ethanol"), ("xyzzy", "names()")])
def test_an_unknown_name_is_refused_with_a_hint(wrong, hint):
    with pytest.raises(InvalidStructure, match="no structure named") as caught:
        structures.named(wrong)
    assert hint in str(caught.value)


def test_the_room_opens_without_torch_pymatgen_or_a_notebook():
    code = (
        "import sys, time; start = time.time(); from labkit import structures; structures.named('LiCoO2'); "
        "heavy = {'torch', 'pymatgen', 'ipywidgets', 'pandas', 'matplotlib'} & set(sys.modules); "
        "print(time.time() - start, *heavy)"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert printed[1:] == []
    assert float(printed[0]) < 5  # 0.6 s on an idle machine


def test_a_source_that_nobody_looked_up_says_so():
    unchecked = [entry.name for entry in structures.entries() if "from memory" in entry.source]
    assert len(unchecked) == 18
    assert {"LiCoO2", "LiFePO4", "graphite", "NaCl"} <= set(unchecked)
    assert not any("methods notes" in entry.source for entry in structures.entries())
