"""The folder of one round: what each stage found out, complete or not there.

round.json has an entry for every stage that is done; frames lie beside it as extended xyz.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labkit.runs.atomic import read_json, write_file, write_json

if TYPE_CHECKING:
    from ase import Atoms

ROUNDS, NOTE = "rounds", "round.json"
EXPLORED, CANDIDATES, SELECTED, LABELS = "explored", "candidates.extxyz", "selected.extxyz", "labels"
COMMITTEE, MEMBERS, FORECAST = "committee", "members", "forecast.json"


class RoundFolder:
    """rounds/NNN of a run; made when it is first asked for."""

    def __init__(self, run_folder: Path, number: int) -> None:
        self.number = number
        self.path = run_folder / ROUNDS / f"{number:03d}"
        self.path.mkdir(parents=True, exist_ok=True)

    def done(self, stage: str) -> dict[str, Any] | None:
        """What the stage found out, None when it is not done."""
        return (read_json(self.path / NOTE) or {}).get(stage)

    def keep(self, stage: str, found: dict[str, Any]) -> None:
        """From now on the stage is done."""
        write_json(self.path / NOTE, {**(read_json(self.path / NOTE) or {}), "round": self.number, stage: found})

    def write_frames(self, name: str, frames: Sequence[Atoms]) -> None:
        """Replace a file of structures; positions carry 1e-10 Å, so what is used later is read back from here."""
        from labkit.runs.extxyz import write_frame

        data = b"".join(write_frame(atoms) for atoms in frames)
        write_file(self.path / name, lambda file: file.write(data))

    def read_frames(self, name: str) -> list[Atoms]:
        """The structures of a file, none when it is not there; without calculators."""
        return read_frames(self.path / name)


def read_frames(path: Path) -> list[Atoms]:
    """The structures that `RoundFolder.write_frames` wrote."""
    from labkit.runs import FrameReader

    reader = FrameReader(path)
    reader.poll()
    frames = [reader.read(index) for index in range(len(reader))]
    for atoms in frames:
        atoms.calc = None
    return frames
