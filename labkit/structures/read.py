"""Read structures that users bring: from bytes, text or a path, refusing what is not one with a sentence.

Everything is parsed in memory; a file name is a hint of the format and a label, never a path. Each frame passes
`check`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from labkit.errors import InvalidStructure, UnreadableFile
from labkit.structures.check import MAX_ATOMS, check
from labkit.structures.read_cif import read_cif_blocks
from labkit.structures.read_guards import decode, load_bytes, safe_name, sniff
from labkit.structures.read_poscar import read_poscar
from labkit.structures.read_traj import read_traj_frames
from labkit.structures.read_xyz import read_xyz_frames

Source = bytes | str | Path
Ordering = Literal["smallest"] | None


def read(
    source: Source,
    *,
    filename: str | None = None,
    format: str | None = None,
    index: int = -1,
    ordering: Ordering = None,
    min_distance_A: float = 0.6,
    max_atoms: int = MAX_ATOMS,
) -> Atoms:
    """Return one checked structure of a CIF, POSCAR, xyz, extxyz or traj (Å), by default the last.

    `source` is bytes, the text itself, or a pathlib.Path. Partly filled sites are refused unless
    ``ordering="smallest"`` asks for an ordered cell. Raises UnreadableFile (whose `frames` are the readable part),
    InvalidStructure with all reasons, or BudgetExceeded.
    """
    frames, label = _parse(source, filename, format, ordering, max_atoms)
    if not -len(frames) <= index < len(frames):
        raise InvalidStructure(
            f"{label} has {len(frames)} structures; there is no number {index}. Take one from 0 to {len(frames) - 1}."
        )
    return _checked(frames[index], label, min_distance_A, max_atoms, wrap=True)


def read_frames(
    source: Source,
    *,
    filename: str | None = None,
    format: str | None = None,
    ordering: Ordering = None,
    min_distance_A: float = 0.6,
    max_atoms: int = MAX_ATOMS,
) -> list[Atoms]:
    """Return all structures of a file, checked like `read`.

    Positions are not wrapped, since the paths of an unwrapped trajectory are what a mean-squared displacement is made
    of. Energies and forces stored in the file stay readable through the frame's calculator. Raises as `read` does.
    """
    frames, label = _parse(source, filename, format, ordering, max_atoms)
    checked = []
    for number, frame in enumerate(frames):
        try:
            checked.append(_checked(frame, label, min_distance_A, max_atoms, wrap=False))
        except InvalidStructure as error:
            where = f"Structure {number} of {label}: "
            raise UnreadableFile([where + reason for reason in error.reasons], checked) from error
    return checked


def _parse(
    source: Source, filename: str | None, format: str | None, ordering: Ordering, max_atoms: int
) -> tuple[list[Atoms], str]:
    if ordering not in (None, "smallest"):
        raise InvalidStructure(f"The ordering {ordering!r} is unknown; give 'smallest' or None.")
    if filename is None and isinstance(source, Path):
        filename = source.name
    label = safe_name(filename) if filename else "The text"
    data = load_bytes(source, label)
    kind = sniff(data, filename, format, label)
    if kind == "traj":
        return [_plain_info(frame) for frame in read_traj_frames(data, label)], label
    text = decode(data)
    if kind == "cif":
        return read_cif_blocks(text, label, max_atoms, ordering), label
    if kind == "poscar":
        return [read_poscar(text, label, max_atoms)], label
    frames = read_xyz_frames(text, label, max_atoms)
    if not frames:
        raise UnreadableFile(f"{label} holds no structure. Is it the right file?")
    return [_plain_info(frame) for frame in frames], label


def _plain_info(frame: Atoms) -> Atoms:
    """Keep only plain numbers and texts of a file's own remarks, and none in labkit's words."""
    plain = {key: value.item() if isinstance(value, np.generic) else value for key, value in frame.info.items()}
    frame.info = {
        key: value
        for key, value in plain.items()
        if isinstance(value, (int, float, str))
        and str(key).isidentifier()
        and key not in ("name", "source", "mended", "occupancy", "max_atoms")
    }
    return frame


def _checked(frame: Atoms, label: str, min_distance_A: float, max_atoms: int, *, wrap: bool) -> Atoms:
    results = dict(frame.calc.results) if frame.calc is not None else {}
    atoms = check(frame, min_distance_A=min_distance_A, max_atoms=max_atoms, wrap=wrap)
    atoms.info.update(name=label.rsplit(".", 1)[0], source=f"file {label}" if label != "The text" else "pasted text")
    if label == "The text":
        atoms.info["name"] = atoms.get_chemical_formula("metal")
    if results:
        atoms.calc = SinglePointCalculator(atoms, **results)
    return atoms
