"""Read xyz and extended xyz frame by frame, believing no header.

Each header is compared with the lines that follow before anything is built from it; frames before a fault stay
readable.
"""

from __future__ import annotations

import io
import re

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers

from labkit.errors import UnreadableFile
from labkit.structures.check import ask_for_budget

SHORTEST_LINE = len("H 0 0 0")
MAX_COLUMNS = 200
MAX_FRAMES = 10_000  # a few seconds of parsing; longer trajectories are runs, and runs are read frame by frame


def read_xyz_frames(text: str, label: str, max_atoms: int) -> list[Atoms]:
    """Return all frames of an xyz or extxyz text (Å); raises UnreadableFile whose `frames` are those before the
    fault.
    """
    lines = text.splitlines()
    bytes_left = len(text)
    frames: list[Atoms] = []
    at = 0
    while at < len(lines):
        if not lines[at].strip():
            bytes_left -= len(lines[at]) + 1
            at += 1
            continue
        try:
            if len(frames) == MAX_FRAMES:
                raise UnreadableFile(f"{label} has more than {MAX_FRAMES:,} frames. Thin it out or split it.")
            n_atoms = _atom_count(lines, at, bytes_left, len(frames), label)
            ask_for_budget(n_atoms, max_atoms)
            block = lines[at : at + n_atoms + 2]
            frames.append(_frame(block, n_atoms, len(frames), label))
        except UnreadableFile as error:
            raise UnreadableFile([*error.reasons, *_rescue(frames)], frames) from error
        at += n_atoms + 2
        bytes_left -= sum(map(len, block)) + len(block)
    return frames


def _rescue(frames: list[Atoms]) -> list[str]:
    if not frames:
        return []
    return [f"The {len(frames)} frame{'s' if len(frames) > 1 else ''} before it can be read and can be kept."]


def _atom_count(lines: list[str], at: int, bytes_left: int, frame: int, label: str) -> int:
    header = lines[at].strip()
    if not re.fullmatch(r"\d{1,15}", header):
        if frame:
            raise UnreadableFile(
                f"Frame {frame} of {label} should begin at line {at + 1} with its number of atoms, but there "
                f"stands {header[:40]!r}. "
                f"Is the count of frame {frame - 1} too small?"
            )
        raise UnreadableFile(
            f"{label} should begin with the number of atoms, but there stands {header[:40]!r}. Is it an xyz file?"
        )
    n_atoms = int(header)
    if n_atoms == 0:
        raise UnreadableFile(f"Frame {frame} of {label} has 0 atoms. Write at least one.")
    if n_atoms * SHORTEST_LINE > bytes_left:
        raise UnreadableFile(
            f"Frame {frame} of {label} claims {n_atoms:,} atoms, but only {bytes_left:,} bytes follow. The file "
            "is cut off or its header wrong."
        )
    present = sum(1 for line in lines[at + 2 : at + 2 + n_atoms] if len(line.split()) >= 4)
    if present < n_atoms:
        raise UnreadableFile(
            f"Frame {frame} of {label} claims {n_atoms:,} atoms, but {present:,} complete lines follow. The file "
            "is cut off or its header wrong."
        )
    return n_atoms


def _frame(block: list[str], n_atoms: int, frame: int, label: str) -> Atoms:
    comment = block[1]
    if "properties=" in comment.lower() or "lattice=" in comment.lower():
        return _extended_frame(block, frame, label)
    rows = [line.split()[:4] for line in block[2:]]
    symbols = [_symbol(row[0], i, frame, label) for i, row in enumerate(rows)]
    try:
        positions = np.array([row[1:] for row in rows], dtype=float)
    except ValueError as error:
        raise UnreadableFile(
            f"Frame {frame} of {label} has a coordinate that is not a number ({error}). Correct that line."
        ) from error
    return Atoms(symbols, positions=positions)


def _extended_frame(block: list[str], frame: int, label: str) -> Atoms:
    from ase.io.extxyz import read_xyz

    properties = re.search(r"properties=\"?([^\s\"]+)", block[1], flags=re.IGNORECASE)
    kinds = properties.group(1).split(":") if properties else ["species", "S", "1", "pos", "R", "3"]
    # A column count is believed only when each line has that many words: nothing is allocated from a claim.
    n_columns = sum(int(word) for word in kinds[2::3] if re.fullmatch(r"\d{1,4}", word))
    shortest = min(len(line.split()) for line in block[2:])
    if len(kinds) % 3 or not 3 < n_columns <= min(MAX_COLUMNS, shortest):
        raise UnreadableFile(
            f"Frame {frame} of {label} declares Properties={':'.join(kinds)[:60]!r}, which does not fit its lines "
            f"of {shortest} columns."
        )
    if "species" in kinds[::3]:
        column = sum(int(word) for word in kinds[2 : 3 * kinds[::3].index("species") : 3])
        for i, line in enumerate(block[2:]):
            _symbol(line.split()[column], i, frame, label)
    try:
        return next(read_xyz(io.StringIO("\n".join(block) + "\n"), 0))
    except Exception as error:  # the parser raises nearly everything; its words go to the user, wrapped
        raise UnreadableFile(
            f"Frame {frame} of {label} cannot be read: {type(error).__name__}: {str(error)[:120]}"
        ) from error


def _symbol(word: str, index: int, frame: int, label: str) -> str:
    if word.isdigit() and 0 < int(word) < len(atomic_numbers):
        from ase.data import chemical_symbols

        return chemical_symbols[int(word)]
    symbol = word.capitalize()
    if symbol == "X" or symbol not in atomic_numbers:
        raise UnreadableFile(
            f"Atom {index} of frame {frame} of {label} has the unknown element {word[:12]!r}. Use a symbol of the "
            "periodic table."
        )
    return symbol
