"""The stages of `DynamicStability`: phonons, following the unstable modes, dynamics, reading.

Each stage is a task of labkit's own in the same folder; what a stage has found is kept, so a killed run goes on in the
stage in which it was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ase import Atoms

from labkit.analysis.dynamic_stability import displacements, rms_A
from labkit.errors import NotConverged
from labkit.simulators.batched_dynamics import BatchedDynamics
from labkit.simulators.dynamic_stability_modes import UnstableModes, lowest, unstable_modes
from labkit.simulators.dynamic_stability_read import summaries
from labkit.simulators.dynamic_stability_stage import Stage
from labkit.simulators.phonons import Phonons
from labkit.simulators.relaxation import Relaxation
from labkit.structures.field import from_dict, to_dict

if TYPE_CHECKING:
    from labkit.runs import RunContext
    from labkit.simulators.dynamic_stability import DynamicStability

PHONONS, FOLLOWING, DYNAMICS = (0.0, 0.1), (0.1, 0.2), (0.2, 0.99)


def phonons_task(task: DynamicStability) -> Phonons:
    """The harmonic part."""
    return Phonons(
        structures=task.structures,
        potential=task.potential,
        relax=task.relax,
        fmax_eV_A=task.fmax_eV_A,
        max_steps=task.max_steps,
        supercell=task.supercell,
        supercell_length_A=task.supercell_length_A,
        displacement_A=task.displacement_A,
        temperatures_K=[0.0],
        device=task.device,
    )


def following_task(task: DynamicStability, starts: list[Atoms]) -> Relaxation:
    """Relaxations along the unstable modes, in the ideal cell."""
    return Relaxation(
        structures=starts,
        potential=task.potential,
        relax_cell=False,
        fmax_eV_A=task.fmax_eV_A,
        max_steps=task.max_steps,
        device=task.device,
    )


def dynamics_task(task: DynamicStability, starts: list[Atoms]) -> BatchedDynamics:
    """The dynamics at all temperatures."""
    return BatchedDynamics(
        structures=starts,
        temperatures_K=task.temperatures_K,
        seeds=task.seeds,
        potential=task.potential,
        ensemble=task.ensemble,
        timestep_fs=task.timestep_fs,
        steps=task.steps,
        equilibration_steps=task.equilibration_steps,
        frame_interval=task.frame_interval,
        table_interval=max(task.frame_interval, 10),
        diffusion_interval=task.steps,
        checkpoint_interval=task.checkpoint_interval,
        device=task.device,
    )


class StabilityRun:
    """Takes the crystals of a task through all stages."""

    def __init__(self, task: DynamicStability, context: RunContext) -> None:
        self.task, self.context = task, context

    def run(self) -> dict[str, Any]:
        """The result of the task."""
        Stage(self.context, "phonons", PHONONS, frames=False).once(self._phonons)
        references = Stage(self.context, "references", FOLLOWING, frames=False).once(self._follow)["crystals"]
        starts = [from_dict(one[self.task.start] or one["ideal"]) for one in references]
        dynamics = Stage(self.context, "dynamics", DYNAMICS)
        ends = dynamics.once(lambda stage: dynamics_task(self.task, starts).execute(stage))
        return summaries(self.task, self.context, references, ends["trajectories"])

    def _phonons(self, stage: Stage) -> dict[str, Any]:
        found = phonons_task(self.task).execute(stage)
        if found["failed"]:
            raise NotConverged(
                "there are no phonons of structure " + "; ".join(f"{k}: {why}" for k, why in found["failed"].items())
            )
        return found

    def _follow(self, stage: Stage) -> dict[str, Any]:
        """For each crystal: the ideal supercell, the distorted one or None, D_0, the energy gained, the modes."""
        from labkit.potentials import load
        from labkit.simulators.phonons_result import read

        task = self.task
        modes = [
            unstable_modes(read(self.context.folder, index), task.threshold_THz)
            for index in range(len(task.structures))
        ]
        starts = [one.starts(task.amplitude_A, task.follow, task.mixtures, task.seed) for one in modes]
        flat = [atoms for some in starts for atoms in some]
        ends = following_task(task, flat).execute(_Renamed(stage)) if flat else {"structures": []}
        ideal = load(task.potential, task.device).predict([one.ideal for one in modes], ("energy",)).energies
        references, first = [], 0
        for index, (one, some) in enumerate(zip(modes, starts, strict=True)):
            last = first + len(some)
            found = {key: ends[key][first:last] for key in ("energies_eV", "converged", "structures")} if some else {}
            references.append(self._reference(index, one, float(ideal[index]), found))
            first = last
        return {"crystals": references}

    def _reference(self, index: int, modes: UnstableModes, ideal_eV: float, found: dict[str, Any]) -> dict[str, Any]:
        n = len(modes.ideal)
        best = None
        if found:
            least = n * self.task.least_gain_meV / 1000
            best = lowest(found["energies_eV"], found["converged"], ideal_eV, least)
        given = self.task.structures[index]
        name = given.info.get("name") or given.get_chemical_formula()
        modes.ideal.info["name"] = name
        reference: dict[str, Any] = {
            "name": name,
            "ideal": to_dict(modes.ideal),
            "distorted": None,
            "D0_A": None,
            "gain_meV_atom": None,
            "frequencies_THz": modes.frequencies_THz.tolist(),
        }
        if best is not None:
            distorted = from_dict(found["structures"][best])
            distorted.info["name"] = name
            D0 = rms_A(displacements([distorted], modes.ideal)[0])
            gain = 1000 * (ideal_eV - found["energies_eV"][best]) / n
            reference |= {"distorted": to_dict(distorted), "D0_A": D0, "gain_meV_atom": gain}
        elif len(modes):
            self.context.log(f"{name}: {len(modes)} unstable modes, but no structure along them is lower.")
        return reference


class _Renamed:
    """A stage whose table "structures" is called "following": the name is taken by the phonons."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stage, name)

    def row(self, table: str, step: int, **values: Any) -> None:
        """Append a line."""
        self._stage.row({"structures": "following", "relaxation": "following_steps"}.get(table, table), step, **values)
