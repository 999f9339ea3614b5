"""Second derivatives by finite differences of forces, and the normal modes that prove what a stationary point is.

The one idea: translation and rotation are taken out of the space before anything is diagonalised, so that no eigenvalue
has to be recognised as "nearly zero" afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from labkit.landscapes.surface import Surface

#: A curvature smaller than this times the displacement (eV/Å^3), and than this part of the largest one, counts as zero.
ZERO_EV_A3, ZERO_PART = 1.0, 1e-4
#: sqrt(eV/(Å^2 amu)) / 2π in THz and in cm^-1.
THZ, PER_CM = 15.633302, 521.4709
#: A point at rest this close to a line is linear (see `Surface.idle`): a quench leaves a bend of force / curvature, and
#: the rotation about the axis of a nearly linear molecule is not idle, it is one of its bending modes.
LINEAR_AT_REST = 1e-2
#: So many displaced geometries are evaluated in one call.
AT_ONCE = 20_000


@dataclass(frozen=True)
class NormalModes:
    """The harmonic picture of one stationary point, without its idle and frozen directions.

    eigenvalues (m,) eV/(Å^2 amu) of the mass-weighted Hessian, rising; curvatures (m,) eV/Å^2 and directions (m, n, 3),
    unit vectors, of the Cartesian one; both have the same number of negative values (Sylvester's law of inertia). Below
    zero_eV_A2 a curvature counts as zero.
    """

    eigenvalues: np.ndarray
    curvatures: np.ndarray
    directions: np.ndarray
    zero_eV_A2: float

    @property
    def negative(self) -> int:
        """The number of unstable directions: 0 at a minimum, 1 at a saddle of first order."""
        return int((self.curvatures < -self.zero_eV_A2).sum())

    @property
    def flat(self) -> int:
        """The number of directions without curvature: above zero the point has fallen apart or is degenerate."""
        return int((abs(self.curvatures) <= self.zero_eV_A2).sum())

    @property
    def frequencies_THz(self) -> np.ndarray:
        """ν = sqrt|λ| / 2π, negative where imaginary."""
        return np.sign(self.eigenvalues) * np.sqrt(abs(self.eigenvalues)) * THZ

    @property
    def wavenumbers_per_cm(self) -> np.ndarray:
        """The same in cm^-1."""
        return np.sign(self.eigenvalues) * np.sqrt(abs(self.eigenvalues)) * PER_CM


def zero(surface: Surface, matrix: np.ndarray) -> float:
    """The curvature (eV/Å^2) that counts as zero in a Hessian: the noise of differences, less in soft materials."""
    return min(ZERO_EV_A3 * surface.displacement_A, ZERO_PART * float(abs(matrix).max()))


def hessian(
    surface: Surface,
    positions: np.ndarray,
    displacement_A: float | None = None,
    *,
    forces: np.ndarray | None = None,
) -> np.ndarray:
    """Cartesian Hessians (k, 3n, 3n) eV/Å^2 at positions (k, n, 3), symmetrised; zero for frozen components.

    H_ab = -(F_a(+h e_b) - F_a(-h e_b)) / 2h, 6n evaluations each, h (Å) that of the surface unless given; with the
    `forces` (k, n, 3) at the points themselves, one-sided, 3n evaluations and an error of first order in h. NaN where
    the potential refused a geometry.
    """
    positions = np.asarray(positions, dtype=float)
    displacement_A = displacement_A or surface.displacement_A
    k, n = positions.shape[:2]
    columns = np.flatnonzero(surface.free.ravel())
    shifts = np.zeros((len(columns), 3 * n))
    shifts[np.arange(len(columns)), columns] = displacement_A
    shifts = shifts.reshape(-1, n, 3)
    if forces is None:
        shifts = np.concatenate([shifts, -shifts])
    found = np.zeros((k, 3 * n, 3 * n))
    group = max(1, AT_ONCE // max(1, len(shifts)))
    for begin in range(0, k, group):
        part = positions[begin : begin + group]
        moved = (part[:, None] + shifts[None]).reshape(-1, n, 3)
        answers = surface.evaluate(moved)[1].reshape(len(part), len(shifts), 3 * n)
        if forces is None:
            half = len(columns)
            rows = -(answers[:, :half] - answers[:, half:]) / (2 * displacement_A)
        else:
            rows = -(answers - forces[begin : begin + group].reshape(len(part), 1, 3 * n)) / displacement_A
        found[begin : begin + group, columns] = rows
    return (found + found.transpose(0, 2, 1)) / 2


def normal_modes(
    surface: Surface, positions: np.ndarray, hessians: np.ndarray | None = None
) -> list[NormalModes | None]:
    """Normal modes of k points (k, n, 3), 3n - 6 each (3n - 5 linear, 3n - 3 periodic, 3n in a fixed frame).

    hessians: (k, 3n, 3n) when they are known already. None for a point whose Hessian is not finite.
    """
    positions = np.asarray(positions, dtype=float)
    if hessians is None:
        hessians = hessian(surface, positions)
    return [
        _modes(surface, idle, one) if np.isfinite(one).all() else None
        for idle, one in zip(surface.idle(positions, LINEAR_AT_REST), hessians, strict=True)
    ]


def _modes(surface: Surface, idle: np.ndarray, matrix: np.ndarray) -> NormalModes:
    free = surface.free.ravel()
    roots = np.sqrt(np.repeat(surface.masses, 3))
    outside = idle[:, np.linalg.norm(idle, axis=0) > 0.5]
    curvatures, directions = _inside(matrix, outside, free)
    # In mass-weighted coordinates q = sqrt(m) x the idle directions are sqrt(m) times the Cartesian ones.
    eigenvalues, _ = _inside(matrix / np.outer(roots, roots), roots[:, None] * outside, free)
    return NormalModes(eigenvalues, curvatures, directions.T.reshape(len(curvatures), -1, 3), zero(surface, matrix))


def _inside(matrix: np.ndarray, outside: np.ndarray, free: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues (m,) and eigenvectors (3n, m) in the free space orthogonal to the columns of `outside`."""
    frozen = np.eye(len(free))[:, ~free]
    barred = np.concatenate([outside, frozen], axis=1)
    basis = np.linalg.qr(barred, mode="complete")[0][:, barred.shape[1] :] if barred.size else np.eye(len(free))
    values, vectors = np.linalg.eigh(basis.T @ matrix @ basis)
    return values, basis @ vectors
