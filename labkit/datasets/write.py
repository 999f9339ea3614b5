"""Write a set as extended xyz that `labkit.datasets.read` and ASE both read, exact to the last bit of every number.

Python's shortest representation of a float is what comes back as the same float; the file replaces an old one only when
it is complete, and equal sets give equal bytes.
"""

from __future__ import annotations

import gzip
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from labkit.datasets.labels import plain
from labkit.datasets.problems import InvalidDataset
from labkit.datasets.read_extxyz import KEPT_ARRAYS
from labkit.datasets.record import Record

if TYPE_CHECKING:
    from labkit.datasets.dataset import Dataset

ENDINGS = (".extxyz", ".xyz", ".extxyz.gz", ".xyz.gz")


def write(dataset: Dataset, path: str | Path) -> Path:
    """Write every record of `dataset` and return the path; gzipped when the name ends in .gz.

    Written are atoms, cell, labels (stress as nine numbers, eV/Å^3, tension positive), weight, group, level of theory,
    provenance, the plain numbers and texts of `info`, and ASE's own arrays. Constraints are not.
    """
    path = Path(path)
    if not path.name.endswith(ENDINGS):
        raise InvalidDataset(
            f"{path.name} should end in one of {', '.join(ENDINGS)}, so that it is read as what it is."
        )
    data = "".join(frame(record) for record in dataset).encode()
    if path.name.endswith(".gz"):
        data = gzip.compress(data, compresslevel=6, mtime=0)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return path


def frame(record: Record) -> str:
    """Return one record as a frame of extended xyz."""
    atoms = record.atoms
    columns = [("pos", atoms.positions), ("forces", record.forces), ("magmoms", record.magmoms)]
    columns += [(name, atoms.arrays[name]) for name in KEPT_ARRAYS if name in atoms.arrays]
    layout, cells = ["species:S:1"], [list(atoms.symbols)]
    for name, values in columns:
        if values is None:
            continue
        table = np.asarray(values).reshape(len(atoms), -1)
        layout.append(f"{name}:{'I' if table.dtype.kind in 'iu' else 'R'}:{table.shape[1]}")
        cells += [list(map(repr, column)) for column in table.T.tolist()]
    comment = [f'Lattice="{_numbers(atoms.cell.array.ravel())}"'] if atoms.cell.any() else []
    comment += [f"Properties={':'.join(layout)}", f'pbc="{" ".join("T" if one else "F" for one in atoms.pbc)}"']
    comment += [f"energy={record.energy!r}"] if record.energy is not None else []
    comment += [f'stress="{_numbers(record.stress.ravel())}"'] if record.stress is not None else []
    comment += [f"weight={record.weight!r}"] if record.weight != 1.0 else []
    texts = {key: getattr(record, key) for key in ("group", "level_of_theory", "provenance")}
    comment += [f"{key}={_quoted(value)}" for key, value in texts.items() if value]
    comment += [pair for pair in (_remark(key, value) for key, value in atoms.info.items()) if pair]
    lines = [" ".join(row) for row in zip(*cells, strict=True)]
    return "\n".join([str(len(atoms)), " ".join(comment), *lines, ""])


def _numbers(values: Iterable[float]) -> str:
    return " ".join(repr(float(value)) for value in values)


def _quoted(text: str) -> str:
    escaped = " ".join(text.split()).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _remark(key: Any, value: Any) -> str | None:
    reserved = {"energy", "stress", "forces", "magmoms", "weight", "group", "level_of_theory", "provenance", "pbc"}
    if not isinstance(key, str) or not re.fullmatch(r"[A-Za-z_]\w*", key):
        return None
    if key in reserved or key in ("Lattice", "Properties", "lattice", "properties", "parent", "config_type"):
        return None
    found = plain(value)
    if isinstance(found, bool):
        return f"{key}={'T' if found else 'F'}"
    if isinstance(found, int | float):
        return f"{key}={found!r}"
    return f"{key}={_quoted(found)}" if found else None
