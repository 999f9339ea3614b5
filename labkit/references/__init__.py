"""The truth that potentials learn from, in rising quality and cost: tight binding, DFT, coupled cluster, and teachers.

`load("gfn2-xtb").label(atoms)` gives a `labkit.datasets.Record`; `Labelling` labels many structures as a run.
"""

from labkit.references.interface import Reference, ReferencePotential
from labkit.references.labelling import Labelling, label_all, labelled
from labkit.references.registry import Entry, describe, load, names

__all__ = [
    "Entry",
    "Labelling",
    "Reference",
    "ReferencePotential",
    "describe",
    "label_all",
    "labelled",
    "load",
    "names",
]
