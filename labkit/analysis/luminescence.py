"""Huang-Rhys factors: how strongly an electronic transition shakes each normal mode.

Parallel modes, equal force constants in both states, Franck and Condon (A. Alkauskas et al., New J. Phys. 16, 073026
(2014)): a mode only moves its origin, by q_k, and S_k = ω_k q_k² / 2ħ is the mean number of its quanta in a vertical
transition.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from labkit.analysis.luminescence_displacement import displacement, forces_of, turned_onto
from labkit.analysis.luminescence_modes import HBAR2, NormalModes
from labkit.errors import InvalidStructure

if TYPE_CHECKING:
    from ase import Atoms

#: Modes below this energy are the translations (and rotations) of the whole, and are left out.
ACOUSTIC_MEV = 3.0


@dataclass(frozen=True)
class HuangRhys:
    """Huang-Rhys factors of K modes.

    energies_meV: ħω_k (K,) > 0; factors: S_k (K,); displacements: q_k (K,) in amu^½ Å; localisation: N/IPR (K,);
    mode: number of each mode in `modes` (K,); delta_Q: amu^½ Å; delta_R: Å; left_out: energies of modes left out
    (imaginary ones are negative); modes: the normal modes, for a picture, or None.
    """

    energies_meV: np.ndarray
    factors: np.ndarray
    displacements: np.ndarray
    localisation: np.ndarray
    mode: np.ndarray
    delta_Q: float
    delta_R: float
    left_out: tuple[float, ...] = ()
    name: str = ""
    modes: NormalModes | None = field(default=None, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.energies_meV)

    @property
    def total(self) -> float:
        """S = sum S_k, the mean number of phonons."""
        return float(self.factors.sum())

    @property
    def debye_waller(self) -> float:
        """exp(-S): the share of the zero-phonon line at 0 K."""
        return float(np.exp(-self.total))

    @property
    def relaxation_energy_meV(self) -> float:
        """sum S_k ħω_k: from the vertical transition down to the minimum."""
        return float(self.factors @ self.energies_meV)

    @property
    def effective_energy_meV(self) -> float:
        """ħ sqrt(sum ω² q² / sum q²): the one mode along the line between both geometries; 0 if nothing moves."""
        weights = self.displacements**2
        if not weights.sum() > 0:
            return 0.0
        return float(np.sqrt(weights @ self.energies_meV**2 / weights.sum()))

    @property
    def strongest(self) -> int:
        """The place (from 0) of the largest S_k."""
        return int(np.argmax(self.factors))

    def single_mode(self) -> HuangRhys:
        """Return the one-dimensional model: one mode of the effective energy E with S = E (sum q²) / 2ħ².

        It keeps the relaxation energy, not S.
        """
        energy, square = self.effective_energy_meV, float(self.displacements @ self.displacements)
        energy = energy if energy > 0 else ACOUSTIC_MEV
        factor = 0.5e-3 * energy * square / HBAR2
        return HuangRhys(
            *(np.array([value]) for value in (energy, factor, np.sqrt(square), 1.0)),
            mode=np.array([-1]),
            delta_Q=self.delta_Q,
            delta_R=self.delta_R,
            name="one effective mode",
        )

    def named(self, name: str) -> HuangRhys:
        """Return the same under a name, for legends."""
        return replace(self, name=name)

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers in JSON-able form, without the eigenvectors."""
        arrays = ("energies_meV", "factors", "displacements", "localisation", "mode")
        plain = {key: np.asarray(getattr(self, key)).tolist() for key in arrays}
        single = (
            "total",
            "debye_waller",
            "effective_energy_meV",
            "relaxation_energy_meV",
            "delta_Q",
            "delta_R",
            "name",
        )
        return {**plain, **{key: getattr(self, key) for key in single}, "left_out": list(self.left_out)}


def huang_rhys(
    modes: NormalModes,
    ground: Atoms,
    excited: Atoms,
    *,
    acoustic_meV: float = ACOUSTIC_MEV,
    imaginary: str = "refuse",
    max_displacement_A: float = 1.0,
    name: str = "",
) -> HuangRhys:
    """Return Huang-Rhys factors from two geometries: q_k = sum_{a,i} sqrt(m_a) (R_e - R_g)_{ai} e_{k,ai}.

    Atoms are taken to their nearest image and the motion of the whole is removed first; the masses are those of
    `modes`. Modes with |E| < `acoustic_meV` are left out; a mode that is imaginary beyond that is refused, or left out
    with `imaginary="drop"`. Raises InvalidStructure for geometries that do not belong together (see `displacement`) or
    not to the modes (see `turned_onto`).
    """
    masses = modes.atoms.get_masses()
    moved = displacement(ground, excited, masses=masses, max_displacement_A=max_displacement_A)
    moved = turned_onto(moved, ground, modes.atoms, masses, max_displacement_A)
    weighted = np.sqrt(masses)[:, None] * moved
    q = np.einsum("kai,ai->k", modes.vectors, weighted)
    return _result(modes, q, acoustic_meV, imaginary, name, np.sqrt((weighted**2).sum()), np.sqrt((moved**2).sum()))


def huang_rhys_from_forces(
    modes: NormalModes,
    forces_ground: np.ndarray,
    forces_excited: np.ndarray,
    *,
    acoustic_meV: float = ACOUSTIC_MEV,
    imaginary: str = "refuse",
    name: str = "",
) -> HuangRhys:
    """Return Huang-Rhys factors from the forces (N, 3) in eV/Å of both states at one and the same geometry.

    q_k = sum_{a,i} m_a^(-½) (F_e - F_g)_{ai} e_{k,ai} / ω_k²: equal to `huang_rhys` where the energy is harmonic.
    delta_Q and delta_R are those of the modes that are kept. Raises InvalidStructure for forces of another shape or
    that are not finite.
    """
    forces = forces_of(forces_excited, len(modes.atoms), "excited") - forces_of(
        forces_ground, len(modes.atoms), "ground"
    )
    masses = modes.atoms.get_masses()
    keep = _kept(modes, acoustic_meV, imaginary)
    q = np.zeros(len(modes))
    push = np.einsum("kai,ai->k", modes.vectors[keep], forces / np.sqrt(masses)[:, None])
    q[keep] = push * HBAR2 / (1e-3 * modes.energies_meV[keep]) ** 2
    moved = np.einsum("k,kai->ai", q, modes.vectors) / np.sqrt(masses)[:, None]
    return _result(modes, q, acoustic_meV, imaginary, name, np.sqrt(q @ q), np.sqrt((moved**2).sum()))


def _kept(modes: NormalModes, acoustic_meV: float, imaginary: str) -> np.ndarray:
    """Return the mask (K,) of the modes that count; refuse imaginary ones unless they may be dropped."""
    if imaginary not in ("refuse", "drop"):
        raise ValueError(f"imaginary={imaginary!r} is unknown; use 'refuse' or 'drop'.")
    if not acoustic_meV > 0:
        raise ValueError(f"acoustic_meV={acoustic_meV} must be positive: a mode without energy has no S.")
    energies = modes.energies_meV
    soft = energies <= -acoustic_meV
    if soft.any() and imaginary == "refuse":
        raise InvalidStructure(
            f"{int(soft.sum())} mode(s) are imaginary, down to {-energies.min():.1f}i meV: the atoms are in no minimum "
            "of these force constants. Relax them with the same potential, or pass imaginary='drop' to leave them out."
        )
    keep = energies >= acoustic_meV
    if not keep.any():
        raise InvalidStructure(f"no mode has {acoustic_meV:g} meV or more; are the force constants in eV/Å²?")
    return keep


def _result(
    modes: NormalModes, q: np.ndarray, acoustic_meV: float, imaginary: str, name: str, delta_Q: float, delta_R: float
) -> HuangRhys:
    keep = _kept(modes, acoustic_meV, imaginary)
    energies = modes.energies_meV[keep]
    return HuangRhys(
        energies_meV=energies,
        factors=0.5e-3 * energies * q[keep] ** 2 / HBAR2,
        displacements=q[keep],
        localisation=modes.localisation[keep],
        mode=np.flatnonzero(keep),
        delta_Q=float(delta_Q),
        delta_R=float(delta_R),
        left_out=tuple(modes.energies_meV[~keep].tolist()),
        name=name,
        modes=modes,
    )
