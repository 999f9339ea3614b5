"""The second leg of the dual method: the activation energy that dynamics shows, beside the barriers of the paths.

A barrier belongs to one hop, an activation energy to all that happens; where they differ, ions move together, or the
dynamics is too hot or too short for the mechanism.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from labkit.runs import Run
    from labkit.simulators.batched_dynamics_trajectory import DynamicsTrajectory
    from labkit.simulators.neb_path import MinimumEnergyPath

_NORMAL = 1.96


def compare_with_dynamics(
    barriers: Mapping[str, float] | Sequence[MinimumEnergyPath], run: Run | Path | str, *, doubtful: bool = False
) -> list[dict[str, Any]]:
    """Return a row for each structure of a `BatchedDynamics` run: its activation energy beside the barriers.

    barriers: eV by name, or paths, of which the higher of both directions counts for a path that converged; a minimax
    barrier of `HopNetwork.percolation` is the fairest. Columns: structure, temperatures, low_K, high_K,
    md_activation_eV with md_error_eV (one standard error), and for each barrier `<name>_eV`,
    `<name>_difference_eV` (dynamics minus barrier) and `<name>_agrees`, whether the 95 % interval holds the
    barrier (None without an activation energy).
    `reason` says why a structure has no activation energy: fewer than two temperatures with a D that may be trusted;
    `doubtful` fits through the others too. Trajectories that stopped as unstable count in neither case.

    Raises ValueError when there is no barrier, LabkitError for a run of another kind.
    """
    from labkit.simulators.batched_dynamics import trajectories

    known = _known(barriers)
    if not known:
        raise ValueError("there is no barrier to compare with: none of the paths converged.")
    structures: dict[str, list[DynamicsTrajectory]] = {}
    for one in trajectories(run):
        structures.setdefault(one.plan.name, []).append(one)
    return [{"structure": name, **_row(known, some, doubtful)} for name, some in structures.items()]


def _known(barriers: Mapping[str, float] | Sequence[MinimumEnergyPath]) -> dict[str, float]:
    if isinstance(barriers, Mapping):
        return {str(name): float(value) for name, value in barriers.items() if np.isfinite(value)}
    return {
        path.name or f"path {number + 1}": max(path.forward_eV, path.backward_eV)
        for number, path in enumerate(barriers)
        if path.state == "converged"
    }


def _row(barriers: Mapping[str, float], trajectories: Sequence[DynamicsTrajectory], doubtful: bool) -> dict[str, Any]:
    from labkit.analysis.framework import framework_motion
    from labkit.analysis.transport import arrhenius_of, pooled, transport_point

    row: dict[str, Any] = {"temperatures": 0, "low_K": np.nan, "high_K": np.nan}
    row |= {"md_activation_eV": np.nan, "md_error_eV": np.nan, "reason": ""}
    points = []
    stable = [one for one in trajectories if one.state != "failed"]
    try:
        for one in stable:
            if len(one.frames) > 1:
                cell = {"n_ions": one.n_ions, "volume_A3": float(one.frames[0].get_volume())}
                times = {"frame_interval_fs": one.frame_interval_fs, "wrapped": False}
                points.append(
                    transport_point(
                        one.diffusion(),
                        name=one.plan.name,
                        temperature_K=one.plan.temperature_K,
                        length_ps=one.length_fs / 1000,
                        framework=framework_motion(one.frames, one.plan.species, **times).warning,
                        **cell,
                    )
                )
        line = arrhenius_of(pooled(points), doubtful=doubtful)
    except ValueError as error:  # too few temperatures, or trajectories too short for a diffusion coefficient
        lost = len(trajectories) - len(stable)
        row["reason"] = str(error)
        if lost:
            row["reason"] += f" {lost} of {len(trajectories)} trajectories stopped as unstable."
    else:
        row |= {
            "temperatures": len(line.temperatures_K),
            "low_K": min(line.temperatures_K),
            "high_K": max(line.temperatures_K),
            "md_activation_eV": line.activation_energy_eV,
            "md_error_eV": line.activation_energy_error_eV,
        }
    for name, barrier in barriers.items():
        difference = row["md_activation_eV"] - barrier
        row |= {
            f"{name}_eV": barrier,
            f"{name}_difference_eV": difference,
            f"{name}_agrees": bool(abs(difference) <= _NORMAL * row["md_error_eV"])
            if np.isfinite(difference)
            else None,
        }
    return row
