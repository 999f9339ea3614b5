"""ASE's integrators under the names people use, with their whole state out and in.

ASE integrates; labkit adds what a run needs: the number of degrees of freedom without the conserved total momentum, a
temperature that can be changed while it runs, and every internal variable for a resume that continues the same
trajectory.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from ase import Atoms, units
from ase.constraints import FixCom
from ase.md.bussi import Bussi
from ase.md.langevin import Langevin
from ase.md.md import MolecularDynamics as ASEDynamics
from ase.md.nose_hoover_chain import MTKNPT, IsotropicMTKNPT, NoseHooverChainNVT
from ase.md.verlet import VelocityVerlet

Ensemble = Literal["NVE", "NVT-Langevin", "NVT-Bussi", "NVT-Nose-Hoover", "NPT-isotropic", "NPT-flexible"]

#: Internal variables beyond positions, momenta and cell, by integrator; dots reach into its thermostat and barostat.
STATE: dict[str, tuple[str, ...]] = {
    "NVE": (),
    "NVT-Langevin": (),
    "NVT-Bussi": ("transferred_energy",),
    "NVT-Nose-Hoover": ("_q", "_p", "_thermostat._eta", "_thermostat._p_eta"),
    "NPT-isotropic": (
        *("_q", "_p", "_eps", "_p_eps", "_cell0", "_volume0"),
        *("_thermostat._eta", "_thermostat._p_eta", "_barostat._xi", "_barostat._p_xi"),
    ),
    "NPT-flexible": (
        *("_q", "_p", "_h", "_p_g"),
        *("_thermostat._eta", "_thermostat._p_eta", "_barostat._xi", "_barostat._p_xi"),
    ),
}


class Integrator:
    """One of ASE's integrators on `atoms` (with calculator and momenta), in labkit's units: fs, K, GPa."""

    def __init__(
        self,
        atoms: Atoms,
        ensemble: Ensemble,
        *,
        timestep_fs: float,
        temperature_K: float,
        pressure_GPa: float = 0.0,
        friction_per_ps: float = 10.0,
        thermostat_time_fs: float = 100.0,
        barostat_time_fs: float = 1000.0,
        seed: int = 0,
    ) -> None:
        self.atoms, self.ensemble = atoms, ensemble
        self.rng = np.random.default_rng(seed)
        step, thermostat = timestep_fs * units.fs, thermostat_time_fs * units.fs
        if ensemble in ("NVT-Langevin", "NVT-Bussi"):
            atoms.set_constraint(FixCom())
        self.dynamics: ASEDynamics
        match ensemble:
            case "NVE":
                self.dynamics = VelocityVerlet(atoms, step)
            case "NVT-Langevin":
                friction = friction_per_ps / (1000 * units.fs)
                self.dynamics = Langevin(
                    atoms, step, temperature_K=temperature_K, friction=friction, fixcm=False, rng=self.rng
                )
            case "NVT-Bussi":
                self.dynamics = Bussi(atoms, step, temperature_K=temperature_K, taut=thermostat, rng=self.rng)
            case "NVT-Nose-Hoover":
                self.dynamics = NoseHooverChainNVT(atoms, step, temperature_K=temperature_K, tdamp=thermostat)
            case "NPT-isotropic" | "NPT-flexible":
                kind = IsotropicMTKNPT if ensemble == "NPT-isotropic" else MTKNPT
                self.dynamics = kind(
                    atoms,
                    step,
                    temperature_K=temperature_K,
                    pressure_au=pressure_GPa * units.GPa,
                    tdamp=thermostat,
                    pdamp=barostat_time_fs * units.fs,
                )
            case _:
                raise ValueError(f"unknown ensemble {ensemble!r}; known are {', '.join(STATE)}.")
        if hasattr(self.dynamics, "_thermostat"):
            # Momentum is conserved, so 3N - 3 momenta share the heat; ASE's chains count 3N and would run too hot.
            self.dynamics._thermostat._num_atoms_global = len(atoms) - 1
            self.set_temperature(temperature_K)

    @property
    def degrees_of_freedom(self) -> int:
        """3N - 3: the total momentum is zero and stays so."""
        return 3 * len(self.atoms) - 3

    def temperature_K(self) -> float:
        """Instantaneous kinetic temperature, K."""
        return 2 * self.atoms.get_kinetic_energy() / (self.degrees_of_freedom * units.kB)

    def step(self) -> None:
        """Advance by one time step."""
        self.dynamics.step()

    def set_temperature(self, temperature_K: float) -> None:
        """Change the thermostat's target, K; nothing happens in NVE."""
        dynamics, kT = self.dynamics, temperature_K * units.kB
        if isinstance(dynamics, Langevin):
            dynamics.set_temperature(temperature_K=temperature_K)
        elif isinstance(dynamics, Bussi):
            dynamics.temp = kT
            dynamics.target_kinetic_energy = 0.5 * kT * dynamics.ndof
        elif hasattr(dynamics, "_thermostat"):
            thermostat = dynamics._thermostat
            thermostat._kT = kT
            thermostat._Q[:] = kT * thermostat._tdamp**2
            thermostat._Q[0] *= 3 * thermostat._num_atoms_global
        if hasattr(dynamics, "_barostat"):
            barostat = dynamics._barostat
            ratio = kT / barostat._kT
            barostat._kT = kT
            barostat._W *= ratio
            barostat._R *= ratio

    def conserved_energy(self) -> float | None:
        """The quantity that the equations of motion conserve, eV; None for Langevin dynamics, which has none."""
        if self.ensemble == "NVE":
            return float(self.atoms.get_total_energy())
        if self.ensemble == "NVT-Bussi":
            return float(self.atoms.get_total_energy() - self.dynamics.transferred_energy)
        if self.ensemble == "NVT-Langevin":
            return None
        return float(self.dynamics.get_conserved_energy())

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Everything that the next step depends on: arrays (positions Å, momenta, cell Å, ...) and JSON state
        (generator).
        """
        arrays = {
            "positions": self.atoms.positions.copy(),
            "momenta": self.atoms.get_momenta(),
            "cell": self.atoms.cell.array.copy(),
        }
        for path in STATE[self.ensemble]:
            arrays[f"integrator{path}"] = np.array(_get(self.dynamics, path))
        return arrays, {"rng": self.rng.bit_generator.state}

    def restore(self, arrays: dict[str, np.ndarray], state: dict[str, Any]) -> None:
        """Continue from what `state` gave."""
        constraints = self.atoms.constraints
        self.atoms.set_constraint()  # a constraint would shift the stored positions by a rounding error
        self.atoms.set_cell(arrays["cell"])
        self.atoms.set_positions(arrays["positions"])
        self.atoms.set_momenta(arrays["momenta"])
        self.atoms.set_constraint(constraints)
        for path in STATE[self.ensemble]:
            value = arrays[f"integrator{path}"]
            _set(self.dynamics, path, value.copy() if value.ndim else float(value))
        self.rng.bit_generator.state = state["rng"]


def _get(owner: Any, path: str) -> Any:
    for name in path.split("."):
        owner = getattr(owner, name)
    return owner


def _set(owner: Any, path: str, value: Any) -> None:
    *parents, last = path.split(".")
    for name in parents:
        owner = getattr(owner, name)
    setattr(owner, last, value)
