"""From harmonic modes to the distorted structure at 0 K: the unstable directions of a supercell, and starts along them.

The one idea: all wave vectors that fit the supercell are directions in it, so its own force constants give real
displacement patterns, and the distorted structure is the lowest that relaxations along them end in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms

if TYPE_CHECKING:
    from labkit.simulators.phonons_result import HarmonicCrystal

#: sqrt(eV / (Å^2 amu)) in THz.
THZ = 15.633302


@dataclass(frozen=True, eq=False)
class UnstableModes:
    """The modes of a supercell whose frequency is imaginary, softest first.

    ideal: the supercell, N atoms. frequencies_THz: (g,), negative. patterns: (g, N, 3), displacements whose largest is
    1 Å, orthogonal once weighted by mass.
    """

    ideal: Atoms
    frequencies_THz: np.ndarray
    patterns: np.ndarray

    def __len__(self) -> int:
        return len(self.frequencies_THz)

    def starts(self, amplitude_A: float, follow: int, mixtures: int, seed: int) -> list[Atoms]:
        """The ideal structure displaced along the softest `follow` modes, and along random mixtures of all of them."""
        generator = np.random.default_rng(seed)
        directions = list(self.patterns[:follow])
        if len(self) > 1:
            drawn = generator.normal(size=(mixtures, len(self)))
            directions += list(np.einsum("kg,gix->kix", drawn, self.patterns))
        made = []
        for direction in directions:
            atoms = self.ideal.copy()
            atoms.positions += amplitude_A * direction / np.linalg.norm(direction, axis=1).max()
            made.append(atoms)
        return made


def unstable_modes(crystal: HarmonicCrystal, threshold_THz: float = 0.1) -> UnstableModes:
    """Return the modes of the whole supercell of `crystal` below -`threshold_THz`."""
    from labkit.simulators.phonons_phonopy import ase_cell

    ideal = ase_cell(crystal.phonopy.supercell)
    constants = crystal.force_constants_eV_A2
    n = len(ideal)
    root = np.sqrt(np.repeat(ideal.get_masses(), 3))
    dynamical = constants.transpose(0, 2, 1, 3).reshape(3 * n, 3 * n) / np.outer(root, root)
    values, vectors = np.linalg.eigh((dynamical + dynamical.T) / 2)
    frequencies = THZ * np.sign(values) * np.sqrt(np.abs(values))
    soft = frequencies < -threshold_THz
    patterns = (vectors[:, soft] / root[:, None]).T.reshape(-1, n, 3)
    largest = np.linalg.norm(patterns, axis=2).max(axis=1) if len(patterns) else np.ones(0)
    return UnstableModes(ideal, frequencies[soft], patterns / largest[:, None, None])


def lowest(energies_eV: Sequence[float], converged: Sequence[bool], ideal_eV: float, least_eV: float) -> int | None:
    """The number of the lowest converged structure that is more than `least_eV` below the ideal one, or None."""
    allowed = [k for k, done in enumerate(converged) if done and energies_eV[k] < ideal_eV - least_eV]
    return min(allowed, key=lambda k: energies_eV[k]) if allowed else None
