"""A copy of a structure with nothing but what a calculation depends on."""

from __future__ import annotations

import numpy as np
from ase import Atoms

from labkit.errors import InvalidStructure

#: Integers of `atoms.info` that decide what is computed: the charge (e), and 2S + 1.
ELECTRONS = ("charge", "multiplicity")
_ARRAYS = ("initial_magmoms", "initial_charges", "tags", "masses")


def bare(atoms: Atoms) -> Atoms:
    """Return elements, positions, cell, periodicity, masses, tags, initial moments and charges, and the entries
    `charge` and `multiplicity` of `info`; no calculator, no results, no other remarks.
    """
    made = Atoms(atoms.numbers, positions=atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    for key in _ARRAYS:
        if key in atoms.arrays:
            made.set_array(key, atoms.arrays[key])
    made.info = electrons(atoms)
    return made


def electrons(atoms: Atoms) -> dict[str, int]:
    """The charge (e) and the multiplicity 2S + 1, as far as `atoms.info` says them.

    Raises InvalidStructure for one that is not a whole number, or for a multiplicity below 1.
    """
    found: dict[str, int] = {}
    for key in ELECTRONS:
        value = atoms.info.get(key)
        if value is None:
            continue
        whole = isinstance(value, int | float | np.number) and float(value).is_integer()
        if not whole or (key == "multiplicity" and value < 1):
            raise InvalidStructure(
                f"atoms.info[{key!r}] is {value!r}; a whole number{' from 1' if key == 'multiplicity' else ' of e'} is "
                "needed. Correct it, or delete it."
            )
        found[key] = int(value)
    return found
