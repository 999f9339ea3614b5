"""Reading the answer of `DynamicStability`: order parameters, critical temperatures, and the objects behind them.

Nothing is stored that the frames do not hold: descriptors are computed anew, so they can be had with other blocks too.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from ase import Atoms

from labkit.analysis.critical_temperature import CriticalTemperature, critical_temperature
from labkit.analysis.dynamic_stability import (
    StructuralDescriptor,
    displacements,
    left_places,
    structural_descriptor,
)
from labkit.errors import LabkitError
from labkit.runs import FrameReader, Run
from labkit.runs.folder import FRAMES
from labkit.simulators.batched_dynamics_trajectory import sort_frames
from labkit.structures.field import from_dict

if TYPE_CHECKING:
    from labkit.runs import RunContext
    from labkit.simulators.dynamic_stability import DynamicStability

KIND = "DynamicStability"


@dataclass(frozen=True, eq=False)
class StabilityPoint:
    """One trajectory: temperature, seed, descriptor, and the displacements u_i(t) (T, n, 3) in Å behind it.

    left_places: how many atoms are, on average, no longer at their places; with any of them the descriptor means
    nothing.
    """

    temperature_K: float
    seed: int
    descriptor: StructuralDescriptor
    displacements_A: np.ndarray = field(repr=False)
    left_places: int = 0


@dataclass(frozen=True, eq=False)
class Stability:
    """One crystal: ideal and distorted supercell (None where nothing lower was found), points by temperature."""

    name: str
    ideal: Atoms
    distorted: Atoms | None
    points: list[StabilityPoint]

    def critical_temperature(self) -> CriticalTemperature | None:
        """Where eta crosses one half; None without a distorted structure or with fewer than two temperatures.

        Trajectories whose atoms left their places do not count.
        """
        return crossing([(one.temperature_K, one.descriptor) for one in self.points if not one.left_places])


def crossing(points: list[tuple[float, StructuralDescriptor]]) -> CriticalTemperature | None:
    """The critical temperature of (temperature, descriptor) points; seeds at one temperature are averaged."""
    usable = [(T, one.order, one.order_error) for T, one in points if one.order is not None and one.order_error]
    temperatures = sorted({T for T, _, _ in usable})
    if len(temperatures) < 2:
        return None
    values, errors = [], []
    for T in temperatures:
        own = [(order, error) for t, order, error in usable if t == T]
        values.append(float(np.mean([order for order, _ in own])))
        errors.append(float(np.sqrt(sum(error**2 for _, error in own)) / len(own)))
    return critical_temperature(temperatures, values, errors)


def read(run: Run | Path | str, blocks: int | None = None) -> list[Stability]:
    """Return one `Stability` for each crystal of a `DynamicStability` run; also of a run whose dynamics still works.

    blocks: behind the errors; None takes those of the task. Raises LabkitError for a run of another kind, or one that
    has not come to its dynamics.
    """
    run = run if isinstance(run, Run) else Run(run)
    if run.kind != KIND:
        raise LabkitError(f"run {run.id} is a {run.kind}, not a {KIND}.")
    if not (run.folder / "stage-references.json").exists():
        raise LabkitError(f"run {run.id} has not found its distorted structures yet; wait for its dynamics.")
    parameters = run.task_dict["parameters"] | ({} if blocks is None else {"blocks": blocks})
    return _read(parameters, run.folder, run.json("stage-references")["crystals"])


def summaries(
    task: DynamicStability, context: RunContext, references: list[dict[str, Any]], ends: list[dict[str, Any]]
) -> dict[str, Any]:
    """The result of a run, and its table "stability"."""
    crystals, row = [], 0
    for number, one in enumerate(_read(task.model_dump(mode="json"), context.folder, references)):
        reference = references[number]
        own = [end for end in ends if end["structure"] == number]
        for point in one.points:
            context.row(
                "stability",
                row,
                structure=one.name,
                temperature_K=point.temperature_K,
                seed=point.seed,
                left_places=point.left_places,
                **{key: _number(value) for key, value in point.descriptor.to_dict().items()},
            )
            row += 1
        found = one.critical_temperature()
        crystals.append(
            {key: value for key, value in reference.items() if key not in ("ideal", "distorted")}
            | {
                "critical_temperature": None if found is None else found.to_dict(),
                "text": _sentence(reference, found) + _left(one),
                "points": [
                    {
                        "temperature_K": p.temperature_K,
                        "seed": p.seed,
                        "left_places": p.left_places,
                        **p.descriptor.to_dict(),
                    }
                    for p in one.points
                ],
                "stopped_early": [f"{end['temperature_K']:g} K: {end['reason']}" for end in own if end["reason"]],
            }
        )
    return {"crystals": crystals}


def _read(parameters: dict[str, Any], folder: Path, references: list[dict[str, Any]]) -> list[Stability]:
    temperatures, seeds = parameters["temperatures_K"], parameters["seeds"]
    each = len(temperatures) * len(seeds)
    start = float(parameters["equilibration_steps"]) * float(parameters["timestep_fs"])
    frames = sort_frames(FrameReader(folder / FRAMES), each * len(references), start)
    blocks = int(parameters["blocks"])
    result = []
    for number, one in enumerate(references):
        ideal = from_dict(one["ideal"])
        distorted = None if one["distorted"] is None else from_dict(one["distorted"])
        points = []
        for k in range(each):
            own = frames[number * each + k]
            if len(own) < 5 * blocks:
                continue
            moved = displacements(own, ideal)
            found = structural_descriptor(moved, ideal, distorted, blocks=blocks)
            away = int(left_places(found.mean_displacements_A, ideal, distorted).sum())
            T, seed = float(temperatures[k // len(seeds)]), seeds[k % len(seeds)]
            points.append(StabilityPoint(T, seed, found, moved, away))
        result.append(Stability(one["name"], ideal, distorted, points))
    return result


def _sentence(reference: dict[str, Any], found: CriticalTemperature | None) -> str:
    name, modes = reference["name"], reference["frequencies_THz"]
    if not modes:
        return f"{name} has no unstable mode in this supercell: it is stable at 0 K with this potential."
    if reference["distorted"] is None:
        return f"{name} has {len(modes)} unstable modes, but no structure along them is lower by enough to count."
    gained = (
        f"{name} gains {reference['gain_meV_atom']:.1f} meV/atom by its distortion (D_0 = {reference['D0_A']:.3f} Å)"
    )
    return f"{gained}. {found.text if found else 'More temperatures are needed for a crossing.'}"


def _left(one: Stability) -> str:
    gone = [point for point in one.points if point.left_places]
    if not gone:
        return ""
    most = max(gone, key=lambda point: point.left_places)
    temperatures = ", ".join(f"{T:g}" for T in sorted({point.temperature_K for point in gone}))
    return (
        f" At {temperatures} K atoms left their places (up to {most.left_places} of {len(one.ideal)}: they hop, "
        "diffuse or melt), and these trajectories do not count."
    )


def _number(value: float | None) -> float:
    return float("nan") if value is None else value
