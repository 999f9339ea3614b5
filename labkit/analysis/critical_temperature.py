"""The temperature at which an order parameter falls through one half, with the error that its points allow.

The curve is made to fall (isotonic regression, weighted), because an order parameter does, and its crossing is taken by
linear interpolation; resampling the points from their errors gives the interval.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from labkit.errors import InvalidStructure

INTERVAL = (2.5, 97.5)


@dataclass(frozen=True)
class CriticalTemperature:
    """Where the order parameter crosses `level`.

    T_K: None when it does not within the temperatures given. error_K: standard deviation over the resampled curves that
    cross; interval_K: 95 %, an end is None where more than 2.5 % of them cross beyond the temperatures given. Both hold
    the errors of the points, not how far apart the points are; the text says so where that is more. crossing: part of
    the resampled curves that cross. text: a sentence or two.
    """

    T_K: float | None
    error_K: float | None
    interval_K: tuple[float | None, float | None]
    level: float
    crossing: float
    text: str

    def to_dict(self) -> dict[str, Any]:
        """Return the fields in JSON-able form."""
        return {**asdict(self), "interval_K": list(self.interval_K)}

    def __str__(self) -> str:
        """Return the sentence."""
        return self.text


def critical_temperature(
    temperatures_K: Sequence[float],
    order: Sequence[float],
    errors: Sequence[float],
    *,
    level: float = 0.5,
    samples: int = 2000,
    seed: int = 0,
) -> CriticalTemperature:
    """Return the temperature at which `order` falls through `level`, from points with standard errors.

    Raises InvalidStructure for fewer than two temperatures, numbers that are not finite, or errors that are not
    positive.
    """
    T, values, sigma = (np.asarray(one, dtype=float) for one in (temperatures_K, order, errors))
    if not len(T) == len(values) == len(sigma) >= 2:
        raise InvalidStructure(
            f"{len(T)} temperatures, {len(values)} values and {len(sigma)} errors: give at least two points, alike."
        )
    if not np.isfinite([T, values, sigma]).all() or not sigma.min() > 0 or len(np.unique(T)) < len(T):
        raise InvalidStructure("temperatures must differ, values be finite and errors be positive for a crossing.")
    by = np.argsort(T)
    T, values, sigma = T[by], values[by], sigma[by]
    central = _crossing(T, values, sigma, level)
    drawn = np.random.default_rng(seed).normal(values, sigma, (samples, len(T)))
    crossings = np.array([_crossing(T, one, sigma, level) for one in drawn])
    inside = np.isfinite(crossings)
    low, high = np.percentile(crossings, INTERVAL, method="nearest")
    interval = tuple(float(one) if np.isfinite(one) else None for one in (low, high))
    T_K = float(central) if np.isfinite(central) else None
    error = float(crossings[inside].std(ddof=1)) if inside.sum() > 1 else None
    text = _sentence(T_K, error, central, T, level, interval)
    return CriticalTemperature(T_K, error, interval, level, float(inside.mean()), text)


def _crossing(T: np.ndarray, values: np.ndarray, sigma: np.ndarray, level: float) -> float:
    """The crossing of the falling curve; -inf when it begins below the level, inf when it never falls below it."""
    from scipy.optimize import isotonic_regression

    falling = isotonic_regression(values, weights=1 / sigma**2, increasing=False).x
    if falling[0] < level:
        return -np.inf
    if falling[-1] > level:
        return np.inf
    after = int(np.argmax(falling <= level))
    if falling[after] == level or after == 0:
        same = T[falling == level]
        return float(same.mean()) if len(same) else float(T[after])
    before = after - 1
    part = (falling[before] - level) / (falling[before] - falling[after])
    return float(T[before] + part * (T[after] - T[before]))


def _sentence(
    T_K: float | None,
    error: float | None,
    central: float,
    T: np.ndarray,
    level: float,
    interval: tuple[float | None, ...],
) -> str:
    if T_K is None:
        side = f"below {T[0]:g} K, the lowest" if central < 0 else f"above {T[-1]:g} K, the highest"
        return f"The order parameter crosses {level:g} {side} temperature given, if at all."
    low = f"{interval[0]:.0f}" if interval[0] is not None else f"below {T[0]:g}"
    high = f"{interval[1]:.0f} K" if interval[1] is not None else f"above {T[-1]:g} K"
    spread = "" if error is None else f" ± {error:.0f}"
    text = f"T_c = {T_K:.0f}{spread} K (95 %: {low} to {high})."
    below, above = T[T <= T_K].max(), T[T >= T_K].min()
    ends = [end if end is not None else T[at] for end, at in zip(interval, (0, -1), strict=True)]
    if len(T) > 2 and above - below <= 2 * (ends[1] - ends[0]):
        return text
    return f"{text} That is a straight line from {below:g} to {above:g} K: only points between tell more."
