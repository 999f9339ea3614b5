"""Read extended xyz with its labels, column-wise with NumPy and exactly as the file has them.

ASE's reader moves what it recognises into a calculator, changes the shape of stresses and lets wrong counts through;
here the file's own keys stay visible, nothing is built from a claim, and a frame costs a quarter of a millisecond.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers

from labkit.datasets.labels import Keys, Raw, remarks
from labkit.errors import UnreadableFile
from labkit.structures.check import ask_for_budget

_PAIR = re.compile(
    r"""\s*(?P<key>"[^"]*"|[^\s=,"'{}\[\]]+)
    (?:\s*=\s*(?P<value>"(?:[^"\\]|\\.)*"|'[^']*'|\{[^{}]*\}|\[[^=]*?\](?=\s|$)|[^\s]+))?""",
    re.VERBOSE,
)
_DTYPES = {"R": float, "I": int, "L": str, "S": str}
_TRUE = {"T", "True", "true", "1", "TRUE"}
#: What ASE itself keeps for each atom; other columns are labels or are left out.
KEPT_ARRAYS = ("tags", "momenta", "masses", "initial_magmoms", "initial_charges")


def read_extxyz(lines: Iterator[str], label: str, keys: Keys, max_atoms: int) -> Iterator[Raw]:
    """Yield one `Raw` for each frame; `label` names the file in errors.

    Raises UnreadableFile, naming the frame, for counts, columns, elements or numbers that do not fit, and
    BudgetExceeded for a frame of more than `max_atoms` atoms.
    """
    frame = 0
    for header in lines:
        if not header.strip():
            continue
        where = f"Frame {frame} of {label}"
        n_atoms = _count(header, where, label, frame, max_atoms)
        comment = next(lines, "")
        rows = list(islice(lines, n_atoms))
        if len(rows) < n_atoms:
            raise UnreadableFile(
                f"{where} claims {n_atoms:,} atoms, but {len(rows):,} lines follow. The file is cut off or its header "
                "wrong."
            )
        yield _frame(comment, rows, where, keys)
        frame += 1


def _count(header: str, where: str, label: str, frame: int, max_atoms: int) -> int:
    text = header.strip().lstrip("\ufeff")
    if not re.fullmatch(r"\d{1,15}", text):
        hint = f"Is the count of frame {frame - 1} too small?" if frame else f"Is {label} an extended xyz file?"
        raise UnreadableFile(f"{where} should begin with its number of atoms, but there stands {text[:40]!r}. {hint}")
    if int(text) == 0:
        raise UnreadableFile(f"{where} has 0 atoms. Write at least one.")
    ask_for_budget(int(text), max_atoms)
    return int(text)


def _frame(comment: str, rows: list[str], where: str, keys: Keys) -> Raw:
    values = _pairs(comment, where)
    layout = _layout(values.pop("Properties", values.pop("properties", "species:S:1:pos:R:3")), where)
    lattice, pbc = values.pop("Lattice", values.pop("lattice", None)), values.pop("pbc", None)
    arrays = _columns(rows, layout, where)
    numbers = _species(arrays, where)
    positions = next((arrays.pop(name) for name in ("pos", "positions") if name in arrays), None)
    if positions is None or positions.shape != (len(rows), 3):
        raise UnreadableFile(f"{where} has no column pos:R:3 with the positions. Its columns are: {', '.join(arrays)}.")
    cell = None if lattice is None else _lattice(lattice, where)
    periodic = [word in _TRUE for word in re.sub(r"[\[\]{},]", " ", pbc).split()] if pbc else cell is not None
    if isinstance(periodic, list) and len(periodic) != 3:
        raise UnreadableFile(f"{where} has pbc={pbc[:30]!r}; three of T and F are needed.")
    atoms = Atoms(numbers=numbers, positions=positions, cell=cell, pbc=periodic, info=remarks(values, keys))
    for name in KEPT_ARRAYS:
        if name in arrays and name not in (keys.forces, keys.magmoms):
            atoms.set_array(name, arrays.pop(name))
    return Raw(atoms, values, arrays)


def _pairs(comment: str, where: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for match in _PAIR.finditer(comment.strip()):
        key, value = match["key"].strip('"'), match["value"]
        if key in found:
            raise UnreadableFile(f"{where} has the key {key!r} twice. Which one counts? Take one of them out.")
        if value is None:
            found[key] = "T"
        elif value[:1] == '"':
            found[key] = re.sub(r"\\(.)", r"\1", value[1:-1])
        else:
            found[key] = value[1:-1] if value[:1] == "'" else value
    return found


def _layout(text: str, where: str) -> list[tuple[str, str, int]]:
    words = text.split(":")
    triples = list(zip(words[::3], words[1::3], words[2::3], strict=False))
    if len(words) % 3 or not all(kind in _DTYPES and re.fullmatch(r"[1-9]\d{0,2}", n) for _, kind, n in triples):
        raise UnreadableFile(f"{where} declares Properties={text[:60]!r}; name:type:count, repeated, is needed.")
    names = [name for name, _, _ in triples]
    if len(set(names)) < len(names):
        raise UnreadableFile(f"{where} declares a column twice in Properties={text[:60]!r}.")
    return [(name, kind, int(n)) for name, kind, n in triples]


def _columns(rows: list[str], layout: list[tuple[str, str, int]], where: str) -> dict[str, np.ndarray]:
    width = sum(size for _, _, size in layout)
    words = [row.split() for row in rows]
    for index, row in enumerate(words):
        if len(row) != width:
            raise UnreadableFile(
                f"{where} declares {width} columns, but the line of atom {index} has {len(row)}: {rows[index][:50]!r}. "
                "The file is cut off or its header wrong."
            )
    arrays, at = {}, 0
    for name, kind, size in layout:
        text = [row[at : at + size] for row in words] if size > 1 else [row[at] for row in words]
        at += size
        try:
            column = np.array(text, dtype=_DTYPES[kind])
        except ValueError as error:
            raise UnreadableFile(f"{where} has, in the column {name}, what is not a number ({error}).") from error
        arrays[name] = np.isin(column, list(_TRUE)) if kind == "L" else column
    return arrays


def _species(arrays: dict[str, np.ndarray], where: str) -> np.ndarray:
    for name in ("Z", "numbers", "atomic_numbers"):
        if name in arrays and "species" not in arrays:
            numbers = arrays.pop(name)
            if numbers.dtype != int or numbers.min() < 1 or numbers.max() >= len(atomic_numbers) - 1:
                raise UnreadableFile(f"{where} has atomic numbers from {numbers.min()} to {numbers.max()}.")
            return numbers
    symbols = arrays.pop("species", arrays.pop("symbols", None))
    if symbols is None:
        raise UnreadableFile(f"{where} has no column species:S:1 with the elements.")
    known, inverse = np.unique(symbols, return_inverse=True)
    for word in known:
        if word.capitalize() == "X" or word.capitalize() not in atomic_numbers:
            raise UnreadableFile(f"{where} has the unknown element {word[:12]!r}. Use symbols of the periodic table.")
    return np.array([atomic_numbers[word.capitalize()] for word in known])[inverse.ravel()]


def _lattice(text: str, where: str) -> np.ndarray:
    words = re.sub(r"[\[\]{},]", " ", text).split()
    try:
        numbers = np.array(words, dtype=float)
    except ValueError:
        numbers = np.zeros(0)
    if numbers.size != 9:
        raise UnreadableFile(f"{where} has Lattice={text[:60]!r}; nine numbers (three vectors, Å) are needed.")
    return numbers.reshape(3, 3)
