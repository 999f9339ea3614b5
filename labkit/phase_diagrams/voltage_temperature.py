"""The voltage of an insertion electrode at a temperature: a lattice gas of ions, and the plateaus of any phases.

The one idea: the voltage is the slope of the free energy over the content, reversed. So an electrode is a `Phase` whose
x is the filled part of the ion's sites, and its plateaus are the tie-lines of `equilibrium`: where ions attract each
other the slope would rise with x, and the common tangent takes its place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np
from ase import Atoms
from ase.units import kB

from labkit.errors import InvalidTask
from labkit.phase_diagrams.equilibrium import equilibrium
from labkit.phase_diagrams.phases_base import Phase, checked_structures, mixing, mixing_curvature, mixing_slope
from labkit.phase_diagrams.voltage import Voltages

#: Halvings of the interval of x in which an occupation is looked for.
HALVINGS = 60


@dataclass(frozen=True)
class LatticeGas(Phase):
    """Ions on one lattice of sites in mean field: V(x) = V0 - (kT/ze) ln[x/(1-x)] - g (x - 1/2).

    x: filled part of the sites. V0 = `voltage_V`: the voltage at half filling. g = `interaction_V`: positive when ions
    repel each other; below -4 kT/(ze) they attract so much that the electrode falls apart into an ion-poor and an
    ion-rich part. z = `valence`. Free energies are in eV for one site, against empty sites and the metal.
    """

    voltage_V: float
    interaction_V: float = 0.0
    _: KW_ONLY
    valence: int = 1
    shift_eV: float = 0.0
    structures: Sequence[Atoms] = ()

    def __post_init__(self) -> None:
        if self.valence < 1 or not np.isfinite([self.voltage_V, self.interaction_V]).all():
            raise InvalidTask(
                f"the lattice gas {self.name} needs finite voltages and ions of at least 1 e, not V0 = "
                f"{self.voltage_V} V, g = {self.interaction_V} V, z = {self.valence}."
            )
        object.__setattr__(self, "structures", checked_structures(self.structures))

    @property
    def compositions(self) -> tuple[float, float]:
        """From empty to full."""
        return (0.0, 1.0)

    @property
    def critical_temperature_K(self) -> float:
        """Above it there is no plateau: -z g / (4 kB); 0 for ions that do not attract each other."""
        return max(0.0, -self.valence * self.interaction_V / (4 * kB))

    def free_energy(self, x: Any, temperature_K: Any) -> np.ndarray:
        """F = -z V0 x - (z g/2) x (1-x) + kT [x ln x + (1-x) ln(1-x)] in eV for one site."""
        x = np.asarray(x, dtype=float)
        energy = -self.valence * (self.voltage_V * x + self.interaction_V / 2 * x * (1 - x))
        outside = (x < -1e-12) | (x > 1 + 1e-12)
        return np.where(outside, np.inf, self.shift_eV + energy + mixing(np.clip(x, 0, 1), temperature_K))

    def slope(self, x: Any, temperature_K: Any) -> np.ndarray:
        """dF/dx = -z V(x) in eV."""
        x = np.asarray(x, dtype=float)
        return -self.valence * (self.voltage_V - self.interaction_V * (x - 0.5)) + mixing_slope(x, temperature_K)

    def curvature(self, x: Any, temperature_K: Any) -> np.ndarray:
        """d²F/dx² = z g + kT/[x(1-x)] in eV."""
        return self.valence * self.interaction_V + mixing_curvature(x, temperature_K)


def homogeneous_voltage(
    phase: Phase, x: np.ndarray | float, temperature_K: float, *, valence: int | None = None
) -> np.ndarray:
    """V = -(dF/dx)/z (V) of one phase filled evenly, also where it would fall apart; infinite at x = 0 and 1.

    valence: as in `voltage_at`.
    """
    return -phase.slope(np.asarray(x, dtype=float), temperature_K) / _valence([phase], valence)


def voltage_at(
    phases: Phase | Sequence[Phase],
    x: np.ndarray | float,
    temperature_K: float,
    *,
    valence: int | None = None,
    points: int = 401,
) -> np.ndarray:
    """Equilibrium voltage (V) at filled parts x of the sites: never rising with x, constant on plateaus.

    V = -(dF/dx)/z of the lower convex hull of all phases' free energies (eV for one site); on a tie-line its slope is
    that of the common tangent. valence: charge z of the ion (e), by itself the one that the phases have, or 1. points:
    compositions at which the hull is looked for. Raises InvalidTask for an x that no phase reaches, or a charge that is
    not that of a phase.
    """
    phases = [phases] if isinstance(phases, Phase) else list(phases)
    valence = _valence(phases, valence)
    found = equilibrium(phases, temperature_K, points)
    named = {phase.name: phase for phase in phases}
    x = np.asarray(x, dtype=float)
    slopes = np.full(x.shape, np.nan)
    for tie in found.tie_lines:
        slopes[(x > tie.x1) & (x < tie.x2)] = tie.chemical_potential_eV
    # Along the hull the slope rises, so that of a field lies between those of the tie-lines beside it: a bound for an
    # order so perfect that rounding hides its vacancies.
    ties = [-np.inf, *(tie.chemical_potential_eV for tie in found.tie_lines), np.inf]
    for field, low, high in zip(found.single_phase, ties[:-1], ties[1:], strict=True):
        mine = np.isnan(slopes) & (x >= field.lowest) & (x <= field.highest)
        phase = named[field.phase]
        slopes[mine] = (
            found.tangent(field.lowest).chemical_potential_eV
            if phase.line
            else np.clip(phase.slope(x[mine], temperature_K), low, high)
        )
    if np.isnan(slopes).any():
        found.at(float(x[np.isnan(slopes)].flat[0]))  # says which x the phases reach
    return -slopes / valence


def plateaus(
    phases: Phase | Sequence[Phase], temperature_K: float, *, valence: int | None = None, points: int = 401
) -> list[tuple[float, float, float]]:
    """Each plateau as (x1, x2, V): two states of the filled parts x1 < x2 coexist at V (V); options as `voltage_at`."""
    phases = [phases] if isinstance(phases, Phase) else list(phases)
    valence = _valence(phases, valence)
    ties = equilibrium(phases, temperature_K, points).tie_lines
    return [(one.x1, one.x2, -one.chemical_potential_eV / valence) for one in ties]


def occupation(
    phases: Phase | Sequence[Phase],
    voltage_V: np.ndarray | float,
    temperature_K: float,
    *,
    valence: int | None = None,
    points: int = 401,
) -> np.ndarray:
    """Filled part of the sites at each voltage (V), the inverse of `voltage_at`; on a plateau it jumps.

    x minimises F(x) + z V x; found on the hull's tie-lines and, between these, by bisection of the slope. NaN where the
    voltage is.
    """
    phases = [phases] if isinstance(phases, Phase) else list(phases)
    found = equilibrium(phases, temperature_K, points)
    named = {phase.name: phase for phase in phases}
    target = -_valence(phases, valence) * np.asarray(voltage_V, dtype=float)
    # Slopes rise along the hull, so the field whose tie-lines enclose the target is the stable one.
    place = np.searchsorted([tie.chemical_potential_eV for tie in found.tie_lines], target)
    result = np.empty(target.shape)
    for index, field in enumerate(found.single_phase):
        mine = place == index
        result[mine] = _inverse(named[field.phase], field.lowest, field.highest, target[mine], temperature_K)
    return np.where(np.isnan(target), np.nan, result)


def fit_lattice_gas(curve: Voltages, name: str = "") -> LatticeGas:
    """The lattice gas whose energy is nearest to the stable states of a curve at 0 K.

    V0 is the average voltage; g from the least squares of -(z g/2) x(1-x) to the energies of formation, x being the
    filled part between the poorest and the richest state. Of an order that the states have it knows the mean only.
    Raises ValueError when there is no state between the ends.
    """
    stable = curve.hull[1:-1]
    if not len(stable):
        raise ValueError(
            f"the curve of {curve.host} has no stable state between its ends, so there is nothing to fit an "
            "interaction to; relax orders in larger supercells, or give interaction_V yourself."
        )
    width = curve.x[-1] - curve.x[0]
    x = (curve.x[stable] - curve.x[0]) / width
    shape = x * (1 - x)
    energy = curve.formation_eV[stable] / width
    g = -2 * float(shape @ energy / (shape @ shape)) / curve.valence
    return LatticeGas(name or f"{curve.ion} in {curve.host}", curve.average_V, g, valence=curve.valence)


def _valence(phases: Sequence[Phase], given: int | None) -> int:
    """The charge of the ion (e): as given, else that of the phases that know it, else 1."""
    charges = {f"z of {phase.name}": int(phase.valence) for phase in phases if hasattr(phase, "valence")}
    if given is not None:
        charges["valence"] = given
    if len(set(charges.values())) > 1 or not all(charge >= 1 for charge in charges.values()):
        said = ", ".join(f"{name} = {charge}" for name, charge in charges.items())
        raise InvalidTask(
            f"an electrode has ions of one charge, at least 1 e, not {said}; leave valence out, or make all phases "
            "with the same one."
        )
    return next(iter(charges.values()), 1)


def _inverse(phase: Phase, low: float, high: float, target: np.ndarray, temperature_K: float) -> np.ndarray:
    """x in [low, high], within which the slope rises, at which the slope is `target`."""
    lower, upper = np.full(target.shape, low), np.full(target.shape, high)
    for _ in range(HALVINGS if high > low else 0):
        middle = (lower + upper) / 2
        below = phase.slope(middle, temperature_K) < target
        lower, upper = np.where(below, middle, lower), np.where(below, upper, middle)
    return (lower + upper) / 2
