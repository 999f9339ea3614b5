"""Did the barriers come nearer to the teacher's? One row for each band, and one number before and after.

The teacher's own paths are the measure where it is cheap enough to have them; its labels along the student's path are
there in any case.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from labkit.datasets import Dataset
    from labkit.simulators.neb_path import MinimumEnergyPath

STUDENT, TUNED, TEACHER = "student", "tuned", "teacher"
WHO = (STUDENT, TUNED, TEACHER)


def barrier_rows(
    paths: Mapping[str, Sequence[MinimumEnergyPath]], labels: Dataset | None = None
) -> list[dict[str, Any]]:
    """Return a row for each band: forward and backward barriers (eV) of the student, the tuned student and the teacher.

    paths: by the names in `WHO`, those that are missing give NaN, and so does a path that is not converged.
    labels: of the student's images (`band`, `image`, `kind` in `atoms.info`); the highest of them above the first and
    above the last is the teacher's barrier along the student's path, `teacher_on_student_path_eV`.
    """
    rows = []
    for band, path in enumerate(paths[STUDENT]):
        row: dict[str, Any] = {"band": band, "name": path.name, "hop_A": path.hop_A}
        for who in WHO:
            one = paths[who][band] if who in paths else None
            good = one is not None and one.state == "converged"
            row |= {
                f"{who}_state": "" if one is None else one.state,
                f"{who}_forward_eV": one.forward_eV if good else float("nan"),
                f"{who}_backward_eV": one.backward_eV if good else float("nan"),
            }
        row["teacher_on_student_path_eV"] = _labelled_barrier(labels, band, path.saddle)
        rows.append(row)
    return rows


def _labelled_barrier(labels: Dataset | None, band: int, saddle: int) -> float:
    """The highest label along the student's path minus that of its first image; NaN where one of the two images that
    the student's own barrier is made of, the first and the `saddle`, has none.
    """
    energies = {
        int(one.atoms.info["image"]): one.energy
        for one in labels or ()
        if one.atoms.info.get("kind") == "path" and one.atoms.info.get("band") == band
    }
    if not {0, saddle} <= energies.keys():
        return float("nan")
    return float(max(energies.values()) - energies[0])


def barrier_rmse_eV(rows: Sequence[Mapping[str, Any]], who: str) -> float:
    """Root mean square difference (eV) between the barriers of `who` and the teacher's, forward and backward, over the
    bands on which student, tuned student and teacher all converged; NaN when there is none.
    """
    differences = [
        row[f"{who}_{way}_eV"] - row[f"{TEACHER}_{way}_eV"]
        for row in rows
        for way in ("forward", "backward")
        if np.isfinite([row[f"{one}_{way}_eV"] for one in WHO]).all()
    ]
    return float(np.sqrt(np.mean(np.square(differences)))) if differences else float("nan")


def summary(tables: Mapping[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """What a run returns of its tables "barriers", "labels" and "forgetting"; JSON without NaN."""
    from labkit.training.report import finite

    rows, lost = tables["barriers"], [row["forces_change_percent"] for row in tables["forgetting"]]
    return finite(
        {
            "barriers": rows,
            "rmse_before_eV": barrier_rmse_eV(rows, STUDENT),
            "rmse_after_eV": barrier_rmse_eV(rows, TUNED),
            "label_errors": tables["labels"],
            "forgetting": tables["forgetting"],
            "forces_change_percent": float(np.mean(lost)) if lost else None,
        }
    )
