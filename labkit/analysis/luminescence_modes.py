"""Normal modes of a structure from its force constants, and how they look when they move.

Modes of a whole supercell at the zone centre: what a colour centre or a molecule needs, where no wave vector is left.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from labkit.errors import InvalidStructure

if TYPE_CHECKING:
    from ase import Atoms

#: ħ²/(amu Å²) in eV: E = ħω and ω² in eV/(amu Å²) obey E² = HBAR2 ω²; CODATA 2018.
HBAR2 = (1.054571817e-34**2 / (1.66053906660e-27 * 1e-20)) / 1.602176634e-19


@dataclass(frozen=True)
class NormalModes:
    """energies_meV: ħω of each mode (K,), ascending, an imaginary one as a negative number; vectors (K, N, 3): the
    orthonormal mass-weighted eigenvectors; atoms: where the force constants hold.
    """

    atoms: Atoms
    energies_meV: np.ndarray
    vectors: np.ndarray

    def __len__(self) -> int:
        return len(self.energies_meV)

    def __post_init__(self) -> None:
        energies, vectors = np.asarray(self.energies_meV, float), np.asarray(self.vectors, float)
        if energies.ndim != 1 or vectors.shape != (len(energies), len(self.atoms), 3):
            raise InvalidStructure(
                f"{energies.shape} energies and vectors of shape {vectors.shape} do not fit {len(self.atoms)} atoms; "
                "the vectors need the shape (modes, atoms, 3)."
            )
        if not (np.isfinite(energies).all() and np.isfinite(vectors).all()):
            raise InvalidStructure("the modes hold energies or vectors that are not finite; compute them again.")
        norms = np.einsum("kai,kai->k", vectors, vectors)
        if len(norms) and np.abs(norms - 1).max() > 1e-3:
            worst = int(np.abs(norms - 1).argmax())
            raise InvalidStructure(
                f"the vector of mode {worst} has the squared length {norms[worst]:.3g}, not 1: give mass-weighted "
                "eigenvectors, not displacements."
            )
        object.__setattr__(self, "energies_meV", energies)
        object.__setattr__(self, "vectors", vectors)

    @property
    def participation(self) -> np.ndarray:
        """IPR_k = 1 / sum_a (sum_i e_{k,ai}²)², shape (K,): about how many atoms take part, from 1 to N."""
        return 1.0 / ((self.vectors**2).sum(axis=2) ** 2).sum(axis=1)

    @property
    def localisation(self) -> np.ndarray:
        """N / IPR_k, shape (K,): 1 when all atoms move alike, N when a single one does."""
        return len(self.atoms) / self.participation

    def frames(self, mode: int, *, amplitude_A: float = 0.35, count: int = 16) -> list[Atoms]:
        """Return one period of mode `mode` as `count` frames; the atom that moves most moves by `amplitude_A`.

        u_a = A sin(2π t) e_a / sqrt(m_a), scaled: the picture shows the pattern, not the true amplitude. Raises
        ValueError for a mode that is not there.
        """
        if not 0 <= mode < len(self):
            raise ValueError(f"mode {mode} does not exist; there are {len(self)}, counted from 0.")
        pattern = self.vectors[mode] / np.sqrt(self.atoms.get_masses())[:, None]
        pattern *= amplitude_A / np.linalg.norm(pattern, axis=1).max()
        moved = []
        for phase in np.arange(count) / count:
            frame = self.atoms.copy()
            frame.positions += np.sin(2 * np.pi * phase) * pattern
            moved.append(frame)
        return moved


def normal_modes(atoms: Atoms, hessian_eV_A2: np.ndarray) -> NormalModes:
    """Return all 3N modes of D = M^(-1/2) H M^(-1/2), H (3N, 3N) the force constants in eV/Å², atom by atom.

    Nothing is dropped here, and an imaginary mode stays, as a negative energy. Raises InvalidStructure for another
    shape, values that are not finite, massless atoms or a Hessian that is not symmetric within a tenth of its largest
    entry.
    """
    hessian, n = np.asarray(hessian_eV_A2, dtype=float), 3 * len(atoms)
    if hessian.shape != (n, n) or n == 0:
        raise InvalidStructure(
            f"the Hessian has shape {hessian.shape}; {len(atoms)} atoms need ({n}, {n}). Do both have the same atoms?"
        )
    if not np.isfinite(hessian).all():
        atom = int(np.argwhere(~np.isfinite(hessian))[0][0]) // 3
        raise InvalidStructure(f"the Hessian is not finite at atom {atom}; compute the forces of its displacements.")
    gap = np.abs(hessian - hessian.T).max()
    if gap > 0.1 * np.abs(hessian).max():
        raise InvalidStructure(
            f"the Hessian is not symmetric: entries differ by up to {gap:.3g} eV/Å². Are rows and columns ordered "
            "atom by atom, x, y, z?"
        )
    masses = atoms.get_masses()
    if not (np.isfinite(masses) & (masses > 0)).all():
        raise InvalidStructure(f"atom {int(np.argmin(masses))} has the mass {masses.min():g} amu; masses are positive.")
    scale = np.repeat(masses, 3) ** -0.5
    squares, vectors = np.linalg.eigh(0.5 * (hessian + hessian.T) * scale[:, None] * scale)
    energies = 1e3 * np.sign(squares) * np.sqrt(np.abs(squares) * HBAR2)
    return NormalModes(atoms.copy(), energies, vectors.T.reshape(n, len(atoms), 3))
