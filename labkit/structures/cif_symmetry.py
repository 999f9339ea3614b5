"""The symmetry operations of a CIF block, and the orbit of a site under them.

Listed operations are taken as they are; a mere name is looked up in spglib's settings, and refused where it leaves two
origins open. Either way they must map the cell onto itself.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from labkit.errors import UnreadableFile
from labkit.structures.symmetry import operations, settings

SAME_SITE_A = 0.1  # images of one site closer than this are one atom on a special position, printed with few digits
METRIC_TOLERANCE = 0.02  # relative; measured cells are not rounded to their symmetry
_LISTED = ("_space_group_symop_operation_xyz", "_space_group_symop.operation_xyz", "_symmetry_equiv_pos_as_xyz")
_NAMES = ("_space_group_name_h-m_alt", "_symmetry_space_group_name_h-m", "_space_group.name_h-m_alt")
_NUMBERS = ("_space_group_it_number", "_space_group.it_number", "_symmetry_int_tables_number")
_TERM = re.compile(r"([+-]?)(?:([xyz])|(\d+(?:\.\d*)?|\.\d+)(?:/(\d+))?)")

Operations = tuple[np.ndarray, np.ndarray]


def first_tag(block: Any, tags: Sequence[str]) -> Any:
    """Return the value of the first of `tags` that a CIF block has, or None."""
    return next((block[tag] for tag in tags if tag in block), None)


def block_operations(block: Any, cell: np.ndarray, label: str) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Return rotations (m, 3, 3), translations (m, 3) and notes for the user; `cell` is (3, 3) in Å.

    Raises UnreadableFile for operations that cannot be read, do not fit the cell, or are not given unambiguously.
    """
    listed = first_tag(block, _LISTED)
    if not listed:
        return _by_name(block, cell, label)
    pairs = [_parse(str(text), label) for text in ([listed] if isinstance(listed, str) else listed)]
    rotations, translations = np.array([pair[0] for pair in pairs]), np.array([pair[1] for pair in pairs])
    if not _fit(rotations, cell):
        raise UnreadableFile(
            f"The symmetry operations of {label} do not fit its cell. Is a cell length or angle mistyped?"
        )
    return rotations, translations, []


def _parse(text: str, label: str) -> Operations:
    parts = re.sub(r"\s", "", text.lower()).split(",")
    rotation, translation = np.zeros((3, 3), dtype=int), np.zeros(3)
    if len(parts) != 3 or not all(re.fullmatch(f"(?:{_TERM.pattern})+", part) for part in parts):
        raise UnreadableFile(
            f"{label} has the symmetry operation {text[:40]!r}, which is not of the form 'x, -y, z+1/2'."
        )
    for row, part in enumerate(parts):
        for sign, axis, number, divisor in _TERM.findall(part):
            factor = -1 if sign == "-" else 1
            if axis:
                rotation[row, "xyz".index(axis)] += factor
            elif int(divisor or 1):
                translation[row] += factor * float(Fraction(number)) / int(divisor or 1)
    if abs(round(float(np.linalg.det(rotation)))) != 1:
        raise UnreadableFile(
            f"{label} has the symmetry operation {text[:40]!r}, which does not keep the volume. Correct it."
        )
    return rotation, translation % 1.0


def _by_name(block: Any, cell: np.ndarray, label: str) -> tuple[np.ndarray, np.ndarray, list[str]]:
    name = re.sub(r"[\s_]", "", str(first_tag(block, _NAMES) or "")).strip("?.'")
    number = str(first_tag(block, _NUMBERS) or "").strip("?.'")
    if name in ("", "P1") and number in ("", "1"):
        return np.eye(3, dtype=int)[None], np.zeros((1, 3)), []
    short, _, choice = name.partition(":")
    matching = [
        (hall, kind)
        for hall, kind in enumerate(settings(), start=1)
        if (
            short in _names(kind) and choice.upper() in ("", kind.choice.upper())
            if short
            else number == str(kind.number)
        )
    ]
    fitting = [(hall, kind) for hall, kind in matching if _fit(operations(hall)[0], cell)]
    if not fitting:
        problem = "does not fit the cell" if matching else "is unknown"
        raise UnreadableFile(
            f"{label} lists no symmetry operations, and its space group {(name or number)[:20]!r} {problem}. "
            "Add _symmetry_equiv_pos_as_xyz lines."
        )
    if not choice and len({kind.choice for _, kind in fitting} & {"1", "2"}) == 2:
        raise UnreadableFile(
            f"{label} lists no symmetry operations, and its space group {(name or number)[:20]!r} has two origins "
            "in use. "
            "Add _symmetry_equiv_pos_as_xyz lines, or ':1' or ':2' to the name."
        )
    hall, kind = fitting[0]
    setting = f" (setting {kind.choice})" if kind.choice else ""
    note = f"The file lists no symmetry operations: those of {kind.international_short}{setting} were taken."
    return *operations(hall), [note]


def _names(kind: Any) -> set[str]:
    return {re.sub(r"[\s_]", "", text) for text in (kind.international_short, kind.international_full)}


def _fit(rotations: np.ndarray, cell: np.ndarray) -> bool:
    metric = cell @ cell.T
    images = rotations.transpose(0, 2, 1) @ metric @ rotations
    return bool(np.abs(images - metric).max() <= METRIC_TOLERANCE * metric.max())


def orbit(position: np.ndarray, rotations: np.ndarray, translations: np.ndarray, cell: np.ndarray) -> list[np.ndarray]:
    """Return all images of a fractional position (3,) in the cell, those on a special position merged into their
    mean.
    """
    merged: list[list[np.ndarray]] = []
    for image in rotations @ position + translations:
        for group in merged:
            difference = image - group[0]
            difference -= np.round(difference)
            if np.linalg.norm(difference @ cell) < SAME_SITE_A:
                group.append(group[0] + difference)
                break
        else:
            merged.append([image])
    # The mean puts 0.333 back on its special position.
    return [np.mean(group, axis=0) % 1.0 for group in merged]
