"""Fill a unit cell from a space-group setting and its inequivalent sites.

The symmetry operations come from spglib's own table of the 530 Hall settings, so that the origin and the axes are never
in doubt.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from ase import Atoms

from labkit.structures.symmetry import operations

SAME_SITE = 1e-4  # fractional; printed coordinates such as 0.3333 must still meet themselves


def parse_site(site: str) -> tuple[str, np.ndarray]:
    """Split ``"Li 1/3 2/3 0.1"`` into the symbol and its fractional coordinates (3,)."""
    symbol, *coordinates = site.split()
    return symbol, np.array([float(Fraction(x)) for x in coordinates])


def fill_cell(hall_number: int, lattice: Sequence[float], sites: Sequence[str]) -> Atoms:
    """Return the full periodic cell of a crystal.

    `hall_number` is spglib's number (1 to 530) of the setting, `lattice` is a, b, c in Å and α, β, γ in degrees, and
    each site reads ``"symbol x y z"`` in fractions of the cell.
    """
    rotations, translations = operations(hall_number)
    symbols: list[str] = []
    positions: list[np.ndarray] = []
    for site in sites:
        symbol, start = parse_site(site)
        orbit: list[np.ndarray] = []
        for image in (rotations @ start + translations) % 1.0:
            if not orbit or not np.any(_same(np.array(orbit), image)):
                orbit.append(image)
        symbols += [symbol] * len(orbit)
        positions += orbit
    return Atoms(symbols, scaled_positions=np.array(positions), cell=lattice, pbc=True)


def _same(points: np.ndarray, image: np.ndarray) -> np.ndarray:
    difference = points - image
    return np.all(np.abs(difference - np.round(difference)) < SAME_SITE, axis=1)
