"""Emission and absorption spectra of a colour centre: the vibronic overlap with its prefactor, normalised to one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from labkit.analysis.luminescence import HuangRhys
from labkit.analysis.luminescence_overlap import overlap, quanta

KINDS = ("emission", "absorption")
#: Power of the photon energy: spontaneous emission goes with ω³, absorption with ω.
_POWER = {"emission": 3, "absorption": 1}


@dataclass(frozen=True)
class Lineshape:
    """energies_eV: photon energies (M,), ascending, equidistant; intensity: (M,) per eV with area 1; the other fields
    say what it was made with. zpl_weight: share of the zero-phonon line in the overlap at this temperature.
    """

    kind: str
    energies_eV: np.ndarray
    intensity: np.ndarray
    zpl_eV: float
    zpl_weight: float
    temperature_K: float
    gamma_meV: float
    sigma_meV: float
    name: str = ""

    def at(self, energies_eV: np.ndarray) -> np.ndarray:
        """Return the intensity at other photon energies, 0 outside of the grid."""
        return np.interp(energies_eV, self.energies_eV, self.intensity, left=0.0, right=0.0)

    def span_eV(self, share: float = 0.01) -> tuple[float, float]:
        """Return the photon energies between which the intensity lies above `share` of its sideband's maximum."""
        beside = np.abs(self.energies_eV - self.zpl_eV) > 15e-3 * self.gamma_meV
        reference = self.intensity[beside].max() if beside.any() else self.intensity.max()
        seen = self.energies_eV[self.intensity >= share * reference]
        return float(seen[0]), float(seen[-1])


def lineshape(
    factors: HuangRhys,
    zpl_eV: float,
    *,
    temperature_K: float = 0.0,
    gamma_meV: float = 2.0,
    sigma_meV: float = 6.0,
    kind: str = "emission",
    step_meV: float | None = None,
) -> Lineshape:
    """Return L(E) = C E³ A(E_ZPL - E) in emission, C E A(E - E_ZPL) in absorption, with area 1 over E > 0.

    A is the overlap of `luminescence_overlap.overlap`, which says what the broadenings mean; in absorption the
    phonons take their energy from the photon. Raises ValueError for parameters out of bounds.
    """
    if kind not in KINDS:
        raise ValueError(f"kind={kind!r} is unknown; use 'emission' or 'absorption'.")
    if not (np.isfinite(zpl_eV) and zpl_eV > 0):
        raise ValueError(f"zpl_eV={zpl_eV} must be positive: the energy of the zero-phonon line in eV.")
    if not (np.isfinite(gamma_meV) and gamma_meV > 0):
        raise ValueError(f"gamma_meV={gamma_meV} must be positive: the half width of the zero-phonon line.")
    options = {"temperature_K": temperature_K, "gamma_meV": gamma_meV, "sigma_meV": sigma_meV, "step_meV": step_meV}
    found = overlap(factors.energies_meV, factors.factors, **options)
    sign = -1.0 if kind == "emission" else 1.0
    energies = zpl_eV + sign * 1e-3 * found.lost_meV
    order = slice(None, None, int(sign))
    energies, density = energies[order], np.maximum(found.density[order], 0.0)
    lit = energies > 0
    energies, density = energies[lit], density[lit] * energies[lit] ** _POWER[kind]
    area = density.sum() * 1e-3 * found.step_meV
    if not area > 0:
        raise ValueError(f"nothing is left above 0 eV: zpl_eV={zpl_eV} is too small for these phonons.")
    n = quanta(factors.energies_meV, temperature_K)
    return Lineshape(
        kind=kind,
        energies_eV=energies,
        intensity=density / area,
        zpl_eV=float(zpl_eV),
        zpl_weight=float(np.exp(-(factors.factors @ (2 * n + 1)))),
        temperature_K=float(temperature_K),
        gamma_meV=float(gamma_meV),
        sigma_meV=float(sigma_meV),
        name=factors.name,
    )
