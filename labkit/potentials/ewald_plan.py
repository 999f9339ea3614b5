"""Which reciprocal vectors an Ewald sum takes: integers that depend on a cell alone, found once and kept.

The one idea: the lattice is Minkowski-reduced first, so that the box of integers around the sphere |k| <= kc is never
much larger than the sphere, however skewed the cell is, and so that every description of one lattice takes the same
vectors. No torch here: a plan is small, picklable and good for all epochs.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from ase.geometry import minkowski_reduce

from labkit.errors import BudgetExceeded, InvalidStructure

#: e^2 / (4 pi eps0) in eV Å, from e (exact in the SI) and CODATA 2022's eps0.
COULOMB_eV_A = 1.602176634e-19 / (4 * np.pi * 8.8541878188e-12) * 1e10
#: 1 / (2 eps0) in eV Å / e^2: the prefactor of the reciprocal sum, 90.4756.
RECIPROCAL_eV_A = 2 * np.pi * COULOMB_eV_A
#: |k| on the sphere to within this relative error is inside: a cell whose edge is a multiple of dl puts many there.
TIE = 1e-8
#: More reciprocal vectors than this in one octant are refused: 2e7 are 20 000 nm^3 at dl = 1 Å.
MOST_VECTORS = 20_000_000
#: Signs of the second and third index in the four octants of the half space n1 >= 0.
OCTANTS = np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]])


@dataclass(frozen=True)
class EwaldPlan:
    """The reciprocal vectors of one structure, or the note that it has no cell.

    reduction: (3, 3) integers, reduced lattice = reduction @ cell, shortest vector first. bounds: largest integers
    (n1, n2, n3) on its reciprocal axes. multiplicity: (4, n1 + 1, n2 + 1, n3 + 1), in the four octants of `OCTANTS`:
    2 for k that stands for -k too, 1 for k whose partner is listed, 0 outside of the sphere.
    """

    periodic: bool
    reduction: np.ndarray
    bounds: tuple[int, int, int]
    multiplicity: np.ndarray

    @property
    def n_vectors(self) -> int:
        """Vectors 0 < |k| <= kc, k and -k both counted."""
        return int(self.multiplicity.sum(dtype=np.int64))


_MOLECULE = EwaldPlan(False, np.eye(3, dtype=np.int64), (0, 0, 0), np.zeros((4, 1, 1, 1), dtype=np.uint8))


def plan_for(cell: np.ndarray, pbc: np.ndarray, dl_A: float) -> EwaldPlan:
    """The plan of a structure with lattice rows `cell` (3, 3) Å and kc = 2 pi / `dl_A` (Å).

    Raises InvalidStructure for a structure that is periodic in one or two directions, or whose cell has no volume, and
    BudgetExceeded for a sum that no machine finishes.
    """
    periodic = np.broadcast_to(np.asarray(pbc, dtype=bool), 3)
    if not periodic.any():
        return _MOLECULE
    if not periodic.all():
        raise InvalidStructure(
            f"the structure is periodic along {periodic.sum()} of 3 directions; long-range sums know "
            "crystals (all three) and molecules (none). Set atoms.pbc to True with vacuum in the cell, or to False."
        )
    array = np.ascontiguousarray(cell, dtype=float)
    if not np.isfinite(array).all() or abs(np.linalg.det(array)) < 1e-6:
        raise InvalidStructure(
            f"the cell has the volume {np.linalg.det(array):.3g} Å^3, which a periodic structure cannot have. "
            "Set the cell again."
        )
    return _periodic_plan(array.tobytes(), float(dl_A))


@lru_cache(maxsize=256)
def _periodic_plan(cell_bytes: bytes, dl_A: float) -> EwaldPlan:
    cell = np.frombuffer(cell_bytes).reshape(3, 3)
    reduced, reduction = minkowski_reduce(cell)
    # k . a_a = 2 pi n_a, so |n_a| <= |a_a| kc / 2 pi: no vector of the sphere lies outside of this box.
    bounds = np.floor(np.linalg.norm(reduced, axis=1) / dl_A * (1 + TIE)).astype(int)
    if np.prod(bounds + 1.0) > MOST_VECTORS:
        raise BudgetExceeded(
            f"a cell of {abs(np.linalg.det(cell)):.3g} Å^3 has {8 * np.prod(bounds + 1.0):.2g} reciprocal vectors at "
            f"dl = {dl_A:g} Å; at most {8 * MOST_VECTORS:.2g} are summed. Raise dl_A or take a smaller cell."
        )
    n1, n2, n3 = np.meshgrid(*(np.arange(bound + 1) for bound in bounds), indexing="ij")
    reciprocal = np.linalg.inv(reduced).T
    multiplicity = np.zeros((4, *n1.shape), dtype=np.uint8)
    for octant, (second, third) in enumerate(OCTANTS):
        integers = np.stack([n1, second * n2, third * n3], axis=-1)
        inside = ((integers @ reciprocal) ** 2).sum(axis=-1) <= dl_A**-2 * (1 + TIE)
        inside[0, 0, 0] = False
        if second < 0:
            inside[:, 0] = False
        if third < 0:
            inside[:, :, 0] = False
        multiplicity[octant] = inside * np.where(n1 > 0, 2, 1)
    return EwaldPlan(True, reduction.astype(np.int64), tuple(int(bound) for bound in bounds), multiplicity)


def octant_products(bounds: tuple[int, int, int]) -> np.ndarray:
    """(6, 4 K) products n_a n_b of the integers in four octants, K = prod(bounds + 1).

    With the reciprocal metric g = (g11, g22, g33, 2 g12, 2 g13, 2 g23), g @ products is |k|^2 / 4 pi^2 of each vector.
    """
    n1, n2, n3 = (axis.ravel() for axis in np.meshgrid(*(np.arange(bound + 1.0) for bound in bounds), indexing="ij"))
    blocks = [
        np.stack([n1 * n1, n2 * n2, n3 * n3, b * n1 * n2, c * n1 * n3, b * c * n2 * n3]) for b, c in OCTANTS.tolist()
    ]
    return np.concatenate(blocks, axis=1)


def octant_signs() -> np.ndarray:
    """(8, 8) signs that make Re S and Im S of the four octants from sums of products of cosines and sines.

    Rows: octant, then real and imaginary part. Columns: cosine (0) or sine (1) along axes 1, 2, 3. It is
    (c1 + i s1)(c2 + i σ2 s2)(c3 + i σ3 s3), written out.
    """
    signs = np.zeros((4, 2, 2, 2, 2))
    for octant, (second, third) in enumerate(OCTANTS):
        for a, b, c in np.ndindex(2, 2, 2):
            factor = 1j ** (a + b + c) * second**b * third**c
            signs[octant, 0, a, b, c], signs[octant, 1, a, b, c] = factor.real, factor.imag
    return signs.reshape(8, 8)
