"""The records of a set that must not be trained on: numbers that are none, flat cells, atoms on top of each other.

They are found and listed here; whether they are left out is for the user to say.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from labkit.datasets.problems import Fault
from labkit.datasets.record import LABELS, Record
from labkit.errors import InvalidStructure
from labkit.structures.check import MAX_COORDINATE_A, MIN_PERIOD_A, check

#: Shorter than any bond, also under high pressure; the bond of H2 is 0.74 Å long.
MIN_DISTANCE_A = 0.3


def faults(records: Sequence[Record], min_distance_A: float = MIN_DISTANCE_A) -> list[Fault]:
    """Return every fault of every record, with the record's index; an empty list is good news.

    Looked at are labels, positions and cells that are not finite, cells that are flat or too thin, and atoms closer
    than `min_distance_A` (0 skips that, which is the slow part).
    """
    return [Fault(index, text) for index, record in enumerate(records) for text in _sentences(record, min_distance_A)]


def _plainly_sound(record: Record) -> bool:
    """Tell, in a tenth of the time of `check`, that it would find nothing; it alone knows the sentences."""
    atoms, cell = record.atoms, record.atoms.cell.array
    if not (np.abs(atoms.positions) < MAX_COORDINATE_A).all() or "occupancy" in atoms.info:
        return False
    if not atoms.pbc.any():
        return bool((atoms.numbers > 0).all())
    with np.errstate(all="ignore"):
        sound = atoms.pbc.all() and (np.abs(cell) < MAX_COORDINATE_A).all() and abs(np.linalg.det(cell)) > 1e-3
    return bool(
        sound
        and (atoms.numbers > 0).all()
        and (1 / np.linalg.norm(np.linalg.inv(cell), axis=0) > MIN_PERIOD_A).all()
        and abs(np.linalg.det(cell)) > 1e-6 * np.prod(np.linalg.norm(cell, axis=1))
    )


def _sentences(record: Record, min_distance_A: float) -> Iterator[str]:
    for name in LABELS:
        value = getattr(record, name)
        if value is None or np.isfinite(value).all():
            continue
        broken = np.argwhere(~np.isfinite(np.asarray(value)))
        where = f" of atom {broken[0][0]}" if name in ("forces", "magmoms") else ""
        atoms = len({int(place[0]) for place in broken}) if where else 0
        more = f" (and of {atoms - 1} more atoms)" if atoms > 1 else ""
        number = float(np.asarray(value)[tuple(broken[0])])
        yield f"The {name}{where} is {number}, which is not a finite number{more}."
    if min_distance_A <= 0 and _plainly_sound(record):
        return
    try:
        check(record.atoms, min_distance_A=min_distance_A, max_atoms=len(record.atoms), wrap=False)
    except InvalidStructure as error:
        yield from error.reasons
