"""From the spread of a committee to an error that can be believed: σ = a u^b, fitted to errors that are known.

The one idea: for a given b the best a is known in closed form, and what is left of the negative log-likelihood is
convex in b, so the fit is a search for one root and has no starting point. `reliability` says whether it worked.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from labkit.errors import NotConverged

#: Spreads below this (eV/Å) are those of atoms that symmetry keeps in place; they tell nothing of a law.
LEAST_SPREAD = 1e-4
#: Exponents beyond these are refused: a law so flat or steep says that the spread does not order the errors.
EXPONENTS = (0.05, 5.0)
#: Components of the error behind each number: a force has three, e² is their mean square.
COMPONENTS = 3


@dataclass(frozen=True)
class Calibration:
    """σ = a u^b, eV/Å for u in eV/Å; `lowest` and `highest` are the spreads (eV/Å) it was fitted on."""

    kind: str
    a: float
    b: float = 1.0
    n: int = 0
    lowest: float = 0.0
    highest: float = float("inf")

    def __call__(self, spread: np.ndarray) -> np.ndarray:
        """Predicted error σ of spreads u, both eV/Å, any shape."""
        return self.a * np.asarray(spread, dtype=float) ** self.b

    def spread_for(self, error: float) -> float:
        """The spread (eV/Å) at which σ is `error` (eV/Å)."""
        return float((error / self.a) ** (1 / self.b))

    def extrapolates(self, spread: np.ndarray) -> np.ndarray:
        """True where a spread lies outside of those that the law was fitted on."""
        spread = np.asarray(spread, dtype=float)
        return (spread < self.lowest) | (spread > self.highest)

    def to_dict(self) -> dict[str, Any]:
        """The law as JSON-able data; `Calibration(**data)` makes it again."""
        return asdict(self)


RAW = Calibration("raw", 1.0)


def fit_power_law(spread: np.ndarray, error: np.ndarray, least_spread: float = LEAST_SPREAD) -> Calibration:
    """a and b of σ = a u^b that minimise NLL = mean_i [ 3/2 ln σ_i² + 3/2 e_i²/σ_i² ] (methods A.6).

    With t_i = ln u_i: a² = mean(e² u^{-2b}), and dNLL/db = 3 [mean(t) - Σ w_i t_i] with w_i ∝ e_i² u_i^{-2b} grows
    with b, so its root is the minimum. spread u, error e: (n,) eV/Å; atoms with u ≤ `least_spread` are left out.
    Raises ValueError for unusable input, NotConverged where errors do not grow with the spread.
    """
    from scipy.optimize import brentq

    u, e = _pairs(spread, error, least_spread)
    t, log_e2 = np.log(u), np.log(np.maximum(e, 1e-300) ** 2)

    def slope(b: float) -> float:
        weights = log_e2 - 2 * b * t
        weights = np.exp(weights - weights.max())
        return float(t.mean() - (weights * t).sum() / weights.sum())

    low, high = EXPONENTS
    if not slope(low) < 0 < slope(high):
        raise NotConverged(
            f"the {len(u)} errors do not follow a power of the spread with an exponent between {low:g} and {high:g}; "
            "calibrate on structures of more different kinds, or train the members on different data."
        )
    b = float(brentq(slope, low, high, xtol=1e-10))
    return Calibration("power law", _scale(u**b, e), b, len(u), float(u.min()), float(u.max()))


def fit_linear(spread: np.ndarray, error: np.ndarray, least_spread: float = LEAST_SPREAD) -> Calibration:
    """σ = a u with a² = mean(e²/u²), the minimum of the same likelihood at b = 1."""
    u, e = _pairs(spread, error, least_spread)
    return Calibration("linear", _scale(u, e), 1.0, len(u), float(u.min()), float(u.max()))


def negative_log_likelihood(predicted: np.ndarray, error: np.ndarray) -> float:
    """mean_i [ 3 ln σ_i + 3/2 e_i²/σ_i² ], of three Gaussian components without the constant 3/2 ln 2π."""
    sigma, e = _pairs(predicted, error, 0.0)
    return float(np.mean(COMPONENTS * np.log(sigma) + COMPONENTS / 2 * (e / sigma) ** 2))


def _scale(shape: np.ndarray, error: np.ndarray) -> float:
    return float(np.sqrt(np.mean((error / shape) ** 2)))


def _pairs(spread: np.ndarray, error: np.ndarray, least_spread: float) -> tuple[np.ndarray, np.ndarray]:
    u, e = np.ravel(np.asarray(spread, dtype=float)), np.ravel(np.asarray(error, dtype=float))
    if u.shape != e.shape:
        raise ValueError(f"{len(u)} spreads and {len(e)} errors: each atom needs both.")
    if not (np.isfinite(u).all() and np.isfinite(e).all()) or (u < 0).any() or (e < 0).any():
        raise ValueError("a spread or an error is negative or not a finite number; look at the structure it is from.")
    used = u > least_spread
    if used.sum() < 10 or not e[used].any():
        raise ValueError(
            f"{int(used.sum())} atoms have a spread above {least_spread:g} eV/Å and a reference; at least 10, with "
            "errors that are not all zero, are needed for a calibration. Label more structures."
        )
    return u[used], e[used]
