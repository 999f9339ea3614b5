"""The sites that a CIF block lists: which elements, where, and how often they are there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase.data import atomic_numbers

from labkit.errors import UnreadableFile
from labkit.structures.check import ask_for_budget
from labkit.structures.cif_symmetry import first_tag

FULL = 1e-3
_ELEMENTS = ("_atom_site_type_symbol", "_atom_site_label")


@dataclass(frozen=True)
class Site:
    """One site of the full cell: fractional position (3,) and what sits there, as symbol to occupancy."""

    position: np.ndarray
    shares: dict[str, float]

    @property
    def partial(self) -> bool:
        """True when the site is shared, or empty part of the time."""
        return len(self.shares) > 1 or abs(next(iter(self.shares.values())) - 1) > FULL


def _coordinates(block: Any) -> tuple[bool, list[Any]] | None:
    """Return whether the coordinates are Cartesian, and three columns of them."""
    for cartesian, stem in ((False, "_atom_site_fract_"), (True, "_atom_site_cartn_")):
        columns = [block.get(stem + axis) for axis in "xyz"]
        if all(isinstance(column, list) for column in columns):
            return cartesian, columns
    return None


def has_sites(block: Any) -> bool:
    """Return True when a CIF block lists elements and coordinates."""
    words = first_tag(block, _ELEMENTS)
    return isinstance(words, list) and len(words) > 0 and _coordinates(block) is not None


def listed_sites(block: Any, cell: np.ndarray, label: str, max_atoms: int) -> list[tuple[np.ndarray, dict[str, float]]]:
    """Return fractional position (3,) and shares of each listed site; rows at one place are one shared site.

    Raises UnreadableFile naming the first row that cannot be.
    """
    cartesian, columns = _coordinates(block) or (False, [])
    from_label = "_atom_site_type_symbol" not in block
    words = first_tag(block, _ELEMENTS)
    ask_for_budget(len(words), max_atoms)
    occupancies = block.get("_atom_site_occupancy", [1.0] * len(words))
    lengths = {len(column) if isinstance(column, list) else 0 for column in (words, *columns, occupancies)}
    if len(lengths) > 1:
        raise UnreadableFile(f"The _atom_site_ columns of {label} have different lengths. Put them into one loop_.")
    try:
        positions = np.array(columns, dtype=float).T
    except (ValueError, TypeError) as error:
        raise UnreadableFile(
            f"{label} has a coordinate that is not a number ({error}). Correct the _atom_site_ lines."
        ) from error
    if not np.all(np.isfinite(positions)):
        index = int(np.flatnonzero(~np.all(np.isfinite(positions), axis=1))[0])
        raise UnreadableFile(
            f"Site {index} ({words[index]}) of {label} has a position that is not a number. Correct that line."
        )
    if cartesian:
        positions = np.linalg.solve(cell.T, positions.T).T
    sites: dict[tuple[int, ...], tuple[np.ndarray, dict[str, float]]] = {}
    for word, position, occupancy in zip(words, positions % 1.0, occupancies, strict=True):
        symbol = _symbol(str(word), from_label, label)
        value = float(occupancy) if isinstance(occupancy, (int, float)) else 1.0  # "?" and "." mean not given
        if not 0 < value <= 1 + FULL:
            raise UnreadableFile(
                f"Site {word} of {label} has the occupancy {value:g}; it must be above 0 and at most 1."
            )
        key = tuple(np.round(position * 2000).astype(int) % 2000)
        shares = sites.setdefault(key, (position, {}))[1]
        shares[symbol] = shares.get(symbol, 0.0) + value
    for _, shares in sites.values():
        if sum(shares.values()) > 1.02:
            text = ", ".join(f"{symbol} {value:.3g}" for symbol, value in shares.items())
            raise UnreadableFile(
                f"A site of {label} is filled {sum(shares.values()):.2f} times ({text}). Are two atoms at one place?"
            )
    return list(sites.values())


def _symbol(word: str, from_label: bool, label: str) -> str:
    begins = re.match(r"[A-Z][a-z]?", word)
    letters = re.match(r"[A-Za-z]*", word)
    candidates = [begins.group(0) if begins else "", letters.group(0).capitalize() if letters else ""]
    # "Li1+" is an element with its charge, and "CL" one in capitals; in a label, "CA" is a carbon named A.
    for candidate in candidates if from_label else reversed(candidates):
        if candidate == "D":
            return "H"
        if candidate in atomic_numbers and candidate != "X":
            return candidate
    raise UnreadableFile(f"{label} has the unknown element {word[:12]!r}. Use symbols of the periodic table.")
