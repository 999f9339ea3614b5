"""From diffusion to ionic conductivity: Nernst-Einstein, its inverse, and the Haven ratio that measures its error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from scipy.constants import elementary_charge, k

from labkit.analysis.diffusion import Diffusion, diffusion
from labkit.analysis.msd import MSD, windowed_msd

_SI = 1e-4 / 1e-30 * 1e-2  # cm^2/s -> m^2/s, 1/Å^3 -> 1/m^3, S/m -> S/cm


def nernst_einstein(D_cm2_s: float, n_ions: float, volume_A3: float, temperature_K: float, charge: float = 1) -> float:
    """Return the conductivity in S/cm of `n_ions` ions of `charge` (in e) diffusing with D in `volume_A3`.

    sigma = N q^2 D / (V k_B T): ions that move independently (Haven ratio 1). Raises ValueError for values that are
    not positive.
    """
    return _positive("D_cm2_s", D_cm2_s, zero=True) * _per_D(n_ions, volume_A3, temperature_K, charge)


def diffusion_from_conductivity(
    sigma_S_cm: float, n_ions: float, volume_A3: float, temperature_K: float, charge: float = 1
) -> float:
    """Return the (charge) diffusion coefficient in cm^2/s that belongs to a conductivity in S/cm; the inverse of
    `nernst_einstein`.
    """
    return _positive("sigma_S_cm", sigma_S_cm, zero=True) / _per_D(n_ions, volume_A3, temperature_K, charge)


def _per_D(n_ions: float, volume_A3: float, temperature_K: float, charge: float) -> float:
    if not np.isfinite(charge) or charge == 0:
        raise ValueError(f"charge={charge} must be a number of elementary charges other than zero.")
    density = _positive("n_ions", n_ions) / _positive("volume_A3", volume_A3)
    return _SI * density * (charge * elementary_charge) ** 2 / (k * _positive("temperature_K", temperature_K))


def _positive(name: str, value: float, *, zero: bool = False) -> float:
    if not np.isfinite(value) or value < 0 or (value == 0 and not zero):
        raise ValueError(f"{name}={value} must be {'zero or ' if zero else ''}positive and finite.")
    return float(value)


@dataclass(frozen=True)
class HavenRatio:
    """H_R = D_tracer / D_charge: 1 for independent ions, below 1 where ions hop together (the conductivity exceeds
    Nernst-Einstein).

    ratio is None where the charge did not move. The errors are standard errors; that of D_charge is large, since all
    the ions together are one walker.
    """

    ratio: float | None
    ratio_error: float | None
    tracer_D_cm2_s: float
    tracer_error_cm2_s: float | None
    charge_D_cm2_s: float
    charge_error_cm2_s: float | None
    window_fs: tuple[float, float]
    n_atoms: int

    def to_dict(self) -> dict[str, Any]:
        """Return the fields in JSON-able form."""
        return {**asdict(self), "window_fs": list(self.window_fs)}


def charge_msd(result: MSD, charges: Sequence[float] | None = None) -> MSD:
    """Return the MSD (Å^2) of the summed charge displacement, one walker: <|sum_i q_i dr_i|^2> / sum_i q_i^2.

    `charges` (n,) in e; None: equal ones. For independent ions it equals the (charge-weighted) tracer MSD. Raises
    ValueError where the drift of all atoms was removed (that sum is then zero by construction) or the charges do not
    fit.
    """
    if result.drift == "all":
        raise ValueError(
            "the drift of all atoms was removed, which ties the summed displacement of the ions to zero; "
            "compute the MSD with species=... and drift='host'."
        )
    q = np.ones(result.n_atoms) if charges is None else np.asarray(charges, dtype=float)
    if q.shape != (result.n_atoms,) or not np.isfinite(q).all() or not q.any():
        raise ValueError(
            f"charges of shape {q.shape} do not fit {result.n_atoms} ions; "
            "give one finite charge (e) for each, not all zero."
        )
    walker = np.einsum("n,tnd->td", q, result.positions_A)[:, None, :] / np.sqrt((q**2).sum())
    curve = windowed_msd(walker)[:, 0, :].T
    return replace(
        result,
        total_A2=curve.sum(axis=0),
        per_direction_A2=curve,
        spread_A2=np.zeros(result.n_frames),
        n_atoms=1,
        positions_A=walker,
    )


def haven_ratio(
    result: MSD,
    *,
    charges: Sequence[float] | None = None,
    window_fs: tuple[float, float] | None = None,
    directions: str = "xyz",
) -> HavenRatio:
    """Return the Haven ratio D_tracer / D_charge of the ions in `result`, both fitted in the same window (see
    `diffusion`).
    """
    tracer = diffusion(result, window_fs=window_fs, directions=directions)
    charge = diffusion(charge_msd(result, charges), window_fs=window_fs, directions=directions)
    ratio = tracer.D_cm2_s / charge.D_cm2_s if charge.D_cm2_s > 0 else None
    return HavenRatio(
        ratio=ratio,
        ratio_error=_ratio_error(tracer, charge, ratio),
        tracer_D_cm2_s=tracer.D_cm2_s,
        tracer_error_cm2_s=tracer.error_cm2_s,
        charge_D_cm2_s=charge.D_cm2_s,
        charge_error_cm2_s=charge.error_cm2_s,
        window_fs=tracer.window_fs,
        n_atoms=result.n_atoms,
    )


def _ratio_error(tracer: Diffusion, charge: Diffusion, ratio: float | None) -> float | None:
    if ratio is None or tracer.error_cm2_s is None or charge.error_cm2_s is None or tracer.D_cm2_s <= 0:
        return None
    return ratio * float(np.hypot(tracer.error_cm2_s / tracer.D_cm2_s, charge.error_cm2_s / charge.D_cm2_s))
