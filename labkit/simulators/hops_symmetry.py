"""Which hops of a crystal are the same hop: its space group acting on pairs of sites.

A hop is a pair of sites and the lattice translation between their cells. Under an operation of the space group it
becomes another such triple of whole numbers, so that no distance is ever compared to find equal hops.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase import Atoms

from labkit.structures.symmetry import dataset

Triple = tuple[int, int, tuple[int, int, int]]


@dataclass(frozen=True)
class SiteSymmetry:
    """Operations of the space group as permutations of n sites with lattice translations.

    rotations: (m, 3, 3) whole numbers; targets: (m, n) the site on which each one lands; shifts: (m, n, 3) the cell in
    which it lands.
    """

    rotations: np.ndarray
    targets: np.ndarray
    shifts: np.ndarray

    def images(self, i: int, j: int, image: tuple[int, int, int]) -> list[Triple]:
        """All pairs (i', j', image') that are equivalent to the hop from site i in the home cell to j in `image`.

        With x -> W x + w taking x_i to x_i' + n_i and x_j to x_j' + n_j, the translation R becomes n_j + W R - n_i.
        """
        moved = self.shifts[:, j] + self.rotations @ np.array(image) - self.shifts[:, i]
        return [
            (int(first), int(second), tuple(int(x) for x in shift))
            for first, second, shift in zip(self.targets[:, i], self.targets[:, j], moved, strict=True)
        ]

    def orbits(self) -> tuple[int, ...]:
        """For each site the number of its orbit; symmetry-equivalent sites share it, the first orbit is 0."""
        lowest = self.targets.min(axis=0)
        return tuple(int(x) for x in np.unique(lowest, return_inverse=True)[1])


def operations(atoms: Atoms, symprec_A: float) -> tuple[np.ndarray, np.ndarray]:
    """Rotations (m, 3, 3) and translations (m, 3) of the space group of `atoms` in its own cell; the identity alone
    when spglib finds nothing.
    """
    data = dataset(atoms, symprec_A)
    if data is None:
        return np.eye(3, dtype=int)[None], np.zeros((1, 3))
    return np.asarray(data.rotations), np.asarray(data.translations)


def site_symmetry(
    sites: np.ndarray, cell: np.ndarray, rotations: np.ndarray, translations: np.ndarray, tolerance_A: float
) -> SiteSymmetry:
    """Return the operations that take the fractional `sites` (n, 3) onto themselves within `tolerance_A` (Å); one that
    does not is left out.
    """
    from scipy.spatial import cKDTree

    moved = np.einsum("mij,nj->mni", rotations, sites) + translations[:, None]
    _, targets = cKDTree(fold(sites), boxsize=1.0).query(fold(moved))
    shifts = np.round(moved - sites[targets])
    errors = np.linalg.norm((moved - sites[targets] - shifts) @ cell, axis=-1)
    kept = (errors <= tolerance_A).all(axis=1)
    return SiteSymmetry(rotations[kept], targets[kept], shifts[kept].astype(int))


def fold(fractions: np.ndarray) -> np.ndarray:
    """Fractional coordinates moved into [0, 1)."""
    folded = fractions - np.floor(fractions)
    folded[folded >= 1.0] = 0.0  # -1e-17 - floor(-1e-17) is 1
    return folded


def reverse(triple: Triple) -> Triple:
    """The same hop walked backwards."""
    i, j, (a, b, c) = triple
    return j, i, (-a, -b, -c)


def classify(edges: list[Triple], symmetry: SiteSymmetry) -> tuple[list[int], list[Triple], list[bool]]:
    """Sort undirected `edges` into classes of equivalent hops, numbered in the order of their first member.

    Returns for each edge its class and the edge turned so that an operation takes the first member of the class to it
    in this very direction; and for each class whether it is equivalent to its own reverse.
    """
    place = {edge: index for index, edge in enumerate(edges)}
    classes, turned, symmetric = [-1] * len(edges), list(edges), []
    for start, edge in enumerate(edges):
        if classes[start] >= 0:
            continue
        images = symmetry.images(*edge)
        for image in images:
            index = place.get(image, place.get(reverse(image), -1))
            if index >= 0 and classes[index] < 0:
                classes[index], turned[index] = len(symmetric), image
        symmetric.append(reverse(edge) in images)
    return classes, turned, symmetric
