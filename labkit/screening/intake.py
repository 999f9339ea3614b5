"""The candidates of a campaign, written once into its folder: a file that is read one structure at a time.

Structures that cannot be read become candidates too, with the reason, so that nothing that was handed in is missing
from the table.
"""

from __future__ import annotations

import csv
import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from ase import Atoms

from labkit.errors import InvalidStructure, InvalidTask
from labkit.runs.atomic import sync_folder
from labkit.runs.extxyz import read_frame, write_frame
from labkit.runs.frames import FrameReader
from labkit.screening.fingerprint import KEPT_ARRAYS, KEPT_INFO, Fingerprint

if TYPE_CHECKING:
    from labkit.structures.substitution import Substitution

CANDIDATES, LIST, SUM = "candidates.extxyz", "candidates.csv", "candidates.sha1"
COLUMNS = ("candidate", "name", "formula", "parent", "origin", "fault")
#: Files that hold many structures and are read one by one.
STREAMED = (".extxyz", ".xyz", ".traj", ".db")
STRUCTURES = (".cif", ".vasp", ".poscar", *STREAMED)
MAX_FAULT = 180
#: How often somebody who wants to stop is listened to.
HOLD_S = 0.2


def write_candidates(
    folder: Path,
    candidates: Iterable[Any] | None,
    substitutions: Sequence[Substitution] = (),
    *,
    keep_parents: bool = True,
    stopped: Callable[[], bool] = lambda: False,
) -> int:
    """Write what is to be screened into `folder`, unless it is there already; returns how many there are.

    Each substitution is applied to each candidate; those that it does not fit are left alone. candidates: None for
    those that are there. stopped() is asked while this goes on: it raises to end it, true holds it. Raises InvalidTask
    when there is nothing to screen, or when the folder holds other candidates.
    """
    rules = [rule.model_dump_json() for rule in substitutions]
    sums = Fingerprint(*rules, str(bool(keep_parents or not rules)))
    given = sums.of(_atoms(one) for one in candidates or ())
    if (folder / CANDIDATES).exists():
        if candidates is not None and (folder / SUM).exists():
            deque(_unless(stopped, given), maxlen=0)
            if sums.text != (folder / SUM).read_text(encoding="utf-8").strip():
                raise InvalidTask(
                    f"{folder} holds a campaign of other candidates; give the same candidates and substitutions, in "
                    "the same order, to go on with it, or another folder."
                )
    else:
        frames, names = folder / f".{CANDIDATES}.tmp", folder / LIST
        with frames.open("wb") as file, names.open("w", encoding="utf-8", newline="") as table:
            writer = csv.writer(table, lineterminator="\n")
            writer.writerow(COLUMNS)
            number = 0
            for atoms, parent, origin in _unless(stopped, _grown(given, substitutions, keep_parents)):
                fault = str(atoms.info.get("fault", "" if len(atoms) else "it has no atoms"))
                name = " ".join(str(atoms.info.get("name") or atoms.get_chemical_formula("metal")).split())[:120]
                lean = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc, info={"name": name})
                for key in KEPT_ARRAYS:
                    if key in atoms.arrays:
                        lean.set_array(key, atoms.arrays[key])
                for key in (*KEPT_INFO, "source"):
                    if key in atoms.info:
                        lean.info[key] = atoms.info[key]
                file.write(write_frame(lean))
                writer.writerow([number, name, atoms.get_chemical_formula("metal"), parent(number), origin, fault])
                number += 1
            file.flush()
            os.fsync(file.fileno())
        if not number:
            frames.unlink()
            raise InvalidTask("there is not a single candidate: give structures, a file, or substitutions that fit.")
        (folder / SUM).write_text(sums.text + "\n", encoding="utf-8")
        frames.replace(folder / CANDIDATES)
        sync_folder(folder)
    return len(CandidateFile(folder / CANDIDATES))


def _unless(stopped: Callable[[], bool], found: Iterable[Any]) -> Iterator[Any]:
    """What is `found`; now and then `stopped` is asked first."""
    asked = 0.0
    for one in found:
        while time.monotonic() > asked + HOLD_S and stopped():
            time.sleep(HOLD_S)
        if time.monotonic() > asked + HOLD_S:
            asked = time.monotonic()
        yield one


class CandidateFile(FrameReader):
    """The structures of a campaign, or those that its stages made, one at a time."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.poll()

    def text(self, index: int) -> str:
        """Structure `index` as it lies in the file; raises IndexError when there is none."""
        if index >= len(self):
            self.poll()
        if not 0 <= index < len(self):
            raise IndexError(f"structure {index} was asked for, but {self.path.name} has {len(self)}.")
        return self._bytes(index).decode()

    def atoms(self, index: int) -> Atoms:
        """Structure `index`."""
        return read_frame(self.text(index).encode())


def read_list(folder: Path) -> Iterator[dict[str, str]]:
    """The lines of the list of candidates: candidate, name, formula, parent, origin, fault."""
    with (folder / LIST).open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def structures_of(source: str | Path) -> Iterator[Atoms]:
    """The structures of a file, of all files of a folder, or of a shipped data set, one after the other.

    What cannot be read comes as an empty structure with info["fault"]. Raises InvalidTask when there is no such source.
    """
    path = Path(source)
    if path.is_dir():
        files = sorted(one for one in path.iterdir() if one.suffix.lower() in STRUCTURES or "POSCAR" in one.name)
        if not files:
            raise InvalidTask(f"the folder {path} holds no structure file ({', '.join(STRUCTURES)}).")
        for one in files:
            yield from _of_file(one)
    elif path.is_file():
        yield from _of_file(path)
    else:
        from labkit import datasets

        try:
            found = datasets.load(str(source), require=(), mix_levels=True)
        except Exception as error:
            raise InvalidTask(
                f"{source} is neither a file, nor a folder of structure files, nor a shipped data set ({error})."
            ) from error
        yield from found.structures()


def _of_file(path: Path) -> Iterator[Atoms]:
    if path.suffix.lower() in STREAMED:
        import ase.io

        number = -1
        try:
            for number, atoms in enumerate(ase.io.iread(path, index=":")):
                atoms.info.setdefault("name", f"{path.stem} {number}")
                yield atoms
        except Exception as error:  # a torn or foreign file may raise anything
            yield _faulty(f"{path.stem} {number + 1}", f"{path.name} cannot be read any further: {error}")
        return
    from labkit import structures

    try:
        yield from structures.read_frames(path, min_distance_A=0)
    except InvalidStructure as error:
        yield _faulty(path.stem, str(error))


def _faulty(name: str, reason: str) -> Atoms:
    return Atoms(info={"name": name, "fault": " ".join(reason.split())[:MAX_FAULT]})


def _grown(
    candidates: Iterable[Atoms], rules: Sequence[Substitution], keep_parents: bool
) -> Iterator[tuple[Atoms, Any, str]]:
    """Each candidate and what the rules make of it: structure, number of its parent (a function of its own), origin."""
    for atoms in candidates:
        kept = None

        def parent_is(number: int) -> str:
            nonlocal kept
            kept = number
            return ""

        if keep_parents or not rules:
            yield atoms, parent_is, str(atoms.info.get("source", "given"))[:200]
        if atoms.info.get("fault"):
            continue
        for rule in rules:
            try:
                children = rule.apply(atoms)
            except Exception as error:  # one rule that a package trips over must not cost all other candidates
                if not rule.fits(atoms):
                    continue
                what = str(error) if isinstance(error, InvalidStructure) else f"{type(error).__name__}: {error}"
                children = [_faulty(f"{atoms.info.get('name', 'candidate')} {rule.label()}", what)]
            for child in children:
                yield child, lambda _, kept=kept: "" if kept is None else str(kept), rule.label()


def _atoms(given: Any) -> Atoms:
    if isinstance(given, Atoms):
        if not np.isfinite(given.positions).all() or not np.isfinite(given.cell.array).all():
            return _faulty(str(given.info.get("name") or given.symbols), "a position or the cell is not a number")
        return given
    from labkit.structures import as_structure

    try:
        return as_structure(given)
    except InvalidStructure as error:
        return _faulty(str(given)[:60], str(error))
