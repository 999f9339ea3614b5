"""Free energy of a crystal that expands: harmonic phonons at several volumes, joined by an equation of state.

At each temperature E(V) + F_vib(V, T) is fitted, and its minimum is the crystal at that temperature and pressure.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from ase import units

from labkit.errors import InvalidTask, NotConverged, UnreadableFile
from labkit.simulators.phonons_data import percent
from labkit.simulators.phonons_quasi_harmonic_scatter import bulk_modulus
from labkit.simulators.phonons_result import MESH_A

if TYPE_CHECKING:
    import pandas as pd

    from labkit.runs import Run
    from labkit.simulators.phonons_result import HarmonicCrystal

#: Equations of state that phonopy fits.
EQUATIONS = ("vinet", "birch_murnaghan", "murnaghan")
FILE = "quasi_harmonic"
FEWEST_VOLUMES = 5
#: A bulk modulus with a standard error above this part of it comes with a warning.
MOST_UNCERTAIN = 0.1


@dataclass(frozen=True, eq=False)
class QuasiHarmonicResult:
    """Thermodynamics at constant pressure, for each primitive cell of `atoms` atoms.

    Arrays over t temperatures (K, from 0): gibbs_eV, volume_A3, thermal_expansion_1_K (of the volume),
    bulk_modulus_GPa, heat_capacity_P_eV_K, entropy_eV_K, grueneisen. Over v volumes: volumes_A3, energies_eV (static
    lattice). helmholtz_eV: (t, v), static plus vibrations plus pV. left_out: (v,) part of the modes with an imaginary
    frequency. `warnings` says in words why these numbers are not to be trusted, where they are not.
    """

    atoms: int
    pressure_GPa: float
    temperatures_K: np.ndarray
    gibbs_eV: np.ndarray
    volume_A3: np.ndarray
    thermal_expansion_1_K: np.ndarray
    bulk_modulus_GPa: np.ndarray
    heat_capacity_P_eV_K: np.ndarray
    entropy_eV_K: np.ndarray
    grueneisen: np.ndarray
    volumes_A3: np.ndarray
    energies_eV: np.ndarray
    helmholtz_eV: np.ndarray
    left_out: np.ndarray

    @property
    def bulk_modulus_error_GPa(self) -> np.ndarray:
        """Standard error (t,) of the bulk modulus, from how helmholtz_eV scatters around Birch's equation of state.

        Where the bulk modulus of that equation is still farther away, the difference.
        """
        modulus, error = bulk_modulus(self.volumes_A3, self.helmholtz_eV, self.volume_A3)
        return np.maximum(error / units.GPa, np.abs(modulus / units.GPa - self.bulk_modulus_GPa))

    @property
    def uncertain(self) -> np.ndarray:
        """Mask (t,) of the temperatures from the first one on at which that error is above a tenth."""
        return np.logical_or.accumulate(~(self.bulk_modulus_error_GPa < MOST_UNCERTAIN * self.bulk_modulus_GPa))

    @property
    def warnings(self) -> list[str]:
        """Sentences: modes that the free energy lacks, free energies that scatter from volume to volume."""
        said = []
        if self.left_out.max() > 0:
            said.append(
                f"at {np.count_nonzero(self.left_out)} of {len(self.left_out)} volumes some modes are imaginary (up to "
                f"{percent(self.left_out.max())}); they are missing in the free energy, which is then not to be trusted"
            )
        errors, uncertain = self.bulk_modulus_error_GPa, self.uncertain
        if uncertain.any():
            place = int(np.argmax(uncertain))
            said.append(
                f"from {self.temperatures_K[place]:g} K on the free energies scatter around a smooth curve of the "
                f"volume (the bulk modulus, {self.bulk_modulus_GPa[place]:.3g} GPa there, by ± {errors[place]:.3g} "
                "GPa): expansion, bulk modulus and heat capacity at constant pressure are not to be trusted; try a "
                "larger displacement_A, more volumes, or a potential whose forces are smoother"
            )
        return said

    def free_energy(self, temperature_K: float | np.ndarray) -> Any:
        """Gibbs free energy G(T) in eV for each primitive cell, between the temperatures by a cubic spline.

        Raises ValueError for a temperature that was not computed.
        """
        from scipy.interpolate import CubicSpline

        wanted = np.asarray(temperature_K, dtype=float)
        low, high = self.temperatures_K[0], self.temperatures_K[-1]
        if not ((wanted >= low - 1e-9) & (wanted <= high + 1e-9)).all():
            outside = wanted[(wanted < low) | (wanted > high)].flat[0]
            raise ValueError(
                f"the free energy is known from {low:g} to {high:g} K, not at {outside:g} K; run it up to there."
            )
        found = CubicSpline(self.temperatures_K, self.gibbs_eV)(wanted)
        return float(found) if found.ndim == 0 else found

    def free_energy_per_atom(self, temperature_K: float | np.ndarray) -> Any:
        """G(T) in eV/atom."""
        return self.free_energy(temperature_K) / self.atoms

    def table(self) -> pd.DataFrame:
        """One row for each temperature."""
        import pandas as pd

        return pd.DataFrame(
            {
                "temperature_K": self.temperatures_K,
                "gibbs_eV": self.gibbs_eV,
                "volume_A3": self.volume_A3,
                "thermal_expansion_1_K": self.thermal_expansion_1_K,
                "bulk_modulus_GPa": self.bulk_modulus_GPa,
                "bulk_modulus_error_GPa": self.bulk_modulus_error_GPa,
                "heat_capacity_P_eV_K": self.heat_capacity_P_eV_K,
                "entropy_eV_K": self.entropy_eV_K,
                "grueneisen": self.grueneisen,
            }
        )

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON-able data."""
        return {name: np.asarray(value).tolist() for name, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> QuasiHarmonicResult:
        """Read `to_dict`; raises UnreadableFile naming what is missing."""
        missing = [one.name for one in fields(cls) if one.name not in data]
        if missing:
            raise UnreadableFile(f"this is not a quasi-harmonic result: it lacks {', '.join(missing)}.")
        scalars = {"atoms": int, "pressure_GPa": float}
        values = {one.name: data[one.name] for one in fields(cls)}
        try:
            return cls(**{name: scalars.get(name, _array)(value) for name, value in values.items()})
        except (TypeError, ValueError) as error:
            raise UnreadableFile(f"this quasi-harmonic result holds something other than numbers ({error}).") from error


def quasi_harmonic(
    crystals: Sequence[HarmonicCrystal],
    energies_eV: Sequence[float],
    temperatures_K: Sequence[float] | np.ndarray = tuple(range(0, 1001, 20)),
    *,
    pressure_GPa: float = 0.0,
    equation: str = "vinet",
    mesh: float | Sequence[int] = MESH_A,
) -> QuasiHarmonicResult:
    """Join phonons at several volumes with the static energies (eV for each primitive cell), by phonopy.

    The temperatures are completed by 0 K. Raises InvalidTask for fewer than 5 volumes or unequal crystals, NotConverged
    when no equation of state fits or the minimum lies outside of the volumes.
    """
    from phonopy import run_qha

    _require(crystals, energies_eV, equation)
    order = np.argsort([crystal.atoms.get_volume() for crystal in crystals])
    crystals = [crystals[place] for place in order]
    energies = np.asarray(energies_eV, dtype=float)[order]
    grid = np.unique(np.append(np.asarray(temperatures_K, dtype=float), 0.0))
    if grid[0] < 0 or not np.isfinite(grid).all() or len(grid) < 3:
        raise InvalidTask("the quasi-harmonic approximation needs at least two temperatures above 0 K, none below.")
    left_out = np.array([crystal.thermal([0.0], mesh).imaginary_fraction for crystal in crystals])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # volumes without a minimum at the hottest temperatures: told below
            found = run_qha(
                [crystal.phonopy for crystal in crystals],
                np.append(grid, 2 * grid[-1] - grid[-2]),
                energies,
                mesh=mesh if np.ndim(mesh) else float(mesh),
                pressure=pressure_GPa,
                eos=equation,
                exclude_gamma_acoustic=True,
            )
    except (RuntimeError, ValueError, TypeError, np.linalg.LinAlgError) as error:
        raise NotConverged(f"no {equation} equation of state fits these volumes ({error}).") from error
    inside = (found.equilibrium_volumes > found.volumes[0]) & (found.equilibrium_volumes < found.volumes[-1])
    known = int(np.argmin(inside)) if not inside.all() else len(inside)
    if known < 3:
        advice = "widen the range" if known == 0 else "widen the range, or take smaller steps of temperature"
        raise NotConverged(
            f"the crystal wants {found.equilibrium_volumes[known]:.2f} Å^3 at {found.temperatures[known]:g} K, outside "
            f"of the volumes from {found.volumes[0]:.2f} to {found.volumes[-1]:.2f} Å^3; {advice}."
        )
    heat = found.heat_capacity_P.heat_capacities
    return QuasiHarmonicResult(
        len(crystals[0].atoms),
        float(pressure_GPa),
        np.array(found.temperatures[:known]),
        np.array(found.gibbs_free_energies[:known]),
        np.array(found.equilibrium_volumes[:known]),
        np.array(found.thermal_expansion[:known]),
        np.array(found.bulk_moduli[:known]) / units.GPa,
        np.array(heat[:known]),
        np.array(found.entropy_temperature[:known]),
        np.array(found.gruneisen_parameters[:known]),
        np.array(found.volumes),
        energies,
        np.array(found.helmholtz_volume[:known]),
        left_out,
    )


def read(run: Run | str | Path) -> QuasiHarmonicResult:
    """The result of a `QuasiHarmonic` run or its folder; raises UnreadableFile."""
    from labkit.runs.atomic import read_json

    path = Path(getattr(run, "folder", run)) / f"{FILE}.json"
    try:
        data = read_json(path)
    except (OSError, ValueError) as error:
        raise UnreadableFile(f"{path} is damaged ({error}); run it again.") from error
    if data is None:
        raise UnreadableFile(f"{path.parent} holds no quasi-harmonic result yet.")
    return QuasiHarmonicResult.from_dict(data)


def _require(crystals: Sequence[HarmonicCrystal], energies_eV: Sequence[float], equation: str) -> None:
    if equation not in EQUATIONS:
        raise InvalidTask(f"there is no equation of state {equation!r}; choose among {', '.join(EQUATIONS)}.")
    if len(crystals) < FEWEST_VOLUMES or len(crystals) != len(energies_eV):
        raise InvalidTask(
            f"{len(crystals)} crystals and {len(energies_eV)} energies were given; at least {FEWEST_VOLUMES} volumes "
            "with one energy each are needed."
        )
    if not np.isfinite(np.asarray(energies_eV, dtype=float)).all():
        raise InvalidTask("an energy is not a finite number.")
    if len({crystal.atoms.get_chemical_formula() for crystal in crystals}) > 1:
        raise InvalidTask("the crystals differ in composition; give one crystal at several volumes.")


def _array(value: Any) -> np.ndarray:
    return np.array(value, dtype=float)
