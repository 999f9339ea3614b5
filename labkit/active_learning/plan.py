"""The fields of an active-learning loop that are not those of its training: what, where from, how many, until when."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from labkit.active_learning.levels import QualityLevel
from labkit.errors import InvalidTask
from labkit.runs import quantity
from labkit.structures import StructureField

WAYS = ("md", "adversarial", "random symmetric")
_ADDRESS = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")


class Plan(BaseModel):
    """What is explored, selected and labelled; the fields of an `ActiveLearning` that come before its training's."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    structures: list[StructureField] = Field(
        ["water"], description="The pool: where exploration starts", min_length=1, validate_default=True
    )
    levels: list[QualityLevel] = Field(
        [QualityLevel()],
        description="References in rising quality, each with its networks and thresholds",
        min_length=1,
    )
    initial: str = Field("", description="A labelled set to begin with, by name or path; empty: rattled copies")
    initial_labels: int = quantity(20, "structures", "Rattled copies of the pool that are labelled first", ge=4)
    rattle_A: float = quantity(0.1, "Å", "Typical displacement of an atom in a rattled copy", gt=0, le=2)
    strain: float = quantity(0.02, "", "Typical strain of the cell of a rattled crystal", ge=0, le=0.5)
    test: str = Field("", description="A held-out labelled set that every round is measured on, by name or path")
    explore: str = Field(
        "md",
        description="How new structures are found: md, adversarial, random symmetric, or module:function of your own",
        json_schema_extra={"suggestions": WAYS},
    )
    starts: int = quantity(
        1,
        "",
        "Trajectories of each structure at each temperature; attacks; crystals of each composition",
        ge=1,
        le=1000,
    )
    duration_fs: float = quantity(1000.0, "fs", "Length of an exploring trajectory", gt=0, label="Dynamics")
    timestep_fs: float = quantity(0.5, "fs", "Time step; 0.5 with hydrogen, 1 to 2 without", gt=0, le=10)
    sample_every_fs: float = quantity(20.0, "fs", "A structure is looked at every so often", gt=0)
    friction_per_ps: float = quantity(10.0, "1/ps", "Coupling of the dynamics to its heat bath", gt=0, le=1000)
    selection: Literal["threshold", "top-k", "farthest-point", "maxvol", "random"] = Field(
        "farthest-point", description="Which of the candidates are labelled; random looks at nothing"
    )
    labels_per_round: int = quantity(10, "labels", "Structures labelled in a round at most", ge=1, le=100_000)
    adaptive: bool = Field(
        False, description="Raise the lower threshold while there are more candidates than can be labelled"
    )
    members: int = quantity(4, "networks", "Size of the committee", ge=2, le=64)
    share: float = quantity(0.9, "", "Share of the data that each member is trained on, its own draw", gt=0, le=1)
    warm_start: bool = Field(True, description="Members continue from those of the round before")
    max_labels: int = quantity(1000, "labels", "Stop when so many labels are there", ge=4)
    target_eV_A: float | None = quantity(
        None, "eV/Å", "Stop when the force error is below this: of the test set, else of what is newly labelled", gt=0
    )
    processes: int = quantity(1, "processes", "Labels and explorations computed at once", ge=1, le=256)
    scheduler: str = Field("", description="Address of a Dask scheduler (tcp://...); empty: processes of this machine")
    timeout_s: float = quantity(3600.0, "s", "A label that takes longer is given up (wall time)", gt=0)
    device: str = Field("auto", description="auto, cpu or cuda")

    @field_validator("explore")
    @classmethod
    def _is_a_way(cls, explore: str) -> str:
        if explore not in WAYS and not _ADDRESS.fullmatch(explore):
            raise InvalidTask(
                f"{explore!r} is no way to explore; take {', '.join(WAYS)}, or the address module:function of yours."
            )
        return explore

    @model_validator(mode="after")
    def _plan_fits_together(self) -> Plan:
        if self.sample_every_fs < self.timestep_fs or self.duration_fs < self.sample_every_fs:
            raise InvalidTask(
                f"a trajectory of {self.duration_fs:g} fs in steps of {self.timestep_fs:g} fs cannot be sampled every "
                f"{self.sample_every_fs:g} fs: timestep_fs ≤ sample_every_fs ≤ duration_fs is needed."
            )
        if not self.initial and self.max_labels < self.initial_labels:
            raise InvalidTask(
                f"initial_labels ({self.initial_labels}) are more than max_labels ({self.max_labels}): nothing would "
                "be left to select."
            )
        return self
