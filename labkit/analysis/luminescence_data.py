"""The NV centre in diamond as DFT sees it: both geometries and the force constants, shipped with source and licence."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from labkit.analysis.luminescence_hessian import load_hessian

if TYPE_CHECKING:
    from ase import Atoms

FOLDER = Path(__file__).parent / "data"


@dataclass(frozen=True)
class ColourCentre:
    """A colour centre: geometries of ground and excited state, force constants (3N, 3N) in eV/Å^2 of the ground state,
    energy of the zero-phonon line in eV, and what was computed how.
    """

    name: str
    ground: Atoms
    excited: Atoms
    hessian_eV_A2: np.ndarray
    zpl_eV: float
    level_of_theory: str


@cache
def _arrays() -> tuple[np.ndarray, ...]:
    with np.load(FOLDER / "nv_diamond.npz", allow_pickle=False) as file:
        arrays = tuple(file[name] for name in ("numbers", "cell_A", "ground", "excited"))
    hessian = load_hessian(FOLDER / "nv_diamond_hessian.npz")
    for array in (*arrays, hessian):
        array.setflags(write=False)
    return (*arrays, hessian)


def nv_diamond() -> ColourCentre:
    """Return the negative NV centre in a diamond cell of 215 atoms (PBE); see labkit/analysis/data/SOURCE.txt."""
    from ase import Atoms

    numbers, cell, ground, excited, hessian = _arrays()
    made = [Atoms(numbers, scaled_positions=places, cell=cell, pbc=True) for places in (ground, excited)]
    return ColourCentre("NV⁻ in diamond", *made, hessian, 1.75, "PBE, 215 atoms")
