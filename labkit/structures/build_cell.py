"""Choose another cell of the same crystal: conventional, primitive, repeated, or large enough; or deform it.

Each function returns a new, checked structure and leaves its argument alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ase import Atoms
from ase.build import make_supercell

from labkit.errors import InvalidStructure
from labkit.structures.check import MAX_ATOMS, ask_for_budget, check
from labkit.structures.symmetry import SYMPREC_A, dataset, primitive_cell


def conventional(atoms: Atoms, *, symprec_A: float = SYMPREC_A) -> Atoms:
    """Return the conventional cell of a crystal in spglib's standard setting, idealised to its space group.

    Per-atom data other than elements (moments, momenta, tags) is dropped, since atoms are merged or multiplied. Raises
    InvalidStructure when no symmetry can be found within `symprec_A` (Å).
    """
    _need_crystal(atoms, "A conventional cell")
    data = dataset(atoms, symprec_A)
    if data is None:
        raise InvalidStructure(
            f"spglib finds no symmetry within {symprec_A} Å; check the structure, or take another symprec_A."
        )
    return _rebuilt(atoms, data.std_lattice, data.std_positions, data.std_types)


def primitive(atoms: Atoms, *, symprec_A: float = SYMPREC_A) -> Atoms:
    """Return a smallest cell of a crystal, in spglib's standard setting; data and errors as in `conventional`."""
    _need_crystal(atoms, "A primitive cell")
    whole = conventional(atoms, symprec_A=symprec_A)
    # The standard cell is exact to rounding, so a tight tolerance is enough, and the two agree on the symmetry.
    cell = primitive_cell(whole, 1e-4)
    if cell is None:
        raise InvalidStructure(f"spglib finds no primitive cell within {symprec_A} Å; check the structure.")
    return _rebuilt(atoms, *cell)


def repeat(atoms: Atoms, times: Sequence[int], *, max_atoms: int = MAX_ATOMS) -> Atoms:
    """Return the cell repeated (n_a, n_b, n_c) times; raises BudgetExceeded before more than `max_atoms` atoms are
    built.
    """
    numbers = [int(n) for n in times]
    if len(numbers) != 3 or min(numbers) < 1 or any(n != m for n, m in zip(numbers, times, strict=True)):
        raise InvalidStructure(f"Repeat needs three whole numbers of at least 1, not {tuple(times)}.")
    faults = [
        f"The structure is not periodic along {'abc'[i]}; it can be repeated once only."
        for i in range(3)
        if numbers[i] > 1 and not atoms.pbc[i]
    ]
    if faults:
        raise InvalidStructure(faults)
    ask_for_budget(len(atoms) * int(np.prod(numbers, dtype=object)), max_atoms)
    return check(atoms.repeat(numbers), max_atoms=max_atoms)


def supercell(atoms: Atoms, min_edge_A: float, *, max_atoms: int = MAX_ATOMS) -> Atoms:
    """Return the smallest repetition whose perpendicular widths are all at least `min_edge_A` (Å).

    Widths, not lengths of the lattice vectors: they decide how far an atom is from its own image in a skew cell. Raises
    BudgetExceeded before more than `max_atoms` atoms are built.
    """
    if not 0 < min_edge_A < 1e6:
        raise InvalidStructure(f"The smallest edge must be a positive length in Å, not {min_edge_A}.")
    _need_crystal(atoms, "A supercell")
    widths = cell_widths(atoms)
    return repeat(atoms, [int(np.ceil(min_edge_A / width - 1e-9)) for width in widths], max_atoms=max_atoms)


def cell_widths(atoms: Atoms) -> np.ndarray:
    """Return the three perpendicular widths (3,) of the cell in Å."""
    return 1.0 / np.linalg.norm(np.linalg.inv(np.asarray(atoms.cell)), axis=0)


def transform(atoms: Atoms, matrix: Sequence[Sequence[int]], *, max_atoms: int = MAX_ATOMS) -> Atoms:
    """Return the cell whose rows are integer combinations (3, 3) of the lattice vectors, filled with atoms."""
    _need_crystal(atoms, "A transformed cell")
    rows = np.array(matrix, dtype=float)
    volume = abs(np.linalg.det(rows)) if rows.shape == (3, 3) else 0.0
    if volume < 0.5 or not np.allclose(rows, np.round(rows)):
        raise InvalidStructure(
            f"The transformation must be three rows of whole numbers with a determinant other than 0, not {matrix}."
        )
    ask_for_budget(round(volume) * len(atoms), max_atoms)
    return check(make_supercell(atoms, np.round(rows).astype(int)), max_atoms=max_atoms)


def strain(atoms: Atoms, amount: Sequence[float] | Sequence[Sequence[float]] | np.ndarray) -> Atoms:
    """Return the crystal deformed by a small strain, its atoms moving with the cell: ``cell → cell (1 + ε)``.

    `amount` is ε as a (3, 3) matrix or in Voigt order (xx, yy, zz, yz, xz, xy) with engineering shear, without units.
    Raises InvalidStructure for a wrong shape or a strain that turns the cell inside out.
    """
    _need_crystal(atoms, "Strain")
    epsilon = np.array(amount, dtype=float)
    if epsilon.shape == (6,):
        xx, yy, zz, yz, xz, xy = epsilon
        epsilon = np.array([[xx, xy / 2, xz / 2], [xy / 2, yy, yz / 2], [xz / 2, yz / 2, zz]])
    if epsilon.shape != (3, 3) or not np.all(np.isfinite(epsilon)):
        raise InvalidStructure(
            f"A strain is six finite numbers (Voigt) or a 3×3 matrix, not {np.array(amount).tolist()}."
        )
    deformation = np.eye(3) + epsilon
    if np.linalg.det(deformation) < 0.05:
        raise InvalidStructure(
            f"This strain leaves {np.linalg.det(deformation):.3g} of the volume; at least 0.05 is allowed. Is it "
            "in per cent?"
        )
    result = atoms.copy()
    result.set_cell(np.asarray(atoms.cell) @ deformation, scale_atoms=True)
    return check(result)


def _need_crystal(atoms: Atoms, what: str) -> None:
    if not atoms.pbc.all() or atoms.cell.rank < 3:
        raise InvalidStructure(f"{what} needs a crystal, periodic in three directions; this structure is not.")


def _rebuilt(atoms: Atoms, lattice: np.ndarray, positions: np.ndarray, numbers: np.ndarray) -> Atoms:
    kept = {key: atoms.info[key] for key in ("name", "source") if key in atoms.info}
    return check(Atoms(numbers=numbers, scaled_positions=positions, cell=lattice, pbc=True, info=kept))
