"""The library of named crystals and molecules, each with the source of its numbers.

The numbers live in two JSON files beside this module: crystals as a space-group setting with inequivalent sites,
molecules as positions or as a name of the G2/97 set that ASE carries.
"""

from __future__ import annotations

import difflib
import json
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any, Literal

import numpy as np
from ase import Atoms

from labkit.errors import InvalidStructure
from labkit.structures.check import check
from labkit.structures.wyckoff import fill_cell, parse_site


@dataclass(frozen=True)
class Entry:
    """One structure of the library: what it is and where its numbers come from."""

    name: str
    title: str
    formula: str
    kind: Literal["crystal", "molecule"]
    space_group: int | None
    source: str
    tags: tuple[str, ...] = field(default=())
    note: str = ""


@cache
def _records() -> dict[str, dict[str, Any]]:
    records: dict[str, dict[str, Any]] = {}
    folder = resources.files("labkit.structures") / "data"
    for kind in ("crystal", "molecule"):
        for record in json.loads((folder / f"{kind}s.json").read_text(encoding="utf-8")):
            records[record["name"]] = {**record, "kind": kind}
    return records


def _record(name: str) -> dict[str, Any]:
    records = _records()
    if name in records:
        return records[name]
    close = difflib.get_close_matches(str(name).lower(), [known.lower() for known in records], n=3, cutoff=0.5)
    likely = [known for known in records if known.lower() in close]
    hint = f"Did you mean {', '.join(likely)}?" if likely else "labkit.structures.names() lists them all."
    raise InvalidStructure(f"The library has no structure named {str(name)[:60]!r}. {hint}")


def names() -> list[str]:
    """Return the names of all structures in the library, crystals first."""
    return list(_records())


def entry(name: str) -> Entry:
    """Return what the library knows about `name`; raises InvalidStructure for an unknown one."""
    record = _record(name)
    return Entry(
        name=record["name"],
        title=record["title"],
        formula=record["formula"],
        kind=record["kind"],
        space_group=record.get("space_group"),
        source=record["source"],
        tags=tuple(record["tags"]),
        note=record["note"],
    )


def entries() -> list[Entry]:
    """Return every entry of the library, crystals first."""
    return [entry(name) for name in names()]


def named(name: str) -> Atoms:
    """Return a fresh, checked copy of a library structure (Å).

    Crystals come as the conventional cell of their space group; molecules have no cell. ``info["name"]`` and
    ``info["source"]`` are set. Raises InvalidStructure for an unknown name.
    """
    record = _record(name)
    atoms = _crystal(record) if record["kind"] == "crystal" else _molecule(record)
    atoms = check(atoms)
    atoms.info.update(name=record["name"], source=record["source"])
    return atoms


def _crystal(record: dict[str, Any]) -> Atoms:
    return fill_cell(record["hall"], record["lattice"], record["sites"])


def _molecule(record: dict[str, Any]) -> Atoms:
    if "g2" in record:
        from ase.collections import g2  # half a second, and needed for molecules only

        atoms = g2[record["g2"]]
        atoms.info.clear()
        return atoms
    sites = [parse_site(line) for line in record["atoms"]]
    return Atoms([symbol for symbol, _ in sites], positions=np.array([position for _, position in sites]))
