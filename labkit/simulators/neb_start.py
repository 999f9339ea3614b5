"""The path that a nudged elastic band starts from: end states made continuous, images between them, bumps smoothed.

Every difference between two structures is the shortest one over all lattice vectors (`ase.geometry.find_mic`); rounding
fractional coordinates picks a wrong image in skew cells.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Literal

import numpy as np
from ase import Atoms
from ase.geometry import find_mic

from labkit.errors import InvalidStructure

if TYPE_CHECKING:
    from collections.abc import Callable

    from pymatgen.core import Structure

Interpolation = Literal["idpp", "linear"]

#: Vacuum (Å) around a molecule whose cell has no extent in a direction that does not repeat.
VACUUM_A = 20.0
IDPP_STEPS, IDPP_GTOL, IDPP_TOL = 500, 1e-2, 1e-4
#: A start path with two atoms nearer to each other than this (Å) is refused: no potential knows what happens there.
CLOSEST_A = 0.3


def unwrap(initial: Atoms, final: Atoms) -> np.ndarray:
    """Positions (n, 3) Å of `final` such that each atom is the image nearest to where it is in `initial`.

    Raises InvalidStructure for two structures that do not hold the same atoms in the same order, or in another cell.
    """
    if len(initial) != len(final):
        raise InvalidStructure(
            f"the initial state has {len(initial)} atoms and the final state {len(final)}; a path needs the same atoms."
        )
    if not (initial.numbers == final.numbers).all():
        first = int(np.flatnonzero(initial.numbers != final.numbers)[0])
        raise InvalidStructure(
            f"atom {first} is {initial.symbols[first]} in the initial state and {final.symbols[first]} in the final "
            "state; list the atoms of both in the same order."
        )
    if not np.allclose(initial.cell.array, final.cell.array, atol=1e-4) or (initial.pbc != final.pbc).any():
        raise InvalidStructure(
            "the initial and the final state have different cells; relax both with the cell of one of them held fixed."
        )
    return initial.positions + find_mic(final.positions - initial.positions, initial.cell, initial.pbc)[0]


def linear(initial: Atoms, final: Atoms, images: int) -> np.ndarray:
    """Positions (images + 2, n, 3) Å at equal distances on the straight line between two states."""
    fractions = np.linspace(0, 1, images + 2)[:, None, None]
    return initial.positions + fractions * (unwrap(initial, final) - initial.positions)


def start_path(
    initial: Atoms,
    final: Atoms,
    images: int,
    interpolation: Interpolation = "idpp",
    log: Callable[[str], None] = lambda _: None,
) -> np.ndarray:
    """Positions (images + 2, n, 3) Å of a start path; the ends are those given, made continuous.

    "idpp" lets the pair distances, not the positions, change evenly (Smidstrup et al., J. Chem. Phys. 140, 214106
    (2014)), by pymatgen-analysis-diffusion; `log` hears when it did not help and the straight line is taken.
    """
    straight = linear(initial, final, images)
    if interpolation == "linear" or len(initial) < 2:
        return straight
    try:
        smooth = _idpp(initial, straight)
    except (ValueError, ArithmeticError, np.linalg.LinAlgError) as error:
        log(f"no IDPP path ({error}); the band starts from the straight line")
        return straight
    if not np.isfinite(smooth).all() or np.abs(smooth - straight).max() > 3.0:
        log("the IDPP path left the region between the end states; the band starts from the straight line")
        return straight
    return smooth


def closest_pair(template: Atoms, path: np.ndarray) -> tuple[int, int, int, float] | None:
    """(image, atom, atom, distance Å) of the closest pair on a path (M + 2, n, 3) Å; None when all keep `CLOSEST_A`."""
    from ase.neighborlist import neighbor_list

    found = []
    for image, positions in enumerate(path):
        atoms = template.copy()
        atoms.positions = positions
        pairs = zip(*neighbor_list("ijd", atoms, CLOSEST_A), strict=True)
        found += [(image, int(one), int(other), float(distance)) for one, other, distance in pairs]
    return min(found, key=lambda pair: pair[3], default=None)


def _idpp(initial: Atoms, straight: np.ndarray) -> np.ndarray:
    from pymatgen.analysis.diffusion.neb.pathfinder import IDPPSolver

    solver = IDPPSolver([_structure(initial, positions) for positions in straight])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # "maximum iteration number": good enough for a start
        found = solver.run(maxiter=IDPP_STEPS, tol=IDPP_TOL, gtol=IDPP_GTOL)
    inner = np.array([structure.cart_coords for structure in found[1:-1]]).reshape(straight[1:-1].shape)
    return np.concatenate([straight[:1], inner, straight[-1:]])


def _structure(atoms: Atoms, positions: np.ndarray) -> Structure:
    """pymatgen's view of one image; coordinates stay unwrapped."""
    from pymatgen.core import Lattice, Structure

    matrix = atoms.cell.array.copy()
    if not matrix.any(axis=1).all():
        open_axes = ~matrix.any(axis=1)
        matrix = np.array(atoms.cell.complete())
        matrix[open_axes] *= np.ptp(positions, axis=0).max() + VACUUM_A
    lattice = Lattice(matrix, pbc=tuple(bool(p) for p in atoms.pbc))
    return Structure(lattice, atoms.get_chemical_symbols(), positions, coords_are_cartesian=True)
