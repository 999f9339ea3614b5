"""Approximate Hessians of many structures that learn from every evaluation: what saddle search and descent steer by.

The one idea: for the few dozen atoms of a landscape a dense Hessian costs nothing beside one force evaluation, so it is
kept, updated with each step, and its softest modes are made exact by finite differences where it matters.
"""

from __future__ import annotations

import numpy as np

from labkit.landscapes.surface import Surface

#: Idle directions get this curvature (eV/Å^2), so that they are never mistaken for soft ones.
IDLE_EV_A2 = 1e6


def learned(hessians: np.ndarray, steps: np.ndarray, changes: np.ndarray) -> np.ndarray:
    """Hessians (k, d, d) that reproduce y = g' - g (k, d) over s = x' - x (k, d).

    With r = y - B s: B' = B + φ r r^T / (r·s) + (1 - φ) [ (r s^T + s r^T)/s² - (r·s) s s^T / s⁴ ], φ = (r·s)²/(r² s²),
    which does not force B to be positive definite. Source: J. M. Bofill, J. Comput. Chem. 15, 1 (1994).
    """
    r = changes - np.einsum("kij,kj->ki", hessians, steps)
    ss = np.maximum(np.einsum("ki,ki->k", steps, steps), 1e-300)
    rr = np.einsum("ki,ki->k", r, r)
    rs = np.einsum("ki,ki->k", r, steps)
    weight = np.where(rr > 0, rs**2 / np.maximum(rr * ss, 1e-300), 0.0)
    # φ/(r·s) = (r·s)/(r² s²) stays finite when r·s vanishes.
    rank_one = np.where(rr > 0, rs / np.maximum(rr * ss, 1e-300), 0.0)
    mixed = np.einsum("ki,kj->kij", r, steps)
    mixed = mixed + mixed.transpose(0, 2, 1)
    return (
        hessians
        + rank_one[:, None, None] * np.einsum("ki,kj->kij", r, r)
        + ((1 - weight) / ss)[:, None, None] * mixed
        - ((1 - weight) * rs / ss**2)[:, None, None] * np.einsum("ki,kj->kij", steps, steps)
    )


def spectrum(surface: Surface, positions: np.ndarray, hessians: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rising eigenvalues (k, d) and eigenvectors (k, d, d, in columns); idle and frozen directions come last."""
    idle = surface.idle(positions)
    d = hessians.shape[1]
    keep = np.eye(d)[None] - np.einsum("kiz,kjz->kij", idle, idle)
    free = surface.free.ravel()
    keep = keep * (free[:, None] & free[None])
    inside = keep @ hessians @ keep
    return np.linalg.eigh((inside + inside.transpose(0, 2, 1)) / 2 + IDLE_EV_A2 * (np.eye(d)[None] - keep))


def sharpened(
    surface: Surface,
    positions: np.ndarray,
    gradients: np.ndarray,
    hessians: np.ndarray,
    *,
    rounds: int = 3,
    tolerance: float = 0.05,
    modes: int = 1,
) -> tuple[np.ndarray, np.ndarray]:
    """Hessians whose softest mode is true, and their softest curvatures (k,), at positions (k, n, 3).

    Rayleigh-Ritz: u is the softest eigenvector of B, H u = (g(x + h u) - g(x)) / h costs one evaluation, and B learns
    it; repeated until the residual |H u - (u·H u) u| is below `tolerance` times the largest of |u·H u| and 1 eV/Å^2, at
    most `rounds` times. modes: so many of the softest eigenvectors are tested in the first round.
    """
    hessians = hessians.copy()
    h = 2 * surface.displacement_A
    k, n = positions.shape[:2]
    active = np.arange(k)
    for turn in range(rounds):
        if not len(active):
            break
        values, vectors = spectrum(surface, positions[active], hessians[active])
        residual = np.zeros(len(active))
        for mode in range(min(modes, vectors.shape[2]) if turn == 0 else 1):
            u = vectors[:, :, mode]
            moved = positions[active] + h * u.reshape(-1, n, 3)
            product = (surface.gradients(moved)[1] - gradients[active]) / h
            known = np.isfinite(product).all(axis=1) & (values[:, mode] < IDLE_EV_A2 / 2)
            hessians[active[known]] = learned(hessians[active[known]], u[known], product[known])
            curvature = np.einsum("ki,ki->k", u, product)
            rest = np.linalg.norm(product - curvature[:, None] * u, axis=1) / np.maximum(1.0, abs(curvature))
            residual = np.maximum(residual, np.where(known, rest, 0.0))
        active = active[residual > tolerance]
    return hessians, spectrum(surface, positions, hessians)[0][:, 0]
