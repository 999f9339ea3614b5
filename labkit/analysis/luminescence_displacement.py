"""How far the atoms are apart in two geometries of the same thing: nearest images, the motion of the whole removed."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from labkit.errors import InvalidStructure

if TYPE_CHECKING:
    from ase import Atoms

_CELL_TOLERANCE_A = 1e-3
#: Part of a cell edge by which the cell of the modes, relaxed with another potential, may differ.
_CELL_LOOSE = 0.05
_AS_GOOD_AS_EQUAL_A = 1e-6


def displacement(
    ground: Atoms, excited: Atoms, *, masses: np.ndarray | None = None, max_displacement_A: float = 1.0
) -> np.ndarray:
    """Return R_e - R_g (N, 3) in Å: nearest images, centre of mass at rest; a molecule is also turned onto the other.

    `masses` (N,) in amu are those of `ground` unless given. Raises InvalidStructure for different atoms, orders, cells,
    positions that are not finite, or an atom that moves by more than `max_displacement_A`: then the order differs.
    """
    from ase.geometry import find_mic

    if len(ground) == 0 or len(ground) != len(excited):
        raise InvalidStructure(
            f"the geometries have {len(ground)} and {len(excited)} atoms; they need the same, above 0."
        )
    if not np.array_equal(ground.numbers, excited.numbers):
        atom = int(np.flatnonzero(ground.numbers != excited.numbers)[0])
        raise InvalidStructure(
            f"atom {atom} is {ground.symbols[atom]} in the ground and {excited.symbols[atom]} in the excited state; "
            "sort both alike."
        )
    for name, atoms in (("ground", ground), ("excited", excited)):
        finite = np.isfinite(atoms.positions).all(axis=1)
        if not finite.all():
            raise InvalidStructure(f"the position of atom {int(np.argmin(finite))} in the {name} state is not finite.")
    gap = np.abs(ground.cell.array - excited.cell.array).max()
    if gap > _CELL_TOLERANCE_A or not np.array_equal(ground.pbc, excited.pbc):
        raise InvalidStructure(
            f"the cells of both states differ (by up to {gap:.3g} Å); relax the excited state in the cell of the other."
        )
    weights = ground.get_masses() if masses is None else np.asarray(masses, dtype=float)
    if weights.shape != (len(ground),):
        raise InvalidStructure(f"{len(weights)} masses for {len(ground)} atoms: the modes are those of something else.")
    moved = excited.positions - ground.positions
    if ground.pbc.any():
        moved = find_mic(moved, ground.cell, ground.pbc)[0]
        moved = moved - np.average(moved, axis=0, weights=weights)
        # An atom beside a face may have jumped relative to the centre.
        moved = find_mic(moved, ground.cell, ground.pbc)[0]
    else:
        moved = _turn(excited.positions, ground.positions, weights)[1]
    moved = moved - np.average(moved, axis=0, weights=weights)
    far = np.linalg.norm(moved, axis=1)
    if far.max() > max_displacement_A:
        atom = int(far.argmax())
        raise InvalidStructure(
            f"atom {atom} ({ground.symbols[atom]}) moves by {far[atom]:.2f} Å between the states, over "
            f"{max_displacement_A:g} Å. Are the atoms in the same order? If so, raise max_displacement_A."
        )
    return moved


def _turn(places: np.ndarray, onto: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the rotation (3, 3) of `places` onto `onto`, and by how much they still differ then (N, 3)."""
    from scipy.spatial.transform import Rotation

    places = places - np.average(places, axis=0, weights=weights)
    onto = onto - np.average(onto, axis=0, weights=weights)
    if len(onto) == 1:
        return np.eye(3), np.zeros((1, 3))
    with warnings.catch_warnings():
        # A linear molecule leaves the angle about its axis open, and does not care.
        warnings.simplefilter("ignore", UserWarning)
        turn = Rotation.align_vectors(onto, places, weights=weights)[0]
    return turn.as_matrix(), turn.apply(places) - onto


def turned_onto(moved: np.ndarray, ground: Atoms, modes: Atoms, masses: np.ndarray, within_A: float) -> np.ndarray:
    """Return displacements `moved` (N, 3) of `ground` as they are where the modes were computed.

    A crystal may stand elsewhere in its cell; a molecule may be turned too, and its displacements turn with it. Raises
    InvalidStructure for other elements, another cell, or an atom more than `within_A` from its place in `modes`: then
    the force constants are ordered otherwise.
    """
    from ase.geometry import find_mic

    if not np.array_equal(ground.numbers, modes.numbers):
        atom = int(np.flatnonzero(ground.numbers != modes.numbers)[0])
        raise InvalidStructure(
            f"atom {atom} is {ground.symbols[atom]} in the ground state and {modes.symbols[atom]} in the modes; sort "
            "both alike. If only a stand-in was used for the forces, pass normal_modes(ground, hessian)."
        )
    gap, edge = np.abs(ground.cell.array - modes.cell.array).max(), modes.cell.lengths().max()
    if not np.array_equal(ground.pbc, modes.pbc) or (modes.pbc.any() and gap > _CELL_LOOSE * edge):
        raise InvalidStructure("the modes belong to another cell than the geometries; compute both in the same one.")
    apart = ground.positions - modes.positions
    if modes.pbc.any():
        apart = find_mic(apart, modes.cell, modes.pbc)[0]
        # Relative to one atom first: a crystal shifted by half a cell has no mean image.
        apart = find_mic(apart - apart[0], modes.cell, modes.pbc)[0]
    apart = apart - np.average(apart, axis=0, weights=masses)
    if not modes.pbc.any() and np.abs(apart).max() > _AS_GOOD_AS_EQUAL_A:
        turn, apart = _turn(ground.positions, modes.positions, masses)
        moved = moved @ turn.T
    far = np.linalg.norm(apart, axis=1)
    if far.max() > within_A:
        atom = int(far.argmax())
        raise InvalidStructure(
            f"atom {atom} ({ground.symbols[atom]}) lies {far[atom]:.2f} Å from its place in the modes, over "
            f"{within_A:g} Å. Are the force constants ordered as the atoms of the geometries are?"
        )
    return moved


def forces_of(forces: np.ndarray, n: int, state: str) -> np.ndarray:
    """Return the forces as floats (N, 3); InvalidStructure says what is wrong with them."""
    forces = np.asarray(forces, dtype=float)
    if forces.shape != (n, 3):
        raise InvalidStructure(f"the forces of the {state} state have shape {forces.shape}; ({n}, 3) is needed.")
    if not np.isfinite(forces).all():
        atom = int(np.argwhere(~np.isfinite(forces))[0][0])
        raise InvalidStructure(f"the force on atom {atom} in the {state} state is not finite.")
    return forces
