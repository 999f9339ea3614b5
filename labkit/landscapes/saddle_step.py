"""One step towards a saddle in the eigenbasis of a Hessian, and pushes off a minimum that cost little energy.

The one idea of both: soft directions may be walked far, stiff ones may not.
"""

from __future__ import annotations

import numpy as np

from labkit.landscapes.curvature import IDLE_EV_A2
from labkit.landscapes.hessian import NormalModes


def saddle_step(
    values: np.ndarray, parts: np.ndarray, chosen: np.ndarray, trust_A: np.ndarray, uphill_A: float
) -> tuple[np.ndarray, np.ndarray]:
    """Steps (k, m) in the eigenbasis and the energies (k,) eV that they should cost: up one mode, down all others.

    Partitioned rational functions (A. Banerjee et al., J. Phys. Chem. 89, 52 (1985)): along the chosen mode
    s = g / (λ_p - b), λ_p = (b + sqrt(b² + 4 g²)) / 2, and along every other s_i = -g_i / (b_i - λ_n) with λ_n the
    lowest eigenvalue of their Hessian bordered by their gradient. Where b > 0 the full `uphill_A` is climbed.

    values: (k, m) curvatures b, parts: (k, m) gradients g, chosen: (k,) columns to climb. Each of the two parts of a
    step is at most `trust_A` (k,) long, the climb at most `uphill_A`.
    """
    rows, m = np.arange(len(values)), values.shape[1]
    b, g = values[rows, chosen], parts[rows, chosen]
    others = (values < IDLE_EV_A2 / 2) & (np.arange(m) != chosen[:, None])
    rest_b, rest_g = np.where(others, values, IDLE_EV_A2), np.where(others, parts, 0.0)
    bordered = np.zeros((len(values), m + 1, m + 1))
    bordered[:, np.arange(m), np.arange(m)] = rest_b
    bordered[:, :m, m] = bordered[:, m, :m] = rest_g
    shift = np.minimum(np.linalg.eigvalsh(bordered)[:, 0], 0.0)
    step = -rest_g / np.maximum(rest_b - shift[:, None], 1e-6)
    step *= np.minimum(1.0, trust_A / np.maximum(np.linalg.norm(step, axis=1), 1e-300))[:, None]
    climb = np.where(
        b > 0,
        np.where(g >= 0, uphill_A, -uphill_A),
        g / np.maximum((-b + np.sqrt(b**2 + 4 * g**2)) / 2, 1e-6),
    )
    limit = np.minimum(trust_A, uphill_A)
    step[rows, chosen] = np.clip(climb, -limit, limit)
    predicted = (parts * step).sum(axis=1) + 0.5 * (np.where(step != 0, values, 0.0) * step**2).sum(axis=1)
    return step, predicted


def soft_pushes(modes: NormalModes, count: int, energy_eV: float, rng: np.random.Generator) -> np.ndarray:
    """Random displacements (count, n, 3) Å off a minimum, each of the same harmonic energy.

    d = Σ c_i u_i with c_i normal over sqrt(b_i), scaled to Σ b_i c_i² / 2 = energy_eV: the soft modes get the larger
    part, and no two atoms are pushed into each other, which a random displacement of all coordinates does at once.
    """
    curvatures = np.maximum(modes.curvatures, 1e-2)
    amounts = rng.normal(size=(count, len(curvatures))) / np.sqrt(curvatures)
    amounts *= np.sqrt(2 * energy_eV / (curvatures * amounts**2).sum(axis=1))[:, None]
    return np.einsum("km,mnx->knx", amounts, modes.directions)
