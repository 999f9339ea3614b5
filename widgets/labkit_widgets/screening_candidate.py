"""What a stage kept of a candidate that can be drawn: minimum energy paths and curves, found in its files.

A JSON file with `distances_A` and `energies_eV` is a path; a CSV file is a curve, its first column the abscissa.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .screening_model import words

MOST_BYTES = 20_000_000
_DEPTH = 4


@dataclass(frozen=True)
class Picture:
    """One thing to draw: points and, where there is one, the smooth line through them; axis titles with units."""

    name: str
    x: np.ndarray
    y: np.ndarray
    x_title: str
    y_title: str
    line: tuple[np.ndarray, np.ndarray] | None = None
    points: bool = False
    note: str = ""


def pictures(files: Sequence[str | Path]) -> list[Picture]:
    """Return what can be drawn of these files; those that cannot be read or hold nothing of the kind are left out."""
    found: list[Picture] = []
    for path in map(Path, files):
        try:
            if path.stat().st_size > MOST_BYTES:
                continue
            if path.suffix == ".json":
                found += _of_json(json.loads(path.read_text(encoding="utf-8")), path.stem)
            elif path.suffix == ".csv":
                found += _of_csv(path)
        except (OSError, ValueError):
            continue
    return found


def _of_json(data: Any, name: str) -> Iterator[Picture]:
    for number, one in enumerate(_paths(data)):
        yield path_picture(one, str(one.get("name") or f"{name} {number}"))


def path_picture(data: dict[str, Any], name: str) -> Picture:
    """Return the energy profile of a `MinimumEnergyPath` as JSON: images as points, its spline as the line."""
    known = [(word, data.get(f"{word}_eV")) for word in ("forward", "backward")]
    note = " · ".join(f"{word} barrier {value:.3f} eV" for word, value in known if isinstance(value, int | float))
    note += f" · {data['state']}" if data.get("state") else ""
    s, energy = (np.asarray(data[key], dtype=float) for key in ("distances_A", "energies_eV"))
    line = None
    try:
        from labkit.simulators.neb_path import MinimumEnergyPath

        line = MinimumEnergyPath.from_dict(data).profile()
    except (LookupError, TypeError, ValueError, AttributeError):
        pass  # kept without its images, a path has no forces and so no spline
    return Picture(name, s, energy - energy[0], "Distance along the path (Å)", "Energy (eV)", line, True, note)


def _paths(data: Any, depth: int = _DEPTH) -> Iterator[dict[str, Any]]:
    if isinstance(data, dict):
        sizes = [len(data[key]) for key in ("distances_A", "energies_eV") if isinstance(data.get(key), list)]
        if len(sizes) == 2 and sizes[0] == sizes[1] > 1:
            yield data
            return
        data = list(data.values())
    if isinstance(data, list) and depth:
        for one in data:
            yield from _paths(one, depth - 1)


def _of_csv(path: Path) -> Iterator[Picture]:
    with path.open(encoding="utf-8", newline="") as file:
        names, *rows = csv.reader(file)
    table = np.array(rows, dtype=float)
    if table.ndim == 2 and len(table) > 1:
        for column, name in enumerate(names[1:], 1):
            titles = [_title(one) for one in (names[0], name)]
            label = path.stem if len(names) == 2 else f"{path.stem}: {words(name)[0].lower()}"
            yield Picture(label, table[:, 0], table[:, column], *titles)


def _title(name: str) -> str:
    text, unit = words(name)
    return f"{text} ({unit})" if unit else text
