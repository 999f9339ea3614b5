"""The few numbers by which a person recognises a structure: formula, cell, density, space group."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from ase import Atoms

from labkit.structures.symmetry import SYMPREC_A, dataset

AMU_PER_A3_IN_G_CM3 = 1.66053906892  # CODATA 2022


@dataclass(frozen=True)
class Description:
    """What `describe` found; lengths in Å, angles in degrees, None where the structure has no three-dimensional
    cell.
    """

    formula: str
    n_atoms: int
    a: float | None
    b: float | None
    c: float | None
    alpha: float | None
    beta: float | None
    gamma: float | None
    volume_A3: float | None
    density_g_cm3: float | None
    space_group_symbol: str | None
    space_group_number: int | None
    composition: dict[str, int] = field(default_factory=dict)


def describe(atoms: Atoms, *, symprec_A: float = SYMPREC_A) -> Description:
    """Describe a structure; the space group is spglib's at the tolerance `symprec_A` (Å)."""
    composition = {symbol: int(count) for symbol, count in atoms.symbols.formula.count().items()}
    cell: tuple[float | None, ...] = (None,) * 6
    volume = density = symbol = number = None
    if atoms.cell.rank == 3 and atoms.pbc.any():
        cell = tuple(float(value) for value in atoms.cell.cellpar())
    if atoms.cell.rank == 3 and atoms.pbc.all():
        volume = float(abs(np.linalg.det(np.asarray(atoms.cell))))
        density = float(atoms.get_masses().sum()) * AMU_PER_A3_IN_G_CM3 / volume
        symbol, number = space_group(atoms, symprec_A=symprec_A)
    return Description(
        atoms.get_chemical_formula("metal"), len(atoms), *cell, volume, density, symbol, number, composition=composition
    )


def space_group(atoms: Atoms, *, symprec_A: float = SYMPREC_A) -> tuple[str | None, int | None]:
    """Return the international symbol and number of the space group, or (None, None) when spglib finds none."""
    found = dataset(atoms, symprec_A)
    return (None, None) if found is None else (str(found.international), int(found.number))
