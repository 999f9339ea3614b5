"""From what a file calls its numbers to a `Record`: which key holds which label, in which convention, and what is
missing.

Every format is first brought to a `Raw` (atoms and two dictionaries), so that the rules about labels stand here once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from ase import Atoms

from labkit.datasets.problems import InvalidDataset, MissingLabel, listed
from labkit.datasets.record import LABELS, Record, full_stress

GROUP_KEYS = ("group", "config_type")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eEdD][+-]?\d+)?|[+-]?(nan|inf(inity)?)", re.IGNORECASE)


@dataclass(frozen=True)
class Keys:
    """The file's name of each label, and the labels that every record must have.

    A key that differs from the default was named by somebody, so it must be there too.
    """

    energy: str = "energy"
    forces: str = "forces"
    stress: str = "stress"
    magmoms: str = "magmoms"
    group: str | None = None
    weight: str = "weight"
    require: tuple[str, ...] = ("energy", "forces")

    def __post_init__(self) -> None:
        object.__setattr__(self, "require", (self.require,) if isinstance(self.require, str) else tuple(self.require))
        unknown = [name for name in self.require if name not in LABELS]
        if unknown:
            raise InvalidDataset(f"There is no label {listed(unknown)}; require takes some of {listed(LABELS)}.")

    def needed(self, label: str) -> bool:
        """Tell whether every record must have this label."""
        return label in self.require or getattr(self, label) != label


@dataclass
class Raw:
    """One structure as a file has it: values of the whole structure and values of each atom, by the file's keys."""

    atoms: Atoms
    values: Mapping[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)

    def get(self, key: str) -> Any:
        """Return the value of `key`, None when it is not there."""
        return self.values.get(key, self.arrays.get(key))


def to_record(raw: Raw, keys: Keys, where: str, level_of_theory: str = "", provenance: str = "") -> Record:
    """Return the record of one structure; `where` names it in errors ("Frame 3 of Mo.extxyz").

    Raises MissingLabel for a label that is needed and absent, InvalidDataset for one that is no number, has the wrong
    shape, or states another level of theory than the caller does.
    """
    found = {label: raw.get(getattr(keys, label)) for label in LABELS}
    for label in LABELS:
        if found[label] is None and keys.needed(label):
            raise MissingLabel(_missing(raw, keys, label, where))
    stated = str(raw.values.get("level_of_theory") or "")
    if stated and level_of_theory and stated != level_of_theory:
        raise InvalidDataset(
            f"{where} states the level of theory {stated!r}, but {level_of_theory!r} was given. Read it without one, "
            "or correct the file."
        )
    try:
        return Record(
            atoms=raw.atoms,
            energy=_energy(found["energy"], keys.energy),
            forces=_floats(found["forces"], keys.forces),
            stress=_stress(found["stress"], keys.stress, raw.atoms),
            magmoms=_floats(found["magmoms"], keys.magmoms),
            weight=_energy(raw.values.get(keys.weight, 1.0), keys.weight),
            group=_group(raw, keys, where),
            level_of_theory=stated or level_of_theory,
            provenance=str(raw.values.get("provenance") or raw.values.get("parent") or provenance),
        )
    except MissingLabel:
        raise
    except InvalidDataset as error:
        raise InvalidDataset([f"{where}: {reason}" for reason in error.reasons]) from error


def _missing(raw: Raw, keys: Keys, label: str, where: str) -> str:
    there = [*raw.values, *raw.arrays]
    key = getattr(keys, label)
    stem = label.rstrip("s").lower()
    likely = [one for one in there if stem in one.lower() or (label == "stress" and "virial" in one.lower())]
    advice = [f"{label}_key={likely[0]!r} if that is it"] if likely else []
    if label in keys.require:
        rest = tuple(one for one in keys.require if one != label)
        advice.append(f"require={rest!r} if the set has no {label}")
    else:
        advice.append(f"leave {label}_key away")
    return f"{where} has no {label} under the key {key!r}. Its keys are: {listed(there)}. Give {', or '.join(advice)}."


def _energy(value: Any, key: str) -> float | None:
    if value is None:
        return None
    numbers = np.ravel(_floats(value, key))
    if numbers.size != 1:
        raise InvalidDataset(f"{key!r} holds {numbers.size} numbers where one is needed.")
    return float(numbers[0])


def _floats(value: Any, key: str) -> np.ndarray | None:
    if value is None:
        return None
    if isinstance(value, str):
        words = re.sub(r"[\[\]{}(),]", " ", value).split()
        if not words or not all(map(_NUMBER.fullmatch, words)):
            raise InvalidDataset(f"{key!r} is {value[:40]!r}, which is not a number.")
        return np.array([float(word.lower().replace("d", "e")) for word in words])
    try:
        return np.asarray(value, dtype=float)
    except (TypeError, ValueError) as error:
        raise InvalidDataset(f"{key!r} is {str(value)[:40]!r}, which is not a number.") from error


def _stress(value: Any, key: str, atoms: Atoms) -> np.ndarray | None:
    """Return the stress; under a key that says virial stands -V times it (eV), as QUIP, GAP and NequIP write it."""
    numbers = _floats(value, key)
    if numbers is None:
        return None
    tensor = full_stress(numbers, f"{key!r}")
    if "virial" not in key.lower():
        return tensor
    if not atoms.pbc.all() or atoms.cell.rank < 3:
        raise InvalidDataset(f"{key!r} needs a cell that is periodic in three directions to become a stress.")
    return -tensor / atoms.get_volume()


def _group(raw: Raw, keys: Keys, where: str) -> str:
    if keys.group is None:
        return next((str(raw.values[key]) for key in GROUP_KEYS if key in raw.values), "")
    if keys.group not in raw.values:
        raise MissingLabel(f"{where} has no group under {keys.group!r}. Its keys are: {listed(list(raw.values))}.")
    return str(raw.values[keys.group])


def remarks(values: Mapping[str, Any], keys: Keys) -> dict[str, Any]:
    """Return what a file says besides its labels, as plain numbers and texts for `atoms.info`."""
    taken = {getattr(keys, label) for label in LABELS} | {keys.group, keys.weight, *GROUP_KEYS}
    taken |= {"level_of_theory", "provenance", "parent", "name", "source", "mended", "max_atoms", "occupancy"}
    found = {key: plain(value) for key, value in values.items() if key not in taken and key.isidentifier()}
    return {key: value for key, value in found.items() if value is not None}


def plain(value: Any) -> bool | int | float | str | None:
    """Return a value of a file as a plain number, truth value or text (at most 200 characters); None for an array."""
    if isinstance(value, np.generic):
        value = value.item()
    if not isinstance(value, str):
        return value if isinstance(value, (bool, int, float)) else None
    if re.fullmatch(r"[+-]?\d{1,18}", value):
        return int(value)
    if _NUMBER.fullmatch(value):
        return float(value.lower().replace("d", "e") if value[-1].isdigit() else value)
    return {"T": True, "F": False, "True": True, "False": False}.get(value, value[:200])
