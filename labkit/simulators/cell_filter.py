"""Atoms and cell as one set of coordinates, so that one optimiser relaxes both.

The deformation gradient F maps the first cell h0 and undeformed coordinates s to h = h0 Fᵀ and x = s Fᵀ; the forces
on s and on n F are the exact derivatives of the enthalpy E + pV (Tadmor et al., Phys. Rev. B 59, 235 (1999)).
"""

from __future__ import annotations

import numpy as np
from ase import Atoms


class RelaxationCoordinates:
    """Generalised coordinates of one structure; with `relax_cell` three rows for the cell follow the n rows of the
    atoms.
    """

    def __init__(self, atoms: Atoms, *, relax_cell: bool, pressure_eV_A3: float = 0.0) -> None:
        self.start = atoms.copy()
        self.relax_cell, self.pressure = relax_cell, pressure_eV_A3
        self.rows = np.array(atoms.positions, dtype=float)
        self.scale = float(len(atoms))
        if relax_cell:
            self.rows = np.vstack([self.rows, self.scale * np.eye(3)])

    def atoms(self) -> Atoms:
        """The structure at the present coordinates."""
        atoms = self.start.copy()
        n = len(atoms)
        deformation = self._deformation()
        atoms.set_cell(self.start.cell.array @ deformation.T)
        atoms.positions = self.rows[:n] @ deformation.T
        return atoms

    def forces(self, atoms: Atoms, forces: np.ndarray, stress: np.ndarray | None) -> np.ndarray:
        """Generalised forces (rows, 3) eV/Å from forces (n, 3) eV/Å and stress (3, 3) eV/Å^3, tension positive."""
        if not self.relax_cell or stress is None:
            return forces
        deformation = self._deformation()
        virial = -atoms.get_volume() * (stress + self.pressure * np.eye(3))
        on_cell = np.linalg.solve(deformation, virial.T).T / self.scale
        return np.vstack([forces @ deformation, on_cell])

    def enthalpy(self, atoms: Atoms, energy: float) -> float:
        """E + pV, eV."""
        return energy + (self.pressure * atoms.get_volume() if self.relax_cell else 0.0)

    def _deformation(self) -> np.ndarray:
        return self.rows[-3:] / self.scale if self.relax_cell else np.eye(3)
