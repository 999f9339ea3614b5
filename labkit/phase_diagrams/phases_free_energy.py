"""Free energies that depend on temperature alone: an end member, an ordered compound, a pure element.

The one idea: whatever knows f(T) (two numbers, a table, harmonic or quasi-harmonic phonons) becomes one callable in
eV/atom, which refuses temperatures that it was not made for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from ase.units import kB

from labkit.errors import InvalidTask, LabkitError

#: f(T) in eV/atom, vectorised over T (K).
FreeEnergy = Callable[[np.ndarray], np.ndarray]


#: An entropy above this (eV/K per atom, 116 k_B) was given in other units.
MOST_ENTROPY = 0.01


@dataclass(frozen=True)
class ConstantEntropy:
    """f = E - T S, with E (eV/atom) and S (eV/K/atom) that do not change with temperature."""

    energy_eV: float
    entropy_eV_K: float = 0.0

    def __post_init__(self) -> None:
        if abs(self.entropy_eV_K) > MOST_ENTROPY:
            raise InvalidTask(
                f"an entropy of {self.entropy_eV_K:g} eV/K per atom is {self.entropy_eV_K / kB:.0f} k_B: no phase has "
                "that. Multiply an entropy in k_B by ase.units.kB, and divide one of a cell by its atoms."
            )

    def __call__(self, temperature_K: Any) -> np.ndarray:
        """f(T) in eV/atom."""
        return self.energy_eV - self.entropy_eV_K * np.asarray(temperature_K, dtype=float)


@dataclass(frozen=True)
class TabulatedEnergy:
    """f(T) (eV/atom) through the points of a table, by a cubic spline; `name` is said in errors.

    Raises InvalidTask where T lies outside of the table: free energies are not extrapolated.
    """

    temperatures_K: Sequence[float]
    values_eV: Sequence[float]
    name: str = "this phase"
    _spline: Any = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        from scipy.interpolate import CubicSpline

        temperatures, values = np.asarray(self.temperatures_K, float), np.asarray(self.values_eV, float)
        if temperatures.ndim != 1 or temperatures.shape != values.shape or len(temperatures) < 2:
            raise InvalidTask(
                f"the table of {self.name} holds {temperatures.size} temperatures and {values.size} free energies; "
                "give two lists of one length, of at least two points."
            )
        if not (np.diff(temperatures) > 0).all() or not np.isfinite(values).all():
            raise InvalidTask(f"the table of {self.name} needs rising temperatures and finite free energies.")
        object.__setattr__(self, "_spline", CubicSpline(temperatures, values))

    def __call__(self, temperature_K: Any) -> np.ndarray:
        """f(T) in eV/atom; raises InvalidTask outside of the table."""
        asked = np.asarray(temperature_K, dtype=float)
        inside(asked, self.temperatures_K[0], self.temperatures_K[-1], self.name)
        return self._spline(asked)


@dataclass(frozen=True)
class Sum:
    """The sum of free energies, such as a static energy and the vibrations."""

    parts: tuple[FreeEnergy, ...]

    def __call__(self, temperature_K: Any) -> np.ndarray:
        """f(T) in eV/atom."""
        return sum(part(temperature_K) for part in self.parts)


@dataclass(frozen=True)
class Plain:
    """A function of T that may know arrays of temperatures or only one (`if T > 300`, `math.log`)."""

    function: Callable[[Any], Any]

    def __call__(self, temperature_K: Any) -> np.ndarray:
        """f(T) in eV/atom."""
        T = np.asarray(temperature_K, dtype=float)
        if T.size > 1:
            try:
                return np.broadcast_to(np.asarray(self.function(T), float), T.shape)
            except LabkitError:
                raise
            except (TypeError, ValueError):
                pass  # it wants one temperature after the other
        return np.array([float(self.function(one)) for one in T.ravel().tolist()]).reshape(T.shape)


def inside(asked: np.ndarray, lowest: float, highest: float, name: str) -> None:
    """Raise InvalidTask if a temperature lies outside of the table of `name` (K, with 1e-6 K of grace)."""
    low, high = asked.min(initial=np.inf), asked.max(initial=-np.inf)
    if low < lowest - 1e-6 or high > highest + 1e-6:
        raise InvalidTask(
            f"the free energy of {name} is known from {lowest:g} to {highest:g} K; {low:g} to {high:g} K was asked. "
            "Choose temperatures inside of it, or calculate it further."
        )


def free_energy(source: Any, name: str = "this phase") -> FreeEnergy:
    """Return f(T) in eV/atom from a number (eV/atom), a pair (eV/atom, eV/K/atom), a table or a function.

    A table is a mapping or DataFrame with columns `temperature_K` and `free_energy_eV` (per atom), or the result of a
    `QuasiHarmonic` run. For a harmonic crystal see `phases_vibrations.vibrating`.
    """
    if hasattr(source, "gibbs_eV"):
        from labkit.phase_diagrams.phases_vibrations import expanding

        return expanding(source, name)
    if isinstance(source, TabulatedEnergy) and source.name == TabulatedEnergy.name:
        return replace(source, name=name)
    if isinstance(source, ConstantEntropy | TabulatedEnergy | Sum | Plain):
        return source
    if callable(source):
        return Plain(source)
    if isinstance(source, int | float | np.number):
        return ConstantEntropy(float(source))
    if isinstance(source, Mapping) or hasattr(source, "columns"):
        missing = [key for key in ("temperature_K", "free_energy_eV") if key not in source]
        if missing:
            raise InvalidTask(f"the table of {name} has no column {missing[0]}; it has: {', '.join(map(str, source))}.")
        return TabulatedEnergy(np.asarray(source["temperature_K"]), np.asarray(source["free_energy_eV"]), name)
    if isinstance(source, Sequence) and len(source) == 2:
        return ConstantEntropy(float(source[0]), float(source[1]))
    raise InvalidTask(
        f"{name} has a free energy of type {type(source).__name__}; give a number, a pair (energy, entropy), a table "
        "with temperature_K and free_energy_eV, or a function of the temperature."
    )
