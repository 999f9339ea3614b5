"""The few calls to spglib that the room needs, in one place.

spglib is between two ways of reporting errors and announces that at every call; both ways mean "not found" here.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from ase import Atoms

SYMPREC_A = 1e-2
HALL_NUMBERS = range(1, 531)


def _quiet(call: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    import spglib

    with warnings.catch_warnings():
        # "Set OLD_ERROR_HANDLING to false": a switch for the whole process, which is not ours to turn.
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            return call(*arguments, **options)
        except spglib.SpglibError:
            return None


def dataset(atoms: Atoms, symprec_A: float = SYMPREC_A) -> Any | None:
    """Return spglib's data set of a crystal at the tolerance `symprec_A` (Å), or None when it finds none."""
    import spglib

    return _quiet(spglib.get_symmetry_dataset, _cell(atoms), symprec=symprec_A)


def primitive_cell(atoms: Atoms, symprec_A: float) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Return lattice (3, 3) in Å, fractional positions (n, 3) and atomic numbers (n,) of spglib's primitive cell, or
    None.
    """
    import spglib

    return _quiet(spglib.standardize_cell, _cell(atoms), to_primitive=True, symprec=symprec_A)


@cache
def operations(hall_number: int) -> tuple[np.ndarray, np.ndarray]:
    """Return rotations (m, 3, 3) and translations (m, 3) of a space-group setting, 1 to 530; raises ValueError for
    another number.
    """
    import spglib

    found = _quiet(spglib.get_symmetry_from_database, hall_number) if hall_number in HALL_NUMBERS else None
    if found is None:
        raise ValueError(f"Hall number {hall_number} does not exist; spglib numbers the settings from 1 to 530.")
    return found["rotations"], found["translations"]


@cache
def settings() -> tuple[Any, ...]:
    """Return spglib's description of each of the 530 settings, in the order of their numbers."""
    import spglib

    return tuple(_quiet(spglib.get_spacegroup_type, number) for number in HALL_NUMBERS)


def _cell(atoms: Atoms) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return np.asarray(atoms.cell), atoms.get_scaled_positions(), atoms.numbers
