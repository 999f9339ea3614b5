"""What every phase of a binary system answers: its free energy f(x, T) per atom, its slope and its curvature.

The one idea: a diagram needs no more of a phase than this function on an interval of compositions, so a line compound,
a regular solution and a sampled cluster expansion are the same thing to it.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
from ase import Atoms
from ase.units import kB

from labkit.errors import InvalidTask

#: Words that make a phase a liquid unless it says otherwise. L1 and L2 are not among them: L12 is a crystal.
LIQUIDS = {"liquid", "liq", "melt"}


@dataclass(frozen=True)
class Phase(ABC):
    """A phase of a binary system A-B; x is the atomic fraction of B.

    Free energies are in eV/atom. `shift_eV` is added to them at every x and T; `structures` are shown for the phase.
    `liquid`: whether it is one, by which reactions are named; unless given, a phase is liquid that is called L, or has
    the word liquid, liq or melt in its name. See `is_liquid`.
    """

    name: str
    liquid: bool | None = field(default=None, kw_only=True)

    @property
    def is_liquid(self) -> bool:
        """Whether the phase is a liquid: as given, else by its name."""
        if self.liquid is not None:
            return bool(self.liquid)
        return self.name == "L" or not LIQUIDS.isdisjoint(re.findall("[a-z]+", self.name.lower()))

    @property
    @abstractmethod
    def compositions(self) -> tuple[float, float]:
        """The lowest and the highest x at which the phase exists."""

    @property
    def line(self) -> bool:
        """Whether the phase exists at one composition only."""
        return self.compositions[0] == self.compositions[1]

    @abstractmethod
    def free_energy(self, x: Any, temperature_K: Any) -> np.ndarray:
        """f(x, T) in eV/atom; x and T broadcast. Outside of `compositions` it is infinite."""

    @abstractmethod
    def slope(self, x: Any, temperature_K: Any) -> np.ndarray:
        """df/dx in eV/atom, the difference of chemical potentials μ_B - μ_A; infinite where ln x is."""

    @abstractmethod
    def curvature(self, x: Any, temperature_K: Any) -> np.ndarray:
        """d²f/dx² in eV/atom; negative inside of a spinodal."""

    @property
    def ends(self) -> tuple[float, ...]:
        """Compositions that a grid over this phase must hold: the ends of its interval."""
        return self.compositions

    def shifted(self, energy_eV: float) -> Self:
        """Return the phase with `energy_eV` (eV/atom) added to its free energy at every x and T."""
        return replace(self, shift_eV=self.shift_eV + float(energy_eV))


def checked_fraction(x: float, name: str) -> float:
    """Return x, or raise InvalidTask if it is no atomic fraction."""
    try:
        value = float(x)
    except (TypeError, ValueError):
        value = np.nan
    if not 0 <= value <= 1:
        raise InvalidTask(f"the composition {x} of {name} is no atomic fraction; it is a number from 0 to 1.")
    return value


def checked_structures(structures: Any) -> tuple[Atoms, ...]:
    """Return the structures as a tuple of Atoms (one, several or none)."""
    if structures is None:
        return ()
    return (structures,) if isinstance(structures, Atoms) else tuple(structures)


def mixing(x: Any, temperature_K: Any) -> np.ndarray:
    """Ideal free energy of mixing kT [x ln x + (1-x) ln(1-x)] in eV/atom."""
    from scipy.special import xlog1py, xlogy

    x = np.asarray(x, dtype=float)
    return kB * np.asarray(temperature_K, float) * (xlogy(x, x) + xlog1py(1 - x, -x))


def mixing_slope(x: Any, temperature_K: Any) -> np.ndarray:
    """kT ln[x/(1-x)] in eV/atom."""
    from scipy.special import logit

    kT = kB * np.asarray(temperature_K, float)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(kT > 0, kT * logit(np.asarray(x, dtype=float)), 0.0)


def mixing_curvature(x: Any, temperature_K: Any) -> np.ndarray:
    """kT/[x(1-x)] in eV/atom."""
    x, kT = np.asarray(x, dtype=float), kB * np.asarray(temperature_K, float)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(kT > 0, kT / (x * (1 - x)), 0.0)
