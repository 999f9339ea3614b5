"""Names for instabilities: which imaginary modes a crystal has, where in the Brillouin zone, and how many of each.

Only wave vectors that fit the supercell are asked: at all others the frequencies are interpolated.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from labkit.simulators.phonons_data import ImaginaryMode
from labkit.simulators.phonons_path import special_points

if TYPE_CHECKING:
    from labkit.simulators.phonons_result import HarmonicCrystal

#: Modes closer than this (THz) are called degenerate.
DEGENERATE_THz = 0.02
#: An atom that has at least this part of the squared eigenvector is named.
NAMED_PART = 0.2


def imaginary_modes(crystal: HarmonicCrystal, threshold_THz: float) -> list[ImaginaryMode]:
    """Modes below -`threshold_THz`, one entry for each degenerate set and each star of wave vectors."""
    found: list[ImaginaryMode] = []
    for label, qpoint in commensurate_points(crystal):
        modes = crystal.modes([qpoint])
        frequencies = modes.frequencies_THz[0]
        branch = 0
        while branch < len(frequencies) and frequencies[branch] < -threshold_THz:
            same = np.flatnonzero(np.abs(frequencies - frequencies[branch]) < DEGENERATE_THz)
            last = int(same.max()) + 1
            frequency = float(frequencies[branch:last].mean())
            moving = _moving(crystal, modes.eigenvectors[0, branch:last])
            text = _sentence(label, qpoint, frequency, last - branch, moving)
            point = tuple(float(number) for number in qpoint)
            found.append(ImaginaryMode(label, point, branch, frequency, last - branch, text))
            branch = last
    return sorted(found, key=lambda mode: mode.frequency_THz)


def commensurate_points(crystal: HarmonicCrystal) -> list[tuple[str, np.ndarray]]:
    """(label, wave vector) of each star of wave vectors that fit the supercell, Γ first.

    Special points carry seekpath's label and coordinates, the others their coordinates as a label.
    """
    from phonopy.harmonic.dynmat_to_fc import get_commensurate_points

    rotations = crystal.phonopy.primitive_symmetry.pointgroup_operations
    stars: list[tuple[str, np.ndarray]] = []
    seen: set[tuple[int, ...]] = set()
    named, _ = special_points(crystal.atoms)
    candidates = [(label, point) for label, point in named.items() if _fits(point, crystal.supercell_matrix)]
    candidates += [("", point) for point in get_commensurate_points(crystal.supercell_matrix)]
    for label, point in candidates:
        # A reciprocal vector in reduced coordinates turns with the transposed rotation; time reversal turns it round.
        star = {_key(sign * rotation.T @ point) for rotation in rotations for sign in (1, -1)}
        if star & seen:
            continue
        seen |= star
        stars.append((label or coordinates(point), np.array(point)))
    return sorted(stars, key=lambda one: bool(np.abs(one[1]).max() > 1e-6))


def coordinates(qpoint: np.ndarray) -> str:
    """A wave vector in words: (1/2, 1/2, 0)."""
    return "(" + ", ".join(str(Fraction(float(number)).limit_denominator(48)) for number in qpoint) + ")"


def _fits(point: np.ndarray, matrix: np.ndarray) -> bool:
    waves = matrix.T @ point
    return bool(np.allclose(waves, np.rint(waves), atol=1e-5))


def _key(point: np.ndarray) -> tuple[int, ...]:
    return tuple(int(number) % 100_000 for number in np.rint(point * 100_000))


def _moving(crystal: HarmonicCrystal, vectors: np.ndarray) -> str:
    """The elements that carry a set of modes (g, n, 3), the most moved first."""
    parts = (np.abs(vectors) ** 2).sum(axis=(0, 2)) / len(vectors)
    symbols = crystal.atoms.get_chemical_symbols()
    by_element = dict.fromkeys(symbols, 0.0)
    for symbol, part in zip(symbols, parts, strict=True):
        by_element[symbol] += float(part)
    named = sorted((one for one in by_element.items() if one[1] >= NAMED_PART), key=lambda one: -one[1])
    return " and ".join(symbol for symbol, _ in named)


def _sentence(label: str, qpoint: np.ndarray, frequency: float, degeneracy: int, moving: str) -> str:
    where = f"{label} {coordinates(qpoint)}" if not label.startswith("(") else label
    times = "" if degeneracy == 1 else f", {degeneracy} times" if degeneracy != 2 else ", twice"
    verb = "move" if " and " in moving else "moves"
    return f"{where}: {abs(frequency):.2f}i THz{times}; {moving} {verb} most."
