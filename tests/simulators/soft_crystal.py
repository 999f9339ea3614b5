"""A crystal with a known instability: tungsten cages on stiff springs, and an oxygen in each that prefers off-centre.

V = sum over cells of -k2/2 w^2 + k4/4 sum_a w_a^4 + K/2 sum_<cells> |w - w'|^2 + k/2 sum_<cells> |u - u'|^2, with the
displacement u of the corner and w = v - (mean u of the eight corners) of the centre. Everything depends on
differences only, so translations cost nothing.
"""

from functools import cache

import numpy as np
from ase import Atoms

from labkit.potentials.interface import DEFAULT_PROPERTIES, Potential, Prediction

A = 4.0
K2, K4, K, STIFF = 1.0, 25.0, 0.4, 10.0
#: Displacement of the centre along each axis in the ground state, and the energy that each axis gains (eV a cell).
W0 = np.sqrt(K2 / K4)
GAIN_EV = K2**2 / (4 * K4)


def ideal():
    """The unit cell."""
    return Atoms("WO", scaled_positions=[(0, 0, 0), (0.5, 0.5, 0.5)], cell=[A, A, A], pbc=True, info={"name": "soft"})


class SoftCrystal(Potential):
    """See the module."""

    name, level_of_theory = "soft crystal", "toy"

    def predict(self, structures, properties=DEFAULT_PROPERTIES):
        self.require(structures, properties)
        answers = [_one(atoms) for atoms in structures]
        no_stress = np.full((len(answers), 3, 3), np.nan)  # its cell is never relaxed
        return Prediction(np.array([energy for energy, _ in answers]), [forces for _, forces in answers], no_stress)


@cache
def _matrices(shape):
    """Mean over the eight corners of each cell, and the stretch energy's matrix: V = k/2 u.L.u (cells in C order)."""
    n = int(np.prod(shape))
    number = np.arange(n).reshape(shape)
    mean, stretch = np.zeros((n, n)), np.zeros((n, n))
    for shift in np.ndindex(2, 2, 2):
        np.add.at(mean, (number.ravel(), np.roll(number, [-s for s in shift], (0, 1, 2)).ravel()), 1 / 8)
    for axis in range(3):
        step = np.zeros((n, n))
        np.add.at(step, (number.ravel(), np.roll(number, -1, axis).ravel()), 1)
        stretch += (step - np.eye(n)).T @ (step - np.eye(n))
    return mean, stretch


def _one(atoms):
    shape = tuple(int(k) for k in np.rint(atoms.cell.lengths() / A))
    corner, centre = np.flatnonzero(atoms.numbers == 74), np.flatnonzero(atoms.numbers == 8)
    origin = atoms.positions[corner[0]]
    u, of_u = _by_cell(atoms.positions[corner] - origin, shape)
    v, of_v = _by_cell(atoms.positions[centre] - origin - A / 2, shape)
    mean, stretch = _matrices(shape)
    w = v - mean @ u
    pull_w, pull_u = K * stretch @ w, STIFF * stretch @ u
    energy = (-K2 / 2 * w**2 + K4 / 4 * w**4).sum() + ((w * pull_w).sum() + (u * pull_u).sum()) / 2
    on_w = K2 * w - K4 * w**3 - pull_w
    forces = np.zeros((len(atoms), 3))
    forces[centre], forces[corner] = on_w[of_v], (-pull_u - mean.T @ on_w)[of_u]
    return float(energy), forces


def _by_cell(steps, shape):
    """Displacements from the nearest sites, cell by cell, and the cell of each atom."""
    cells = np.rint(steps / A)
    place = np.ravel_multi_index((cells.astype(int) % shape).T, shape)
    ordered = np.zeros_like(steps)
    ordered[place] = steps - A * cells
    return ordered, place
