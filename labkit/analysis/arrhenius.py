"""Activation energy from diffusion coefficients at several temperatures, and what follows, said to be extrapolated
where it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

_KB_EV_K = 8.617333262e-5


@dataclass(frozen=True)
class Extrapolation:
    """D at one temperature with its 95 % interval; `extrapolated` tells whether it lies outside of the fitted
    temperatures.
    """

    temperature_K: float
    D_cm2_s: float
    low_cm2_s: float
    high_cm2_s: float
    extrapolated: bool
    note: str

    def __str__(self) -> str:
        """Return D, its interval and whether it is extrapolated, in one line."""
        interval = f"{self.low_cm2_s:.1e} to {self.high_cm2_s:.1e}"
        return f"D({self.temperature_K:g} K) = {self.D_cm2_s:.2e} cm²/s (95 %: {interval}), {self.note}"


@dataclass(frozen=True)
class Arrhenius:
    """D(T) = D0 exp(-Ea / k_B T): activation energy and prefactor with one standard error, and what `at` needs."""

    activation_energy_eV: float
    activation_energy_error_eV: float
    D0_cm2_s: float
    log_D0_error: float
    covariance: tuple[tuple[float, float], tuple[float, float]]
    freedom: int | None
    temperatures_K: tuple[float, ...]
    D_cm2_s: tuple[float, ...]
    errors_cm2_s: tuple[float, ...] | None

    def at(self, temperature_K: float) -> Extrapolation:
        """Return D at `temperature_K` with its 95 % interval from the covariance of the fit. Raises ValueError below
        or at 0 K.
        """
        from scipy.stats import norm, t

        if not np.isfinite(temperature_K) or temperature_K <= 0:
            raise ValueError(f"temperature_K={temperature_K} must be positive.")
        row = np.array([1.0, -1.0 / (_KB_EV_K * temperature_K)])
        log_D = float(np.log(self.D0_cm2_s) + row[1] * self.activation_energy_eV)
        factor = norm.ppf(0.975) if self.freedom is None else t.ppf(0.975, self.freedom)
        half = float(factor * np.sqrt(max(row @ np.array(self.covariance) @ row, 0.0)))
        low, high = min(self.temperatures_K), max(self.temperatures_K)
        outside = not low <= temperature_K <= high
        return Extrapolation(
            temperature_K=float(temperature_K),
            D_cm2_s=float(np.exp(log_D)),
            low_cm2_s=float(np.exp(log_D - half)),
            high_cm2_s=float(np.exp(log_D + half)),
            extrapolated=outside,
            note=f"{'extrapolated' if outside else 'interpolated'} from {low:g} to {high:g} K",
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the fields in JSON-able form."""
        fields = asdict(self)
        return {
            **{key: list(value) if isinstance(value, tuple) else value for key, value in fields.items()},
            "covariance": [list(row) for row in self.covariance],
        }


def arrhenius(
    temperatures_K: Sequence[float], D_cm2_s: Sequence[float], errors_cm2_s: Sequence[float] | None = None
) -> Arrhenius:
    """Return the fit of ln D = ln D0 - Ea / (k_B T) by (weighted) least squares.

    With `errors_cm2_s` the points weigh 1/(dD/D)^2 and the covariance follows from those errors, multiplied by chi^2
    per degree of freedom where the points scatter more than their errors say; without, it follows from the scatter
    and needs three temperatures. Raises ValueError for fewer than two distinct temperatures (three without errors),
    or values that are not positive.
    """
    T, D = np.asarray(temperatures_K, dtype=float), np.asarray(D_cm2_s, dtype=float)
    error = None if errors_cm2_s is None else np.asarray(errors_cm2_s, dtype=float)
    for name, values in (("temperatures_K", T), ("D_cm2_s", D), ("errors_cm2_s", error)):
        if values is not None and (values.shape != T.shape or not np.isfinite(values).all() or (values <= 0).any()):
            raise ValueError(f"{name}={values.tolist()} must hold one positive, finite value for each temperature.")
    least = 3 if error is None else 2
    if T.ndim != 1 or len(np.unique(T)) < least:
        raise ValueError(f"{len(np.unique(T))} distinct temperature(s) given; an Arrhenius fit needs at least {least}.")
    design = np.column_stack([np.ones_like(T), -1.0 / (_KB_EV_K * T)])
    weight = np.ones_like(T) if error is None else D / error
    scaled = design * weight[:, None]
    covariance = np.linalg.inv(scaled.T @ scaled)
    log_D0, energy = covariance @ scaled.T @ (np.log(D) * weight)
    residual = (np.log(D) - design @ [log_D0, energy]) * weight
    freedom = len(T) - 2
    scatter = float(residual @ residual) / freedom if freedom else 0.0
    covariance = covariance * (scatter if error is None else max(scatter, 1.0))
    return Arrhenius(
        activation_energy_eV=float(energy),
        activation_energy_error_eV=float(np.sqrt(covariance[1, 1])),
        D0_cm2_s=float(np.exp(log_D0)),
        log_D0_error=float(np.sqrt(covariance[0, 0])),
        covariance=tuple(tuple(float(value) for value in row) for row in covariance),
        freedom=freedom if error is None else None,
        temperatures_K=tuple(T.tolist()),
        D_cm2_s=tuple(D.tolist()),
        errors_cm2_s=None if error is None else tuple(error.tolist()),
    )
