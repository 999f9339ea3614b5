"""Read ASE databases (JSON and SQLite) and networks of stationary points as in Landscape17.

A network file maps each molecule to its symbols, its minima and the transition states between them; energies are in
eV, coordinates flat (3N) in Å.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers

from labkit.datasets.labels import Keys, Raw, remarks
from labkit.errors import UnreadableFile
from labkit.structures.check import ask_for_budget

_STATES = (("minima", "minimum"), ("transition_states", "transition state"))


def is_network(content: Any) -> bool:
    """Tell whether parsed JSON looks like a network of stationary points."""
    return (
        isinstance(content, dict)
        and bool(content)
        and all(isinstance(one, dict) and "symbols" in one and "minima" in one for one in content.values())
    )


def parse_json(data: bytes, label: str) -> Any:
    """Return parsed JSON; raises UnreadableFile for what is none."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise UnreadableFile(f"{label} cannot be read as JSON: {str(error)[:120]}. Is the file cut off?") from error


def read_network(content: dict[str, Any], label: str, max_atoms: int) -> Iterator[Raw]:
    """Yield the stationary points, molecule by molecule, minima first; the group is "ethanol minimum", say.

    A transition state remembers in `info` the two minima that it connects (`min_plus`, `min_minus`).
    """
    for molecule, network in content.items():
        symbols = network["symbols"]
        unknown = [one for one in symbols if one not in atomic_numbers or one == "X"]
        if unknown or not symbols:
            raise UnreadableFile(f"The molecule {molecule[:40]!r} of {label} has the elements {symbols[:5]}.")
        ask_for_budget(len(symbols), max_atoms)
        for key, kind in _STATES:
            for number, point in enumerate(network.get(key, [])):
                where = f"The {kind} {number} of {molecule[:40]} in {label}"
                yield _point(point, symbols, {"molecule": str(molecule), "kind": kind, "number": number}, where)


def _point(point: dict[str, Any], symbols: list[str], names: dict[str, Any], where: str) -> Raw:
    try:
        positions = np.array(point["xyz"], dtype=float).reshape(len(symbols), 3)
    except (KeyError, TypeError, ValueError) as error:
        raise UnreadableFile(f"{where} has no xyz of {3 * len(symbols)} numbers ({error}).") from error
    values = {key: value for key, value in point.items() if key != "xyz"}
    info = {key: value for key, value in values.items() if isinstance(value, (int, float, str)) and key != "energy_eV"}
    group = f"{names['molecule']} {names['kind']}"
    atoms = Atoms(symbols, positions, info=info)
    forces = {"forces": np.array(values.pop("forces"), dtype=float).reshape(-1, 3)} if "forces" in values else {}
    return Raw(atoms, {**values, "group": group, "provenance": f"{group} {names['number']}"}, forces)


def read_ase_db(path: Path, label: str, kind: str, keys: Keys, max_atoms: int) -> tuple[list[Raw], str]:
    """Return the rows of an ASE database ("json" or "db") and the level of theory its metadata states ("" if none).

    Labels are looked up among the calculated results first, then among key-value pairs, then in the row's data.
    """
    import ase.db

    try:
        database = ase.db.connect(str(path), type=kind, use_lock_file=False)
        rows = list(database.select(sort="id"))
        stated = str((database.metadata or {}).get("level_of_theory", ""))
        return [_row(row, keys, max_atoms) for row in rows], stated
    except (UnreadableFile, MemoryError):
        raise
    except Exception as error:  # sqlite3, JSON and ASE raise nearly everything; the words go to the user, wrapped
        from labkit.errors import LabkitError

        if isinstance(error, LabkitError):
            raise
        raise UnreadableFile(
            f"{label} cannot be read as an ASE database: {type(error).__name__}: {str(error)[:120]}"
        ) from error


def _row(row: Any, keys: Keys, max_atoms: int) -> Raw:
    ask_for_budget(row.natoms, max_atoms)
    atoms = row.toatoms()
    results = dict(atoms.calc.results) if atoms.calc is not None else {}
    atoms.calc = None
    pairs, data = dict(row.key_value_pairs), dict(row.data or {})
    atoms.info = remarks({"id": row.id, **pairs}, keys)
    return Raw(atoms, {**data, **pairs, **{k: v for k, v in results.items() if v is not None}})
