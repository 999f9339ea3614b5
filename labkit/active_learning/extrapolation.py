"""The extrapolation grade of a linear model: how far a new structure lies outside of what the model was fitted on.

The one idea: of all fitted rows keep those that span the largest volume (the active set A); a new row b is then
b = c A, and γ = max_j |c_j|. At most 1 is interpolation, above 1 it enlarges the volume (D-optimality).
Podryabinkin and Shapeev, Comput. Mater. Sci. 140, 171 (2017); Goreinov et al., "How to find a good submatrix" (2010).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from labkit.errors import NotConverged

if TYPE_CHECKING:
    from ase import Atoms

#: A row is swapped in when it enlarges the volume by more than this factor.
TOLERANCE = 1.001
MAX_SWAPS = 10_000
#: Singular values below this share of the largest are directions that the data do not have.
RANK = 1e-10
#: Share of a row outside of the fitted directions that still counts as rounding.
OUTSIDE = 1e-6


def maxvol(matrix: np.ndarray, tolerance: float = TOLERANCE) -> np.ndarray:
    """Indices (p,), sorted, of rows of `matrix` (n, p), n ≥ p, whose submatrix has a locally largest |determinant|.

    Starts from QR with column pivoting; then, while an entry of C = matrix A^{-1} exceeds `tolerance`, that row takes
    the place of that column's row, which multiplies the volume by |C_ij|. Raises ValueError for a matrix without full
    column rank, NotConverged after 10,000 swaps.
    """
    from scipy.linalg import qr

    matrix = np.asarray(matrix, dtype=float)
    if matrix.ndim != 2 or len(matrix) < matrix.shape[1] or not np.isfinite(matrix).all():
        raise ValueError(f"maxvol needs finite rows, at least as many as columns; the matrix is {matrix.shape}.")
    size = matrix.shape[1]
    triangle, order = qr(matrix.T, mode="r", pivoting=True)
    diagonal = np.abs(np.diag(triangle))
    if diagonal.min() <= RANK * diagonal.max():
        raise ValueError(
            f"the {len(matrix)} rows span fewer than {size} directions; use ActiveSet, which reduces them first."
        )
    chosen = np.array(order[:size])
    coefficients = np.linalg.solve(matrix[chosen].T, matrix.T).T
    for _ in range(MAX_SWAPS):
        row, column = np.unravel_index(np.argmax(np.abs(coefficients)), coefficients.shape)
        pivot = coefficients[row, column]
        if abs(pivot) <= tolerance:
            return np.sort(chosen)
        chosen[column] = row
        change = coefficients[row].copy()
        change[column] -= 1
        coefficients -= np.outer(coefficients[:, column] / pivot, change)
    raise NotConverged(f"maxvol made {MAX_SWAPS:,} swaps on {len(matrix)} rows; raise its tolerance ({tolerance:g}).")


@dataclass(frozen=True)
class ActiveSet:
    """The rows that span a fitted linear model.

    rows: (r,) indices into the fitted matrix. basis: (p, r) orthonormal directions that the data have. inverse: (r, r).
    """

    rows: np.ndarray
    basis: np.ndarray
    inverse: np.ndarray

    @classmethod
    def of(cls, descriptors: np.ndarray, tolerance: float = TOLERANCE) -> ActiveSet:
        """The active set of the model fitted on `descriptors` (n, p): rows of structures, or of atoms.

        Columns that depend on each other are reduced to the r directions that the data have. Raises ValueError for a
        matrix of zeros or of numbers that are not finite.
        """
        matrix = np.atleast_2d(np.asarray(descriptors, dtype=float))
        if not np.isfinite(matrix).all() or not matrix.any():
            raise ValueError(f"the {matrix.shape} descriptors are all zero, or not finite; nothing was fitted on them.")
        _, singular, directions = np.linalg.svd(matrix, full_matrices=False)
        basis = directions[singular > RANK * singular[0]].T
        reduced = matrix @ basis
        # the grade does not depend on the scale of a direction, the conditioning does
        scale = np.sqrt((reduced**2).mean(axis=0))
        rows = maxvol(reduced / scale, tolerance)
        return cls(rows, basis, np.linalg.inv(reduced[rows]))

    def grades(self, descriptors: np.ndarray) -> np.ndarray:
        """Extrapolation grade γ (n,) of each row (n, p); infinite for a row with a part that no fitted row has."""
        matrix = np.atleast_2d(np.asarray(descriptors, dtype=float))
        if matrix.shape[1] != len(self.basis):
            raise ValueError(f"rows have {matrix.shape[1]} numbers; the active set was made with {len(self.basis)}.")
        reduced = matrix @ self.basis
        found = np.abs(reduced @ self.inverse).max(axis=1)
        outside = np.linalg.norm(matrix - reduced @ self.basis.T, axis=1)
        return np.where(outside > OUTSIDE * np.linalg.norm(matrix, axis=1), np.inf, found)

    def structure_grades(self, descriptors: Sequence[np.ndarray]) -> np.ndarray:
        """The grade (B,) of each structure from the rows (n_b, p) of its atoms: that of its worst atom."""
        return np.array([self.grades(each).max() for each in descriptors])


def moment_tensor_grades(
    potential: str | Path,
    training: Sequence[Atoms],
    structures: Sequence[Atoms],
    species: Sequence[str],
    *,
    per_atom: bool = False,
    seed: int = 1,
) -> np.ndarray:
    """Grades (B,) by a moment tensor potential through motep: `potential` is its .mtp file, `training` what it saw.

    `per_atom`: the worst neighbourhood of each structure instead of the structure's sum. Raises NotConverged when motep
    finds no active set, ImportError with the command that installs it.
    """
    try:
        from motep.grade import Grader
        from motep.grade.grader import GradeMode
        from motep.io.mlip.mtp import read_mtp
    except ImportError as error:
        message = "grades of moment tensor potentials need the package motep: pip install 'motep>=0.2'"
        raise ImportError(message) from error
    data = read_mtp(str(potential))
    data.species = [_number(symbol) for symbol in species]
    mode = GradeMode.NEIGHBORHOOD if per_atom else GradeMode.CONFIGURATION
    grader = Grader(data, seed=seed, mode=mode)
    grader.update(list(training))
    if not grader.maxvol_result.success:
        raise NotConverged(f"motep found no active set among {len(training)} structures; add training structures.")
    return np.array([atoms.calc.results["MV_grade"] for atoms in grader.grade(list(structures))])


def _number(symbol: str) -> int:
    from ase.data import atomic_numbers

    return atomic_numbers[symbol]
