"""A small OPTIMADE client: one question to one provider, with a time-out, and only when it is called.

The protocol is that of the OPTIMADE specification 1.2 (10.1038/s41597-021-00974-z): /v1/structures?filter=...
"""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from ase import Atoms

from labkit import structures
from labkit.errors import InvalidStructure, LabkitError

PROVIDERS = {
    "Materials Project": "https://optimade.materialsproject.org",
    "Crystallography Open Database": "https://www.crystallography.net/cod/optimade",
    "Alexandria (PBE)": "https://alexandria.icams.rub.de/pbe",
    "OQMD": "https://oqmd.org/optimade",
    "Materials Cloud MC3D": "https://optimade.materialscloud.org/main/mc3d-pbe-v1",
    "NOMAD": "https://nomad-lab.eu/prod/v1/optimade",
}
TIMEOUT_S = 10.0
MAX_ANSWER_BYTES = 8_000_000
_FIELDS = (
    "id,chemical_formula_reduced,nsites,lattice_vectors,cartesian_site_positions,"
    "species,species_at_sites,dimension_types"
)


@dataclass(frozen=True)
class Hit:
    """One structure of the answer."""

    id: str
    formula: str
    n_sites: int
    attributes: dict[str, Any] = field(repr=False)

    def atoms(self) -> Atoms:
        """Return the checked structure; raises InvalidStructure for partly filled or incomplete sites."""
        given = self.attributes
        try:
            kinds = {one["name"]: one for one in given["species"]}
            sites = [kinds[name] for name in given["species_at_sites"]]
            positions = np.array(given["cartesian_site_positions"], float)
            cell = np.array(given["lattice_vectors"], float)
            partly = any(
                len(one["chemical_symbols"]) != 1 or min(one.get("concentration") or [1.0]) < 0.999 for one in sites
            )
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidStructure(
                f"{self.id}: the provider sent no complete structure ({error} is missing or wrong)."
            ) from error
        if partly:
            raise InvalidStructure(f"{self.id} has partly filled sites; download its CIF and use Upload with ordering.")
        symbols = [one["chemical_symbols"][0] for one in sites]
        atoms = Atoms(symbols, positions=positions, cell=cell, pbc=given.get("dimension_types") or True)
        atoms.info.update(name=self.id, source=f"OPTIMADE {self.id}")
        return structures.check(atoms)


def query(text: str) -> str:
    """Return the filter for what a user typed: a filter is kept, a formula is reduced, words of elements become HAS
    ALL.
    """
    text = text.strip()
    if not text:
        raise LabkitError("Type a formula such as LiCoO2, or elements such as Li Co O.")
    if any(sign in text for sign in ("=", '"', " HAS ", "<", ">")):
        return text
    words = text.replace(",", " ").split()
    if len(words) > 1:
        return "elements HAS ALL " + ",".join(f'"{word}"' for word in words) + f" AND nelements={len(words)}"
    try:
        formula = Atoms(words[0]).symbols.formula
    except (ValueError, KeyError) as error:
        raise LabkitError(
            f"{words[0]!r} is not a chemical formula; type one such as LiCoO2, or elements such as Li Co O."
        ) from error
    counts = formula.count()
    divisor = int(np.gcd.reduce(list(counts.values())))
    reduced = "".join(f"{symbol}{n // divisor if n > divisor else ''}" for symbol, n in sorted(counts.items()))
    return f'chemical_formula_reduced="{reduced}"'


def _read_within(answer: Any, timeout_s: float) -> bytes:
    """The body, read piece by piece: the socket's own time-out starts anew with every byte that drips in."""
    deadline, raw = time.monotonic() + timeout_s, b""
    while len(raw) <= MAX_ANSWER_BYTES and (piece := answer.read1(65_536)):
        raw += piece
        if time.monotonic() > deadline:
            raise TimeoutError(f"no complete answer within {timeout_s:g} s")
    return raw


def search(text: str, provider: str, *, limit: int = 15, timeout_s: float = TIMEOUT_S) -> list[Hit]:
    """Ask one provider (a name of PROVIDERS or a URL) for structures; raises LabkitError with a sentence when it
    fails.
    """
    base = PROVIDERS.get(provider, provider).rstrip("/")
    if not base.startswith(("https://", "http://")):
        raise LabkitError(f"{provider!r} is neither one of {', '.join(PROVIDERS)} nor an http address.")
    options = urllib.parse.urlencode({"filter": query(text), "page_limit": limit, "response_fields": _FIELDS})
    request = urllib.request.Request(f"{base}/v1/structures?{options}", headers={"User-Agent": "labkit"})
    try:
        with urllib.request.urlopen(request, timeout=timeout_s) as answer:
            raw = _read_within(answer, timeout_s)
    except urllib.error.HTTPError as error:
        raise LabkitError(
            f"{provider} refused the question ({error.code} {error.reason}). Is the filter right?"
        ) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise LabkitError(
            f"{provider} cannot be reached ({reason}). Is this computer online? "
            "Library, Upload and Paste work without a network."
        ) from error
    if len(raw) > MAX_ANSWER_BYTES:
        raise LabkitError(
            f"{provider} answered with more than {MAX_ANSWER_BYTES / 1e6:.0f} MB; ask for fewer structures."
        )
    try:
        items = json.loads(raw)["data"]
        return [_hit(item) for item in items]
    except (ValueError, KeyError, TypeError) as error:
        raise LabkitError(f"{provider} did not answer in the OPTIMADE format; try another provider.") from error


def _hit(item: dict[str, Any]) -> Hit:
    attributes = item.get("attributes") or {}
    formula = str(attributes.get("chemical_formula_reduced") or "?")
    return Hit(str(item["id"]), formula, int(attributes.get("nsites") or 0), attributes)
