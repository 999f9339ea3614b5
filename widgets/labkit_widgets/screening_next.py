"""The campaign after a campaign: the same stages for the candidates that were chosen."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ase import Atoms

from labkit.errors import LabkitError
from labkit.runs import Run
from labkit.runs.atomic import read_json
from labkit.screening import Screening


def next_task(folder: Path, run: Run | None, structures: Sequence[Atoms]) -> Screening:
    """Return a `Screening` of `structures` with the stages and settings of the campaign in `folder`.

    Raises LabkitError without structures, and for stages that only lived in a notebook.
    """
    if not structures:
        raise LabkitError("no candidate is ticked: tick those that the next campaign is to have.")
    old = run.task if run is not None else None
    if isinstance(old, Screening):
        kept = {name: getattr(old, name) for name in type(old).model_fields}
        return Screening(**{**kept, "candidates": list(structures), "frames": "", "substitutions": []})
    plan = (read_json(folder / "campaign.json") or {}).get("stages", [])
    stages = [{key: one[key] for key in ("name", "parameters", "label")} for one in plan]
    return Screening(candidates=list(structures), stages=stages)
