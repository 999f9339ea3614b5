"""What a set holds, in numbers: one row a group, an element or a record, and what its pictures are drawn from.

Numbers that are not finite are left out of means and extremes and counted as faulty, so that one bad row neither hides
nor spoils the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from ase.data import atomic_numbers

from labkit.datasets.record import LABELS, Record

if TYPE_CHECKING:
    import pandas as pd

    from labkit.datasets.dataset import Dataset


def table(records: Sequence[Record]) -> pd.DataFrame:
    """Return one row for each record: index, group, composition, n_atoms, energy_eV_atom, volume_A3_atom (NaN without a
    three-dimensional cell), max_force_eV_A, weight, level_of_theory, provenance.
    """
    import pandas as pd

    rows = [
        {
            "index": index,
            "group": record.group,
            "composition": record.composition,
            "n_atoms": len(record),
            "energy_eV_atom": np.nan if record.energy is None else record.energy / len(record),
            "volume_A3_atom": record.volume_A3 / len(record),
            "max_force_eV_A": np.nan if record.forces is None else float(np.linalg.norm(record.forces, axis=1).max()),
            "weight": record.weight,
            "level_of_theory": record.level_of_theory,
            "provenance": record.provenance,
        }
        for index, record in enumerate(records)
    ]
    return pd.DataFrame(rows)


def statistics(dataset: Dataset) -> pd.DataFrame:
    """Return one row for each group, then one called "all".

    Columns: group, n (records), atoms, elements, energy_min_eV_atom, energy_mean_eV_atom, energy_max_eV_atom,
    forces_rms_eV_A (of components), max_force_eV_A (length), pressure_min_GPa, pressure_max_GPa, with_energy,
    with_forces, with_stress, with_magmoms (records that have the label), faulty (records with a number that is none),
    level_of_theory ("not stated" where it is not).
    """
    import pandas as pd

    named = {name or "(no group)": [dataset[index] for index in where] for name, where in dataset.groups().items()}
    return pd.DataFrame([_row(name, records) for name, records in {**named, "all": list(dataset)}.items()])


def _row(name: str, records: list[Record]) -> dict[str, object]:
    from ase.units import GPa

    energies = _finite([record.energy / len(record) for record in records if record.energy is not None])
    forces = _forces(records)
    lengths = np.linalg.norm(forces, axis=1)
    pressures = _finite([-np.trace(record.stress) / 3 / GPa for record in records if record.stress is not None])
    levels = sorted({record.level_of_theory or "not stated" for record in records})
    return {
        "group": name,
        "n": len(records),
        "atoms": sum(map(len, records)),
        "elements": " ".join(_elements(records)),
        "energy_min_eV_atom": energies.min() if len(energies) else np.nan,
        "energy_mean_eV_atom": energies.mean() if len(energies) else np.nan,
        "energy_max_eV_atom": energies.max() if len(energies) else np.nan,
        "forces_rms_eV_A": float(np.sqrt(np.mean(forces**2))) if len(forces) else np.nan,
        "max_force_eV_A": lengths.max() if len(lengths) else np.nan,
        "pressure_min_GPa": pressures.min() if len(pressures) else np.nan,
        "pressure_max_GPa": pressures.max() if len(pressures) else np.nan,
        **{f"with_{label}": sum(getattr(record, label) is not None for record in records) for label in LABELS},
        "faulty": sum(not _sound(record) for record in records),
        "level_of_theory": " | ".join(levels),
    }


def element_statistics(dataset: Dataset) -> pd.DataFrame:
    """Return one row for each element: element, records (that hold it), atoms, forces_rms_eV_A, max_force_eV_A,
    magmom_mean_muB (of absolute values).
    """
    import pandas as pd

    rows = []
    for symbol in _elements(dataset):
        number = atomic_numbers[symbol]
        holding = [record for record in dataset if (record.atoms.numbers == number).any()]
        chosen = [(record, record.atoms.numbers == number) for record in holding]
        forces = [record.forces[mask] for record, mask in chosen if record.forces is not None]
        found = np.concatenate([*forces, np.zeros((0, 3))])
        found = found[np.isfinite(found).all(axis=1)]
        moments = [np.abs(record.magmoms[mask]) for record, mask in chosen if record.magmoms is not None]
        rows.append(
            {
                "element": symbol,
                "records": len(holding),
                "atoms": int(sum(mask.sum() for _, mask in chosen)),
                "forces_rms_eV_A": float(np.sqrt(np.mean(found**2))) if len(found) else np.nan,
                "max_force_eV_A": float(np.linalg.norm(found, axis=1).max()) if len(found) else np.nan,
                "magmom_mean_muB": float(np.nanmean(np.concatenate(moments))) if moments else np.nan,
            }
        )
    return pd.DataFrame(rows)


def composition(records: Sequence[Record]) -> dict[str, dict[str, int]]:
    """Return the number of atoms of each element in each group: ``{"Vacancy": {"Mo": 1113}}``."""
    found: dict[str, dict[str, int]] = {}
    for record in records:
        counts = found.setdefault(record.group, {})
        for number, count in zip(*np.unique(record.atoms.symbols, return_counts=True), strict=True):
            counts[str(number)] = counts.get(str(number), 0) + int(count)
    return found


def relative_energies(records: Sequence[Record]) -> tuple[np.ndarray, bool]:
    """Return energies per atom (eV), NaN where there is none, and whether a sum over elements was taken off.

    In a set of several compositions the energy per atom says mostly what a structure is made of; then the least-squares
    energies of the elements are taken off: E - sum_k n_k e_k, over the number of atoms.
    """
    energies = np.array([np.nan if record.energy is None else record.energy for record in records], dtype=float)
    sizes = np.array([len(record) for record in records], dtype=float)
    known = np.isfinite(energies)
    elements = _elements(records)
    counts = np.array([_counts(record, elements) for record in records]).reshape(len(records), len(elements))
    if len(np.unique(np.round(counts / sizes[:, None], 6), axis=0)) < 2 or not known.any():
        return energies / sizes, False
    shares = np.linalg.lstsq(counts[known] / sizes[known, None], energies[known] / sizes[known], rcond=None)[0]
    return (energies - counts @ shares) / sizes, True


def force_components(records: Sequence[Record], limit: int | None = None, seed: int = 0) -> tuple[np.ndarray, ...]:
    """Return force components (eV/Å) and the index of each one's record, at most `limit` of them, drawn by `seed`."""
    parts = [(np.ravel(record.forces), index) for index, record in enumerate(records) if record.forces is not None]
    values = np.concatenate([*(part for part, _ in parts), np.zeros(0)])
    owners = np.repeat([index for _, index in parts], [len(part) for part, _ in parts]).astype(int)
    keep = np.flatnonzero(np.isfinite(values))
    if limit is not None:
        keep = keep[thinned(len(keep), limit, seed=seed)]
    return values[keep], owners[keep]


def thinned(count: int, limit: int, error: np.ndarray | None = None, seed: int = 0) -> np.ndarray:
    """Return at most `limit` of the indices 0 to `count` - 1, in ascending order, drawn by `seed`.

    With `error` (count,) a fifth of them are those with the largest: a picture of errors must not lose its outliers.
    """
    if count <= limit:
        return np.arange(count)
    kept = np.zeros(0, dtype=int) if error is None else np.argsort(-error, kind="stable")[: limit // 5]
    others = np.setdiff1d(np.arange(count), kept)
    drawn = np.random.default_rng(seed).choice(others, limit - len(kept), replace=False)
    return np.sort(np.concatenate([kept, drawn]))


def _elements(records: Sequence[Record]) -> list[str]:
    return sorted({symbol for record in records for symbol in set(record.atoms.symbols)}, key=atomic_numbers.get)


def _counts(record: Record, elements: list[str]) -> np.ndarray:
    return np.array([(record.atoms.numbers == atomic_numbers[symbol]).sum() for symbol in elements])


def _finite(values: list[float]) -> np.ndarray:
    found = np.array(values, dtype=float)
    return found[np.isfinite(found)]


def _forces(records: Sequence[Record]) -> np.ndarray:
    found = np.concatenate([*(one.forces for one in records if one.forces is not None), np.zeros((0, 3))])
    return found[np.isfinite(found).all(axis=1)]


def _sound(record: Record) -> bool:
    values = [getattr(record, label) for label in LABELS]
    return all(value is None or np.isfinite(value).all() for value in [*values, record.atoms.positions])


@dataclass(frozen=True)
class EnergyAxes:
    """What a picture of energies shows: x and y of every record (NaN where there is none) and the axes' titles."""

    x: np.ndarray
    y: np.ndarray
    x_title: str
    y_title: str


def energy_axes(records: Sequence[Record]) -> EnergyAxes:
    """Return energy per atom (eV) against volume per atom (Å^3), or against the record's number where no structure has
    a three-dimensional cell.
    """
    volumes = np.array([record.volume_A3 / len(record) for record in records], dtype=float)
    energies, taken = relative_energies(records)
    y_title = "energy per atom" + (", sum over elements taken off" if taken else "") + " (eV)"
    if np.isfinite(volumes).any():
        return EnergyAxes(volumes, energies, "volume per atom (Å³)", y_title)
    return EnergyAxes(np.arange(len(energies), dtype=float), energies, "record", y_title)


def force_bins(records: Sequence[Record], bins: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """Return the edges (bins + 1,) in eV/Å, symmetric about zero, and the counts (bins,) of force components."""
    values, _ = force_components(records)
    largest = max(float(np.abs(values).max(initial=0.0)), 1e-6)
    counts, edges = np.histogram(values, bins=bins, range=(-largest, largest))
    return edges, counts
