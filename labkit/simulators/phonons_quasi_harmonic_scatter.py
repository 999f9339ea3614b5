"""How far free energies at several volumes scatter around a smooth curve, and what that does to the bulk modulus.

The one idea: an equation of state has four parameters, so more volumes than that tell whether it describes them; a
potential whose forces are not smooth gives phonons that jump from volume to volume, and any fit hides it.
"""

from __future__ import annotations

import numpy as np

#: Parameters of the curve; with so many volumes it goes through all of them and nothing is known about the scatter.
PARAMETERS = 4


def bulk_modulus(volumes_A3: np.ndarray, energies_eV: np.ndarray, at_A3: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """B = V d2F/dV2 at volumes (t,) and its standard error, both (t,) in eV/Å^3, from free energies (t, v) at volumes.

    F(V) = sum_k a_k x^k, k = 0 to 3, x = (V/V_m)^(-2/3) - 1: the third-order equation of F. Birch, Phys. Rev. 71, 809
    (1947), linear in its parameters. The residuals, for each degree of freedom v - 4, are the variance of one free
    energy, which the least squares hand on to the curvature. The error is infinite for four volumes or fewer.
    """
    volumes, energies = np.asarray(volumes_A3, dtype=float), np.asarray(energies_eV, dtype=float)
    if len(volumes) <= PARAMETERS:
        return np.full(len(energies), np.nan), np.full(len(energies), np.inf)
    middle = volumes.mean()
    design = np.vander((volumes / middle) ** (-2 / 3) - 1, PARAMETERS, increasing=True)
    parameters = np.linalg.lstsq(design, energies.T)[0]
    variance = ((energies.T - design @ parameters) ** 2).sum(axis=0) / (len(volumes) - PARAMETERS)
    y = np.asarray(at_A3, dtype=float) / middle
    x, slope, bend = y ** (-2 / 3) - 1, -2 / 3 * y ** (-5 / 3) / middle, 10 / 9 * y ** (-8 / 3) / middle**2
    nil, one = np.zeros_like(x), np.ones_like(x)
    first, second = np.stack([nil, one, 2 * x, 3 * x**2]), np.stack([nil, nil, 2 * one, 6 * x])
    curvature = first * bend + second * slope**2  # d2 x^k / dV2, (4, t)
    spread = np.einsum("kt,kl,lt->t", curvature, np.linalg.inv(design.T @ design), curvature)
    return y * middle * (curvature * parameters).sum(axis=0), y * middle * np.sqrt(variance * spread)
