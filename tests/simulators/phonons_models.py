"""Pair potentials with phonons known on paper, and some that fail."""

import time

import numpy as np
from ase.neighborlist import primitive_neighbor_list

from labkit.errors import InvalidStructure
from labkit.potentials.interface import DEFAULT_PROPERTIES, Potential, Prediction

#: Argon.
EPSILON_EV, SIGMA_A = 0.0104, 3.40


class LennardJones(Potential):
    """4 ε ((σ/r)^12 - (σ/r)^6), cut off without a shift at RANGE_A, between any two atoms."""

    name, level_of_theory, implemented = "lj", "toy", DEFAULT_PROPERTIES
    range_A = 5.6

    def predict(self, structures, properties=DEFAULT_PROPERTIES):
        self.require(structures, properties)
        energies, forces, stresses = zip(*[self._one(atoms) for atoms in structures], strict=True)
        known = np.array(stresses) if "stress" in self.implemented else None
        return Prediction(np.array(energies), list(forces), known)

    def _one(self, atoms):
        i, vectors = primitive_neighbor_list("iD", atoms.pbc, np.asarray(atoms.cell), atoms.positions, self.range_A)
        r = np.linalg.norm(vectors, axis=1)
        pulls = (slope(r) / r)[:, None] * vectors
        forces = np.zeros((len(atoms), 3))
        np.add.at(forces, i, pulls)
        stress = 0.5 * vectors.T @ pulls / atoms.get_volume() if atoms.pbc.all() else np.full((3, 3), np.nan)
        return 0.5 * energy(r).sum(), forces, stress


class Nearest(LennardJones):
    """Nearest neighbours in a chain only."""

    range_A = 5.0


class Silent(LennardJones):
    """Energies and forces without a stress."""

    name, implemented = "silent", ("energy", "forces")


class Mute(LennardJones):
    """Energies only."""

    name, implemented = "mute", ("energy",)


class Sleepy(LennardJones):
    """Rests before every answer, so that a kill comes before the end."""

    def predict(self, structures, properties=DEFAULT_PROPERTIES):
        time.sleep(0.2)
        return super().predict(structures, properties)


class Broken(LennardJones):
    """No answer for xenon, and no number for a displaced krypton crystal."""

    def predict(self, structures, properties=DEFAULT_PROPERTIES):
        if any("Xe" in atoms.symbols for atoms in structures):
            raise InvalidStructure("xenon is not for this potential.")
        found = super().predict(structures, properties)
        for atoms, forces in zip(structures, found.forces, strict=True):
            if "Kr" in atoms.symbols and len(atoms) > 1:
                forces[1] = np.nan
        return found


def energy(r):
    return 4 * EPSILON_EV * ((SIGMA_A / r) ** 12 - (SIGMA_A / r) ** 6)


def slope(r):
    return 4 * EPSILON_EV * (-12 * SIGMA_A**12 / r**13 + 6 * SIGMA_A**6 / r**7)


def curvature(r):
    return 4 * EPSILON_EV * (156 * SIGMA_A**12 / r**14 - 42 * SIGMA_A**6 / r**8)


def lattice_vectors(cell, range_A):
    """The lattice vectors within the range, without zero."""
    steps = np.stack(np.meshgrid(*[np.arange(-6, 7)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    vectors = steps @ np.asarray(cell)
    r = np.linalg.norm(vectors, axis=1)
    return vectors[(r > 1e-6) & (r < range_A)]


def dispersion(cell, wave_vectors, mass, range_A=LennardJones.range_A):
    """Frequencies (k, 3) THz of a lattice of single atoms: D = (1/m) sum_R [φ'' RR + (φ'/R)(1 - RR)] (1 - cos q.R).

    wave_vectors: (k, 3) reduced; RR is the projector on the direction of R. Born and Huang, Dynamical Theory of
    Crystal Lattices (1954), section 22.
    """
    from ase import units

    vectors = lattice_vectors(cell, range_A)
    r = np.linalg.norm(vectors, axis=1)
    along = np.einsum("ra,rb->rab", vectors, vectors) / (r**2)[:, None, None]
    springs = curvature(r)[:, None, None] * along + (slope(r) / r)[:, None, None] * (np.eye(3) - along)
    phases = 2 * np.pi * np.asarray(wave_vectors) @ np.linalg.inv(np.asarray(cell)).T @ vectors.T
    squares = np.linalg.eigvalsh(np.einsum("kr,rab->kab", 1 - np.cos(phases), springs) / mass)
    return np.sign(squares) * np.sqrt(abs(squares)) * units.fs * 1000 / (2 * np.pi)
