"""The voltage of an insertion electrode at 0 K from the energies of its states: average, steps, capacity, volume.

The one idea: the host keeps its atoms while ions come and go, so the energy is a function of the ion content x alone;
its lower convex hull over x says which contents exist, and the slope of each straight piece is a plateau.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import gcd
from typing import TYPE_CHECKING, Any

import numpy as np
from ase.data import atomic_masses, atomic_numbers

from labkit.errors import InvalidStructure
from labkit.phase_diagrams.hull_entry import HullEntry, one_level, readable

if TYPE_CHECKING:
    import pandas as pd

#: Charge of a mole of electrons: F / 3.6 (mAh/mol), with F = 96485.33212 C/mol (CODATA 2018, exact).
MAH_MOL = 96485.33212 / 3.6
#: Contents that differ by less are the same, and an energy (eV) this close to the hull is on it.
SAME_X, ON_HULL_EV = 1e-9, 1e-9


@dataclass(frozen=True)
class VoltageStep:
    """A plateau between two neighbouring contents of the hull; `volume_change` is relative to the ion-poorer end."""

    low: HullEntry
    high: HullEntry
    x_low: float
    x_high: float
    voltage_V: float
    capacity_mAh_g: float
    volume_change: float


@dataclass(frozen=True)
class Voltages:
    """Voltage against the ion metal as a function of the content x, ions for one formula unit of the host.

    states: sorted by content; x, energies_eV, volumes_A3 (states,): for one formula unit of the host. hull: numbers of
    the states on the hull, from poor to rich. See `voltage_curve`.
    """

    ion: str
    valence: int
    host: str
    level_of_theory: str
    ion_energy_eV: float
    states: tuple[HullEntry, ...]
    x: np.ndarray
    energies_eV: np.ndarray
    volumes_A3: np.ndarray
    hull: np.ndarray

    @property
    def average_V(self) -> float:
        """Voltage between the poorest and the richest state."""
        return self.between(self.x[0], self.x[-1])

    def between(self, x1: float, x2: float) -> float:
        """Average voltage between two contents, V = -[E(x1) - E(x2) - (x1 - x2) E_ion] / (z (x1 - x2)), with the
        energies of the hull.
        """
        self._inside(np.array([x1, x2]))
        if abs(x1 - x2) < SAME_X:
            raise ValueError(f"an average needs two contents, not {x1:g} twice.")
        first, second = np.interp([x1, x2], self.x[self.hull], self._potential[self.hull])
        return float(-(first - second) / (x1 - x2) / self.valence)

    def at(self, x: np.ndarray | float) -> np.ndarray:
        """Voltage (V) at the contents x, that of the plateau they lie on; at a step the higher one."""
        x = np.asarray(x, dtype=float)
        self._inside(x)
        knots = self.x[self.hull]
        place = np.clip(np.searchsorted(knots, x - SAME_X, side="left") - 1, 0, len(knots) - 2)
        return np.array([one.voltage_V for one in self.steps])[place]

    @cached_property
    def steps(self) -> tuple[VoltageStep, ...]:
        """The plateaus, from the ion-poor end: the voltage falls from one to the next."""
        found = []
        for low, high in zip(self.hull[:-1], self.hull[1:], strict=True):
            content = float(self.x[high] - self.x[low])
            voltage = -(self._potential[high] - self._potential[low]) / content / self.valence
            change = self.volumes_A3[high] / self.volumes_A3[low] - 1
            ends = (self.states[low], self.states[high], float(self.x[low]), float(self.x[high]))
            found.append(VoltageStep(*ends, float(voltage), self._capacity(content), float(change)))
        return tuple(found)

    @property
    def capacity_mAh_g(self) -> float:
        """Charge between the poorest and the richest state, for each gram of the richest: z F Δx / M."""
        return self._capacity(float(self.x[-1] - self.x[0]))

    @property
    def energy_density_Wh_kg(self) -> float:
        """Average voltage times capacity."""
        return self.average_V * self.capacity_mAh_g

    @property
    def volume_change(self) -> float:
        """Relative change of the volume when the richest state is emptied, each the lowest of its content."""
        poorest, richest = self.volumes_A3[self.hull[[0, -1]]]
        return float(poorest / richest - 1)

    @property
    def formation_eV(self) -> np.ndarray:
        """Energy (states,) relative to the mixture of the two ends, for one formula unit of the host (eV)."""
        ends = [0, len(self.x) - 1]
        return self._potential - np.interp(self.x, self.x[ends], self._lowest_ends)

    @property
    def above_hull_eV(self) -> np.ndarray:
        """Energy (states,) above the hull, for one formula unit of the host (eV)."""
        return self._potential - np.interp(self.x, self.x[self.hull], self._potential[self.hull])

    def table(self) -> pd.DataFrame:
        """One row for each state: name, x, energy_eV_fu, formation_eV_fu, above_hull_eV_fu, stable, volume_A3_fu,
        volume_change (relative to the richest); fu is a formula unit of the host.
        """
        import pandas as pd

        return pd.DataFrame(
            {
                "name": [one.name for one in self.states],
                "x": self.x,
                "energy_eV_fu": self.energies_eV,
                "formation_eV_fu": self.formation_eV,
                "above_hull_eV_fu": self.above_hull_eV,
                "stable": np.isin(np.arange(len(self.x)), self.hull),
                "volume_A3_fu": self.volumes_A3,
                "volume_change": self.volumes_A3 / self.volumes_A3[self.hull[-1]] - 1,
            }
        )

    def steps_table(self) -> pd.DataFrame:
        """One row for each plateau: x_low, x_high, voltage_V, capacity_mAh_g, volume_change, low, high (names)."""
        import pandas as pd

        rows: list[dict[str, Any]] = [
            {
                "x_low": one.x_low,
                "x_high": one.x_high,
                "voltage_V": one.voltage_V,
                "capacity_mAh_g": one.capacity_mAh_g,
                "volume_change": one.volume_change,
                "low": one.low.name,
                "high": one.high.name,
            }
            for one in self.steps
        ]
        return pd.DataFrame(rows)

    @property
    def _potential(self) -> np.ndarray:
        """E(x) - x E_ion (states,), eV for one formula unit of the host; the voltage is its slope, reversed."""
        return self.energies_eV - self.x * self.ion_energy_eV

    @property
    def _lowest_ends(self) -> np.ndarray:
        return self._potential[self.hull[[0, -1]]]

    def _capacity(self, content: float) -> float:
        richest = self.states[-1]
        mass = sum(atomic_masses[atomic_numbers[symbol]] * number for symbol, number in richest.counts.items())
        units = richest.counts[self.ion] / self.x[-1]
        return float(MAH_MOL * self.valence * content / (mass / units))

    def _inside(self, x: np.ndarray) -> None:
        if x.size and not (x.min() >= self.x[0] - SAME_X and x.max() <= self.x[-1] + SAME_X):
            raise ValueError(
                f"contents from {x.min():g} to {x.max():g} were asked for; the states reach from {self.x[0]:g} to "
                f"{self.x[-1]:g} {self.ion} in {self.host}."
            )


def voltage_curve(states: Sequence[HullEntry], ion: HullEntry, *, valence: int = 1) -> Voltages:
    """The voltage of a host against the metal of its ion, from the relaxed `states` with different contents.

    V = -[E(x1) - E(x2) - (x1 - x2) E_ion] / (z (x1 - x2)) between neighbours of the lower convex hull of E over x
    (Aydinol et al., Phys. Rev. B 56, 1354 (1997), doi 10.1103/PhysRevB.56.1354); entropy and zero-point motion are left
    out. ion: the metal. valence: charge z of the ion (e). Raises InvalidStructure when the states are not one host with
    more or fewer of these ions, ValueError for energies of different levels of theory.
    """
    level = one_level([*states, ion])
    if len(ion.counts) != 1:
        raise InvalidStructure(f"{ion.name} is no metal of one ion; give the crystal of the element, such as bcc Li.")
    if not valence >= 1:
        raise ValueError(f"the charge of the ion is {valence} e; it has to be at least 1.")
    if not states:
        raise InvalidStructure("there is no state of a host; give at least two with different contents.")
    if flat := next((one for one in states if one.atoms.cell.rank < 3), None):
        raise InvalidStructure(f"{flat.name} has no cell, so it is no crystal with a volume; give periodic states.")
    symbol = next(iter(ion.counts))
    hosts = [_host(one, symbol) for one in states]
    first = readable(dict(hosts[0][0]))
    for one, (formula, _) in zip(states, hosts, strict=True):
        if formula != hosts[0][0]:
            raise InvalidStructure(
                f"{one.name} without {symbol} is {readable(dict(formula))}, {states[0].name} is {first}: between them "
                f"more than {symbol} is exchanged. Give states of one host."
            )
    units = np.array([number for _, number in hosts])
    contents = np.array([one.counts.get(symbol, 0) for one in states]) / units
    energies = np.array([one.energy_eV for one in states]) / units
    order = np.lexsort((energies, contents))
    contents, energies, units = contents[order], energies[order], units[order]
    if np.ptp(contents) < SAME_X:
        raise InvalidStructure(f"all states hold {contents[0]:g} {symbol}; a voltage needs two contents.")
    volumes = np.array([states[index].atoms.get_volume() for index in order]) / units
    hull = _lower_hull(contents, energies)
    sorted_states = tuple(states[index] for index in order)
    own = (symbol, valence, first, level, ion.energy_eV_atom)
    return Voltages(*own, sorted_states, contents, energies, volumes, hull)


def _host(entry: HullEntry, symbol: str) -> tuple[tuple[tuple[str, int], ...], int]:
    """The reduced formula of what is left without the ion, and how many of it the cell holds."""
    rest = {one: number for one, number in entry.counts.items() if one != symbol}
    if not rest:
        raise InvalidStructure(f"{entry.name} holds nothing but {symbol}; it is no state of a host.")
    units = gcd(*rest.values())
    return tuple(sorted((one, number // units) for one, number in rest.items())), units


def _lower_hull(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Numbers of the points on the lower hull; x ascends, and of equal x the lowest y comes first."""
    first = np.r_[True, np.diff(x) > SAME_X]
    chain: list[int] = []
    for index in np.flatnonzero(first):
        while len(chain) > 1:
            a, b = chain[-2], chain[-1]
            straight = y[a] + (y[index] - y[a]) * (x[b] - x[a]) / (x[index] - x[a])
            if y[b] <= straight - ON_HULL_EV:
                break
            chain.pop()
        chain.append(int(index))
    return np.array(chain)
