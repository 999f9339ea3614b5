"""The labels of a folder: each one is on the disk, forced, before anything else happens with it.

labelled.extxyz only grows, failed/ holds what could not be labelled and why; whoever opens the folder again knows what
is done, also after a kill in the middle of a line.
"""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from labkit.datasets.dataset import Dataset
from labkit.datasets.labels import Keys, to_record
from labkit.datasets.read_extxyz import read_extxyz
from labkit.datasets.record import Record
from labkit.datasets.write import frame
from labkit.references.label_worker import CPU_S, INDEX, parse
from labkit.runs.atomic import read_json, write_file, write_json
from labkit.runs.frames import FrameReader
from labkit.structures import MAX_ATOMS

LABELLED, FAILED = "labelled.extxyz", "failed"


@dataclass(frozen=True)
class Labelled:
    """A label in one line. structure: its index; max_force_eV_A: the largest force on an atom, NaN without forces."""

    structure: int
    energy_eV_atom: float
    max_force_eV_A: float
    cpu_s: float


@dataclass(frozen=True)
class Failure:
    """A structure without a label: its index, the class of the error, and the sentence."""

    structure: int
    kind: str
    reason: str


class LabelStore:
    """The only writer of the labels in `folder`."""

    def __init__(self, folder: Path) -> None:
        """Open the folder, cutting off a torn last label."""
        self.path, self.failed_folder = folder / LABELLED, folder / FAILED
        end, records = _whole(self.path)
        self.labels = [_line(record) for record in records]
        self.failures = _failures(self.failed_folder)
        self._file = self.path.open("ab", buffering=0)
        self._file.truncate(end)

    @property
    def known(self) -> set[int]:
        """The indices of the structures that need no further work."""
        return {one.structure for one in (*self.labels, *self.failures)}

    def add(self, text: str) -> Labelled:
        """Keep one labelled frame; raises OSError when the disk is full."""
        found = _line(parse(text))
        rest = memoryview(text.encode())
        while rest:
            rest = rest[self._file.write(rest) :]
        os.fsync(self._file.fileno())
        self.labels.append(found)
        return found

    def fail(self, index: int, atoms: Atoms, kind: str, reason: str) -> Failure:
        """Keep a structure that has no label: failed/000012.extxyz beside failed/000012.json with the reason."""
        self.failed_folder.mkdir(exist_ok=True)
        found = Failure(index, kind, reason)
        if len(atoms):
            text = frame(Record(atoms)).encode()
            write_file(self.failed_folder / f"{index:06d}.extxyz", lambda file: file.write(text))
        values = {**vars(found), "order": len(self.failures), "formula": atoms.get_chemical_formula()}
        write_json(self.failed_folder / f"{index:06d}.json", values)
        self.failures.append(found)
        return found

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def read_labelled(folder: Path, name: str = "labelled") -> Dataset:
    """The labels of `folder` so far, in the order of their structures; also while they are being written."""
    records = sorted(_whole(folder / LABELLED)[1], key=lambda record: record.atoms.info[INDEX])
    return Dataset(records, name, provenance=f"labelled by labkit in {folder.name}")


def read_failures(folder: Path) -> list[Failure]:
    """What could not be labelled so far."""
    return _failures(folder / FAILED)


def _whole(path: Path) -> tuple[int, list[Record]]:
    """The byte at which the last whole frame ends, and the records up to there."""
    reader = FrameReader(path)
    reader.poll()
    if not reader.end:
        return 0, []
    with path.open("rb") as file:
        lines = io.StringIO(file.read(reader.end).decode())
    keys = Keys(require=("energy",))
    return reader.end, [to_record(raw, keys, path.name) for raw in read_extxyz(lines, path.name, keys, MAX_ATOMS)]


def _failures(folder: Path) -> list[Failure]:
    said: list[dict[str, Any]] = [read_json(path) or {} for path in folder.glob("*.json")]
    said.sort(key=lambda one: one["order"])
    return [Failure(one["structure"], one["kind"], one["reason"]) for one in said]


def _line(record: Record) -> Labelled:
    info = record.atoms.info
    force = float("nan") if record.forces is None else float(np.linalg.norm(record.forces, axis=1).max())
    return Labelled(int(info[INDEX]), record.energy / len(record), force, float(info[CPU_S]))
