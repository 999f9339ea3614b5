"""The geometry of a path for the eye: images that follow each other without jumps, and places between them.

Neighbouring images are joined by minimum-image vectors (`ase.geometry.find_mic`, right in skew cells too), so a path
that leaves the cell goes on outside it instead of appearing on the other side.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.geometry import find_mic

from . import scene

BETWEEN = 10  # places from one image to the next
MOVES = 0.5  # atoms that move at least this share of the longest way are drawn as moving


@dataclass(frozen=True)
class Track:
    """Images laid out along a path: positions of all places (f, n, 3), of the images (m, n, 3), and who moves."""

    atoms: Atoms
    places: np.ndarray
    images: np.ndarray
    movers: list[int]

    def image_of(self, place: int) -> float:
        """The image at a place, with a fraction between two of them."""
        return place / BETWEEN


def straight_line(initial: Atoms, final: Atoms, between: int) -> list[Atoms]:
    """Return the ends and `between` images on the straight line between them."""
    from labkit.simulators.neb_start import linear

    images = []
    for positions in linear(initial, final, between):
        image = initial.copy()
        image.positions = positions
        images.append(image)
    return images


def track(images: Sequence[Atoms]) -> Track:
    """Lay out images as a path through (m, n, 3), whole groups moved into the cell, the hop as near to it as can be."""
    from scipy.interpolate import make_interp_spline

    first = images[0]
    steps = [find_mic(b.positions - a.positions, first.cell, first.pbc)[0] for a, b in itertools.pairwise(images)]
    walked = np.concatenate([np.zeros((1, len(first), 3)), np.cumsum(steps, axis=0)])
    home = scene.wrapped(first, scene.groups(len(first), scene.bonds(first)))
    laid = home + walked
    ways = np.linalg.norm(walked, axis=2).max(axis=0)
    movers = np.flatnonzero(ways >= MOVES * ways.max()).tolist() if ways.max() > 1e-3 else []
    if movers and first.pbc.any() and abs(first.cell.volume) > 1e-6:
        middle = (laid[0, movers] + laid[-1, movers]).mean(axis=0) / 2
        cells = np.where(first.pbc, np.floor(first.cell.scaled_positions(middle) + 1e-6), 0.0)
        laid[:, movers] -= cells @ first.cell.array
    numbers = np.arange(len(images))
    between = np.linspace(0, len(images) - 1, (len(images) - 1) * BETWEEN + 1)
    places = make_interp_spline(numbers, laid, k=min(3, len(images) - 1))(between)
    shown = first.copy()
    shown.positions = laid[0]
    return Track(shown, places, laid, movers)
