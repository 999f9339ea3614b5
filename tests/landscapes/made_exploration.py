"""A cluster that leaves physics when it is stretched, at an address that worker processes can import."""

import numpy as np

from labkit.potentials.lennard_jones_cluster import LennardJonesCluster


class Exploding(LennardJonesCluster):
    """Lennard-Jones while no atom is further than 1.5 Å from the centre; beyond, energies are no numbers."""

    def energies_and_forces(self, positions):
        energies, forces = super().energies_and_forces(positions)
        wide = np.linalg.norm(positions - positions.mean(axis=1, keepdims=True), axis=2).max(axis=1) > 1.5
        energies[wide], forces[wide] = np.nan, np.nan
        return energies, forces


class Nothing(LennardJonesCluster):
    """Never a number."""

    def energies_and_forces(self, positions):
        energies, forces = super().energies_and_forces(positions)
        return energies * np.nan, forces * np.nan
