"""The sets that come with labkit, each with its source and licence beside the data in `labkit/datasets/data`.

Small DFT sets of published benchmarks: three elements of mlearn, and acetylacetone with its extrapolation tests.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from labkit.datasets.dataset import Dataset
from labkit.datasets.problems import InvalidDataset
from labkit.datasets.read import read

_MLEARN = (
    "Zuo et al., J. Phys. Chem. A 124, 731 (2020), doi:10.1021/acs.jpca.9b08723; github.com/materialsvirtuallab/mlearn "
    "10c427a, BSD-3-Clause"
)
_ACAC = (
    "Kovács et al., dataset_acac of github.com/davkovacs/BOTNet-datasets 29e6d46, MIT; geometries from xTB molecular "
    "dynamics, labels from DFT"
)


@dataclass(frozen=True)
class Entry:
    """One shipped set: what it is, what its labels were computed with, where it comes from."""

    name: str
    title: str
    file: str
    level_of_theory: str
    source: str
    labels: tuple[str, ...] = ("energy", "forces")


def _mlearn() -> list[Entry]:
    crystals = {"mo": "bcc molybdenum", "si": "diamond silicon", "li": "bcc lithium"}
    kinds = {"": ("training", "training set"), "-test": ("test", "test set")}
    return [
        Entry(
            f"{symbol}-mlearn{suffix}",
            f"{crystal}: {title}; molecular dynamics, strained, vacancies, surfaces",
            f"mlearn/{symbol.capitalize()}_{file}.extxyz.gz",
            "PBE",
            _MLEARN,
        )
        for symbol, crystal in crystals.items()
        for suffix, (file, title) in kinds.items()
    ]


def _acac() -> list[Entry]:
    level = "PBE-D3/def2-SVP (ORCA 5)"
    energy = ("energy",)
    rows = (
        ("acac-300K", "training set from 300 K", "train_300K", ("energy", "forces")),
        ("acac-test-300K", "test set from 300 K", "test_MD_300K", ("energy", "forces")),
        ("acac-test-600K", "test set from 600 K: extrapolation", "test_MD_600K", ("energy", "forces")),
        (
            "acac-test-h-transfer",
            "path of the proton between its two oxygens; energies only",
            "test_H_transfer",
            energy,
        ),
        ("acac-test-dihedral", "scan of a C-C dihedral; energies only", "test_dihedral", energy),
        ("acac-isolated-atoms", "energies of isolated H, C and O", "isolated_atoms", energy),
    )
    return [
        Entry(name, f"acetylacetone: {title}", f"acac/{file}.xyz.gz", level, _ACAC, labels)
        for name, title, file, labels in rows
    ]


_ENTRIES = {entry.name: entry for entry in (*_mlearn(), *_acac())}


def entries() -> list[Entry]:
    """Return what is known of every shipped set."""
    return list(_ENTRIES.values())


def names() -> list[str]:
    """Return the names of the shipped sets."""
    return list(_ENTRIES)


def load(name_or_path: str | Path, **options: Any) -> Dataset:
    """Return a shipped set by name (see `names`), or read a file with `labkit.datasets.read(path, **options)`.

    Raises InvalidDataset for a name that is neither.
    """
    entry = _ENTRIES.get(str(name_or_path))
    if entry is None:
        path = Path(name_or_path)
        if path.exists():
            return read(path, **options)
        close = difflib.get_close_matches(str(name_or_path).lower(), list(_ENTRIES), n=3, cutoff=0.4)
        hint = f"Did you mean {', '.join(close)}?" if close else f"Shipped are: {', '.join(_ENTRIES)}."
        raise InvalidDataset(f"No dataset is called {str(name_or_path)[:80]!r} and no such file exists. {hint}")
    with resources.as_file(resources.files("labkit.datasets") / "data" / entry.file) as path:
        defaults = {
            "require": entry.labels,
            "level_of_theory": entry.level_of_theory,
            "provenance": entry.source,
            "name": entry.name,
        }
        return read(path, **{**defaults, **options})
