"""A minimum or a saddle of a landscape: its energy, its structure, and what makes both trustworthy.

Arrays are checked once, when a point is made, and cannot be written to afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from labkit.errors import InvalidStructure


@dataclass(frozen=True, eq=False)
class Minimum:
    """A local minimum.

    index: its number in the network. energy_eV: absolute. positions: (n, 3) Å. eigenvalues: of the mass-weighted
    Hessian, eV/(Å² amu), without the zero modes of translation and rotation, or None when not known. order: of its
    point group, reflections included if mirror images count as one structure. info: whatever else is known of it.
    """

    index: int
    energy_eV: float
    positions: np.ndarray
    eigenvalues: tuple[float, ...] | None = None
    order: int = 1
    info: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class TransitionState(Minimum):
    """A saddle with one negative eigenvalue, and the two minima (equal for a self-loop) that it connects.

    path: (m, n, 3) Å from minima[0] over the saddle to minima[1]; path_energies_eV: (m,) along it; None when not kept.
    """

    minima: tuple[int, int] = (0, 0)
    path: np.ndarray | None = None
    path_energies_eV: np.ndarray | None = None


def said_of(point: Minimum, **more: Any) -> dict[str, Any]:
    """What a network's add functions take beside energy and positions, `info` extended by `more`."""
    return {"eigenvalues": point.eigenvalues, "order": point.order, "info": {**point.info, **more}}


def checked(
    what: str, atoms: int, energy_eV: Any, positions: Any, eigenvalues: Sequence[float] | None, order: int
) -> tuple[float, np.ndarray, tuple[float, ...] | None, int]:
    """Energy, positions (atoms, 3), eigenvalues and order of `what`; raises InvalidStructure with the first fault."""
    energy = float(frozen(energy_eV, f"the energy of {what}", ()))
    place = frozen(positions, f"the positions of {what}", (atoms, 3))
    values = None
    if eigenvalues is not None:
        values = tuple(frozen(eigenvalues, f"the eigenvalues of {what}", (None,)).tolist())
    if int(order) != order or order < 1:
        raise InvalidStructure(f"{what} has a point group of order {order}; the order is a whole number from 1 on.")
    return energy, place, values, int(order)


def frozen(value: Any, what: str, shape: tuple[int | None, ...]) -> np.ndarray:
    """A read-only copy of `value` as finite numbers of that shape (None: any length); raises InvalidStructure."""
    try:
        array = np.array(value, dtype=float)
    except (TypeError, ValueError):
        raise InvalidStructure(f"{what} cannot be read as numbers.") from None
    fits = array.ndim == len(shape) and all(
        want in (None, have) for want, have in zip(shape, array.shape, strict=False)
    )
    if not fits:
        wanted = ", ".join("any" if size is None else str(size) for size in shape) or "a single number"
        raise InvalidStructure(f"{what}: the shape is {array.shape}; expected ({wanted}).")
    if not np.isfinite(array).all():
        raise InvalidStructure(f"{what}: {array[~np.isfinite(array)].flat[0]} was found; all numbers must be finite.")
    array.setflags(write=False)
    return array


def representatives(
    points: Sequence[Minimum], distance: Callable[[np.ndarray, np.ndarray], float], distance_A: float, energy_eV: float
) -> list[int]:
    """For each point the index of the one, no higher in energy, that it is a copy of: itself when it is new."""
    same = list(range(len(points)))
    kept: list[int] = []
    for index in sorted(range(len(points)), key=lambda i: (points[i].energy_eV, i)):
        point = points[index]
        for other in reversed(kept):  # by falling energy: the first out of reach ends the search
            if point.energy_eV - points[other].energy_eV >= energy_eV:
                break
            if distance(points[other].positions, point.positions) < distance_A:
                same[index] = other
                break
        if same[index] == index:
            kept.append(index)
    return same
