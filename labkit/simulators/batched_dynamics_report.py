"""What a batch of trajectories writes: rows of temperature and displacement, frames, diffusion coefficients, result.

Rows and frames of all trajectories share one table and one file; their numbers grow in time and are unique, so a
resumed run writes nothing twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from ase import Atoms

from labkit.analysis import diffusion, msd
from labkit.analysis.diffusion import MIN_FRAMES, Diffusion
from labkit.analysis.framework import framework_motion
from labkit.runs import FrameReader
from labkit.runs.folder import FRAMES
from labkit.simulators.batched_dynamics_trajectory import Plan, early_end
from labkit.simulators.walkers import Walker

if TYPE_CHECKING:
    from labkit.runs import RunContext
    from labkit.simulators.batched_dynamics import BatchedDynamics

#: Shorter trajectories get no diffusion coefficient: an error bar from fewer frames means nothing.
LEAST_FRAMES = 2 * MIN_FRAMES


@dataclass
class Member:
    """One trajectory while it runs. origin: positions (n, 3) at the end of the equilibration; heat: sum and number of
    temperatures since then; history: positions of the frames since then; told: whether its end stands in the table.
    """

    plan: Plan
    walker: Walker
    state: str = "running"
    reason: str = ""
    energy_eV: float = float("nan")
    forces: np.ndarray = field(default_factory=lambda: np.zeros((0, 3)))
    origin: np.ndarray | None = None
    heat: list[float] = field(default_factory=lambda: [0.0, 0.0])
    history: list[np.ndarray] = field(default_factory=list)
    told: bool = False

    def fail(self, reason: str) -> None:
        """Stop here, alone."""
        self.state, self.reason = "failed", reason


class Report:
    """The pen of a batch of `count` trajectories."""

    def __init__(self, task: BatchedDynamics, context: RunContext, count: int) -> None:
        self.task, self.context, self.count = task, context, count
        # Read back from the file and not kept: so a resumed run sees the very digits that an unbroken one does.
        self.frames, self.frames_read = FrameReader(context.folder / FRAMES), 0

    def number(self, member: Member, step: int) -> int:
        """The number of a row or frame: growing in time, and unique."""
        return step * self.count + member.plan.index

    def rows(self, members: Sequence[Member], step: int) -> None:
        """Rows of the tables thermo and msd."""
        for member in members:
            walker, time = member.walker, step * self.task.timestep_fs
            who = {"trajectory": member.plan.index, "time_fs": time}
            self.context.row(
                "thermo",
                self.number(member, step),
                **who,
                temperature_K=walker.kinetic_temperature_K,
                target_temperature_K=walker.temperature_K,
                potential_energy_eV=member.energy_eV,
                total_energy_eV=member.energy_eV + walker.kinetic_energy_eV,
                conserved_energy_eV=member.energy_eV + walker.kinetic_energy_eV - walker.transferred_eV,
            )
            if member.origin is not None:
                self.context.row("msd", self.number(member, step), **who, squared_displacement_A2=_moved(member))

    def frame(self, member: Member, step: int) -> None:
        """A frame of one trajectory."""
        atoms, plan = member.walker.atoms, member.plan
        time = step * self.task.timestep_fs
        frame = Atoms(atoms.numbers, positions=atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
        frame.info = {"trajectory": plan.index, "time_fs": time, "energy": member.energy_eV}
        frame.info |= {"temperature_K": plan.temperature_K, "seed": plan.seed}
        self.context.frame(frame, self.number(member, step))

    def read_frames(self, members: Sequence[Member], step: int) -> None:
        """Take in the frames since the equilibration, up to the present step: a resumed run has written later ones."""
        self.frames.poll()
        first, now = (count * self.task.timestep_fs for count in (self.task.equilibration_steps, step))
        while self.frames_read < len(self.frames):
            frame = self.frames.read(self.frames_read)
            if frame.info["time_fs"] > now + 1e-6:
                return
            if frame.info["time_fs"] >= first - 1e-6:
                members[frame.info["trajectory"]].history.append(frame.positions)
            self.frames_read += 1

    def diffusion(self, member: Member) -> tuple[Diffusion, str] | None:
        """D of the mobile ions, and why it must not be trusted; None for a trajectory that is too short."""
        if len(member.history) < LEAST_FRAMES:
            return None
        atoms, species = member.walker.atoms, member.plan.species
        frames = [Atoms(atoms.numbers, positions=one, cell=atoms.cell, pbc=atoms.pbc) for one in member.history]
        spacing = self.task.frame_interval * self.task.timestep_fs
        found = diffusion(msd(frames, frame_interval_fs=spacing, species=species, wrapped=False))
        framework = framework_motion(frames, species, frame_interval_fs=spacing, wrapped=False).warning
        return found, " ".join(one for one in (framework, found.warning) if one)

    def diffusion_row(self, member: Member, step: int) -> None:
        """A row of the table diffusion, once there are frames enough."""
        both = self.diffusion(member)
        if both is None:
            return
        found, warning = both
        low, high = found.interval_cm2_s or (float("nan"), float("nan"))
        self.context.row(
            "diffusion",
            self.number(member, step),
            trajectory=member.plan.index,
            length_ps=(len(member.history) - 1) * self.task.frame_interval * self.task.timestep_fs / 1000,
            D_cm2_s=found.D_cm2_s,
            error_cm2_s=float("nan") if found.error_cm2_s is None else found.error_cm2_s,
            low_cm2_s=low,
            high_cm2_s=high,
            exponent=float("nan") if found.exponent is None else found.exponent,
            warning=warning,
        )

    def summary(self, member: Member) -> dict[str, Any]:
        """The result of one trajectory; the warning of one that stopped as unstable begins with the reason."""
        plan, atoms = member.plan, member.walker.atoms
        both = self.diffusion(member)
        doubts = "too short for a diffusion coefficient." if both is None else both[1]
        heat, count = member.heat
        spacing = self.task.frame_interval * self.task.timestep_fs
        return {
            "trajectory": plan.index,
            "structure": plan.structure,
            "name": plan.name,
            "temperature_K": plan.temperature_K,
            "seed": plan.seed,
            "state": member.state,
            "reason": member.reason,
            "steps": member.walker.steps,
            "length_ps": max(0, len(member.history) - 1) * spacing / 1000,
            "mean_temperature_K": heat / count if count else None,
            "species": plan.species,
            "n_ions": atoms.get_chemical_symbols().count(plan.species),
            "volume_A3": float(atoms.get_volume()) if atoms.cell.rank == 3 else None,
            "diffusion": None if both is None else both[0].to_dict(),
            "warning": " ".join(one for one in (early_end(member.state, member.reason), doubts) if one),
        }


def _moved(member: Member) -> float:
    """Mean-squared displacement (Å^2) of the mobile ions since the equilibration, relative to the other atoms."""
    atoms = member.walker.atoms
    step = atoms.positions - member.origin
    mobile = np.array(atoms.get_chemical_symbols()) == member.plan.species
    host = ~mobile if not mobile.all() else mobile
    step -= np.average(step[host], axis=0, weights=atoms.get_masses()[host])
    return float((step[mobile] ** 2).sum(axis=1).mean())
