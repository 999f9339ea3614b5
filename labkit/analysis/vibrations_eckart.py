"""The frame that moves and turns with a molecule, in which only its vibrations are left.

Eckart's conditions fix the frame from positions and its turning from velocities, so that nothing of a rotation is
mistaken for a vibration.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from labkit.analysis.vibrations_linear import axis_of, carried
from labkit.errors import InvalidStructure

if TYPE_CHECKING:
    from ase import Atoms

    from labkit.analysis.vibrations_velocities import Velocities

#: Root mean square displacement over radius of gyration beyond which a molecule is no longer its reference, turned.
_LARGEST_CHANGE = 0.5


def eckart_frame(velocities: Velocities, reference: Atoms) -> Velocities:
    """Return the velocities of a molecule in the frame that moves and turns with it, which `reference` is drawn in.

    With r_i the reference and x_i = R^T (r_i(t) - centre), R is the rotation of the Eckart conditions
    sum_i m_i r_i × x_i = 0 (C. Eckart, Phys. Rev. 47 (1935) 552), found as the best mass-weighted fit; its angular
    velocity ω follows from their time derivative, sum_i m_i [(r_i.x_i) 1 - x_i r_i^T] ω = sum_i m_i r_i × u_i, and the
    velocities are u_i - ω × x_i, u_i = R^T (v_i - V). Translations and rotations of the reference vanish in them to
    rounding, so six modes are zero. Of a linear molecule it is five, and the frame is carried along without turning
    about the axis (`vibrations_linear`). Needs `positions_A`; raises InvalidStructure without, or for another molecule
    or shape.
    """
    if velocities.positions_A is None:
        raise InvalidStructure("the turning frame needs positions; give Velocities with positions_A.")
    if tuple(reference.symbols) != velocities.symbols and set(velocities.symbols) != {"X"}:
        raise InvalidStructure(f"the reference {reference.symbols} is not the molecule that moved; sort atoms alike.")
    masses = velocities.masses_amu
    if len(reference) != len(masses) or len(masses) < 2:
        raise InvalidStructure(
            f"the reference has {len(reference)} atoms and {len(masses)} moved; at least 2 are needed."
        )
    fixed = reference.positions - np.average(reference.positions, axis=0, weights=masses)
    spread = velocities.positions_A - np.average(velocities.positions_A, axis=1, weights=masses)[:, None]
    drift = velocities.values - np.average(velocities.values, axis=1, weights=masses)[:, None]
    if np.ptp(fixed, axis=0).max() == 0:
        raise InvalidStructure("all atoms of the reference stand at one place; give the molecule at its minimum.")
    line = axis_of(fixed)
    if line is not None:
        fixed = np.outer(fixed @ line, line)
        rotation = carried(line, np.einsum("i,tib->tb", masses * (fixed @ line), spread))
    else:
        # Kabsch's fit for all frames at once: its condition of being best is Eckart's condition.
        left, _, right = np.linalg.svd(np.einsum("i,ia,tib->tab", masses, fixed, spread))
        handed = np.sign(np.linalg.det(left @ right))
        left[:, :, 2] *= handed[:, None]
        rotation = left @ right  # (T, 3, 3), x = rotation @ spread
    x = np.einsum("tab,tib->tia", rotation, spread)
    away = np.sqrt(np.einsum("i,tia->t", masses, (x - fixed) ** 2) / np.einsum("i,ia->", masses, fixed**2))
    if away.max() > _LARGEST_CHANGE:
        worst = int(np.argmax(away))
        raise InvalidStructure(
            f"frame {worst} is {100 * away[worst]:.0f} % of the molecule's size away from the reference however it is "
            "turned: the molecule changed its shape, crosses the cell (unwrap it), or its atoms are ordered otherwise."
        )
    u = np.einsum("tab,tib->tia", rotation, drift)
    matrix = np.einsum("i,ia,tia->t", masses, fixed, x)[:, None, None] * np.eye(3)
    matrix = matrix - np.einsum("i,tia,ib->tab", masses, x, fixed)
    turning = np.einsum("tab,tb->ta", np.linalg.pinv(matrix, rcond=1e-8), (masses[:, None] * np.cross(fixed, u)).sum(1))
    inner = u - np.cross(turning[:, None], x)
    return replace(velocities, values=inner, positions_A=x, removed=6 if line is None else 5)
