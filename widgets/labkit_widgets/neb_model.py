"""What a view of minimum-energy paths shows, without its widgets: one picture of each band, finished or under way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from ase import Atoms

from labkit.runs import Run

if TYPE_CHECKING:
    import pandas as pd

    from labkit.simulators.neb_path import MinimumEnergyPath

WAITING, RUNNING, STOPPED = "waiting", "running", "stopped"


@dataclass(frozen=True, eq=False)
class BandPicture:
    """One band at one moment; energies are relative to the first image, numbers that are not known are NaN."""

    index: int
    name: str
    state: str = WAITING
    reason: str = ""
    steps: int | None = None
    distances_A: np.ndarray = field(default_factory=lambda: np.zeros(0))
    energies_eV: np.ndarray = field(default_factory=lambda: np.zeros(0))
    curve_A: np.ndarray = field(default_factory=lambda: np.zeros(0))
    curve_eV: np.ndarray = field(default_factory=lambda: np.zeros(0))
    forward_eV: float = np.nan
    backward_eV: float = np.nan
    reaction_eV: float = np.nan
    max_force_eV_A: float = np.nan
    saddle_force_eV_A: float = np.nan
    imaginary_THz: float = np.nan
    negative_modes: int | None = None

    @property
    def over(self) -> bool:
        """Whether the band has left the batch."""
        return self.state not in (WAITING, RUNNING, STOPPED)

    @property
    def saddle(self) -> int | None:
        """The index of the highest image, or None without a profile."""
        known = np.isfinite(self.energies_eV)
        return int(np.argmax(np.where(known, self.energies_eV, -np.inf))) if known.any() else None


class PathSource:
    """Paths that are at hand."""

    def __init__(self, paths: Sequence[MinimumEnergyPath], label: str = "") -> None:
        self.run: Run | None = None
        self.label = label or "paths"
        self.paths: dict[int, MinimumEnergyPath] = dict(enumerate(paths))
        self.bands = [picture_of(path, index) for index, path in self.paths.items()]
        self.active = False

    def poll(self) -> bool:
        """Nothing ever changes."""
        return False

    def images(self, index: int) -> tuple[list[Atoms], bool]:
        """The images of a band, and that they are relaxed."""
        return self.paths[index].images, True


def picture_of(path: MinimumEnergyPath, index: int, before: BandPicture | None = None) -> BandPicture:
    """Return the picture of a path that is complete; `before` brings what the path does not know."""
    band = before or BandPicture(index, path.name or f"band {index + 1}")
    energies = np.asarray(path.energies_eV, float)
    finite = bool(np.isfinite(energies).all())  # a band that failed may have images without an energy
    curve_A, curve_eV = path.profile() if finite else (np.zeros(0), np.zeros(0))
    return replace(
        band,
        name=path.name or band.name,
        state=path.state,
        reason=path.reason or band.reason,
        steps=path.steps,
        distances_A=np.asarray(path.distances_A, float),
        energies_eV=energies - energies[0],
        curve_A=np.asarray(curve_A, float),
        curve_eV=np.asarray(curve_eV, float),
        forward_eV=path.forward_eV,
        backward_eV=path.backward_eV,
        reaction_eV=path.reaction_eV,
        max_force_eV_A=number(path.max_force_eV_A),
        saddle_force_eV_A=number(path.saddle_force_eV_A),
        imaginary_THz=number(path.imaginary_THz),
        negative_modes=path.negative_modes,
    )


def running(rows: pd.DataFrame) -> dict[str, Any]:
    """Return the fields of a band that is being relaxed, from the rows of its newest profile."""
    from scipy.interpolate import CubicHermiteSpline

    distances, energies = rows["distance_A"].to_numpy(float), rows["energy_eV"].to_numpy(float)
    forces = rows["force_eV_A"].to_numpy(float)[1:-1]
    fields: dict[str, Any] = {"distances_A": distances, "energies_eV": energies}
    fields["max_force_eV_A"] = float(np.nanmax(forces)) if np.isfinite(forces).any() else np.nan
    good = len(distances) > 1 and bool(np.isfinite(energies).all()) and bool((np.diff(distances) > 0).all())
    if good:
        points = np.linspace(distances[0], distances[-1], 101)
        slopes = rows["slope_eV_A"].to_numpy(float)
        fields |= {"curve_A": points, "curve_eV": CubicHermiteSpline(distances, energies, slopes)(points)}
        top = float(energies.max())
        fields |= {"forward_eV": top - energies[0], "backward_eV": top - energies[-1]}
        fields |= {"reaction_eV": float(energies[-1] - energies[0])}
    return fields


def partner(band: BandPicture, own: Sequence[BandPicture], others: Sequence[BandPicture]) -> BandPicture | None:
    """Return the band of another source that belongs to one of our `own`: the one of the same name; where the two
    sources share no name at all, the one of the same index.
    """
    if {one.name for one in own} & {one.name for one in others}:
        named = [one for one in others if one.name == band.name]
        return next((one for one in named if one.index == band.index), named[0] if named else None)
    return next((one for one in others if one.index == band.index), None)


def number(value: Any) -> float:
    """Return a float, NaN for what is none."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return np.nan
