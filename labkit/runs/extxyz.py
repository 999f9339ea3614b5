"""One frame of a trajectory as extended XYZ text and back, readable by ASE and by people.

Positions carry 1e-10 Å and everything else twelve digits, so that a resumed trajectory can be compared with an unbroken
one. Energy, forces, stress and magnetic moments come back as ASE brings them back: in a calculator that holds them.
"""

from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io.extxyz import SPECIAL_3_3_KEYS, key_val_str_to_dict
from ase.stress import voigt_6_to_full_3x3_stress

# What ASE's own reader hands to a calculator; their dtype and shape are ase.outputs'.
RESULTS = ("energy", "free_energy", "forces", "stress", "magmom", "magmoms", "dipole", "charges", "energies")
PER_ATOM_RESULTS = ("forces", "magmoms", "charges", "energies")
_KINDS = {"f": ("R", "%.12g"), "i": ("I", "%d"), "u": ("I", "%d"), "b": ("L", "%s")}
_PARSERS = {"R": float, "I": int, "L": lambda text: text in {"T", "True", "true", "1"}}


def write_frame(atoms: Atoms, step: int | None = None) -> bytes:
    """Return `atoms` as one extended-XYZ frame, with `step` in its comment line.

    Results come from `atoms.info` and `atoms.arrays` (energy eV, forces (n, 3) eV/Å, stress eV/Å^3) or, where they are
    not there, from a SinglePointCalculator. Entries of `info` that are neither numbers nor short text are left out.
    """
    info = {key: value for key, value in atoms.info.items() if key not in {"step", "pbc", "Lattice", "Properties"}}
    arrays = {key: value for key, value in atoms.arrays.items() if key not in {"numbers", "positions"}}
    if isinstance(atoms.calc, SinglePointCalculator):
        for key, value in atoms.calc.results.items():
            if value is not None:
                (arrays if key in PER_ATOM_RESULTS else info).setdefault(key, value)
    names, row, columns = ["species:S:1", "pos:R:3"], "%s %.10f %.10f %.10f", [atoms.symbols, *atoms.positions.T]
    for key, value in arrays.items():
        array = np.asarray(value)
        if array.dtype.kind not in _KINDS or array.ndim not in {1, 2} or array.size == 0 or not _is_word(key):
            continue
        letter, number = _KINDS[array.dtype.kind]
        parts = [array] if array.ndim == 1 else list(array.T)
        names.append(f"{key}:{letter}:{len(parts)}")
        row += f" {number}" * len(parts)
        columns += [np.where(part, "T", "F") for part in parts] if letter == "L" else parts
    comment = [f'Lattice="{_numbers(atoms.cell.array)}"'] if atoms.cell.any() else []
    comment += [f"Properties={':'.join(names)}", f'pbc="{" ".join("T" if p else "F" for p in atoms.pbc)}"']
    comment += [] if step is None else [f"step={int(step)}"]
    comment += [text for text in (_pair(key, value) for key, value in info.items()) if text]
    cells = [cell for line in zip(*(_column(column) for column in columns), strict=True) for cell in line]
    body = (row + "\n") * len(atoms) % tuple(cells)
    return f"{len(atoms)}\n{' '.join(comment)}\n{body}".encode()


def read_frame(data: bytes) -> Atoms:
    """Return the atoms of one whole frame; raises ValueError when it is not one."""
    count_line, comment, body = data.decode().split("\n", 2)
    count, info = int(count_line), key_val_str_to_dict(comment)
    lattice, pbc = info.pop("Lattice", None), info.pop("pbc", None)
    layout = str(info.pop("Properties", "species:S:1:pos:R:3")).split(":")
    properties = list(zip(layout[::3], layout[1::3], map(int, layout[2::3]), strict=True))
    width = sum(size for _, _, size in properties)
    tokens = body.split()
    if len(tokens) != count * width:
        message = f"a frame of {count} atoms needs {count * width} values and has {len(tokens)}"
        raise ValueError(message)
    arrays: dict[str, Any] = {}
    offset = 0
    for name, letter, size in properties:
        parts = [tokens[offset + k :: width] for k in range(size)]
        offset += size
        if letter != "S":
            parts = [list(map(_PARSERS[letter], part)) for part in parts]
        arrays[name] = np.array(parts[0]) if size == 1 else np.array(parts).T.copy()
    cell = None if lattice is None else np.asarray(lattice, dtype=float).T
    atoms = Atoms(arrays.pop("species"), arrays.pop("pos"), cell=cell, pbc=cell is not None if pbc is None else pbc)
    found = {key: source.pop(key) for source in (info, arrays) for key in RESULTS if key in source}
    for key, value in arrays.items():
        atoms.set_array(key, value)
    atoms.info.update({key: value.item() if isinstance(value, np.generic) else value for key, value in info.items()})
    if found:
        if np.shape(found.get("stress")) == (3, 3):
            found["stress"] = found["stress"].flat[[0, 4, 8, 5, 2, 1]]
        atoms.calc = SinglePointCalculator(atoms, **found)
    return atoms


def _column(values: Any) -> list[Any]:
    return values.tolist() if isinstance(values, np.ndarray) else list(values)


def _is_word(key: str) -> bool:
    return key.replace("_", "").replace("-", "").isalnum()


def _numbers(array: np.ndarray) -> str:
    return " ".join(repr(value) for value in array.ravel().tolist())


def _pair(key: str, value: Any) -> str | None:
    if not isinstance(key, str) or not _is_word(key):
        return None
    if isinstance(value, bool | np.bool_):
        return f"{key}={'T' if value else 'F'}"
    if isinstance(value, int | float | np.integer | np.floating):
        return f"{key}={value.item() if isinstance(value, np.generic) else value!r}"
    if isinstance(value, str) and len(value) <= 200:
        text = " ".join(value.split()).replace("\\", "/").replace('"', "'")
        return f'{key}="{text}"'
    array = np.asarray(value) if isinstance(value, np.ndarray | list | tuple) else None
    if array is None or array.dtype.kind not in "fi":
        return None
    if key in SPECIAL_3_3_KEYS:
        full = voigt_6_to_full_3x3_stress(array) if array.shape == (6,) else array
        return f'{key}="{_numbers(full.T)}"' if full.shape == (3, 3) else None
    return f'{key}="{_numbers(array)}"' if array.ndim == 1 and 1 < len(array) <= 10 else None
