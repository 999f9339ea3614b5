"""Structures as fields of tasks: validated on the way in, plain JSON on the way out.

A task that holds a structure can be a form, a JSON file or a Python call because this type accepts an Atoms object, its
JSON form, or the name of a library structure, and always hands on a checked copy.
"""

from typing import Annotated, Any

import numpy as np
from ase import Atoms
from pydantic import BeforeValidator, InstanceOf, PlainSerializer, WithJsonSchema

from labkit.errors import InvalidStructure
from labkit.structures.bare import ELECTRONS, electrons
from labkit.structures.check import MAX_ATOMS, check
from labkit.structures.library import named

# Per-atom data that a simulation starts from; anything else of an Atoms object is not part of a task.
ARRAYS = ("momenta", "initial_magmoms", "initial_charges", "tags", "masses")
_KEYS = {"symbols", "positions", "cell", "pbc", "name", "source", "max_atoms", *ELECTRONS, *ARRAYS}


def to_dict(atoms: Atoms) -> dict[str, Any]:
    """Return the JSON form: symbols, positions (n, 3) in Å, cell (3, 3) in Å, pbc, name, charge (e), multiplicity, and
    the per-atom data, as far as they are there.
    """
    data: dict[str, Any] = {
        "symbols": list(atoms.get_chemical_symbols()),
        "positions": atoms.positions.tolist(),
        "cell": np.asarray(atoms.cell).tolist(),
        "pbc": [bool(p) for p in atoms.pbc],
        "name": str(atoms.info["name"]) if "name" in atoms.info else None,
    }
    if "source" in atoms.info:
        data["source"] = str(atoms.info["source"])
    if "max_atoms" in atoms.info:
        data["max_atoms"] = int(atoms.info["max_atoms"])
    data.update(electrons(atoms))
    data.update({key: atoms.arrays[key].tolist() for key in ARRAYS if key in atoms.arrays})
    return data


def from_dict(data: dict[str, Any]) -> Atoms:
    """Return the structure of a JSON form; raises InvalidStructure naming what is missing, unknown or of the wrong
    shape.

    The result is not checked: `check` does that.
    """
    if not isinstance(data, dict):
        raise InvalidStructure(
            f"A structure's JSON form is an object with symbols and positions, not {type(data).__name__}."
        )
    unknown = sorted(str(key)[:30] for key in data if key not in _KEYS)
    missing = [key for key in ("symbols", "positions") if key not in data]
    if unknown or missing:
        raise InvalidStructure(
            [f"The structure's JSON form lacks {key!r}." for key in missing]
            + [
                f"The structure's JSON form has the unknown key {key!r}; known are {', '.join(sorted(_KEYS))}."
                for key in unknown
            ]
        )
    symbols = data["symbols"]
    n_atoms = len(symbols) if isinstance(symbols, list) else 0
    if not n_atoms:
        raise InvalidStructure("'symbols' must be a list with one element symbol per atom.")
    positions = _array(data, "positions", (n_atoms, 3))
    cell = _array(data, "cell", (3, 3)) if data.get("cell") is not None else np.zeros((3, 3))
    pbc = data.get("pbc", [False] * 3)
    pbc = [pbc] * 3 if isinstance(pbc, bool) else pbc
    if not isinstance(pbc, (list, tuple)) or len(pbc) != 3 or not all(isinstance(p, (bool, np.bool_)) for p in pbc):
        raise InvalidStructure(f"'pbc' must be true, false or a list of three of them, not {str(pbc)[:40]!r}.")
    try:
        atoms = Atoms(symbols, positions=positions, cell=cell, pbc=pbc)
    except (KeyError, ValueError, TypeError) as error:
        raise InvalidStructure(f"The structure's JSON form has an unknown element: {str(error)[:80]}.") from error
    for key in ARRAYS:
        if data.get(key) is not None:
            atoms.set_array(key, _array(data, key, (n_atoms,), (n_atoms, 3)), dtype=int if key == "tags" else float)
    atoms.info.update({key: data[key] for key in ELECTRONS if data.get(key) is not None})
    electrons(atoms)
    if isinstance(data.get("max_atoms"), int):
        atoms.info["max_atoms"] = data["max_atoms"]
    atoms.info.update({key: str(data[key]) for key in ("name", "source") if data.get(key) is not None})
    return atoms


def _array(data: dict[str, Any], key: str, *shapes: tuple[int, ...]) -> np.ndarray:
    try:
        values = np.array(data[key], dtype=float)
    except (TypeError, ValueError) as error:
        raise InvalidStructure(f"{key!r} must hold numbers only ({str(error)[:80]}).") from error
    if values.shape not in shapes:
        raise InvalidStructure(f"{key!r} has the shape {values.shape}; it must be {' or '.join(map(str, shapes))}.")
    return values


def as_structure(value: Any, *, max_atoms: int = MAX_ATOMS) -> Atoms:
    """Return a checked structure from an Atoms object, its JSON form, or the name of a library structure."""
    if isinstance(value, str):
        return named(value)
    if isinstance(value, dict):
        value = from_dict(value)
    if isinstance(value, Atoms) and value.constraints:
        kinds = ", ".join(sorted({type(constraint).__name__ for constraint in value.constraints}))
        raise InvalidStructure(
            f"The structure carries the constraint {kinds}, which a run would not keep. "
            "Remove it with atoms.set_constraint(), or move the atoms with ASE itself."
        )
    return check(value, max_atoms=max_atoms)


StructureField = Annotated[
    InstanceOf[Atoms],
    BeforeValidator(as_structure),
    PlainSerializer(to_dict, return_type=dict[str, Any]),
    WithJsonSchema(
        {
            "type": "object",
            "title": "structure",
            "description": "An atomistic structure, or the name of one in the library",
        }
    ),
]
