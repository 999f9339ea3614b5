"""The few errors that labkit raises on purpose.

Each message names the input, the offending value, the limit and the next step, so that it can be shown beside the
control that caused it.
"""

from collections.abc import Sequence
from typing import Any


class LabkitError(Exception):
    """Base of every error that labkit raises on purpose."""


class InvalidStructure(LabkitError, ValueError):
    """A structure that must not be simulated; `reasons` lists every fault found, one sentence each."""

    def __init__(self, reasons: str | Sequence[str]) -> None:
        self.reasons: list[str] = [reasons] if isinstance(reasons, str) else list(reasons)
        super().__init__("\n".join(self.reasons))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.reasons,)


class UnreadableFile(InvalidStructure):
    """A file that cannot be read as atoms; `frames` holds the readable part of a truncated trajectory."""

    def __init__(self, reasons: str | Sequence[str], frames: Sequence[Any] = ()) -> None:
        super().__init__(reasons)
        self.frames = list(frames)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.reasons, self.frames)


class UnsupportedElement(InvalidStructure):
    """An element that the chosen potential was never trained on."""


class BudgetExceeded(LabkitError, ValueError):
    """Work that is larger than the budget: it must be asked for with a larger one."""


class UnstableDynamics(LabkitError):
    """A trajectory that left physics; names the atom (index or None), the step and the cause."""

    def __init__(self, message: str, atom: int | None = None, step: int | None = None, cause: str = "") -> None:
        super().__init__(message)
        self.atom, self.step, self.cause = atom, step, cause

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.args[0], self.atom, self.step, self.cause)


class NotConverged(LabkitError):
    """An iteration that reached its limit before its criterion."""


class InvalidTask(LabkitError, ValueError):
    """A task whose parameters cannot be read or do not fit together."""


class RunFailed(LabkitError):
    """A run that ended without a result."""


class RunLocked(LabkitError):
    """A run that another process owns."""


class RunCancelled(LabkitError):
    """A run that was stopped on request."""
