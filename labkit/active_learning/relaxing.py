"""Many small crystals downhill in one batch: first the volume alone, then cell and positions.

The one idea: volume relaxation is the full one with the forces on atoms left out and those on the cell replaced by
their isotropic part, so fractional coordinates and the shape of the cell, and with them the space group, stay.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from ase import Atoms

from labkit.errors import InvalidStructure
from labkit.simulators.cell_filter import RelaxationCoordinates
from labkit.simulators.fire import FireState

if TYPE_CHECKING:
    from labkit.active_learning.adversarial import Guards
    from labkit.potentials.interface import Potential

#: Random crystals start far from their volume; beyond this factor they have come apart or collapsed.
MAX_VOLUME_RATIO = 6.0


@dataclass
class Relaxed:
    """The end of one relaxation.

    energy: eV. forces: (n, 3) eV/Å. stress: (3, 3) eV/Å^3, tension positive. max_force_eV_A: of what was relaxed.
    state: converged, not converged (max_steps) or failed (reason says why; atoms are then the last sound ones).
    """

    atoms: Atoms
    energy: float = float("nan")
    forces: np.ndarray | None = None
    stress: np.ndarray | None = None
    max_force_eV_A: float = float("nan")
    steps: int = 0
    state: str = "moving"
    reason: str = ""


def relax_batch(
    structures: Sequence[Atoms],
    potential: Potential,
    kind: Literal["volume", "full"],
    *,
    fmax_eV_A: float = 0.05,
    max_steps: int = 200,
    every_step: Callable[[int, int], None] = lambda step, active: None,
    guards: Guards | None = None,
) -> list[Relaxed]:
    """Relax periodic structures by FIRE, all that still move in one evaluation; `every_step(step, active)` may raise.

    guards: a structure whose atoms would come too close stays where it was before, not converged; a potential that
    has seen little pulls atoms into each other. Converged when no generalised force, of atoms (eV/Å) or of the cell
    (virial over the number of atoms, eV), is larger than `fmax_eV_A`. A structure that the potential refuses fails
    alone.
    """
    ways = [RelaxationCoordinates(atoms, relax_cell=True) for atoms in structures]
    states = [FireState() for _ in structures]
    results = [Relaxed(atoms.copy()) for atoms in structures]
    for step in range(max_steps + 1):
        active = [index for index, one in enumerate(results) if one.state == "moving"]
        if not active:
            break
        every_step(step, len(active))
        trials = {index: ways[index].atoms() for index in active}
        for index in active:
            ratio = trials[index].get_volume() / structures[index].get_volume()
            if not 1 / MAX_VOLUME_RATIO < ratio < MAX_VOLUME_RATIO:
                results[index].state = "failed"
                results[index].reason = f"the volume changed by a factor {ratio:.3g}"
            elif guards is not None and (contact := guards.contact(trials[index])):
                results[index].state = "not converged" if step else "failed"
                results[index].reason = contact
        _evaluate(potential, {index: trials[index] for index in active if results[index].state == "moving"}, results)
        for index in active:
            one = results[index]
            if one.state != "moving":
                continue
            forces = ways[index].forces(one.atoms, one.forces, one.stress)
            if kind == "volume":
                forces = np.vstack([np.zeros_like(one.forces), np.trace(forces[-3:]) / 3 * np.eye(3)])
            one.max_force_eV_A, one.steps = float(np.linalg.norm(forces, axis=1).max()), step
            if not np.isfinite(one.max_force_eV_A) or not np.isfinite(one.energy):
                one.state, one.reason = "failed", "the energy or a force is not a finite number"
            elif one.max_force_eV_A <= fmax_eV_A:
                one.state = "converged"
            elif step == max_steps:
                one.state, one.reason = "not converged", f"largest force {one.max_force_eV_A:.3f} after {step} steps"
            else:
                ways[index].rows = ways[index].rows + states[index].displacement(forces)
    return results


def _evaluate(potential: Potential, trials: dict[int, Atoms], results: list[Relaxed]) -> None:
    """Energy, forces and stress of all trials; one that is refused does not take the others along."""
    if not trials:
        return
    try:
        groups = [(list(trials), potential.predict(list(trials.values())))]
    except InvalidStructure:
        groups = []
        for index, atoms in trials.items():
            try:
                groups.append(([index], potential.predict([atoms])))
            except InvalidStructure as error:
                results[index].state, results[index].reason = "failed", str(error)
    for indices, answer in groups:
        for place, index in enumerate(indices):
            one = results[index]
            one.atoms, one.energy = trials[index], float(answer.energies[place])
            one.forces, one.stress = np.array(answer.forces[place]), np.array(answer.stresses[place])
