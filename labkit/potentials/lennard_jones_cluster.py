"""Lennard-Jones clusters in reduced units, the test bed of energy landscapes: no cut-off, no cell, all pairs.

The one idea: thousands of clusters of one size are one array, so that a landscape is explored in seconds.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ase import Atoms

from labkit.errors import InvalidStructure
from labkit.potentials.interface import DEFAULT_PROPERTIES, Potential, Prediction

#: So many pairs are held in memory at once.
PAIRS_AT_ONCE = 2_000_000


class LennardJonesCluster(Potential):
    """V = 4ε Σ_{i<j} [(σ/r)^12 - (σ/r)^6], in units of the well: ε = 1 eV and σ = 1 Å unless told otherwise.

    Source: J. E. Jones, Proc. R. Soc. A 106, 463 (1924); with ε = σ = 1 the energies are those of the literature on
    clusters (Wales and Doye, J. Phys. Chem. A 101, 5111 (1997)). Every element counts as the same particle.
    """

    def __init__(self, epsilon_eV: float = 1.0, sigma_A: float = 1.0) -> None:
        if not (epsilon_eV > 0 and sigma_A > 0):
            raise ValueError(f"ε = {epsilon_eV} eV and σ = {sigma_A} Å: both must be positive.")
        self.epsilon_eV, self.sigma_A = float(epsilon_eV), float(sigma_A)
        self.name, self.elements = "lennard-jones-cluster", None
        self.level_of_theory = f"Lennard-Jones cluster (ε {self.epsilon_eV:g} eV, σ {self.sigma_A:g} Å)"
        self.implemented = DEFAULT_PROPERTIES

    def predict(self, structures: Sequence[Atoms], properties: Sequence[str] = DEFAULT_PROPERTIES) -> Prediction:
        """See `Potential.predict`; raises InvalidStructure for a periodic structure. A stress is NaN."""
        self.require(structures, properties)
        for atoms in structures:
            if atoms.pbc.any():
                raise InvalidStructure(
                    f"{atoms.get_chemical_formula()} is periodic; {self.name} is for clusters. Take lennard-jones."
                )
        energies = np.zeros(len(structures))
        forces: list[np.ndarray] = [np.empty(0)] * len(structures)
        sizes = np.array([len(atoms) for atoms in structures], dtype=int)
        for size in np.unique(sizes):
            which = np.flatnonzero(sizes == size)
            e, f = self.energies_and_forces(np.array([structures[i].positions for i in which]))
            energies[which] = e
            for i, one in zip(which, f, strict=True):
                forces[i] = one
        return Prediction(
            energies=energies,
            forces=forces if "forces" in properties else None,
            stresses=np.full((len(structures), 3, 3), np.nan) if "stress" in properties else None,
        )

    def energies_and_forces(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Energies (k,) eV and forces (k, n, 3) eV/Å of clusters (k, n, 3) Å; infinite or NaN where atoms coincide."""
        positions = np.asarray(positions, dtype=float)
        k, n = positions.shape[:2]
        energies, forces = np.empty(k), np.empty((k, n, 3))
        at_once = max(1, PAIRS_AT_ONCE // max(1, n * n))
        for begin in range(0, k, at_once):
            part = slice(begin, begin + at_once)
            energies[part], forces[part] = self._some(positions[part])
        return energies, forces

    def _some(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """All pairs at once: F_i = 24ε Σ_j (2 s^12 - s^6) (r_i - r_j) / r², s = σ/r."""
        n = positions.shape[1]
        apart = positions[:, :, None] - positions[:, None]
        squared = np.einsum("kijx,kijx->kij", apart, apart)
        squared[:, np.arange(n), np.arange(n)] = np.inf
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            inverse = 1.0 / squared
            s6 = (self.sigma_A**2 * inverse) ** 3
            energies = 2.0 * self.epsilon_eV * (s6 * s6 - s6).sum(axis=(1, 2))
            strength = 24.0 * self.epsilon_eV * (2.0 * s6 * s6 - s6) * inverse
            forces = np.einsum("kij,kijx->kix", strength, apart)
        return energies, forces


def lennard_jones_cluster(device: str = "auto") -> LennardJonesCluster:
    """The potential in reduced units; `device` is there for the gallery, all of it is numpy."""
    return LennardJonesCluster()
