"""Huang-Rhys factors: input that must not pass, each with the sentence that says why."""

import numpy as np
import pytest

from labkit.analysis.luminescence import huang_rhys, huang_rhys_from_forces
from labkit.analysis.luminescence_data import nv_diamond
from labkit.analysis.luminescence_modes import NormalModes, normal_modes
from labkit.errors import InvalidStructure

from .luminescence_toys import crystal


@pytest.fixture(scope="module")
def nv():
    return nv_diamond()


@pytest.fixture(scope="module")
def nv_modes(nv):
    return normal_modes(nv.ground, nv.hessian_eV_A2)


def test_imaginary_modes_are_refused_unless_dropped():
    atoms, hessian = crystal()
    values, vectors = np.linalg.eigh(hessian)
    values[0] = -3.0
    modes = normal_modes(atoms, vectors * values @ vectors.T)
    excited = atoms.copy()
    excited.positions[0, 0] += 0.05
    with pytest.raises(InvalidStructure, match=r"1 mode\(s\) are imaginary, down to \d+\.\di meV.*Relax them"):
        huang_rhys(modes, atoms, excited)
    with pytest.raises(InvalidStructure, match="imaginary"):
        huang_rhys_from_forces(modes, np.zeros((6, 3)), np.ones((6, 3)))
    dropped = huang_rhys(modes, atoms, excited, imaginary="drop")
    assert len(dropped) == 17
    assert len(dropped.left_out) == 1
    assert dropped.left_out[0] < 0
    with pytest.raises(ValueError, match="unknown"):
        huang_rhys(modes, atoms, excited, imaginary="perhaps")
    with pytest.raises(ValueError, match="acoustic_meV"):
        huang_rhys(modes, atoms, excited, acoustic_meV=0)
    with pytest.raises(InvalidStructure, match="no mode has"):
        huang_rhys(modes, atoms, excited, acoustic_meV=1e5)


def _changed(atoms, what):
    other = atoms.copy()
    if what == "nan":
        other.positions[3, 1] = np.nan
    elif what == "fewer":
        del other[0]
    elif what == "species":
        other.numbers[:2] = other.numbers[1::-1]
    elif what == "order":
        other.positions[[1, 60]] = other.positions[[60, 1]]
    elif what == "cell":
        other.set_cell(1.01 * other.cell.array)
    return other


HOSTILE = {
    "nan": "position of atom 3 in the excited state is not finite",
    "fewer": "215 and 214 atoms",
    "species": "atom 0 is N in the ground and C in the excited",
    "order": r"moves by .* Å between the states, over 1 Å. Are the atoms in the same order",
    "cell": "cells of both states differ",
}


@pytest.mark.parametrize("what", HOSTILE)
def test_geometries_that_do_not_belong_together_are_refused(nv, nv_modes, what):
    with pytest.raises(InvalidStructure, match=HOSTILE[what]):
        huang_rhys(nv_modes, nv.ground, _changed(nv.excited, what))


def test_modes_of_something_else_are_refused(nv):
    atoms, hessian = crystal()
    with pytest.raises(InvalidStructure, match="6 masses for 215 atoms"):
        huang_rhys(normal_modes(atoms, hessian), nv.ground, nv.excited)


def test_modes_whose_atoms_are_ordered_otherwise_are_refused(nv, nv_modes):
    order = np.roll(np.arange(215), -1)
    with pytest.raises(InvalidStructure, match="atom 0 is C in the ground state and N in the modes; sort both alike"):
        huang_rhys(nv_modes, nv.ground[order], nv.excited[order])
    order = np.append(0, np.arange(214, 0, -1))
    with pytest.raises(InvalidStructure, match=r"from its place in the modes, over 1 Å\. Are the force constants"):
        huang_rhys(nv_modes, nv.ground[order], nv.excited[order])
    shrunk = nv.ground.copy()
    shrunk.set_cell(0.9 * shrunk.cell.array, scale_atoms=True)
    with pytest.raises(InvalidStructure, match="belong to another cell"):
        huang_rhys(nv_modes, shrunk, shrunk)
    shifted = nv.ground.copy(), nv.excited.copy()
    for atoms in shifted:
        atoms.translate(0.5 * atoms.cell.array.sum(axis=0))
        atoms.wrap()
    assert huang_rhys(nv_modes, *shifted).total == pytest.approx(2.9271, abs=1e-4)


def test_force_constants_that_are_none_are_refused():
    atoms, hessian = crystal()
    with pytest.raises(InvalidStructure, match=r"6 atoms need \(18, 18\)"):
        normal_modes(atoms, hessian[:-1, :-1])
    with pytest.raises(InvalidStructure, match="not symmetric"):
        normal_modes(atoms, np.triu(hessian + 5))
    broken = hessian.copy()
    broken[7, 2] = np.nan
    with pytest.raises(InvalidStructure, match="not finite at atom 2"):
        normal_modes(atoms, broken)
    massless = atoms.copy()
    massless.set_masses([1, 0, 1, 1, 1, 1])
    with pytest.raises(InvalidStructure, match="atom 1 has the mass 0"):
        normal_modes(massless, hessian)
    with pytest.raises(InvalidStructure, match="squared length"):
        NormalModes(atoms, np.ones(1), np.ones((1, 6, 3)))
    with pytest.raises(InvalidStructure, match="do not fit"):
        NormalModes(atoms, np.ones(2), np.ones((1, 6, 3)))
    with pytest.raises(InvalidStructure, match="not finite"):
        NormalModes(atoms, np.array([np.nan]), np.ones((1, 6, 3)))


def test_forces_that_are_none_are_refused():
    atoms, hessian = crystal()
    modes = normal_modes(atoms, hessian)
    good = np.zeros((6, 3))
    with pytest.raises(InvalidStructure, match=r"ground state have shape \(5, 3\)"):
        huang_rhys_from_forces(modes, good[:5], good)
    bad = good.copy()
    bad[4, 0] = np.inf
    with pytest.raises(InvalidStructure, match="force on atom 4 in the excited state is not finite"):
        huang_rhys_from_forces(modes, good, bad)
