"""Everything that a campaign of bands has to know to go on: numbers into a checkpoint and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from labkit.errors import LabkitError
from labkit.simulators.neb_optimiser import BandOptimiser

if TYPE_CHECKING:
    from labkit.simulators.neb_ends import EndState
    from labkit.simulators.neb_engine import Engine

_MEMBER = ("stage", "state", "reason", "steps", "climbing", "verified", "max_force", "first_force")
_END = ("state", "reason", "steps", "energy")
_ARRAYS = ("positions", "start", "energies", "forces")
#: Start positions (Å) of an end state that count as those of the checkpoint.
SAME_A = 1e-3


def store(engine: Engine) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """(arrays, state) of an engine between two steps; bands whose paths it has leave only their names behind.

    A band that is over and has no path yet (a Stop came in the step in which it converged) is stored whole.
    """
    arrays: dict[str, np.ndarray] = {}
    ends, members = [], []
    for end in engine.ends.all:
        said = {key: getattr(end, key) for key in _END}
        ends.append({**said, "kind": _kind(end), "optimiser": _numbers(end.optimiser)})
        arrays[f"end{end.index}_start"] = end.start.positions
        if end.state != "waiting":
            arrays |= {f"end{end.index}_positions": end.positions, f"end{end.index}_forces": end.forces}
            if end.state == "active":
                arrays |= _memory(f"end{end.index}", end.optimiser)
    for member in engine.members:
        said = {key: getattr(member, key) for key in _MEMBER}
        said |= {"mirrored": member.mirror is not None, "optimiser": _numbers(member.optimiser)}
        members.append(said)
        if member.index not in engine.paths and len(member.positions):
            arrays |= {f"band{member.index}_{key}": getattr(member, key) for key in _ARRAYS}
            arrays |= _memory(f"band{member.index}", member.optimiser)
    return arrays, {
        "steps": engine.steps,
        "ends": ends,
        "members": members,
        "unmirrored": list(engine.unmirrored),
        "batch": engine.batch.state(),
    }


def restore(engine: Engine, arrays: dict[str, np.ndarray], state: dict[str, Any]) -> None:
    """Put a new engine of the same task where `store` left the old one.

    Raises LabkitError when the end states are not those of the checkpoint.
    """
    engine.steps = state["steps"]
    engine.batch.restore(state["batch"])
    for index in state["unmirrored"]:  # in this order, which numbers the end states that were added late
        engine.unmirror(engine.members[index])
    _check(engine, arrays, state)
    for member, said in zip(engine.members, state["members"], strict=True):
        if not said["mirrored"]:
            member.mirror = None
        for key in _MEMBER:
            setattr(member, key, said[key])
        if f"band{member.index}_positions" in arrays:
            for key in _ARRAYS:
                setattr(member, key, arrays[f"band{member.index}_{key}"])
            member.optimiser = _optimiser(f"band{member.index}", arrays, said["optimiser"])
    for end, said in zip(engine.ends.all, state["ends"], strict=True):
        for key in _END:
            setattr(end, key, said[key])
        if end.state != "waiting":
            end.positions, end.forces = arrays[f"end{end.index}_positions"], arrays[f"end{end.index}_forces"]
            end.optimiser = _optimiser(f"end{end.index}", arrays, said["optimiser"])


def _check(engine: Engine, arrays: dict[str, np.ndarray], state: dict[str, Any]) -> None:
    ends = engine.ends.all
    same = len(ends) == len(state["ends"])
    for end, said in zip(ends, state["ends"], strict=False):
        start = arrays[f"end{end.index}_start"]
        same = same and _kind(end) == said["kind"] and start.shape == end.start.positions.shape
        same = same and bool(np.abs(start - end.start.positions).max() <= SAME_A)
    if not same:
        raise LabkitError(
            "the end states of these bands are not those of the checkpoint; start a new run with the bands as they are."
        )


def _kind(end: EndState) -> list[Any]:
    """Formula and cell parameters (Å, degrees), as JSON gives them back."""
    return [end.start.get_chemical_formula(), [float(value) for value in end.start.cell.cellpar().round(3)]]


def _memory(name: str, optimiser: BandOptimiser) -> dict[str, np.ndarray]:
    kept = {}
    if optimiser.moves:
        kept |= {f"{name}_moves": np.array(optimiser.moves), f"{name}_changes": np.array(optimiser.changes)}
    if optimiser.last_move is not None and optimiser.last_forces is not None:
        kept |= {f"{name}_last": np.array([optimiser.last_move, optimiser.last_forces])}
    if optimiser.away is not None:
        kept[f"{name}_away"] = optimiser.away
    return kept


def _numbers(optimiser: BandOptimiser) -> dict[str, float]:
    return {key: getattr(optimiser, key) for key in ("limit_A", "curvature", "patience", "smallest")}


def _optimiser(name: str, arrays: dict[str, np.ndarray], numbers: dict[str, float]) -> BandOptimiser:
    optimiser = BandOptimiser(**numbers, away=arrays.get(f"{name}_away"))
    optimiser.moves = list(arrays.get(f"{name}_moves", []))
    optimiser.changes = list(arrays.get(f"{name}_changes", []))
    if f"{name}_last" in arrays:
        optimiser.last_move, optimiser.last_forces = arrays[f"{name}_last"]
    return optimiser
