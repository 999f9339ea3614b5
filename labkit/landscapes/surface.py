"""The energy surface that every search on a landscape walks on: many geometries of one composition in, arrays out.

The one idea: a search knows neither potentials nor structures, only positions (k, n, 3), and the directions in which
nothing happens (translation, rotation, frozen atoms) are named once, here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
from ase import Atoms

Frame = Literal["molecule", "periodic", "fixed frame"]
#: positions (k, n, 3) -> energies (k,) eV, forces (k, n, 3) eV/Å; NaN for a geometry that is refused.
Evaluate = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]

#: Smallest singular value of the rotations, relative to the largest, that counts: below it the molecule is linear.
LINEAR = 1e-4
#: No geometry may be wider than this (Å): it has flown apart; nor hold a force above this (eV/Å): atoms coincide.
WIDEST_A, STRONGEST_EV_A = 1e3, 1e12


class Surface:
    """Energies and forces of one composition, counted, with its idle directions.

    evaluate: the batched function. frame: "molecule" takes out translation and rotation (6 directions, 5 if linear),
    "periodic" translation (3), "fixed frame" nothing. frozen: (n,) or (n, 3) booleans, components that never move;
    with any of them the frame is fixed. displacement_A: for finite differences, larger where forces are noisy.
    `evaluations` counts geometries; `refusals` keeps the last sentences of a
    potential that refused a geometry.
    """

    def __init__(
        self,
        evaluate: Evaluate,
        symbols: Sequence[str],
        *,
        masses: np.ndarray | None = None,
        frame: Frame = "molecule",
        frozen: np.ndarray | None = None,
        name: str = "",
        level_of_theory: str = "",
        displacement_A: float = 1e-3,
    ) -> None:
        self.symbols = tuple(symbols)
        n = len(self.symbols)
        if frame not in ("molecule", "periodic", "fixed frame"):
            raise ValueError(f"frame={frame!r} is none of molecule, periodic, fixed frame. Choose one of the three.")
        self.free = np.ones((n, 3), dtype=bool)
        if frozen is not None:
            mask = np.asarray(frozen, dtype=bool)
            if mask.shape not in ((n,), (n, 3)):
                raise ValueError(f"frozen has the shape {mask.shape}; {n} atoms need ({n},) or ({n}, 3) booleans.")
            self.free &= ~(mask[:, None] if mask.ndim == 1 else mask)
        self.frame: Frame = frame if self.free.all() else "fixed frame"
        self.masses = Atoms(self.symbols).get_masses() if masses is None else np.asarray(masses, dtype=float)
        self.name, self.level_of_theory, self.displacement_A = name, level_of_theory, displacement_A
        self.evaluations = 0
        self.refusals: deque[str] = deque(maxlen=20)
        self._evaluate = evaluate

    @classmethod
    def of(
        cls,
        potential: Any,
        atoms: Atoms,
        *,
        frame: Frame | None = None,
        frozen: np.ndarray | None = None,
        device: str = "auto",
    ) -> Surface:
        """The surface of `potential` for the composition (and cell, charge, multiplicity) of `atoms`.

        potential: a labkit Potential or Reference, the name of one ("gfn2-xtb", "chgnet", "lennard-jones-cluster"), a
        function that makes ASE calculators, or an ASE calculator. frame: None takes "periodic" for a structure with a
        cell and "molecule" for one without. Raises ValueError for what is none of these, UnsupportedElement.
        """
        from labkit.landscapes.evaluators import evaluator

        call, name, level, refusals, displacement = evaluator(potential, atoms, device)
        made = cls(
            call,
            atoms.get_chemical_symbols(),
            masses=atoms.get_masses(),
            frame=frame or ("periodic" if atoms.pbc.any() else "molecule"),
            frozen=frozen,
            name=name,
            level_of_theory=level,
            displacement_A=displacement,
        )
        made.refusals = refusals
        return made

    @property
    def dimension(self) -> int:
        """The number of coordinates, 3n."""
        return 3 * len(self.symbols)

    def evaluate(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Energies (k,) eV and forces (k, n, 3) eV/Å at positions (k, n, 3) Å; zero on frozen components.

        A geometry that the potential refuses, that has flown apart or whose forces left physics is NaN throughout.
        """
        positions = np.asarray(positions, dtype=float)
        if positions.ndim != 3 or positions.shape[1:] != (len(self.symbols), 3):
            raise ValueError(f"positions have the shape {positions.shape}; expected (k, {len(self.symbols)}, 3).")
        energies, forces = np.full(len(positions), np.nan), np.full(positions.shape, np.nan)
        with np.errstate(invalid="ignore"):
            sane = np.isfinite(positions).all(axis=(1, 2)) & (np.ptp(positions, axis=1).max(axis=1) < WIDEST_A)
        if sane.any():
            self.evaluations += int(sane.sum())
            energies[sane], forces[sane] = self._evaluate(positions[sane])
            with np.errstate(invalid="ignore"):
                bad = ~np.isfinite(energies) | ~(abs(forces).max(axis=(1, 2)) < STRONGEST_EV_A)
            energies[bad], forces[bad] = np.nan, np.nan
        forces = np.where(self.free, forces, np.where(np.isnan(forces), np.nan, 0.0))
        return energies, forces

    def gradients(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Energies (k,) eV and gradients (k, 3n) eV/Å without idle and frozen parts; NaN where refused."""
        energies, forces = self.evaluate(positions)
        flat = self.project(positions, np.nan_to_num(-forces)).reshape(len(energies), self.dimension)
        return energies, np.where(np.isfinite(energies)[:, None], flat, np.nan)

    @property
    def said(self) -> str:
        """The last sentence of a potential that refused a geometry, if there is one."""
        return self.refusals[-1] if self.refusals else ""

    def idle(self, positions: np.ndarray, linear: float = LINEAR) -> np.ndarray:
        """Orthonormal idle directions (k, 3n, z) at positions (k, n, 3), z = 6, 3 or 0; a missing one is zero.

        Translations are e_a in all atoms, rotations e_a x (r - r̄); both are orthonormalised by a singular value
        decomposition, which also finds the rotation that a linear molecule lacks: one whose singular value, relative
        to the largest, is below `linear`.
        """
        positions = np.asarray(positions, dtype=float)
        k, n = positions.shape[:2]
        if self.frame == "fixed frame":
            return np.zeros((k, 3 * n, 0))
        translations = np.tile(np.eye(3), (n, 1)) / np.sqrt(n)
        directions = np.broadcast_to(translations, (k, 3 * n, 3))
        if self.frame == "periodic":
            return directions
        sane = np.clip(np.nan_to_num(positions), -WIDEST_A, WIDEST_A)
        arms = sane - sane.mean(axis=1, keepdims=True)
        rotations = np.cross(np.eye(3)[None, None], arms[:, :, None, :])  # (k, n, axis, xyz)
        rotations = rotations.transpose(0, 1, 3, 2).reshape(k, 3 * n, 3)
        left, values, _ = np.linalg.svd(rotations, full_matrices=False)
        present = values > linear * np.maximum(values[:, :1], 1e-12)
        return np.concatenate([directions, left * present[:, None, :]], axis=2)

    def project(self, positions: np.ndarray, vectors: np.ndarray) -> np.ndarray:
        """`vectors` (k, n, 3) without their idle and frozen parts."""
        flat = np.where(self.free, vectors, 0.0).reshape(len(vectors), self.dimension)
        idle = self.idle(positions)
        flat = flat - np.einsum("kdz,kz->kd", idle, np.einsum("kdz,kd->kz", idle, flat))
        return flat.reshape(vectors.shape)
