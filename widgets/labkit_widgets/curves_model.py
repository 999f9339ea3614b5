"""Which curves a table gives, without a widget: titles, units and a decimation that keeps peaks.

A growing table is thinned to at most 2,000 points a curve, lowest and highest of each bin, so that a picture of a
long run weighs as much as that of a short one.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

MAX_POINTS = 2000
_UNITS = {
    "_K": "K", "_fs": "fs", "_ps": "ps", "_eV": "eV", "_GPa": "GPa", "_A3": "Å³", "_A": "Å",
    "_eV_A": "eV/Å", "_eV_A3": "eV/Å³", "_cm2_s": "cm²/s",
}  # fmt: skip
_ENERGIES = ("potential_energy_eV", "kinetic_energy_eV", "total_energy_eV")


@dataclass(frozen=True)
class Plot:
    """One plot: its columns share an axis with a title and a unit; `names` are what the legend calls them."""

    columns: tuple[str, ...]
    axis: str
    names: tuple[str, ...] = ()
    log: bool = False


def split(column: str) -> tuple[str, str]:
    """Return (words, unit) of a column such as `temperature_K`."""
    for suffix in sorted(_UNITS, key=len, reverse=True):
        if column.endswith(suffix):
            return column[: -len(suffix)].replace("_", " "), _UNITS[suffix]
    return column.replace("_", " "), ""


def axis_title(column: str) -> str:
    """Return `Temperature (K)` for `temperature_K`."""
    words, unit = split(column)
    return f"{words[:1].upper()}{words[1:]}" + (f" ({unit})" if unit else "")


def abscissa(table: pd.DataFrame) -> tuple[np.ndarray, str]:
    """Return the values and the title of the horizontal axis: time in ps (or fs while short), else the step."""
    if "time_fs" in table:
        time = table["time_fs"].to_numpy(float)
        return (time / 1000, "Time (ps)") if len(time) and time[-1] >= 1000 else (time, "Time (fs)")
    if "step" in table:
        return table["step"].to_numpy(float), "Step"
    return np.arange(len(table), dtype=float), "Row"


def panels(columns: list[str]) -> list[Plot]:
    """Return the plots for these columns: temperature first, then the energies as changes, then everything else."""
    found = []
    if "temperature_K" in columns:
        found.append(Plot(("temperature_K",), axis_title("temperature_K")))
    energies = tuple(one for one in _ENERGIES if one in columns)
    if energies:
        found.append(Plot(energies, "Energy change (eV)"))
    known = {"step", "time_fs", "temperature_K", *energies}
    found += [Plot((one,), axis_title(one)) for one in columns if one not in known]
    return found


def thin(x: np.ndarray, y: np.ndarray, limit: int = MAX_POINTS) -> tuple[np.ndarray, np.ndarray]:
    """Return at most `limit` points of a curve: the lowest and the highest of each bin, and both ends."""
    n = len(x)
    if n <= limit:
        return x, y
    edges = np.linspace(0, n, limit // 2, dtype=int)
    keep = {0, n - 1}
    for first, last in pairwise(edges):
        part = y[first:last]
        if np.isnan(part).all():
            continue
        keep.add(first + int(np.nanargmin(part)))
        keep.add(first + int(np.nanargmax(part)))
    index = np.array(sorted(keep))[:limit]
    return x[index], y[index]


def curve(table: pd.DataFrame, column: str) -> np.ndarray:
    """Return a column as floats; energies as changes from their first value, so that three curves share one axis."""
    values = table[column].to_numpy(float)
    if column in _ENERGIES and len(values):
        return values - values[0]
    return values
