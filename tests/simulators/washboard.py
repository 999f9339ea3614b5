"""A cheap potential without memory, so that a run can be compared to the last bit: wells on a grid, and repulsion."""

import numpy as np
from ase.geometry import find_mic

from labkit.potentials.interface import DEFAULT_PROPERTIES, Potential, Prediction

DEPTH_EV, REPULSION_EV, RANGE_A = 0.15, 1000.0, 0.3


class Washboard(Potential):
    """E = -U sum cos(4 pi s) over fractional coordinates s, plus A exp(-d / b) for each pair."""

    name, level_of_theory, implemented = "washboard", "toy", ("energy", "forces")

    def predict(self, structures, properties=DEFAULT_PROPERTIES):
        self.require(structures, properties)
        answers = [_one(atoms) for atoms in structures]
        return Prediction(np.array([energy for energy, _ in answers]), [forces for _, forces in answers])


def _one(atoms):
    scaled, inverse = atoms.positions @ np.linalg.inv(atoms.cell.array), np.linalg.inv(atoms.cell.array)
    energy = -DEPTH_EV * np.cos(4 * np.pi * scaled).sum()
    forces = -DEPTH_EV * 4 * np.pi * np.sin(4 * np.pi * scaled) @ inverse.T
    i, j = np.triu_indices(len(atoms), 1)
    steps, distance = find_mic(atoms.positions[j] - atoms.positions[i], atoms.cell, atoms.pbc)
    pair = REPULSION_EV * np.exp(-distance / RANGE_A)
    push = (pair / RANGE_A / distance)[:, None] * steps
    np.add.at(forces, i, -push)
    np.add.at(forces, j, push)
    return float(energy + pair.sum()), forces
