"""Clusters that leave physics or take their time, at an address that worker processes can import."""

import time

import numpy as np
from ase.calculators.calculator import Calculator, all_changes

from labkit.potentials.ase_adaptor import ASEPotential
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


class Sleepy(LennardJonesCluster):
    """The same numbers after a rest."""

    def energies_and_forces(self, positions):
        time.sleep(0.001)
        return super().energies_and_forces(positions)


class Argon(LennardJonesCluster):
    """The same in eV and Å: ε = 10.3 meV and σ = 3.405 Å."""

    def energies_and_forces(self, positions):
        energies, forces = super().energies_and_forces(positions / 3.405)
        return 0.0103 * energies, 0.0103 / 3.405 * forces


class _Slow(Calculator):
    implemented_properties = ("energy", "forces")

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        time.sleep(0.02)
        energies, forces = LennardJonesCluster().energies_and_forces(self.atoms.positions[None])
        self.results = {"energy": float(energies[0]), "forces": forces[0]}


class Slow(ASEPotential):
    """One point after the other, each with a rest."""

    def __init__(self):
        super().__init__(_Slow, name="slow", level_of_theory="slow")
