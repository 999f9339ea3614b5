"""Paths through the Brillouin zone: seekpath's (Hinuma et al., Comput. Mater. Sci. 128, 140 (2017)), or one in words.

A path is a list of unbroken pieces, each a list of labels; a jump between two pieces has no length on the axis.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms

from labkit.errors import InvalidTask
from labkit.simulators.phonons_data import Bands
from labkit.simulators.phonons_phonopy import SYMPREC_A

if TYPE_CHECKING:
    from labkit.simulators.phonons_result import HarmonicCrystal


def special_points(atoms: Atoms) -> tuple[dict[str, np.ndarray], list[list[str]]]:
    """Seekpath's special points in reduced coordinates of this very cell, and its path as unbroken pieces."""
    import seekpath

    cell = (np.asarray(atoms.cell), atoms.get_scaled_positions(), atoms.numbers)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the cell is a supercell, and spglib's two ways of reporting errors
        found = seekpath.get_path_orig_cell(cell, symprec=SYMPREC_A)
    points = {pretty(label): np.array(point, dtype=float) for label, point in found["point_coords"].items()}
    pieces: list[list[str]] = []
    for begin, end in found["path"]:
        if not pieces or pieces[-1][-1] != pretty(begin):
            pieces.append([pretty(begin)])
        pieces[-1].append(pretty(end))
    return points, pieces


def pretty(label: str) -> str:
    """A label as people write it: Γ, Σ₀, X₁."""
    name, _, index = label.partition("_")
    name = {"GAMMA": "Γ", "G": "Γ", "gamma": "Γ", "SIGMA": "Σ", "LAMBDA": "Λ", "DELTA": "Δ"}.get(name, name)
    return name + index.translate(str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉"))


def bands(
    crystal: HarmonicCrystal,
    path: str | Sequence[Sequence[str]] | None,
    points: int,
    given: Mapping[str, Sequence[float]] | None,
) -> Bands:
    """Frequencies along a path; see `HarmonicCrystal.bands`."""
    if points < 2:
        raise InvalidTask(f"a piece of a band path needs at least 2 points, not {points}.")
    named = {pretty(label): np.asarray(point, dtype=float) for label, point in (given or {}).items()}
    pieces: list[list[str]] = []
    if path is None or not given:
        found, pieces = special_points(crystal.atoms)
        named = {**found, **named}
    if path is not None:
        pieces = _in_words(path)
    unknown = sorted({label for piece in pieces for label in piece} - set(named))
    if unknown or not any(len(piece) > 1 for piece in pieces):
        what = f"has no coordinates for {', '.join(unknown)}" if unknown else "needs two points at least"
        raise InvalidTask(f"the band path {what}; known are {', '.join(named)}. Give others as special_points.")
    reciprocal = np.linalg.inv(np.asarray(crystal.atoms.cell)).T
    distances, qpoints, ticks, segments = [], [], [], []
    travelled = 0.0
    for piece in pieces:
        begin = sum(map(len, qpoints))
        ticks.append((travelled, piece[0]))
        for number, (first, last) in enumerate(itertools.pairwise(piece)):
            steps = np.linspace(0, 1, points)[(number > 0) :, None]
            line = named[first] + steps * (named[last] - named[first])
            length = float(np.linalg.norm((named[last] - named[first]) @ reciprocal))
            qpoints.append(line)
            distances.append(travelled + length * steps[:, 0])
            travelled += length
            ticks.append((travelled, piece[number + 1]))
        segments.append(slice(begin, sum(map(len, qpoints))))
    wave_vectors = np.concatenate(qpoints)
    return Bands(
        np.concatenate(distances), crystal.frequencies_THz(wave_vectors), wave_vectors, _merged(ticks), segments
    )


def _in_words(path: str | Sequence[Sequence[str]]) -> list[list[str]]:
    pieces = path.split("|") if isinstance(path, str) else path
    words = [piece.replace("-", " ").replace(",", " ").split() if isinstance(piece, str) else piece for piece in pieces]
    return [[pretty(label) for label in piece] for piece in words]


def _merged(ticks: list[tuple[float, str]]) -> list[tuple[float, str]]:
    """Two labels at the same place of the axis become one, "U|K"."""
    merged: list[tuple[float, str]] = []
    for distance, label in ticks:
        if merged and np.isclose(merged[-1][0], distance):
            merged[-1] = (merged[-1][0], f"{merged[-1][1]}|{label}" if merged[-1][1] != label else label)
        else:
            merged.append((distance, label))
    return merged
