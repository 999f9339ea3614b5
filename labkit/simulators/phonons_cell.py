"""The two cells of a phonon calculation: the primitive one that vibrates, and the supercell that holds its forces.

Both are chosen here and described in a sentence, since most wrong phonons are right phonons of the wrong cell.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from ase import Atoms
from ase.geometry import minkowski_reduce

from labkit.errors import InvalidStructure, InvalidTask

#: What atoms of one element may differ in; a cell with any of these stays as it was given.
PERSONAL = ("initial_magmoms", "initial_charges", "tags", "masses")


def require_crystal(atoms: Atoms) -> None:
    """Raise InvalidStructure, with what to do instead, for anything that is not periodic in three directions."""
    name = atoms.info.get("name") or atoms.get_chemical_formula()
    if not atoms.pbc.any():
        raise InvalidStructure(
            f"{name} is a molecule; phonons are waves in a crystal. For its vibrations use "
            "ase.vibrations.Vibrations with labkit.potentials.load(...).calculator()."
        )
    if not atoms.pbc.all():
        raise InvalidStructure(
            f"{name} is not periodic in all three directions. For a slab or a wire keep its vacuum and set "
            "atoms.pbc = True."
        )
    if not abs(np.linalg.det(np.asarray(atoms.cell))) > 1e-6:
        raise InvalidStructure(f"{name} has no cell with a volume; give three cell vectors.")
    require_masses(atoms)


def require_masses(atoms: Atoms) -> None:
    """Raise InvalidStructure for an atom without a mass: nothing would hold its vibration back."""
    masses = atoms.get_masses()
    bad = np.flatnonzero(~((masses > 0) & np.isfinite(masses)))
    if len(bad):
        raise InvalidStructure(
            f"atom {bad[0]} ({atoms.symbols[bad[0]]}) has the mass {masses[bad[0]]:g}; phonons need a positive one. "
            "Without atoms.arrays['masses'] the mass of the element is used."
        )


def primitive(atoms: Atoms, symprec_A: float) -> tuple[Atoms, str, str]:
    """The primitive cell by spglib (idealised, in its standard orientation), its space group, and what was done.

    Atoms of one element that differ in magnetic moment, charge, tag or mass would become equal: then the cell stays.
    """
    from labkit.structures.symmetry import dataset, primitive_cell

    require_crystal(atoms)
    found = dataset(atoms, symprec_A)
    group = "" if found is None else str(found.international)
    differing = [name for name in PERSONAL if name in atoms.arrays and _differs(atoms, atoms.arrays[name])]
    cell = None if found is None or differing else primitive_cell(atoms, symprec_A)
    if cell is None:
        because = f"its atoms differ in {', '.join(differing)}" if differing else "spglib finds no symmetry"
        return atoms.copy(), group, f"the cell of {atom_count(atoms)} is used as given, since {because}"
    made = Atoms(cell[2], cell=cell[0], scaled_positions=cell[1], pbc=True)
    made.info = {key: atoms.info[key] for key in ("name",) if key in atoms.info}
    for name in [name for name in PERSONAL if name in atoms.arrays]:
        made.set_array(name, np.array([atoms.arrays[name][atoms.numbers == number][0] for number in made.numbers]))
    if len(made) == len(atoms):
        return made, group, f"{group}, {atom_count(made)}: the cell given is primitive already"
    return (
        made,
        group,
        f"{group}: {atom_count(made)} in the primitive cell that spglib finds, {len(atoms)} in the one given",
    )


def supercell(atoms: Atoms, given: Sequence[int] | None, length_A: float, most_atoms: int) -> tuple[np.ndarray, str]:
    """Supercell matrix (3, 3) in phonopy's convention, and a sentence.

    given: three or nine integers, or None: then n_1 x n_2 x n_3 with no lattice vector shorter than `length_A` (up to
    5 %), even where possible, so that waves at the border of the Brillouin zone fit, and at most `most_atoms` atoms.
    """
    if given is not None:
        matrix = supercell_matrix(given)
        atoms_in = len(atoms) * abs(round(np.linalg.det(matrix)))
        return matrix, f"supercell {describe(matrix)} of the primitive cell as asked for, {atoms_in} atoms"
    lengths, enough = atoms.cell.lengths(), 0.95 * length_A
    counts = np.maximum(1, np.ceil(enough / lengths - 1e-3).astype(int))
    while _shortest(atoms, counts) < enough and counts.max() < 50:  # a skew cell has shorter vectors yet
        counts = counts + _alike(lengths, counts * lengths, np.argmin)
    even = counts + (counts % 2) * (counts > 1)
    counts = even if len(atoms) * even.prod() <= most_atoms else counts
    while len(atoms) * counts.prod() > most_atoms and counts.max() > 1:
        counts = counts - _alike(lengths, np.where(counts > 1, counts * lengths, 0.0), np.argmax)
    shortest = _shortest(atoms, counts)
    said = f"supercell {describe(np.diag(counts))}, {len(atoms) * counts.prod()} atoms, "
    if shortest >= enough:
        return np.diag(counts), said + f"no lattice vector below {shortest:.1f} Å"
    return np.diag(counts), (
        said + f"its shortest lattice vector is only {shortest:.1f} Å, since {length_A:g} Å would take more than "
        f"{most_atoms} atoms: forces beyond {shortest / 2:.1f} Å are folded back"
    )


def supercell_matrix(given: Sequence[int]) -> np.ndarray:
    """(3, 3) integers from three, or nine row by row: column k is the k-th vector of the supercell in primitive ones.

    Raises InvalidTask for other numbers and for a cell without volume.
    """
    numbers = [int(number) for number in given]
    if len(numbers) not in (3, 9):
        raise InvalidTask(f"a supercell is three numbers, or nine for a 3 x 3 matrix, not {len(numbers)}.")
    matrix = np.diag(numbers) if len(numbers) == 3 else np.array(numbers).reshape(3, 3)
    if round(np.linalg.det(matrix)) < 1:
        raise InvalidTask(f"the supercell {numbers} has no positive volume; three numbers of at least 1 are safe.")
    return matrix


def describe(matrix: Any) -> str:
    """A supercell matrix in words: 2x2x2."""
    matrix = np.asarray(matrix)
    if np.array_equal(matrix, np.diag(np.diag(matrix))):
        return "x".join(str(number) for number in np.diag(matrix))
    return str(matrix.tolist())


def atom_count(atoms: Atoms) -> str:
    """The number of atoms in words."""
    return f"{len(atoms)} atom{'s' if len(atoms) > 1 else ''}"


def _shortest(atoms: Atoms, counts: np.ndarray) -> float:
    """Length (Å) of the shortest lattice vector of a supercell: how far an atom is from its own image."""
    reduced, _ = minkowski_reduce(np.asarray(atoms.cell) * counts[:, None])
    return float(np.linalg.norm(reduced, axis=1).min())


def _alike(lengths: np.ndarray, scores: np.ndarray, pick: Any) -> np.ndarray:
    """1 for the vector that `pick` picks and for all of its length: what symmetry makes equal is repeated equally."""
    return (np.abs(lengths - lengths[pick(scores)]) < 1e-2).astype(int)


def unequal_spins(atoms: Atoms) -> bool:
    """Whether atoms of one element differ in what phonopy's symmetry does not see and forces may depend on."""
    names = ("initial_magmoms", "initial_charges")
    return any(_differs(atoms, atoms.arrays[name]) for name in names if name in atoms.arrays)


def _differs(atoms: Atoms, values: np.ndarray) -> bool:
    return any(np.ptp(values[atoms.numbers == number], axis=0).max() > 1e-9 for number in np.unique(atoms.numbers))
