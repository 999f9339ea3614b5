"""Downhill to the nearest minimum, one candidate at a time: FIRE on the positions, and on the cell of a crystal."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms
from pydantic import Field

from labkit.runs import quantity
from labkit.screening.candidate import Candidate, Outcome, passed
from labkit.screening.stage import Stage

if TYPE_CHECKING:
    from labkit.potentials.interface import Potential

#: A relaxation that grows or shrinks its cell by more than this factor has left the basin it started in.
MAX_VOLUME_RATIO = 2.0


class Relax(Stage):
    """Relax positions, and the cell of a crystal, with a potential; one that does not converge fails."""

    potential: str = Field("chgnet", description="Name or path of the potential")
    relax_cell: bool = Field(True, description="Relax the cell too (crystals)")
    fmax_eV_A: float = quantity(0.05, "eV/Å", "Converged when no generalised force is larger", gt=0, le=10)
    max_steps: int = quantity(500, "steps", "Given up after so many steps", ge=1)
    device: str = Field("auto", description="auto, cpu, cuda or mps")

    def judge(self, candidate: Candidate) -> Outcome:
        """Values: energy_eV, energy_eV_atom, max_force_eV_A, relaxation_steps, volume_change (relative)."""
        from labkit.simulators.cell_filter import RelaxationCoordinates
        from labkit.simulators.fire import FireState

        start = candidate.atoms
        potential = opened(self.potential, self.device)
        cell = self.relax_cell and bool(start.pbc.all())
        way, state = RelaxationCoordinates(start, relax_cell=cell), FireState()
        properties = ("energy", "forces", "stress") if cell else ("energy", "forces")
        for step in range(self.max_steps + 1):
            atoms = way.atoms()
            change = atoms.get_volume() / start.get_volume() - 1 if cell else 0.0
            if not 1 / MAX_VOLUME_RATIO < 1 + change < MAX_VOLUME_RATIO:
                return _failed(f"the cell changed its volume by a factor {1 + change:.2f}", step)
            found = potential.predict([atoms], properties)
            forces = way.forces(atoms, found.forces[0], None if found.stresses is None else found.stresses[0])
            energy, largest = float(found.energies[0]), float(np.linalg.norm(forces, axis=1).max())
            if not np.isfinite(energy) or not np.isfinite(largest):
                return _failed("the energy or a force is no longer finite", step)
            if largest <= self.fmax_eV_A:
                relaxed = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
                relaxed.info["energy"], relaxed.arrays["forces"] = energy, np.array(found.forces[0])
                return passed(
                    relaxed,
                    energy_eV=energy,
                    energy_eV_atom=energy / len(atoms),
                    max_force_eV_A=largest,
                    relaxation_steps=step,
                    **({"volume_change": change} if cell else {}),
                )
            way.rows = way.rows + state.displacement(forces)
        return _failed(
            f"the largest force is {largest:.3f} eV/Å, wanted is {self.fmax_eV_A:g}", self.max_steps, largest
        )


@lru_cache(maxsize=4)
def opened(name: str, device: str) -> Potential:
    """The potential, opened once for each worker process."""
    from labkit.potentials import load

    return load(name, device)


def _failed(what: str, steps: int, largest: float | None = None) -> Outcome:
    values = {"relaxation_steps": steps} | ({} if largest is None else {"max_force_eV_A": largest})
    return Outcome("failed", f"not converged: {what} after {steps} steps.", values)
