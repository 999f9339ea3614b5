"""What can be wrong with labelled structures: errors that stop, and the warning that counts faulty records.

A label that is missing stops the reading at once; a label that is there but is not a number is kept, counted and
listed, because only the user can say whether the record may be left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from labkit.errors import LabkitError


class InvalidDataset(LabkitError, ValueError):
    """Labelled structures that cannot be used as they are; `reasons` lists every fault, one sentence each."""

    def __init__(self, reasons: str | Sequence[str]) -> None:
        self.reasons: list[str] = [reasons] if isinstance(reasons, str) else list(reasons)
        super().__init__("\n".join(self.reasons))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.reasons,)


class MissingLabel(InvalidDataset):
    """A label that was asked for and is not there; the message names the key, the record and the keys that are."""


class FaultyRecords(UserWarning):
    """A file was read, but some of its records hold what is not a number; `Dataset.faults()` lists them."""


class Fault(NamedTuple):
    """One faulty record: its index in the set and what is wrong with it."""

    index: int
    sentence: str


def listed(words: Sequence[object], limit: int = 20) -> str:
    """Return words as a list for a sentence, or "none"; what is beyond `limit` is counted."""
    shown = ", ".join(map(str, words[:limit])) or "none"
    return f"{shown}, ... ({len(words) - limit} more)" if len(words) > limit else shown
