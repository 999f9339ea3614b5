"""What an Arrhenius view shows, without a widget: points of runs as they come in, lines through them, experiments.

Everything is read off the runs' folders, so that any number of views agree, also after a restart of the kernel.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from labkit.analysis import diffusion_from_conductivity
from labkit.analysis.transport import TransportPoint, arrhenius_of, conductivity_of, pooled
from labkit.errors import LabkitError
from labkit.runs import Run
from labkit.simulators.batched_dynamics_trajectory import KIND, early_end, ends_of, plans
from labkit.structures.field import from_dict

from .changes import Changes

BY_D, BY_SIGMA = "D", "σT"
_NORMAL = 1.96


def is_batched_dynamics(run: Run) -> bool:
    """Whether an Arrhenius view suits the run."""
    return run.kind == KIND


@dataclass(frozen=True)
class Experiment:
    """A published point: conductivity (S/cm) or diffusion coefficient (cm^2/s) at a temperature; `label` its source."""

    label: str
    temperature_K: float
    sigma_S_cm: float | None = None
    D_cm2_s: float | None = None

    def __post_init__(self) -> None:
        given = [value for value in (self.sigma_S_cm, self.D_cm2_s) if value is not None]
        if len(given) != 1 or not given[0] > 0 or not self.temperature_K > 0:
            raise ValueError(
                f"the point {self.label!r} needs a temperature and either sigma_S_cm or D_cm2_s, both above zero."
            )

    def value(self, quantity: str, like: TransportPoint | None) -> float | None:
        """D (cm^2/s) or σT (S K/cm), by Nernst and Einstein with the ions and volume of `like` where needed."""
        if quantity == BY_SIGMA:
            if self.sigma_S_cm is not None:
                return self.sigma_S_cm * self.temperature_K
            if like is None or self.D_cm2_s is None:
                return None
            same = TransportPoint("", self.temperature_K, self.D_cm2_s, None, like.n_ions, like.volume_A3, like.charge)
            return same.sigma_S_cm * self.temperature_K
        if self.D_cm2_s is not None:
            return self.D_cm2_s
        if like is None or self.sigma_S_cm is None:
            return None
        return diffusion_from_conductivity(
            self.sigma_S_cm, like.n_ions, like.volume_A3, self.temperature_K, like.charge
        )


@dataclass(frozen=True)
class Line:
    """A fit: temperatures of the drawn line from hot to cold, values with their band, from where on it is
    extrapolated; `words` say the activation energy, the value at room temperature and that it is extrapolated.
    """

    temperatures_K: np.ndarray
    values: np.ndarray
    low: np.ndarray
    high: np.ndarray
    extrapolated: np.ndarray
    words: str


@dataclass
class ArrheniusModel:
    """Points from runs of `BatchedDynamics` (any number, also running ones) and from plain results."""

    runs: list[Run]
    given: list[TransportPoint]
    charge: float = 1.0
    _changes: dict[str, Changes] = field(default_factory=dict)
    _points: dict[str, list[TransportPoint]] = field(default_factory=dict)

    @classmethod
    def of(cls, source: Run | Sequence[Run | TransportPoint], charge: float = 1.0) -> ArrheniusModel:
        """Sort what was given; raises LabkitError for a run of another kind and TypeError for anything else."""
        parts = [source] if isinstance(source, Run) else list(source)
        runs = [one for one in parts if isinstance(one, Run)]
        given = [one for one in parts if isinstance(one, TransportPoint)]
        strangers = [type(one).__name__ for one in parts if not isinstance(one, Run | TransportPoint)]
        if strangers:
            raise TypeError(f"ArrheniusView shows runs and TransportPoints, not {', '.join(sorted(set(strangers)))}.")
        for run in runs:
            if not is_batched_dynamics(run):
                raise LabkitError(f"run {run.id} is a {run.kind}; an Arrhenius view shows runs of {KIND}.")
        return cls(runs, given, charge)

    @property
    def active(self) -> bool:
        """Whether a run still works."""
        return any(run.status().active for run in self.runs)

    def poll(self) -> bool:
        """Read what is new; tells whether anything is."""
        changed = False
        for run in self.runs:
            changes = self._changes.setdefault(run.id, Changes(run.folder))
            # A trajectory that stops as unstable makes its last coefficient doubtful without a new one.
            grown, ended = changes.of("diffusion.csv"), changes.of("trajectories.csv")
            if grown or ended:
                try:
                    self._points[run.id] = points_of(run, self.charge)
                except Exception:
                    del self._changes[run.id]  # so that it is tried again
                    raise
                changed = True
        return changed

    def points(self) -> list[TransportPoint]:
        """One point for each structure and temperature, seeds pooled."""
        found = [point for run in self.runs for point in self._points.get(run.id, [])]
        order = self.names()
        return sorted(pooled([*found, *self.given]), key=lambda one: (order.index(one.name), -one.temperature_K))

    def names(self) -> list[str]:
        """The structures, in the order in which they were given."""
        planned = [plan.name for run in self.runs for plan in _plans(run)[0]]
        return list(dict.fromkeys([*planned, *(point.name for point in self.given)]))


def points_of(run: Run, charge: float = 1.0) -> list[TransportPoint]:
    """The newest point of each trajectory of a run of `BatchedDynamics`; [] before there is one.

    The warning of a trajectory that stopped as unstable begins with the reason, so it is shown and not fitted.
    """
    if "diffusion" not in run.tables():
        return []
    table = run.table("diffusion")
    todo, structures = _plans(run)
    ends, found = ends_of(run), []
    for plan in todo:
        rows = table[table["trajectory"] == plan.index]
        if not len(rows):
            continue
        row, atoms = rows.iloc[-1], structures[plan.structure]
        half = (row["high_cm2_s"] - row["low_cm2_s"]) / 2 if "high_cm2_s" in rows else _NORMAL * row["error_cm2_s"]
        error = float(half) / _NORMAL if np.isfinite(half) else None
        doubts = row["warning"] if isinstance(row["warning"], str) else ""
        warning = " ".join(one for one in (early_end(*ends.get(plan.index, ("running", ""))), doubts) if one)
        n_ions = atoms.get_chemical_symbols().count(plan.species)
        volume, length = float(atoms.get_volume()), float(row["length_ps"])
        D = float(row["D_cm2_s"])
        found.append(
            TransportPoint(plan.name, plan.temperature_K, D, error, n_ions, volume, charge, length, 1, warning)
        )
    return found


def _plans(run: Run) -> tuple[list, list]:
    given: Mapping[str, Any] = run.task_dict["parameters"]
    structures = [from_dict(one) for one in given["structures"]]
    return plans(structures, given["temperatures_K"], given["seeds"], given.get("species")), structures


def line_of(points: Sequence[TransportPoint], quantity: str, down_to_K: float, *, doubtful: bool) -> Line:
    """The fit through the points of one structure, drawn from the hottest down to `down_to_K`.

    Raises ValueError where no line can be fitted.
    """
    fit = (
        conductivity_of(points, doubtful=doubtful) if quantity == BY_SIGMA else arrhenius_of(points, doubtful=doubtful)
    )
    hot, cold = max(fit.temperatures_K), min(*fit.temperatures_K, down_to_K)
    T = 1 / np.unique(np.concatenate([np.linspace(1 / hot, 1 / cold, 60), [1 / min(fit.temperatures_K)]]))
    at = [fit.at(float(one)) for one in T]
    if quantity == BY_SIGMA:
        values, low, high = (np.array([getattr(a, n) for a in at]) * T for n in ("sigma_S_cm", "low_S_cm", "high_S_cm"))
    else:
        values, low, high = (np.array([getattr(a, n) for a in at]) for n in ("D_cm2_s", "low_cm2_s", "high_cm2_s"))
    energy = f"Ea = {fit.activation_energy_eV:.2f} ± {fit.activation_energy_error_eV:.2f} eV (one standard error)"
    return Line(T, values, low, high, min(fit.temperatures_K) * (1 - 1e-9) > T, f"{energy}; {fit.at(down_to_K)}")
