"""The phases of a binary diagram: line compounds, solutions with Redlich-Kister terms, and sampled free energies.

The one idea: what is singular at the ends, kT [x ln x + (1-x) ln(1-x)], is exact; only the smooth rest is a parameter
or interpolated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Any

import numpy as np
from ase import Atoms

from labkit.errors import InvalidTask
from labkit.phase_diagrams.phases_base import (
    Phase,
    checked_fraction,
    checked_structures,
    mixing,
    mixing_curvature,
    mixing_slope,
)
from labkit.phase_diagrams.phases_free_energy import ConstantEntropy, FreeEnergy, free_energy, inside

__all__ = ["LinePhase", "Phase", "SolutionPhase", "TabulatedPhase"]

#: A composition this near to a line compound is that of the compound.
SAME = 1e-9


@dataclass(frozen=True)
class LinePhase(Phase):
    """A phase of one composition, such as a pure element or an ordered compound: f = E - TS, or `source` if given.

    `source`: whatever `phases_free_energy.free_energy` reads: a function of T, a table, a pair, a number (eV/atom).
    """

    composition: float
    energy_eV: float = 0.0
    entropy_eV_K: float = 0.0
    _: KW_ONLY
    source: Any = None
    shift_eV: float = 0.0
    structures: Sequence[Atoms] = ()
    _f: FreeEnergy = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "composition", checked_fraction(self.composition, self.name))
        object.__setattr__(self, "structures", checked_structures(self.structures))
        alone = ConstantEntropy(self.energy_eV, self.entropy_eV_K)
        object.__setattr__(self, "_f", alone if self.source is None else free_energy(self.source, self.name))

    @property
    def compositions(self) -> tuple[float, float]:
        """The composition, twice."""
        return self.composition, self.composition

    def free_energy(self, x: Any, temperature_K: Any) -> np.ndarray:
        """f(T) at the composition of the phase, infinity elsewhere (eV/atom)."""
        x, f = np.broadcast_arrays(np.asarray(x, float), self._f(np.asarray(temperature_K, float)) + self.shift_eV)
        return np.where(np.abs(x - self.composition) < SAME, f, np.inf)

    def slope(self, x: Any, temperature_K: Any) -> np.ndarray:
        """No slope exists at a point: not a number."""
        return np.full(np.broadcast_shapes(np.shape(x), np.shape(temperature_K)), np.nan)

    def curvature(self, x: Any, temperature_K: Any) -> np.ndarray:
        """A line phase is infinitely stiff in composition."""
        return np.full(np.broadcast_shapes(np.shape(x), np.shape(temperature_K)), np.inf)


@dataclass(frozen=True)
class SolutionPhase(Phase):
    """A substitutional solution: f = (1-x) f_A + x f_B + kT [x ln x + (1-x) ln(1-x)] + x(1-x) Σ_k L_k (1-2x)^k.

    O. Redlich and A. T. Kister, Ind. Eng. Chem. 40, 345 (1948). `first`, `second`: f(T) of pure A and B (see
    `phases_free_energy.free_energy`). L_k = `interactions_eV`[k] + T `interactions_eV_K`[k]; ideal without them, the
    regular solution with one. `composition_range`: where the phase exists.
    """

    first: Any
    second: Any
    interactions_eV: Sequence[float] = ()
    interactions_eV_K: Sequence[float] = ()
    _: KW_ONLY
    composition_range: tuple[float, float] = (0.0, 1.0)
    shift_eV: float = 0.0
    structures: Sequence[Atoms] = ()
    _ends: tuple[FreeEnergy, FreeEnergy] = field(init=False, repr=False, compare=False)
    _powers: tuple[tuple[tuple[float, ...], ...], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        low, high = (checked_fraction(x, self.name) for x in self.composition_range)
        if low >= high:
            raise InvalidTask(f"{self.name} exists from {low:g} to {high:g}; a solution needs a range: use LinePhase.")
        object.__setattr__(self, "composition_range", (low, high))
        object.__setattr__(self, "structures", checked_structures(self.structures))
        object.__setattr__(self, "interactions_eV", tuple(np.atleast_1d(self.interactions_eV).astype(float)))
        object.__setattr__(self, "interactions_eV_K", tuple(np.atleast_1d(self.interactions_eV_K).astype(float)))
        object.__setattr__(self, "_ends", (free_energy(self.first, self.name), free_energy(self.second, self.name)))
        powers = (_in_powers(self.interactions_eV), _in_powers(self.interactions_eV_K))
        object.__setattr__(self, "_powers", powers)

    @property
    def compositions(self) -> tuple[float, float]:
        """The range in which the phase exists."""
        return self.composition_range

    def free_energy(self, x: Any, temperature_K: Any) -> np.ndarray:
        """f(x, T) in eV/atom."""
        x, T = np.asarray(x, float), np.asarray(temperature_K, float)
        first, second = (end(T) for end in self._ends)
        f = first + self.shift_eV + x * (second - first) + mixing(x, T) + self._excess(x, T, 0)
        return np.where((x < self.compositions[0] - SAME) | (x > self.compositions[1] + SAME), np.inf, f)

    def slope(self, x: Any, temperature_K: Any) -> np.ndarray:
        """df/dx in eV/atom."""
        x, T = np.asarray(x, float), np.asarray(temperature_K, float)
        first, second = (end(T) for end in self._ends)
        return second - first + mixing_slope(x, T) + self._excess(x, T, 1)

    def curvature(self, x: Any, temperature_K: Any) -> np.ndarray:
        """d²f/dx² in eV/atom."""
        x, T = np.asarray(x, float), np.asarray(temperature_K, float)
        return mixing_curvature(x, T) + self._excess(x, T, 2)

    def _excess(self, x: np.ndarray, T: np.ndarray, order: int) -> np.ndarray:
        """The `order`-th derivative in x of the excess free energy, a polynomial in x."""
        fixed, linear = (powers[order] for powers in self._powers)
        return (_horner(fixed, x) if fixed else 0.0) + (T * _horner(linear, x) if linear else 0.0)


def _in_powers(interactions: Sequence[float]) -> tuple[tuple[float, ...], ...]:
    """Coefficients, from x^0 up, of x(1-x) Σ_k L_k (1-2x)^k and of two derivatives; empty if all L_k are 0."""
    from numpy.polynomial import Polynomial

    total = Polynomial([0.0])
    for k, strength in enumerate(interactions):
        total = total + strength * Polynomial([0.0, 1.0, -1.0]) * Polynomial([1.0, -2.0]) ** k
    if not total.coef.any():
        return (), (), ()
    return tuple(tuple(total.deriv(order).coef if order else total.coef) for order in range(3))


def _horner(powers: Sequence[float], x: np.ndarray) -> np.ndarray | float:
    value: np.ndarray | float = powers[-1]
    for power in powers[-2::-1]:
        value = value * x + power
    return value


@dataclass(frozen=True)
class TabulatedPhase(Phase):
    """A phase of which f is known on a grid, such as a sampled cluster expansion.

    `x` (n,) rising; `temperatures_K` (m,) rising; `f` (m, n) in eV/atom. With `configurational` (the default) f holds
    the entropy of mixing: kT [x ln x + (1-x) ln(1-x)] is taken out before splines of order <= 3 are laid through the
    rest and put back after, so that slopes at x -> 0 are right. Raises InvalidTask outside of the temperatures.
    """

    x: Sequence[float]
    temperatures_K: Sequence[float]
    f: Any
    _: KW_ONLY
    configurational: bool = True
    shift_eV: float = 0.0
    structures: Sequence[Atoms] = ()
    _spline: Any = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        from scipy.interpolate import RectBivariateSpline

        x, T, f = (np.asarray(one, dtype=float) for one in (self.x, self.temperatures_K, self.f))
        if x.ndim != 1 or T.ndim != 1 or f.shape != (len(T), len(x)) or len(x) < 3 or len(T) < 2:
            raise InvalidTask(
                f"the table of {self.name} has {len(T)} temperatures, {len(x)} compositions and free energies of shape "
                f"{f.shape}; give at least 2 and 3, and f with one row for each temperature."
            )
        if not (np.diff(x) > 0).all() or not (np.diff(T) > 0).all() or not np.isfinite(f).all():
            raise InvalidTask(f"the table of {self.name} needs rising x and T and finite free energies.")
        for one in (x[0], x[-1]):
            checked_fraction(one, self.name)
        object.__setattr__(self, "structures", checked_structures(self.structures))
        smooth = f - mixing(x[None], T[:, None]) if self.configurational else f
        orders = {"kx": min(3, len(T) - 1), "ky": min(3, len(x) - 1)}
        object.__setattr__(self, "_spline", RectBivariateSpline(T, x, smooth, **orders, s=0))

    @property
    def compositions(self) -> tuple[float, float]:
        """The first and the last composition of the table."""
        return float(self.x[0]), float(self.x[-1])

    def free_energy(self, x: Any, temperature_K: Any) -> np.ndarray:
        """f(x, T) in eV/atom."""
        x, T, f = self._ev(x, temperature_K, 0)
        f = f + self.shift_eV + (mixing(x, T) if self.configurational else 0.0)
        return np.where((x < self.compositions[0] - SAME) | (x > self.compositions[1] + SAME), np.inf, f)

    def slope(self, x: Any, temperature_K: Any) -> np.ndarray:
        """df/dx in eV/atom."""
        x, T, f = self._ev(x, temperature_K, 1)
        return f + (mixing_slope(x, T) if self.configurational else 0.0)

    def curvature(self, x: Any, temperature_K: Any) -> np.ndarray:
        """d²f/dx² in eV/atom."""
        x, T, f = self._ev(x, temperature_K, 2)
        return f + (mixing_curvature(x, T) if self.configurational else 0.0)

    def _ev(self, x: Any, temperature_K: Any, order: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        x, T = np.broadcast_arrays(np.asarray(x, float), np.asarray(temperature_K, float))
        inside(T, self.temperatures_K[0], self.temperatures_K[-1], self.name)
        return x, T, self._spline.ev(T, np.clip(x, *self.compositions), dy=order)
