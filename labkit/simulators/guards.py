"""Stops dynamics that left physics, and names the atom, the step and the cause.

ASE integrates a NaN or a fusion of two nuclei without a word; here every step passes three checks that cost less
than one per cent of a force evaluation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase import Atoms

from labkit.errors import UnstableDynamics
from labkit.structures.contacts import any_contact, nearest_contacts

ADVICE = "Use a shorter time step, relax the structure first, or lower the temperature."


@dataclass(frozen=True)
class Guard:
    """Limits of a trajectory: `max_temperature_K` of the whole system, `min_distance_A` between any two atoms."""

    max_temperature_K: float
    min_distance_A: float = 0.5

    def check(self, atoms: Atoms, step: int, temperature_K: float) -> None:
        """Raise UnstableDynamics when `atoms` after `step` is no longer a trajectory anyone should trust."""
        self._finite(atoms, step)
        if temperature_K > self.max_temperature_K:
            index = int(np.argmax((atoms.get_velocities() ** 2).sum(axis=1)))
            raise UnstableDynamics(
                f"step {step}: the temperature reached {temperature_K:.0f} K, "
                f"the limit is {self.max_temperature_K:.0f} K; "
                f"the fastest atom is {index} ({atoms.symbols[index]}). {ADVICE}",
                atom=index,
                step=step,
                cause="temperature",
            )
        contact = self._contact(atoms)
        if contact is not None:
            first, second, distance = contact
            raise UnstableDynamics(
                f"step {step}: atoms {first} ({atoms.symbols[first]}) and {second} ({atoms.symbols[second]}) are "
                f"{distance:.2f} Å apart, the limit is {self.min_distance_A:g} Å. {ADVICE}",
                atom=first,
                step=step,
                cause="distance",
            )

    def _finite(self, atoms: Atoms, step: int) -> None:
        forces = atoms.get_forces(apply_constraint=False)
        for what, values in (("position", atoms.positions), ("velocity", atoms.get_momenta()), ("force", forces)):
            bad = ~np.isfinite(values).all(axis=1)
            if bad.any():
                index = int(np.argmax(bad))
                raise UnstableDynamics(
                    f"step {step}: the {what} of atom {index} ({atoms.symbols[index]}) "
                    f"is no longer a finite number. {ADVICE}",
                    atom=index,
                    step=step,
                    cause="non-finite",
                )
        if not np.isfinite(atoms.get_potential_energy()):
            raise UnstableDynamics(
                f"step {step}: the energy is no longer a finite number. {ADVICE}", step=step, cause="non-finite"
            )

    def _contact(self, atoms: Atoms) -> tuple[int, int, float] | None:
        if not any_contact(atoms, self.min_distance_A):
            return None
        return nearest_contacts(atoms, self.min_distance_A)[0]
