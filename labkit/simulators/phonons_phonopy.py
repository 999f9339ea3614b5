"""Between ASE and phonopy: crystals there and back, quietly, and always with the primitive cell it was given."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from ase import Atoms

from labkit.errors import InvalidStructure

if TYPE_CHECKING:
    from phonopy import Phonopy

SYMPREC_A = 1e-4
#: A wave vector without any symmetry of its own, and by what part dynamical matrices on its star may differ.
ANYWHERE, ALIKE = (0.137, 0.291, 0.419), 1e-4


def phonopy_cell(atoms: Atoms) -> Any:
    """PhonopyAtoms of an ASE structure, with its masses (amu)."""
    from phonopy.structure.atoms import PhonopyAtoms

    return PhonopyAtoms(
        symbols=atoms.get_chemical_symbols(),
        cell=np.asarray(atoms.cell),
        scaled_positions=atoms.get_scaled_positions(wrap=False),
        masses=atoms.get_masses(),
    )


def ase_cell(cell: Any) -> Atoms:
    """ASE structure of PhonopyAtoms."""
    return Atoms(cell.symbols, cell=cell.cell, scaled_positions=cell.scaled_positions, masses=cell.masses, pbc=True)


def bare_phonopy(atoms: Atoms, supercell_matrix: np.ndarray, *, symmetry: bool = True) -> Phonopy:
    """A phonopy object without forces, whose primitive cell is `atoms` as it stands."""
    from phonopy import Phonopy

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the supercell is less symmetric: `less_symmetric` says it in words
        return Phonopy(
            phonopy_cell(atoms),
            supercell_matrix=np.asarray(supercell_matrix),
            primitive_matrix="P",
            symprec=SYMPREC_A,
            is_symmetry=symmetry,
        )


def less_symmetric(phonon: Phonopy) -> bool:
    """Whether the shape of the supercell breaks symmetries of the crystal."""
    whole, part = phonon.primitive_symmetry.pointgroup_operations, phonon.symmetry.pointgroup_operations
    return len(part) < len(whole)


def has_isotopes(atoms: Atoms) -> bool:
    """Whether atoms of one element differ in mass: phonopy's symmetry does not see it, but the modes do."""
    masses = atoms.get_masses()
    return any(np.ptp(masses[atoms.numbers == number]) > 1e-9 for number in np.unique(atoms.numbers))


def to_phonopy(atoms: Atoms, supercell_matrix: np.ndarray, force_constants_eV_A2: np.ndarray) -> Phonopy:
    """The phonopy object of a harmonic crystal; symmetry is used only where masses and force constants have it."""
    phonon = bare_phonopy(atoms, supercell_matrix, symmetry=not has_isotopes(atoms))
    phonon.force_constants = np.array(force_constants_eV_A2, dtype="double", order="C")
    if not symmetric_forces(phonon):
        phonon = bare_phonopy(atoms, supercell_matrix, symmetry=False)
        phonon.force_constants = np.array(force_constants_eV_A2, dtype="double", order="C")
    return phonon


def symmetric_forces(phonon: Phonopy) -> bool:
    """Whether the force constants have the point group of the atoms, so that omega(R q) = omega(q) for its rotations R.

    Magnetic order, or a supercell of another shape, takes it from them; a sum over the irreducible wave vectors would
    then be wrong. Compared are trace and norm of D(R q), sum omega^2 and sum omega^4, which cost no diagonalisation.
    """
    matrix, found = phonon.dynamical_matrix, []
    for rotation in phonon.primitive_symmetry.pointgroup_operations:
        matrix.run(rotation.T @ ANYWHERE)
        found.append((np.trace(matrix.dynamical_matrix).real, np.linalg.norm(matrix.dynamical_matrix)))
    return bool((np.ptp(found, axis=0) <= ALIKE * np.linalg.norm(found, axis=1).max()).all())


def of_phonopy(phonon: Phonopy) -> tuple[Atoms, np.ndarray, np.ndarray]:
    """Primitive cell, supercell matrix of that cell and full force constants in the order of `bare_phonopy`."""
    from phonopy.harmonic.force_constants import compact_fc_to_full_fc

    if phonon.force_constants is None:
        raise InvalidStructure("this phonopy object has no force constants; call produce_force_constants() first.")
    constants = np.array(phonon.force_constants)
    if constants.shape[0] != constants.shape[1]:
        constants = compact_fc_to_full_fc(phonon.primitive, constants)
    atoms = ase_cell(phonon.primitive)
    matrix = np.rint((phonon.supercell.cell @ np.linalg.inv(phonon.primitive.cell)).T).astype(int)
    order = _order(bare_phonopy(atoms, matrix).supercell, phonon.supercell)
    return atoms, matrix, constants[np.ix_(order, order)]


def _order(wanted: Any, given: Any) -> np.ndarray:
    """For each atom of the supercell `wanted` the index of the same atom in `given`."""
    inverse = np.linalg.inv(given.cell)
    apart = (wanted.positions @ inverse)[:, None] - (given.positions @ inverse)[None]
    far = np.linalg.norm((apart - np.rint(apart)) @ given.cell, axis=-1)
    if (far.min(axis=1) > 1e-3).any():
        raise InvalidStructure("the supercell of this phonopy object is not made of its primitive cell.")
    return far.argmin(axis=1)
