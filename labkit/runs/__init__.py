"""Long work: a `Task` says what to do, a `Run` is its folder, a `Store` keeps the folders.

A run is a child process that writes a folder a person can read; whoever opens the folder sees the same run.
"""

from labkit.runs.context import RunContext
from labkit.runs.explain import problems
from labkit.runs.quantity import quantity
from labkit.runs.run import Run
from labkit.runs.status import ACTIVE, FINAL, STATES, RunStatus
from labkit.runs.store import Store
from labkit.runs.task import Task, load_task

__all__ = [
    "ACTIVE",
    "FINAL",
    "STATES",
    "FrameReader",
    "Run",
    "RunContext",
    "RunStatus",
    "Store",
    "Task",
    "load_task",
    "problems",
    "quantity",
]


def __getattr__(name: str) -> object:
    if name == "FrameReader":  # brings ASE along, which a launch does not need
        from labkit.runs.frames import FrameReader

        return FrameReader
    raise AttributeError(name)
