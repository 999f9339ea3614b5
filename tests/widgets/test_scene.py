"""What the viewer draws, as data."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from labkit_widgets import scene


def test_water_has_two_bonds_and_is_one_group():
    atoms = molecule("H2O")
    pairs = scene.bonds(atoms)
    assert sorted(map(tuple, np.sort(pairs, axis=1).tolist())) == [(0, 1), (0, 2)]
    assert set(scene.groups(3, pairs)) == {0}


def test_no_stick_is_drawn_to_a_mobile_ion_or_between_metals():
    salt = bulk("NaCl", "rocksalt", a=5.64, cubic=True)
    copper = bulk("Cu", cubic=True)
    assert len(scene.bonds(salt)) == 0
    assert len(scene.bonds(copper)) == 0


def test_an_ion_that_left_the_cell_is_drawn_inside_and_a_vibrating_one_does_not_jump():
    atoms = Atoms("Li2", [[12.0, 1.0, 1.0], [-0.5, 1.0, 1.0]], cell=[10, 10, 10], pbc=True)
    shown = scene.wrapped(atoms, scene.groups(2, scene.bonds(atoms)))
    assert shown[0] == pytest.approx([2.0, 1.0, 1.0])
    assert shown[1] == pytest.approx([-0.5, 1.0, 1.0])


def test_a_molecule_is_wrapped_as_a_whole():
    atoms = molecule("H2O", cell=[10, 10, 10], pbc=True)
    atoms.positions += [25.0, 5.0, 5.0]
    shown = scene.wrapped(atoms, scene.groups(3, scene.bonds(atoms)))
    assert np.allclose(shown - shown[0], atoms.positions - atoms.positions[0])
    assert 0 < shown[:, 0].mean() < 10


def test_a_molecule_without_a_cell_has_no_cell_lines_and_a_crystal_has_twelve():
    assert scene.cell_lines(molecule("CO2"))["edges"] == []
    assert len(scene.cell_lines(bulk("Si"))["edges"]) == 12


def test_the_pdb_text_has_one_line_for_each_atom_and_bond_with_fixed_columns():
    atoms = molecule("H2O")
    lines = scene.pdb(atoms.get_chemical_symbols(), atoms.positions, scene.bonds(atoms)).splitlines()
    assert [line[:6].strip() for line in lines] == ["HETATM"] * 3 + ["CONECT"] * 2 + ["END"]
    assert [line[76:78].strip() for line in lines[:3]] == ["O", "H", "H"]
    assert float(lines[0][46:54]) == pytest.approx(atoms.positions[0, 2], abs=1e-3)


def test_an_unknown_style_is_refused_with_the_list_of_styles():
    with pytest.raises(ValueError, match="ball and stick"):
        scene.representation("cartoon")


def test_the_legend_counts_each_element_and_gives_its_colour():
    assert scene.legend(molecule("CO2")) == [("O", "#ff0d0d", 2), ("C", "#909090", 1)]
