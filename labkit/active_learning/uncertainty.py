"""How much a committee disagrees, atom by atom and structure by structure, under the names the literature uses.

The one idea: every definition is a function of the members' forces (M, n, 3), so one evaluation serves all of them, and
a number never stands without the name of its definition.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ase import Atoms

    from labkit.potentials.committee import Committee
    from labkit.potentials.interface import Potential

#: Atom-wise definitions of a spread u_i (eV/Å); deviations d_m = F_m - mean over the M members.
ATOM_WISE = {
    "component": "sqrt(Σ_m |d_m|² / (3 (M - 1))): standard deviation of one Cartesian component",
    "vector": "sqrt(Σ_m |d_m|² / (M - 1)): standard deviation of the force vector (Committee.predict)",
    "dp-gen": "sqrt(Σ_m |d_m|² / M): force deviation of DP-GEN, Zhang et al., Comput. Phys. Commun. 253, 107206 (2020)",
}
#: Structure-wise definitions: how the u_i of a structure become one number (eV/Å).
STRUCTURE_WISE = {
    "largest": "max_i u_i: the worst atom, the usual criterion of a query by committee",
    "mean": "mean_i u_i",
    "root mean square": "sqrt(mean_i u_i²)",
}


def atom_spread(forces: np.ndarray, definition: str = "component") -> np.ndarray:
    """Spread u_i (n,) in eV/Å of the members' forces (M, n, 3) in eV/Å; `definition` is a key of ATOM_WISE.

    Raises ValueError for another shape, fewer than two members, numbers that are not finite or an unknown definition.
    """
    forces = _members(forces)
    if definition not in ATOM_WISE:
        raise ValueError(f"there is no atom-wise spread {definition!r}; give one of {', '.join(ATOM_WISE)}.")
    m = len(forces)
    squares = ((forces - forces.mean(axis=0)) ** 2).sum(axis=(0, 2))
    return np.sqrt(squares / {"component": 3 * (m - 1), "vector": m - 1, "dp-gen": m}[definition])


def structure_spread(spreads: np.ndarray, definition: str = "largest") -> float:
    """One number (eV/Å) from the atoms' spreads (n,); `definition` is a key of STRUCTURE_WISE."""
    spreads = np.asarray(spreads, dtype=float)
    if spreads.ndim != 1 or not len(spreads):
        raise ValueError(f"the spreads of a structure have the shape (n,) with n ≥ 1, not {spreads.shape}.")
    if definition == "largest":
        return float(spreads.max())
    if definition == "mean":
        return float(spreads.mean())
    if definition == "root mean square":
        return float(np.sqrt((spreads**2).mean()))
    raise ValueError(f"there is no structure-wise spread {definition!r}; give one of {', '.join(STRUCTURE_WISE)}.")


def atom_error(forces: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Error e_i = |F_i - F_i^ref| / √3 (n,) in eV/Å: the root mean square over components, as u_i "component" is.

    `forces` (n, 3), or (M, n, 3) for the mean of a committee; `reference` (n, 3), eV/Å.
    """
    forces, reference = np.asarray(forces, dtype=float), np.asarray(reference, dtype=float)
    forces = forces.mean(axis=0) if forces.ndim == 3 else forces
    if forces.shape != reference.shape or forces.ndim != 2:
        raise ValueError(f"forces {forces.shape} and reference {reference.shape} are not of the same atoms.")
    return np.sqrt(((forces - reference) ** 2).sum(axis=1) / 3)


def member_forces(committee: Committee | Sequence[Potential], structures: Sequence[Atoms]) -> list[np.ndarray]:
    """Forces (M, n, 3) in eV/Å of every member for each structure; `committee` may be a plain list of potentials."""
    if hasattr(committee, "predict_members"):
        answers = committee.predict_members(structures, ("energy", "forces"))
    else:
        answers = [member.predict(structures, ("energy", "forces")) for member in committee]
    return [np.stack(each) for each in zip(*(answer.forces for answer in answers), strict=True)]


def _members(forces: np.ndarray) -> np.ndarray:
    forces = np.asarray(forces, dtype=float)
    if forces.ndim != 3 or forces.shape[2] != 3 or len(forces) < 2:
        raise ValueError(f"a committee's forces have the shape (M, n, 3) with M ≥ 2, not {forces.shape}.")
    if not np.isfinite(forces).all():
        raise ValueError("a member's force is not a finite number; look at the structure before its spread is used.")
    return forces
