"""The two cells of a phonon calculation: which one vibrates, which one holds the forces, and what is said of both."""

import numpy as np
from ase import Atoms
from ase.build import bulk

from labkit.simulators.phonons import Phonons
from labkit.simulators.phonons_cell import primitive, supercell
from labkit.simulators.phonons_member import Member
from labkit.structures import named

LJ = "tests.simulators.phonons_models:LennardJones"


def test_primitive_cells_and_supercells_are_chosen_and_said():
    cell, group, said = primitive(named("NaCl").repeat((2, 1, 1)), 0.01)
    assert (len(cell), group) == (2, "Fm-3m")
    assert said == "Fm-3m: 2 atoms in the primitive cell that spglib finds, 16 in the one given"
    marked = bulk("Cu", cubic=True)
    marked.set_tags([1, 0, 0, 0])
    kept, _, said = primitive(marked, 0.01)
    assert len(kept) == 4
    assert "used as given, since its atoms differ in tags" in said
    cubic = Atoms("Cs", cell=[4.0, 4.0, 4.0], pbc=True)
    matrix, said = supercell(cubic, None, 10.0, 400)
    assert np.diag(matrix).tolist() == [4, 4, 4]  # three would do for 10 Å, but no wave at the border fits three
    assert said == "supercell 4x4x4, 64 atoms, no lattice vector below 16.0 Å"
    few, said = supercell(cubic, None, 10.0, 20)
    assert abs(np.linalg.det(few)) <= 20
    assert "is only 8.0 Å, since 10 Å would take more than 20 atoms: forces beyond 4.0 Å are folded back" in said
    skew = Atoms("Cs", cell=[[4, 0, 0], [15.5, 4, 0], [0, 0, 4]], pbc=True)  # its own vectors deceive
    wide, said = supercell(skew, None, 10.0, 4000)
    assert "no lattice vector below" in said
    assert np.linalg.norm(np.array([-4, 1, 0]) @ np.diag(np.diag(wide)) @ skew.cell.array) > 9.5
    asked, said = supercell(cubic, [1, 1, 0, -1, 1, 0, 0, 0, 2], 10, 1)
    assert round(np.linalg.det(asked)) == 4
    assert "as asked for, 4 atoms" in said


def test_supercells_keep_the_symmetry_of_the_lattice_and_one_that_breaks_it_is_told():
    rhombohedral, _, _ = primitive(named("LiCoO2"), 0.01)
    for most in (60, 120, 400):
        matrix, _ = supercell(rhombohedral, None, 10.0, most)
        assert len(set(np.diag(matrix))) == 1
    hexagonal, _, _ = primitive(named("Mg"), 0.01)
    counts = np.diag(supercell(hexagonal, None, 10.0, 70)[0])
    assert counts[0] == counts[1]
    task = Phonons(structures=[bulk("Ar", "fcc", 5.25)], potential=LJ, supercell=[2, 2, 3])
    member = Member(0, task.structures[0], task)
    member.displace()
    member.displace()  # as a resumed run does
    [said] = member.warnings
    assert "breaks the symmetry of the crystal" in said


def test_moments_that_symmetry_does_not_see_are_told():
    atoms = bulk("Ar", "fcc", 5.25, cubic=True)
    for moments, told in (([1, 1, 1, 1], 0), ([1, -1, -1, 1], 1)):
        atoms.set_initial_magnetic_moments(moments)
        task = Phonons(structures=[atoms], potential=LJ, supercell=[2, 2, 2])
        member = Member(0, task.structures[0], task)
        member.displace()
        assert sum("differ in magnetic moment" in said for said in member.warnings) == told
