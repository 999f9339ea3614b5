"""Activation energy and room-temperature conductivity from conductivities at several temperatures.

ln(σT) is the straight line of Nernst and Einstein, since σ = N q² D / (V k_B T): fitted is σT, and what lies outside
of the fitted temperatures is called extrapolated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from labkit.analysis.arrhenius import Arrhenius, arrhenius


@dataclass(frozen=True)
class ConductivityAt:
    """σ at one temperature with its 95 % interval; `extrapolated` tells whether it lies outside of the fit."""

    temperature_K: float
    sigma_S_cm: float
    low_S_cm: float
    high_S_cm: float
    extrapolated: bool
    note: str

    def __str__(self) -> str:
        """Return σ, its interval and whether it is extrapolated, in one line."""
        interval = f"{self.low_S_cm:.1e} to {self.high_S_cm:.1e}"
        return f"σ({self.temperature_K:g} K) = {self.sigma_S_cm:.2e} S/cm (95 %: {interval}), {self.note}"


@dataclass(frozen=True)
class ConductivityArrhenius:
    """σT = A exp(-Ea / k_B T): activation energy with one standard error, prefactor A, and what `at` needs.

    `line` is the fit itself, whose "D" is σT in S K/cm.
    """

    activation_energy_eV: float
    activation_energy_error_eV: float
    prefactor_S_K_cm: float
    log_prefactor_error: float
    temperatures_K: tuple[float, ...]
    sigma_S_cm: tuple[float, ...]
    errors_S_cm: tuple[float, ...] | None
    line: Arrhenius

    def at(self, temperature_K: float) -> ConductivityAt:
        """Return σ at `temperature_K` with its 95 % interval from the covariance of the fit. Raises ValueError below
        or at 0 K.
        """
        point = self.line.at(temperature_K)
        values = (one / temperature_K for one in (point.D_cm2_s, point.low_cm2_s, point.high_cm2_s))
        sigma, low, high = values
        return ConductivityAt(point.temperature_K, sigma, low, high, point.extrapolated, point.note)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields in JSON-able form."""
        fields = {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}
        return {**fields, "line": self.line.to_dict()}


def conductivity_arrhenius(
    temperatures_K: Sequence[float], sigma_S_cm: Sequence[float], errors_S_cm: Sequence[float] | None = None
) -> ConductivityArrhenius:
    """Return the fit of ln(σT) = ln A - Ea / (k_B T) by (weighted) least squares; see `arrhenius` for the weights.

    Raises ValueError for fewer than two distinct temperatures (three without errors), or values that are not positive.
    """
    if len(sigma_S_cm) != len(temperatures_K) or (errors_S_cm is not None and len(errors_S_cm) != len(temperatures_K)):
        raise ValueError(
            f"sigma_S_cm has {len(sigma_S_cm)} values for {len(temperatures_K)} temperatures; give one for each."
        )
    products = [sigma * T for sigma, T in zip(sigma_S_cm, temperatures_K, strict=True)]
    spread = None if errors_S_cm is None else [one * T for one, T in zip(errors_S_cm, temperatures_K, strict=True)]
    try:
        line = arrhenius(temperatures_K, products, spread)
    except ValueError as error:
        raise ValueError(
            str(error).replace("D_cm2_s", "sigma_S_cm x T").replace("errors_cm2_s", "errors x T")
        ) from None
    return ConductivityArrhenius(
        activation_energy_eV=line.activation_energy_eV,
        activation_energy_error_eV=line.activation_energy_error_eV,
        prefactor_S_K_cm=line.D0_cm2_s,
        log_prefactor_error=line.log_D0_error,
        temperatures_K=tuple(float(T) for T in temperatures_K),
        sigma_S_cm=tuple(float(one) for one in sigma_S_cm),
        errors_S_cm=None if errors_S_cm is None else tuple(float(one) for one in errors_S_cm),
        line=line,
    )
