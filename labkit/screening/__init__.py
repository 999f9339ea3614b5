"""Many candidates through a funnel of stages, on one machine or a cluster: what came through, what did not, and why.

`Screening` is the task; `run_screening` the same as a function that also takes an executor and stages from a notebook.
Nothing here loads torch when imported.
"""

from labkit.screening.candidate import Candidate, Outcome, passed, rejected
from labkit.screening.stage import BUILT_IN, Member, Stage, StageSettings, stage_class
from labkit.screening.stages.composition import Composition
from labkit.screening.stages.geometry import Geometry
from labkit.screening.stages.hull import Hull
from labkit.screening.stages.ranking import Ranking
from labkit.screening.stages.relaxation import Relax
from labkit.screening.table import best, export, record, structure, table
from labkit.screening.task import Screening, run_screening

__all__ = [
    "BUILT_IN",
    "Candidate",
    "Composition",
    "Geometry",
    "Hull",
    "Member",
    "Outcome",
    "Ranking",
    "Relax",
    "Screening",
    "Stage",
    "StageSettings",
    "best",
    "export",
    "passed",
    "record",
    "rejected",
    "run_screening",
    "stage_class",
    "structure",
    "table",
]
