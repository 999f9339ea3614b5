"""Labelled structures with their provenance: reading, writing, splitting, statistics, and small published sets.

`load("mo-mlearn")` opens a shipped set, `read(path)` a file; both give a `Dataset` of `Record`s in eV, eV/Å and eV/Å^3.
"""

from labkit.datasets.compare import Comparison, compare
from labkit.datasets.dataset import Dataset
from labkit.datasets.problems import Fault, FaultyRecords, InvalidDataset, MissingLabel
from labkit.datasets.read import read
from labkit.datasets.record import LABELS, Record, full_stress
from labkit.datasets.shipped import Entry, entries, load, names

__all__ = [
    "LABELS",
    "Comparison",
    "Dataset",
    "Entry",
    "Fault",
    "FaultyRecords",
    "InvalidDataset",
    "MissingLabel",
    "Record",
    "compare",
    "entries",
    "full_stress",
    "load",
    "names",
    "read",
]
