"""A toy whose true error is known everywhere: a Morse cluster with many-body terms, and linear committees fitted to it.

Energies are Morse pairs plus Σ_k c_k √(2/K) cos(w_k · D + φ_k) of all pair distances D. The truth has features of its
own, so no member can be exactly right.
"""

from collections.abc import Sequence

import numpy as np
from ase import Atoms

from labkit.potentials.interface import DEFAULT_PROPERTIES, Potential, Prediction

DEPTH_eV, WIDTH, REST_A = 0.8, 1.3, 2.6
LENGTH_A, SIZE_eV = 2.0, 0.5
N_ATOMS = 7
FIRST, SECOND = np.triu_indices(N_ATOMS, 1)
INCIDENCE = np.eye(N_ATOMS)[:, FIRST] - np.eye(N_ATOMS)[:, SECOND]


class Features:
    """K random features of the distances."""

    def __init__(self, n_features, seed):
        generator = np.random.default_rng(seed)
        self.frequencies = generator.normal(scale=1 / LENGTH_A, size=(n_features, len(FIRST)))
        self.phases = generator.uniform(0, 2 * np.pi, n_features)
        self.scale = SIZE_eV * np.sqrt(2 / n_features)

    def of(self, atoms):
        """Energies (K,) eV and forces (n, 3, K) eV/Å for coefficients of one."""
        _, r, directions = pairs(atoms)
        angle = self.frequencies @ r + self.phases
        slopes = -self.scale * np.sin(angle)[None, :] * self.frequencies.T  # (pairs, K)
        return self.scale * np.cos(angle), gathered(directions[:, :, None] * slopes[:, None, :])


def pairs(atoms):
    vectors = atoms.positions[SECOND] - atoms.positions[FIRST]
    r = np.linalg.norm(vectors, axis=1)
    return vectors, r, vectors / r[:, None]


def gathered(pushes):
    """Forces (n, 3, ...) from dE/dr along the direction of each pair."""
    return np.tensordot(INCIDENCE, pushes, axes=1)


def morse(atoms):
    """Energy (eV) and forces (n, 3) eV/Å."""
    _, r, directions = pairs(atoms)
    x = np.exp(-WIDTH * (r - REST_A))
    return float((DEPTH_eV * (x**2 - 2 * x)).sum()), gathered(directions * (DEPTH_eV * 2 * WIDTH * (x - x**2))[:, None])


class Toy(Potential):
    """Morse and features with the coefficients (K,)."""

    name, level_of_theory, implemented = "toy", "toy", ("energy", "forces")

    def __init__(self, features, coefficients):
        self.features, self.coefficients = features, coefficients

    def predict(self, structures: Sequence[Atoms], properties=DEFAULT_PROPERTIES) -> Prediction:
        energies, forces = [], []
        for atoms in structures:
            (energy, force), (basis, basis_forces) = morse(atoms), self.features.of(atoms)
            energies.append(energy + basis @ self.coefficients)
            forces.append(force + basis_forces @ self.coefficients)
        return Prediction(np.array(energies), forces)


def cluster(generator, amplitude_A):
    """A rattled pentagonal bipyramid of argon."""
    ring = 0.8506508 * REST_A * np.array([[np.cos(t), np.sin(t), 0] for t in 2 * np.pi * np.arange(5) / 5])
    tips = 0.5257 * REST_A * np.array([[0, 0, 1.0], [0, 0, -1.0]])
    atoms = Atoms(f"Ar{N_ATOMS}", positions=np.vstack([ring, tips]))
    atoms.positions += generator.normal(scale=amplitude_A, size=(N_ATOMS, 3))
    return atoms


def committee(seed, n_members=8, n_training=15, n_features=150, noise_eV_A=0.02):
    """The truth and its committee: every member has its own labels' noise and leans towards its own random prior.

    Each minimises |y + noise_m - X c|²/noise² + |c - c_m|², c_m ~ N(0, 1) (randomised maximum a posteriori, Pearce et
    al., AISTATS 2020), so that members differ where there are no data instead of agreeing on zero.
    """
    generator = np.random.default_rng(seed)
    truth = Toy(Features(400, seed + 1000), generator.normal(size=400))
    features = Features(n_features, seed + 2000)
    structures = [cluster(generator, 0.1) for _ in range(n_training)]
    x = np.concatenate([features.of(atoms)[1].reshape(-1, n_features) for atoms in structures])
    y = np.concatenate([(truth.predict([a]).forces[0] - morse(a)[1]).ravel() for a in structures])
    y = y + generator.normal(scale=noise_eV_A, size=y.shape)
    matrix = x.T @ x + noise_eV_A**2 * np.eye(n_features)
    members = []
    for _ in range(n_members):
        own, prior = y + generator.normal(scale=noise_eV_A, size=y.shape), generator.normal(size=n_features)
        members.append(Toy(features, np.linalg.solve(matrix, x.T @ own + noise_eV_A**2 * prior)))
    return truth, members
