"""The labels of delta-learning: which geometries are paid for, what they cost, and the difference that is learned.

The one idea: what coupled cluster says is kept as it is, in total energies; the baseline costs milliseconds and is
subtracted when a correction is fitted, so one set of labels serves every baseline.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from ase import Atoms

from labkit.active_learning.delta_sampling import Sampling, sample, thinned
from labkit.datasets.dataset import Dataset
from labkit.datasets.record import Record
from labkit.errors import InvalidTask, NotConverged
from labkit.potentials.interface import Potential

if TYPE_CHECKING:
    from labkit.references.interface import Reference

LEAST = 4


def to_label(
    fragments: Sequence[str],
    surface: Potential,
    reference: Reference,
    sampling: Sampling,
    budget_s: float = float("inf"),
    report: Callable[[int], None] = lambda _: None,
) -> list[Atoms]:
    """Return the geometries of all fragments that `reference` is asked for.

    surface: the baseline, which says where molecules go. budget_s: estimated CPU seconds for the labels of one
    fragment; of more than that a random part is kept, at least four. report hears of every fragment that is done.
    """
    found: list[Atoms] = []
    for number, name in enumerate(fragments):
        made = sample(name, surface, sampling)
        found += thinned(made, [reference.cost_s(atoms) for atoms in made], budget_s, LEAST, sampling.seed)
        report(number + 1)
    return found


def price(structures: Sequence[Atoms], reference: Reference) -> list[dict[str, Any]]:
    """Return what labels cost, a row for each fragment and one for all: fragment, structures, estimated_s (CPU)."""
    rows: dict[str, dict[str, Any]] = {}
    for atoms in structures:
        name = atoms.info["fragment"]
        row = rows.setdefault(name, {"fragment": name, "structures": 0, "estimated_s": 0.0})
        row["structures"] += 1
        row["estimated_s"] += reference.cost_s(atoms)
    sums = {key: sum(row[key] for row in rows.values()) for key in ("structures", "estimated_s")}
    return [*rows.values(), {"fragment": "all", **sums}]


def named(labels: Dataset, structures: Sequence[Atoms]) -> Dataset:
    """Return the labels of `structures` with their fragment as group and "kind" in `atoms.info`.

    labels: as `labkit.references.labelled` gives them, with the index of its structure in `info["label_index"]`.
    """
    records = []
    for record in labels:
        asked = structures[record.atoms.info["label_index"]]
        atoms = record.atoms.copy()
        atoms.info = {"kind": asked.info["kind"], "cpu_s": record.atoms.info["label_cpu_s"]}
        records.append(replace(record, atoms=atoms, group=asked.info["fragment"]))
    return Dataset(records, labels.name, provenance=labels.provenance)


def differences(labels: Dataset, baseline: Potential) -> tuple[Dataset, np.ndarray]:
    """Return the labels minus the baseline, E_high - E_low (and forces where there are some), and E_low (B,) in eV.

    A structure on which the baseline does not converge is left out of both. Raises InvalidTask when labels of several
    levels are mixed, or when nothing is left.
    """
    if len(labels.levels) > 1:
        raise InvalidTask(f"labels of {labels.level_of_theory} cannot be mixed: their energies have different zeros.")
    records, lower = [], []
    for record in labels:
        wanted = ("energy",) if record.forces is None else ("energy", "forces")
        try:
            said = baseline.predict([record.atoms], wanted)
        except NotConverged:
            continue
        forces = None if record.forces is None else record.forces - said.forces[0]
        level = f"{record.level_of_theory} minus {baseline.level_of_theory}"
        records.append(
            Record(
                record.atoms,
                energy=record.energy - float(said.energies[0]),
                forces=forces,
                group=record.group,
                level_of_theory=level,
                provenance=record.provenance,
            )
        )
        lower.append(float(said.energies[0]))
    if not records:
        raise InvalidTask(f"{labels.name} holds no structure on which {baseline.name} converges.")
    return Dataset(records, labels.name, provenance=labels.provenance), np.array(lower)


def without_offsets(structures: Sequence[Atoms], energies: np.ndarray) -> np.ndarray:
    """Energies (B,) in eV minus their least-squares fit to the numbers of atoms of each element."""
    elements = sorted({symbol for atoms in structures for symbol in atoms.symbols})
    counts = np.array([[list(atoms.symbols).count(one) for one in elements] for atoms in structures], dtype=float)
    return energies - counts @ np.linalg.lstsq(counts, energies, rcond=None)[0]
