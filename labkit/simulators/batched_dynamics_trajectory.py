"""One trajectory of many, read from the folder of a `BatchedDynamics` run: its frames and what follows from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ase import Atoms

from labkit.analysis import MSD, Diffusion, diffusion, msd
from labkit.errors import LabkitError
from labkit.runs import FrameReader, Run
from labkit.runs.folder import FRAMES
from labkit.structures.field import from_dict

#: The ion that is meant when nobody names one: the first of these that is there.
LIKELY_MOBILE = ("Li", "Na", "Ag", "K", "Mg", "Zn", "Ca", "H", "F", "O")
KIND = "BatchedDynamics"


def mobile_species(atoms: Atoms) -> str:
    """The likely mobile element of `atoms`: Li, Na, Ag, K, Mg, Zn, Ca, H, F or O, else the first one."""
    present = atoms.get_chemical_symbols()
    return next((symbol for symbol in LIKELY_MOBILE if symbol in present), present[0])


@dataclass(frozen=True)
class Plan:
    """What a trajectory is: number, number and name of its structure, temperature (K), seed, mobile species."""

    index: int
    structure: int
    name: str
    temperature_K: float
    seed: int
    species: str

    def __str__(self) -> str:
        """Name, temperature and seed."""
        return f"{self.name}, {self.temperature_K:g} K, seed {self.seed}"


def plans(
    structures: Sequence[Atoms], temperatures_K: Sequence[float], seeds: Sequence[int], species: str | None
) -> list[Plan]:
    """All trajectories: structure by structure, then temperature by temperature, then seed by seed."""
    names = [atoms.info.get("name") or atoms.get_chemical_formula() for atoms in structures]
    names = [f"{name} ({names[:k].count(name) + 1})" if names.count(name) > 1 else name for k, name in enumerate(names)]
    found: list[Plan] = []
    for number, atoms in enumerate(structures):
        ion = species or mobile_species(atoms)
        for temperature in temperatures_K:
            for seed in seeds:
                found.append(Plan(len(found), number, names[number], float(temperature), int(seed), ion))
    return found


@dataclass(frozen=True, eq=False)
class DynamicsTrajectory:
    """A trajectory: its plan, state ("running", "finished" or "failed" with a reason) and frames at equal times."""

    plan: Plan
    state: str
    reason: str
    frame_interval_fs: float
    frames: list[Atoms] = field(repr=False)

    @property
    def length_fs(self) -> float:
        """Time from the first frame to the last."""
        return max(0, len(self.frames) - 1) * self.frame_interval_fs

    @property
    def n_ions(self) -> int:
        """How many mobile ions the cell holds."""
        return self.frames[0].get_chemical_symbols().count(self.plan.species) if self.frames else 0

    def msd(self, **options: Any) -> MSD:
        """Mean-squared displacement of the mobile ions; `options` go to `labkit.analysis.msd`."""
        options = {"species": self.plan.species, "wrapped": False} | options
        return msd(self.frames, frame_interval_fs=self.frame_interval_fs, **options)

    def diffusion(self, **options: Any) -> Diffusion:
        """Diffusion coefficient of the mobile ions; `options` go to `labkit.analysis.diffusion`."""
        return diffusion(self.msd(), **options)


def read_trajectories(run: Run, *, equilibration: bool) -> list[DynamicsTrajectory]:
    """See `labkit.simulators.batched_dynamics.trajectories`."""
    if run.kind != KIND:
        raise LabkitError(f"run {run.id} is a {run.kind}, not a {KIND}: use run.frames() for its trajectory.")
    parameters = run.task_dict["parameters"]
    structures = [from_dict(one) for one in parameters["structures"]]
    todo = plans(structures, parameters["temperatures_K"], parameters["seeds"], parameters.get("species"))
    timestep = float(parameters["timestep_fs"])
    start = 0.0 if equilibration else float(parameters["equilibration_steps"]) * timestep
    frames = sort_frames(FrameReader(run.folder / FRAMES), len(todo), start)
    ends = ends_of(run)
    found = []
    for plan, own in zip(todo, frames, strict=True):
        state, reason = ends.get(plan.index, ("running", ""))
        spacing = float(parameters["frame_interval"]) * timestep
        found.append(DynamicsTrajectory(plan, state, reason, spacing, own))
    return found


def sort_frames(reader: FrameReader, count: int, start_fs: float) -> list[list[Atoms]]:
    """The whole frames so far by trajectory, from the time `start_fs` on."""
    reader.poll()
    found: list[list[Atoms]] = [[] for _ in range(count)]
    for number in range(len(reader)):
        atoms = reader.read(number)
        if float(atoms.info["time_fs"]) >= start_fs - 1e-6:
            found[int(atoms.info["trajectory"])].append(atoms)
    return found


def early_end(state: str, reason: str) -> str:
    """The warning that belongs to the numbers of a trajectory that stopped as unstable; "" for any other state."""
    return f"the trajectory stopped early: {reason}" if state == "failed" else ""


def ends_of(run: Run) -> dict[int, tuple[str, str]]:
    """(state, reason) of the trajectories that are over, by number."""
    if "trajectories" not in run.tables():
        return {}
    rows = run.table("trajectories").itertuples()
    # An empty cell comes back as a NaN.
    return {int(row.trajectory): (row.state, row.reason if isinstance(row.reason, str) else "") for row in rows}
