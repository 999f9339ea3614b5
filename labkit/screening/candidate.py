"""What a stage is given and what it answers: a structure with the values so far in, a verdict with new values out.

A stage is a function from `Candidate` to `Outcome`; everything else of a campaign is book-keeping around that.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from labkit.runs.atomic import plain
from labkit.runs.folder import safe_name

VERDICTS = ("passed", "rejected", "failed")


@dataclass(frozen=True)
class Candidate:
    """One structure on its way through the funnel.

    index: its number in the campaign. atoms: as the last stage that changed it left it. values: what all stages before
    found, by name. scratch: a folder for this stage, kept over a resume, which the stage makes if it needs it; None
    where the worker does not see the disk of the campaign.
    """

    index: int
    name: str
    atoms: Atoms
    values: Mapping[str, Any] = field(default_factory=dict)
    scratch: Path | None = None


@dataclass(frozen=True)
class Outcome:
    """What a stage says of a candidate.

    verdict: passed, rejected (the physics says no) or failed (nothing can be said); the latter two need a reason.
    values: numbers and short texts, units in their names. atoms: the structure for the stages that follow, if it
    changed. files: texts by file name, kept in the candidate's own folder. Raises ValueError or TypeError for what
    cannot be kept.
    """

    verdict: str = "passed"
    reason: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
    atoms: Atoms | None = None
    files: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.verdict not in VERDICTS:
            raise ValueError(f"a verdict is one of {', '.join(VERDICTS)}, not {self.verdict!r}.")
        if self.verdict != "passed" and not self.reason:
            raise ValueError(f"{self.verdict} needs a reason: one sentence for the table.")
        for name, text in self.files.items():
            if not isinstance(name, str) or not isinstance(text, str):
                raise TypeError(f"files are texts by file name; {name!r} is a {type(text).__name__}: write it as text.")
            safe_name(name)
            text.encode()  # half a character cannot be written


def passed(atoms: Atoms | None = None, files: Mapping[str, str] | None = None, **values: Any) -> Outcome:
    """The candidate goes on, with new `values`, and with `atoms` instead of its structure if they are given."""
    return Outcome("passed", "", values, atoms, files or {})


def rejected(reason: str, **values: Any) -> Outcome:
    """The candidate leaves the campaign for a `reason` that a reader of the table understands."""
    return Outcome("rejected", reason, values)


def as_outcome(answer: Any) -> Outcome:
    """An `Outcome` from what a user's function returned: an Outcome, a dict of values, True or False.

    Raises TypeError for anything else.
    """
    if isinstance(answer, Outcome):
        return answer
    if isinstance(answer, Mapping):
        return Outcome(values=dict(answer))
    if isinstance(answer, bool | np.bool_):
        return Outcome() if answer else Outcome("rejected", "the stage said no")
    raise TypeError(
        f"a stage returns an Outcome, a dict of values, True or False, not {type(answer).__name__}; "
        "see labkit.screening.passed and rejected."
    )


def jsonable(values: Mapping[str, Any]) -> dict[str, Any]:
    """`values` as JSON keeps them; what is not a finite number becomes None, since browsers do not read NaN.

    Raises TypeError, naming the value, for what JSON cannot hold.
    """
    return {str(key): _finite(value, key) for key, value in values.items()}


def _finite(value: Any, key: str) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, str | int | bool):
        return value
    if isinstance(value, list | tuple):
        return [_finite(one, key) for one in value]
    if isinstance(value, Mapping):
        return {str(name): _finite(one, key) for name, one in value.items()}
    try:
        return plain(value)
    except TypeError as error:
        raise TypeError(f"the value {key!r} cannot be kept: {error}") from error
