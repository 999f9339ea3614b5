"""From many trajectories to one Arrhenius plot: a point for each structure and temperature, seeds pooled, D and σ.

A diffusion coefficient that carries a warning is shown and not fitted: an Arrhenius line through vibrations has a slope
too, and no meaning.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from labkit.analysis.arrhenius import Arrhenius, arrhenius
from labkit.analysis.conductivity import nernst_einstein
from labkit.analysis.conductivity_arrhenius import ConductivityArrhenius, conductivity_arrhenius
from labkit.analysis.diffusion import Diffusion

_NORMAL = 1.96


@dataclass(frozen=True)
class TransportPoint:
    """D of the ions of one structure at one temperature. error_cm2_s: half of the 95 % interval over 1.96, so that few
    atoms or blocks weigh as little as they should; n_ions of `charge` (e) in volume_A3 give σ; `warning` is empty or
    the reason why D must not be trusted.
    """

    name: str
    temperature_K: float
    D_cm2_s: float
    error_cm2_s: float | None
    n_ions: int
    volume_A3: float
    charge: float = 1.0
    length_ps: float = 0.0
    n_runs: int = 1
    warning: str = ""

    @property
    def trusted(self) -> bool:
        """Whether a line may be fitted through this point."""
        return not self.warning and self.D_cm2_s > 0 and self.error_cm2_s is not None and self.error_cm2_s > 0

    @property
    def sigma_S_cm(self) -> float:
        """Nernst-Einstein conductivity of independent ions (Haven ratio 1), S/cm; 0 for a D below zero."""
        return nernst_einstein(max(self.D_cm2_s, 0.0), self.n_ions, self.volume_A3, self.temperature_K, self.charge)

    @property
    def sigma_error_S_cm(self) -> float | None:
        """The error of σ that comes from the one of D."""
        if self.error_cm2_s is None:
            return None
        return nernst_einstein(self.error_cm2_s, self.n_ions, self.volume_A3, self.temperature_K, self.charge)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields and the conductivity in JSON-able form."""
        return {**asdict(self), "sigma_S_cm": self.sigma_S_cm, "sigma_error_S_cm": self.sigma_error_S_cm}


def transport_point(
    found: Diffusion,
    *,
    name: str,
    temperature_K: float,
    n_ions: int,
    volume_A3: float,
    charge: float = 1.0,
    length_ps: float = 0.0,
    framework: str = "",
) -> TransportPoint:
    """The point of one trajectory; `framework` is the warning of `framework_motion`, which goes before that of D."""
    half = None if found.interval_cm2_s is None else (found.interval_cm2_s[1] - found.interval_cm2_s[0]) / 2
    error = found.error_cm2_s if half is None else half / _NORMAL
    warning = " ".join(one for one in (framework, found.warning) if one)
    return TransportPoint(
        name, float(temperature_K), found.D_cm2_s, error, n_ions, volume_A3, charge, length_ps, 1, warning
    )


def pooled(points: Sequence[TransportPoint]) -> list[TransportPoint]:
    """One point for each structure and temperature: the mean over its runs, weighted by their lengths.

    Runs that carry a warning are left out wherever another one carries none (`n_runs` and `length_ps` count those that
    are left); only where all of them carry one, the mean of all stands with the first warning.
    The error comes from the runs' own ones, e^2 = sum w^2 e_k^2, widened by the Birge ratio sqrt(chi^2 / (n - 1)) where
    the runs scatter more than these explain (Birge, Phys. Rev. 40, 207 (1932)); where a run has no error of its own,
    from the scatter with Student's factor.
    """
    groups: dict[tuple[str, float], list[TransportPoint]] = {}
    for point in points:
        groups.setdefault((point.name, point.temperature_K), []).append(point)
    sound = [[one for one in group if not one.warning] or group for group in groups.values()]
    return [_mean(group) if len(group) > 1 else group[0] for group in sound]


def _mean(group: Sequence[TransportPoint]) -> TransportPoint:
    from scipy.stats import t as student

    D = np.array([one.D_cm2_s for one in group])
    weights = np.array([one.length_ps for one in group])
    weights = weights / weights.sum() if weights.sum() > 0 else np.full(len(group), 1 / len(group))
    errors = np.array([one.error_cm2_s or 0.0 for one in group])
    if (errors > 0).all():
        # About the mean with weights 1/e^2, for only there is chi^2 that of n - 1 degrees of freedom.
        chi2 = float((((D - np.average(D, weights=errors**-2)) / errors) ** 2).sum())
        error = float(np.sqrt(((weights * errors) ** 2).sum())) * max(1.0, float(np.sqrt(chi2 / (len(group) - 1))))
    else:
        widening = float(student.ppf(0.975, len(group) - 1)) / _NORMAL
        error = widening * float(D.std(ddof=1)) * float(np.sqrt((weights**2).sum()))
    first = group[0]
    length = sum(one.length_ps for one in group)
    return TransportPoint(
        first.name,
        first.temperature_K,
        float(weights @ D),
        error,
        first.n_ions,
        first.volume_A3,
        first.charge,
        length,
        len(group),
        first.warning,
    )


def arrhenius_of(points: Sequence[TransportPoint], *, doubtful: bool = False) -> Arrhenius:
    """The line ln D through the trusted points, with `doubtful` through all that are positive.

    Raises ValueError when fewer than two temperatures are left.
    """
    used = _used(points, doubtful)
    return arrhenius([one.temperature_K for one in used], [one.D_cm2_s for one in used], _errors(used, "error_cm2_s"))


def conductivity_of(points: Sequence[TransportPoint], *, doubtful: bool = False) -> ConductivityArrhenius:
    """The line ln(σT) through the trusted points, with `doubtful` through all that are positive.

    Raises ValueError when fewer than two temperatures are left.
    """
    used = _used(points, doubtful)
    errors = _errors(used, "sigma_error_S_cm")
    return conductivity_arrhenius([one.temperature_K for one in used], [one.sigma_S_cm for one in used], errors)


def _used(points: Sequence[TransportPoint], doubtful: bool) -> list[TransportPoint]:
    names = {one.name for one in points}
    if len(names) > 1:
        raise ValueError(f"the points belong to {len(names)} structures ({', '.join(sorted(names))}); fit each alone.")
    used = [one for one in points if one.trusted or (doubtful and one.D_cm2_s > 0 and one.error_cm2_s)]
    if len({one.temperature_K for one in used}) < 2:
        raise ValueError(
            f"{len(used)} of {len(points)} points can be fitted, and a line needs two temperatures. Run longer or "
            "hotter, or take the doubtful points with doubtful=True."
        )
    return used


def _errors(points: Sequence[TransportPoint], name: str) -> list[float]:
    return [float(getattr(one, name)) for one in points]
