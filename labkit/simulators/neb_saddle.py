"""The mode along which a saddle is unstable, by finite differences of forces, all displacements in one batch.

One negative eigenvalue of the mass-weighted Hessian makes a stationary point a saddle of first order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from ase.geometry import find_mic

if TYPE_CHECKING:
    from labkit.simulators.neb_batch import Batch
    from labkit.simulators.neb_path import MinimumEnergyPath

#: Up to so many atoms all are displaced; beyond, the one that moves and neighbours within so many Å, so many at most.
FULL, NEAR_A, PARTIAL = 24, 4.0, 24
DISPLACEMENT_A = 0.01
#: sqrt(eV/(Å^2 amu)) / 2π in THz.
THZ = 15.633302
#: A frequency (THz) below which an imaginary one counts as zero: translations and the noise of differences.
ZERO_THZ = 0.3


def saddle_mode(path: MinimumEnergyPath, batch: Batch) -> dict[str, Any]:
    """Unstable modes at the highest image: imaginary_THz (None without one), negative_modes, mode_atoms, mode_kind.

    H_ab = -(F_a(+h) - F_a(-h)) / 2h with h = 0.01 Å, symmetrised and divided by sqrt(m_a m_b); ν = sqrt|λ| / 2π. "full"
    displaces all atoms; "partial" only the one that moves most along the path and its neighbours, the others
    clamped, which stiffens every mode: then the number of negative modes is a lower bound.
    """
    saddle = path.images[path.saddle].copy()
    atoms, kind = _chosen(path), "full"
    if len(atoms) < len(saddle):
        kind = "partial"
    displaced = []
    for atom in atoms:
        for axis in range(3):
            for sign in (1, -1):
                moved = saddle.copy()
                moved.positions[atom, axis] += sign * DISPLACEMENT_A
                displaced.append(moved)
    answers = batch.evaluate(displaced)
    refused = [answer for answer in answers if isinstance(answer, str)]
    said = {"mode_atoms": len(atoms), "mode_kind": kind}
    if refused:
        batch.log(f"no saddle mode of {path.name}: {refused[0]}")
        return {}
    forces = np.array([answer[1][atoms].ravel() for answer in answers])
    hessian = -(forces[0::2] - forces[1::2]) / (2 * DISPLACEMENT_A)
    masses = np.repeat(saddle.get_masses()[atoms], 3)
    values = np.linalg.eigvalsh((hessian + hessian.T) / 2 / np.sqrt(np.outer(masses, masses)))
    frequencies = np.sign(values) * np.sqrt(abs(values)) * THZ
    negative = frequencies[frequencies < -ZERO_THZ]
    return {**said, "negative_modes": len(negative), "imaginary_THz": float(-negative[0]) if len(negative) else None}


def _chosen(path: MinimumEnergyPath) -> np.ndarray:
    """Indices of the atoms to displace."""
    saddle = path.images[path.saddle]
    if len(saddle) <= FULL:
        return np.arange(len(saddle))
    moved = np.linalg.norm(path.images[-1].positions - path.images[0].positions, axis=1)
    mover = int(np.argmax(moved))
    distances = find_mic(saddle.positions - saddle.positions[mover], saddle.cell, saddle.pbc)[1]
    near = np.argsort(distances)[:PARTIAL]
    return np.sort(near[distances[near] <= NEAR_A])
