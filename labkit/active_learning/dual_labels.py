"""Labels of migration paths, from a teacher or from the user's own calculations, as one set of one level of theory.

Both enter by the same door: energies of two levels of theory have different zeros, so a set that mixes them is refused
before anything is learned from it.
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms
from ase.geometry import find_mic

from labkit.errors import InvalidTask, UnreadableFile

if TYPE_CHECKING:
    from labkit.datasets import Dataset, Record

#: Endings of the files that ASE reads for us; everything else goes to `labkit.datasets.read`.
_VASP = {".xml": "vasp-xml", ".outcar": "vasp-out"}
#: A file of VASP larger than this (bytes) is not opened.
MAX_BYTES = 500_000_000
#: Two structures whose atoms are all this near (Å) are one.
SAME_A = 0.01


def described(labels: Dataset, asked: Sequence[Atoms]) -> Dataset:
    """Return the labels of the structures `asked` with their band, image and kind in `atoms.info`, the kind as group.

    labels: as `labkit.references.labelled` gives them, with the index of its structure in `info["label_index"]`.
    """
    from labkit.datasets import Dataset

    records = []
    for record in labels:
        source = asked[record.atoms.info["label_index"]]
        atoms = record.atoms.copy()
        atoms.info |= {key: source.info[key] for key in ("band", "image", "kind")}
        records.append(replace(record, atoms=atoms, group=str(source.info["kind"])))
    return Dataset(records, labels.name, provenance=labels.provenance)


def matched(given: Dataset, asked: Sequence[Atoms]) -> Dataset:
    """Return the user's labels, with band, image and kind where one is of a structure that this run asks for."""
    from labkit.datasets import Dataset

    wanted = [atoms for atoms in asked if atoms.info["kind"] == "path"]
    records = []
    for record in given:
        atoms = record.atoms.copy()
        for key in ("band", "image", "kind"):
            atoms.info.pop(key, None)
        found = [image for image in wanted if _same(image, atoms)]
        for image in found:  # an end state may belong to several bands
            copy = atoms.copy()
            copy.info |= {key: image.info[key] for key in ("band", "image", "kind")}
            records.append(replace(record, atoms=copy, group=str(image.info["kind"])))
        if not found:
            records.append(replace(record, atoms=atoms, group=str(record.group)))
    return Dataset(records, given.name, provenance=given.provenance)


def _same(one: Atoms, other: Atoms) -> bool:
    """Whether both have the same atoms in the same order at the same places, up to vectors of the cell."""
    if len(one) != len(other) or (one.numbers != other.numbers).any():
        return False
    _, distances = find_mic(one.positions - other.positions, one.cell, one.pbc)
    return bool(distances.max() < SAME_A)


def read_labels(path: str | Path, level_of_theory: str, elements: Collection[str]) -> Dataset:
    """Return the user's own labelled structures, energies and forces in every one of them.

    path: what `labkit.datasets.read` opens (extxyz, an ASE database), or VASP's vasprun.xml or OUTCAR, all ionic steps
    of it. level_of_theory: what they were computed with, for a file that does not say so itself. elements: those of the
    migration paths.

    Raises InvalidTask for several levels of theory, for structures with elements that no path has, or when an element
    of the paths is in none of them; UnreadableFile or MissingLabel for a file without what is needed.
    """
    from labkit import datasets

    path = Path(path)
    if path.suffix.lower() in _VASP or path.name.upper().startswith("OUTCAR"):
        found = datasets.Dataset(_vasp(path, level_of_theory), path.name, provenance=f"file {path.name}")
    else:
        # Mixed levels are let in here, since the sentence below says what to do about them.
        found = datasets.read(path, level_of_theory="", mix_levels=True)
        unsaid = [record.level_of_theory for record in found if not record.level_of_theory]
        if level_of_theory and len(unsaid) == len(found):
            found = found.described(level_of_theory=level_of_theory)
    _refuse_mixture(found, path.name, level_of_theory)
    _refuse_elements(found, path.name, elements)
    found.refuse_faults()
    if not found.level_of_theory:
        found = found.described(level_of_theory=f"labels of {path.name}")
    return found


def _refuse_mixture(found: Dataset, name: str, stated: str) -> None:
    levels = [level or "not stated" for level in found.levels]
    if len(levels) > 1:
        counts = ", ".join(
            f"{sum((one.level_of_theory or 'not stated') == level for one in found)} of {level}" for level in levels
        )
        raise InvalidTask(
            f"{name} mixes levels of theory ({counts}), whose energies have different zeros; keep those of one level "
            "in a file of their own."
        )
    if stated and levels[0] != stated:
        raise InvalidTask(
            f"{name} states the level of theory {levels[0]}, and the task says {stated}; correct whichever is wrong."
        )


def _refuse_elements(found: Dataset, name: str, elements: Collection[str]) -> None:
    paths = ", ".join(sorted(elements))
    for number, record in enumerate(found):
        if foreign := sorted(set(record.atoms.symbols) - set(elements)):
            raise InvalidTask(
                f"structure {number} of {name} ({record.composition}) holds {', '.join(foreign)}, and the paths "
                f"consist of {paths}; label structures of these paths (images.extxyz of a run without a teacher)."
            )
    if lacking := sorted(set(elements) - found.elements):
        raise InvalidTask(
            f"no structure of {name} holds {', '.join(lacking)}, and the paths consist of {paths}; nothing could be "
            "learned about the rest. Label structures of these paths."
        )


def _vasp(path: Path, level_of_theory: str) -> list[Record]:
    from ase.io import read

    from labkit.datasets import Record

    if not path.is_file():
        raise UnreadableFile(f"{path.name} is not a file that can be opened. Check the path.")
    if path.stat().st_size > MAX_BYTES:
        raise UnreadableFile(f"{path.name} is larger than {MAX_BYTES // 1_000_000} MB; cut it into parts.")
    try:
        frames = read(path, index=":", format=_VASP.get(path.suffix.lower(), "vasp-out"))
    except (ElementTree.ParseError, ValueError, IndexError, KeyError, AttributeError, OSError, StopIteration) as error:
        raise UnreadableFile(
            f"{path.name} cannot be read as a file of VASP ({str(error)[:120] or type(error).__name__}). Has the "
            "calculation ended?"
        ) from error
    records = []
    for number, atoms in enumerate(frames):
        said = {} if atoms.calc is None else atoms.calc.results
        if "energy" not in said or "forces" not in said:
            raise UnreadableFile(f"step {number} of {path.name} has no energy or no forces. Has the calculation ended?")
        clean = Atoms(atoms.numbers, positions=atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
        records.append(
            Record(
                clean,
                energy=float(said["energy"]),
                forces=np.array(said["forces"]),
                stress=said.get("stress"),
                level_of_theory=level_of_theory,
                provenance=f"step {number} of {path.name}",
            )
        )
    if not records:
        raise UnreadableFile(f"{path.name} holds no ionic step. Has the calculation begun?")
    return records
