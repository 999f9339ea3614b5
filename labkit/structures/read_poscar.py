"""Read VASP's POSCAR and CONTCAR.

Written here rather than taken from a library because a library falls back on a POTCAR beside the file when the elements
are missing; a file that names no elements is refused instead.
"""

from __future__ import annotations

import re

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers

from labkit.errors import UnreadableFile
from labkit.structures.check import MAX_COORDINATE_A, ask_for_budget


def read_poscar(text: str, label: str, max_atoms: int) -> Atoms:
    """Return the crystal of a POSCAR text (Å); velocities and selective dynamics are left out."""
    lines = text.splitlines()
    if len(lines) < 8:
        raise UnreadableFile(f"{label} has {len(lines)} lines; a POSCAR has at least 8. Is it cut off?")
    scale = _numbers(lines[1], None, "the scale", 2, label)
    cell = np.array([_numbers(lines[i], 3, "a lattice vector", i + 1, label) for i in (2, 3, 4)])
    if len(scale) not in (1, 3) or not np.all(np.isfinite(scale)) or np.any(scale == 0):
        raise UnreadableFile(f"Line 2 of {label} must be one non-zero scale (or three), not {lines[1].strip()[:40]!r}.")
    # A negative scale is the wished volume in Å³.
    if len(scale) == 1 and scale[0] < 0:
        with np.errstate(over="ignore", invalid="ignore"):
            volume = abs(np.linalg.det(cell))
        scale = np.array([(-scale[0] / volume) ** (1 / 3)]) if volume > 0 else np.ones(1)
    with np.errstate(over="ignore", invalid="ignore"):
        cell = cell * scale
    if not np.all(np.abs(cell) <= MAX_COORDINATE_A):
        raise UnreadableFile(
            f"The lattice of {label} holds something else than lengths up to {MAX_COORDINATE_A:.0e} Å."
        )
    symbols, counts, at = _species(lines, label)
    n_atoms = sum(counts)
    ask_for_budget(n_atoms, max_atoms)
    selective = lines[at].strip()[:1].lower() == "s"
    at += selective
    mode = lines[at].strip()[:1].lower() if at < len(lines) else ""
    if mode not in ("d", "c", "k"):
        raise UnreadableFile(
            f"Line {at + 1} of {label} must say Direct or Cartesian, not "
            f"{lines[at].strip()[:40] if at < len(lines) else ''!r}."
        )
    rows = lines[at + 1 : at + 1 + n_atoms]
    present = sum(1 for row in rows if len(row.split()) >= 3)
    if present < n_atoms:
        raise UnreadableFile(
            f"{label} claims {n_atoms:,} atoms, but {present:,} positions follow. The file is cut off or its "
            "counts wrong."
        )
    positions = np.array([_numbers(row, 3, "a position", at + 2 + i, label) for i, row in enumerate(rows)])
    names = [symbol for symbol, count in zip(symbols, counts, strict=True) for _ in range(count)]
    with np.errstate(over="ignore", invalid="ignore"):  # absurd numbers become inf, which check refuses by name
        cartesian = positions * scale if mode != "d" else positions @ cell
    atoms = Atoms(names, positions=cartesian, cell=cell, pbc=True)
    if selective:
        atoms.info["mended"] = ["The file's selective dynamics (fixed atoms) was left out."]
    return atoms


def _species(lines: list[str], label: str) -> tuple[list[str], list[int], int]:
    words = lines[5].split()
    if words and all(word.isdigit() for word in words):
        # VASP 4 has no line of elements; the comment often names them.
        symbols, counts, at = lines[0].split()[: len(words)], words, 6
        where = "line 1 (there is no line of elements)"
    else:
        # "Fe_pv" and "Fe/0a1b2c" are how VASP writes its pseudopotentials.
        symbols, counts, at = [re.split(r"[_/]", word)[0] for word in words], lines[6].split("!")[0].split(), 7
        where = "line 6"
    if not counts or not all(re.fullmatch(r"\d{1,12}", word) for word in counts) or sum(map(int, counts)) == 0:
        raise UnreadableFile(
            f"Line {at} of {label} must hold the number of atoms of each element, not {' '.join(counts)[:40]!r}."
        )
    unknown = [symbol for symbol in symbols if symbol not in atomic_numbers or symbol == "X"]
    if unknown:
        raise UnreadableFile(
            f"{label} has the unknown element {unknown[0][:12]!r} in {where}. Use symbols of the periodic table."
        )
    if len(symbols) != len(counts):
        raise UnreadableFile(
            f"{label} names {len(symbols)} elements but gives {len(counts)} counts. Correct lines 6 and 7."
        )
    return symbols, [int(word) for word in counts], at


def _numbers(line: str, count: int | None, what: str, number: int, label: str) -> np.ndarray:
    words = line.split()[:count]
    try:
        values = np.array([float(word) for word in words])
    except ValueError:
        values = np.empty(0)
    if len(values) == 0 or (count is not None and len(values) < count):
        raise UnreadableFile(f"Line {number} of {label} should hold {what}, but there stands {line.strip()[:40]!r}.")
    return values
