"""Force constants as a small file: the upper triangle in whole multiples of a stated quantum.

A Hessian of 645 coordinates takes 0.3 MB so, and no pickle; the quantum is chosen so that no result notices.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

from labkit.errors import InvalidStructure


def save_hessian(path: str | Path, hessian_eV_A2: np.ndarray, quantum_eV_A2: float = 1e-4) -> None:
    """Write force constants (3N, 3N) in eV/Å^2, symmetrised, to `path` (.npz), rounded to `quantum_eV_A2`.

    Raises ValueError for a matrix that is not square, not finite, or too large for the quantum.
    """
    hessian = np.asarray(hessian_eV_A2, dtype=float)
    if hessian.ndim != 2 or hessian.shape[0] != hessian.shape[1] or hessian.shape[0] % 3 or not hessian.size:
        raise ValueError(f"the Hessian has shape {hessian.shape}; (3N, 3N) is needed.")
    if not np.isfinite(hessian).all():
        raise ValueError("the Hessian has entries that are not finite; compute the forces of its displacements again.")
    if not quantum_eV_A2 > 0 or np.abs(hessian).max() / quantum_eV_A2 > 2**30:
        raise ValueError(f"quantum_eV_A2={quantum_eV_A2} must be positive and above 1e-9 of the largest entry.")
    upper = np.triu_indices(len(hessian))
    whole = np.round(0.5 * (hessian + hessian.T)[upper] / quantum_eV_A2).astype(np.int32)
    # The low byte is noise and the rest nearly always zero: apart, they compress to two thirds.
    np.savez_compressed(
        path, high=whole >> 8, low=(whole & 255).astype(np.uint8), quantum_eV_A2=quantum_eV_A2, n=len(hessian)
    )


def load_hessian(path: str | Path) -> np.ndarray:
    """Return the force constants (3N, 3N) in eV/Å^2 that `save_hessian` wrote; InvalidStructure if it did not."""
    try:
        with Path(path).open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            whole = (file["high"].astype(np.int32) << 8) | file["low"]
            n, quantum = int(file["n"]), float(file["quantum_eV_A2"])
        hessian = np.zeros((n, n))
        hessian[np.triu_indices(n)] = whole * quantum
    except (KeyError, ValueError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise InvalidStructure(f"{path} holds no force constants of save_hessian: {error}") from error
    return hessian + np.triu(hessian, 1).T
