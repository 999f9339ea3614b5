"""A harmonic crystal: its force constants, and everything that follows from them without another force evaluation.

The force constants are the result of a `Phonons` run; bands, densities of states and thermal functions are answers
that phonopy gives from them, so one small file is all there is to keep.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from ase import Atoms

from labkit.errors import InvalidStructure
from labkit.simulators.phonons_cell import require_masses
from labkit.simulators.phonons_data import Bands, ImaginaryMode, Modes, PhononDOS, ThermalFunctions

if TYPE_CHECKING:
    from phonopy import Phonopy

    from labkit.runs import Run

#: An imaginary frequency closer to zero than this (THz) is the noise of the forces.
IMAGINARY_THz = 0.1
#: Modes below this frequency (THz) are rigid translations: their energy is zero at any temperature.
RIGID_THz = 0.01
#: Length (Å) that a mesh of wave vectors stands for: n_i = length |b_i|, as phonopy counts.
MESH_A = 60.0


@dataclass(frozen=True, eq=False)
class HarmonicCrystal:
    """A crystal with the force constants of its supercell.

    atoms: n atoms of the primitive cell, at rest. supercell_matrix: (3, 3) integers, phonopy's convention: column k
    holds the k-th supercell vector in units of the primitive ones. force_constants_eV_A2: (N, N, 3, 3) eV/Å^2 between
    the atoms of phonopy's supercell (all images of atom 0 first, then of atom 1). Long-range dipoles are not added:
    without LO-TO splitting the longitudinal optical bands of a polar insulator lie too low near Γ, in a
    region that no supercell closes; sums over all modes suffer little. Raises InvalidStructure for shapes that do not
    fit together, numbers that are not finite, and masses that are not positive.
    """

    atoms: Atoms
    supercell_matrix: np.ndarray
    force_constants_eV_A2: np.ndarray

    def __post_init__(self) -> None:
        matrix = np.array(self.supercell_matrix)
        matrix = np.diag(matrix) if matrix.shape == (3,) else matrix
        if matrix.shape != (3, 3) or not np.array_equal(matrix, np.rint(matrix)):
            raise InvalidStructure(f"a supercell matrix is 3 x 3 integers, not {matrix.tolist()}.")
        constants = np.array(self.force_constants_eV_A2, dtype=float)
        wanted = len(self.atoms) * abs(round(np.linalg.det(matrix)))
        if constants.shape != (wanted, wanted, 3, 3):
            raise InvalidStructure(
                f"{len(self.atoms)} atoms and this supercell need force constants of the shape "
                f"({wanted}, {wanted}, 3, 3), not {constants.shape}."
            )
        require_masses(self.atoms)
        if not np.isfinite(constants).all() or not np.isfinite(self.atoms.positions).all():
            raise InvalidStructure("the force constants are not finite numbers. Were all forces finite?")
        if not self.atoms.cell.volume > 0 or not self.atoms.pbc.all():
            raise InvalidStructure("phonons need a crystal: three cell vectors and periodic in all directions.")
        constants.setflags(write=False)
        object.__setattr__(self, "atoms", self.atoms.copy())
        object.__setattr__(self, "supercell_matrix", np.rint(matrix).astype(int))
        object.__setattr__(self, "force_constants_eV_A2", constants)

    @classmethod
    def from_force_constants(cls, atoms: Atoms, supercell_matrix: Any, force_constants_eV_A2: Any) -> HarmonicCrystal:
        """The crystal of given force constants; see the class for shapes and order."""
        return cls(atoms, np.asarray(supercell_matrix), np.asarray(force_constants_eV_A2))

    @classmethod
    def from_phonopy(cls, phonon: Phonopy) -> HarmonicCrystal:
        """The crystal of a phonopy object that has force constants; raises InvalidStructure for one without."""
        from labkit.simulators.phonons_phonopy import of_phonopy

        return cls(*of_phonopy(phonon))

    @cached_property
    def phonopy(self) -> Phonopy:
        """The phonopy object behind the answers, for what is not asked for here."""
        from labkit.simulators.phonons_phonopy import to_phonopy

        return to_phonopy(self.atoms, self.supercell_matrix, self.force_constants_eV_A2)

    def modes(self, qpoints: Sequence[Sequence[float]] | np.ndarray) -> Modes:
        """Frequencies and eigenvectors at wave vectors (k, 3) in reduced coordinates."""
        points = _points(qpoints)
        found = self.phonopy.run_qpoints(points, with_eigenvectors=True)
        vectors = np.swapaxes(found.eigenvectors, 1, 2)
        return Modes(points, np.array(found.frequencies), vectors.reshape(*vectors.shape[:2], -1, 3).copy())

    def frequencies_THz(self, qpoints: Sequence[Sequence[float]] | np.ndarray) -> np.ndarray:
        """Frequencies (k, 3n) in THz at wave vectors (k, 3), imaginary ones negative."""
        return np.array(self.phonopy.run_qpoints(_points(qpoints)).frequencies)

    def group_velocities(self, qpoints: Sequence[Sequence[float]] | np.ndarray) -> np.ndarray:
        """Group velocities d omega / d k (k, 3n, 3) in Å/ps, Cartesian (1 Å/ps = 100 m/s)."""
        return np.array(self.phonopy.run_qpoints(_points(qpoints), with_group_velocities=True).group_velocities)

    def bands(
        self,
        path: str | Sequence[Sequence[str]] | None = None,
        points: int = 51,
        special_points: Mapping[str, Sequence[float]] | None = None,
    ) -> Bands:
        """Frequencies along a path: seekpath's by default, or "Γ X M Γ | R X" in words.

        points: wave vectors on each straight piece. special_points: reduced coordinates of the labels, where seekpath
        has none or others. Raises InvalidTask for a label without coordinates.
        """
        from labkit.simulators.phonons_path import bands

        return bands(self, path, points, special_points)

    def dos(self, mesh: float | Sequence[int] = MESH_A, points: int = 400) -> PhononDOS:
        """Density of states by the tetrahedron method on `mesh` (length in Å, or three numbers)."""
        from labkit.simulators.phonons_thermal import density_of_states

        return density_of_states(self, mesh, points)

    def thermal(
        self, temperatures_K: Sequence[float] | np.ndarray, mesh: float | Sequence[int] = MESH_A
    ) -> ThermalFunctions:
        """Free energy, entropy and heat capacity of the harmonic crystal at temperatures (t,) in K."""
        from labkit.simulators.phonons_thermal import thermal_functions

        return thermal_functions(self, temperatures_K, mesh)

    def imaginary(self, threshold_THz: float = IMAGINARY_THz) -> list[ImaginaryMode]:
        """The instabilities at wave vectors that fit the supercell (elsewhere it is interpolated), softest first."""
        from labkit.simulators.phonons_imaginary import imaginary_modes

        return imaginary_modes(self, threshold_THz)

    def frames(
        self,
        qpoint: Sequence[float],
        branch: int,
        amplitude_A: float = 0.3,
        count: int = 16,
        supercell: Sequence[int] | None = None,
    ) -> list[Atoms]:
        """One period of a mode as `count` structures; the first is the crystal at its largest displacement.

        amplitude_A: what the atom that moves most moves (Å). supercell: three numbers; by default the smallest cell
        that the wave fits.
        """
        from labkit.simulators.phonons_frames import frames

        return frames(self, qpoint, branch, amplitude_A, count, supercell)

    def write(self, path: str | Path) -> Path:
        """Write the crystal into one npz file without pickle; the file is the old one or the new one, never half."""
        from labkit.simulators.phonons_file import write

        return write(self, Path(path))

    @staticmethod
    def read(path: str | Path) -> HarmonicCrystal:
        """Read what `write` wrote; raises UnreadableFile with a sentence for anything else."""
        from labkit.simulators.phonons_file import read_file

        return read_file(Path(path))


def read(source: Run | str | Path, index: int = 0) -> HarmonicCrystal:
    """The harmonic crystal of a file, or structure `index` of a `Phonons` run or its folder.

    Raises UnreadableFile for a file that is damaged or not there.
    """
    from labkit.simulators.phonons_file import FILE, read_file

    path = Path(getattr(source, "folder", source))
    return read_file(path / FILE.format(index) if path.is_dir() else path)


def _points(qpoints: Any) -> np.ndarray:
    points = np.atleast_2d(np.asarray(qpoints, dtype=float))
    if points.ndim != 2 or points.shape[1] != 3 or not np.isfinite(points).all():
        raise ValueError(f"wave vectors are rows of three finite numbers, not an array of the shape {points.shape}.")
    return points
