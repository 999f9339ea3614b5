"""Ions on two kinds of sites: how an order of ions and vacancies makes a step in the voltage that heat washes out.

The occupations of the two sublattices settle at the lowest free energy for each content, so what is seen from outside
is one `Phase` again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np
from ase import Atoms
from scipy.special import expit

from labkit.errors import InvalidTask
from labkit.phase_diagrams.phases_base import Phase, checked_structures, mixing, mixing_curvature, mixing_slope

#: Trial differences of the occupations among which the lowest is refined, and the halvings that refine it.
TRIALS, HALVINGS = 161, 50
#: The outermost trials are logit-spaced down to this distance from an empty or full sublattice.
EDGE = 25.0


@dataclass(frozen=True)
class TwoSublattices(Phase):
    """Mean field on two sublattices: V = V_i - (kT/ze) ln[y_i/(1-y_i)] - sum_j g_ij w_j (y_j - 1/2) for i = 1, 2.

    y_i: filled part of sublattice i; x = w_1 y_1 + w_2 y_2. V_i = `voltages_V`: voltage of its sites when all are half
    filled. g_ij: `within_V` for i = j, `between_V` else (V; positive repels). w_1 = `share` of the sites are in the
    first. Like sites with `between_V` > `within_V` order below some temperature. With equal sites and interactions it
    is a `LatticeGas`. Free energies are in eV for one site of either kind.
    """

    voltages_V: tuple[float, float]
    within_V: float = 0.0
    between_V: float = 0.0
    _: KW_ONLY
    share: float = 0.5
    valence: int = 1
    shift_eV: float = 0.0
    structures: Sequence[Atoms] = ()

    def __post_init__(self) -> None:
        if not 0 < self.share < 1 or self.valence < 1 or len(self.voltages_V) != 2:
            raise InvalidTask(
                f"{self.name} needs two site voltages, a share of the first sublattice between 0 and 1 and ions of at "
                f"least 1 e, not {self.voltages_V}, {self.share:g} and {self.valence}."
            )
        object.__setattr__(self, "structures", checked_structures(self.structures))

    @property
    def compositions(self) -> tuple[float, float]:
        """From empty to full."""
        return (0.0, 1.0)

    @property
    def ends(self) -> tuple[float, ...]:
        """Empty and full, and one sublattice full and the other empty: an order that cold makes a kink of F there."""
        return tuple(sorted({0.0, self.share, 1 - self.share, 1.0}))

    def occupations(self, x: Any, temperature_K: Any) -> tuple[np.ndarray, np.ndarray]:
        """Filled parts y_1, y_2 of both sublattices at the content x, those of the lowest free energy."""
        x, T = np.broadcast_arrays(np.clip(np.asarray(x, dtype=float), 0, 1), np.asarray(temperature_K, dtype=float))
        one, two = self.share, 1 - self.share
        # y_1 within what leaves y_2 in [0, 1]; logit spacing sees the nearly full and the nearly empty.
        low, high = np.clip((x - two) / one, 0, 1), np.clip(x / one, 0, 1)
        trial = expit(np.linspace(-EDGE, EDGE, TRIALS))
        y1 = low[..., None] + (high - low)[..., None] * trial
        best = np.argmin(self._energy(y1, x[..., None], T[..., None]), axis=-1)[..., None]
        lower = np.take_along_axis(y1, np.maximum(best - 1, 0), -1)[..., 0]
        upper = np.take_along_axis(y1, np.minimum(best + 1, TRIALS - 1), -1)[..., 0]
        for _ in range(HALVINGS):
            middle = (lower + upper) / 2
            first, second = self._potentials(middle, self._other(middle, x), T)
            uphill = first > second
            lower, upper = np.where(uphill, lower, middle), np.where(uphill, middle, upper)
        y = (lower + upper) / 2
        return y, self._other(y, x)

    def free_energy(self, x: Any, temperature_K: Any) -> np.ndarray:
        """F(x, T), the minimum over both occupations, in eV for one site."""
        x = np.asarray(x, dtype=float)
        T = np.asarray(temperature_K, dtype=float)
        y1, _ = self.occupations(x, T)
        return np.where((x < -1e-12) | (x > 1 + 1e-12), np.inf, self.shift_eV + self._energy(y1, np.clip(x, 0, 1), T))

    def slope(self, x: Any, temperature_K: Any) -> np.ndarray:
        """dF/dx = -z V in eV: at the minimum the same on both sublattices, taken where it is known best."""
        T = np.asarray(temperature_K, dtype=float)
        y1, y2 = self.occupations(x, T)
        first, second = self._potentials(y1, y2, T)
        return np.where(np.abs(y1 - 0.5) <= np.abs(y2 - 0.5), first, second)

    def curvature(self, x: Any, temperature_K: Any) -> np.ndarray:
        """d²F/dx² in eV, with the occupations following: (a b - c²)/(a w_2² - 2 c w_1 w_2 + b w_1²) of the Hessian in
        (y_1, y_2).
        """
        T = np.asarray(temperature_K, dtype=float)
        y1, y2 = self.occupations(x, T)
        one, two, z = self.share, 1 - self.share, self.valence
        a = one * (mixing_curvature(y1, T) + z * self.within_V * one)
        b = two * (mixing_curvature(y2, T) + z * self.within_V * two)
        c = z * self.between_V * one * two
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            # Divided by a b, for one of them is infinite where a sublattice is full.
            return (1 - c * c / (a * b)) / (two * two / b - 2 * c * one * two / (a * b) + one * one / a)

    def _other(self, y1: np.ndarray, x: np.ndarray) -> np.ndarray:
        return np.clip((x - self.share * y1) / (1 - self.share), 0, 1)

    def _energy(self, y1: np.ndarray, x: np.ndarray, T: np.ndarray) -> np.ndarray:
        y2, one, two, z = self._other(y1, x), self.share, 1 - self.share, self.valence
        sites = one * self.voltages_V[0] * y1 + two * self.voltages_V[1] * y2
        a, b = one * (y1 - 0.5), two * (y2 - 0.5)
        empty = self.within_V * (one**2 + two**2) / 4 + self.between_V * one * two / 2
        pairs = (self.within_V * (a * a + b * b) + 2 * self.between_V * a * b - empty) / 2
        return z * (pairs - sites) + one * mixing(y1, T) + two * mixing(y2, T)

    def _potentials(self, y1: np.ndarray, y2: np.ndarray, T: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """-z V of each sublattice (eV)."""
        a, b = self.share * (y1 - 0.5), (1 - self.share) * (y2 - 0.5)
        first = self.valence * (self.within_V * a + self.between_V * b - self.voltages_V[0]) + mixing_slope(y1, T)
        second = self.valence * (self.within_V * b + self.between_V * a - self.voltages_V[1]) + mixing_slope(y2, T)
        return first, second
