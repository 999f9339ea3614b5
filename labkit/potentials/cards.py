"""Capability cards: what a potential covers, how well, how fast, and whose it is, without opening its network.

One `Card` for a name of the gallery, for a saved folder (read off potential.json and the header of model.safetensors)
and for an opened potential; what nobody stated is None and is never guessed.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from labkit.potentials.interface import DEFAULT_PROPERTIES, PROPERTIES, Potential

#: A longer header is no header of ours (ours are below 100 kB); it is not read.
MAX_HEADER_BYTES = 10_000_000
#: Columns of the errors, in the order in which they are shown.
ERRORS = (
    "n", "energy_mae_meV_atom", "energy_rmse_meV_atom", "forces_mae_meV_A", "forces_rmse_meV_A", "stress_mae_GPa",
    "magmoms_mae_muB",
)  # fmt: skip
#: Whatever else has a unit in potential.json is not something that `predict` gives.
KNOWN_PROPERTIES = (*PROPERTIES, "uncertainty")
#: Elements that are still listed in a sentence.
MANY = 8


@dataclass(frozen=True)
class Card:
    """What a potential covers.

    elements: chemical symbols, None for no limit or not known. cutoff_A: Å. n_parameters: trained numbers.
    errors_by_group: group -> {"n", "energy_mae_meV_atom", "forces_mae_meV_A", ...}, against `errors_on`.
    speed_atoms_steps_per_s: energy, forces and stress, measured on this machine (`measure_speed`), else None.
    trained_on: name of the dataset; dataset_hash: its sha256. install: the command that brings it, "" when it is here.
    """

    name: str
    sentence: str = ""
    elements: frozenset[str] | None = None
    cutoff_A: float | None = None
    level_of_theory: str = ""
    properties: tuple[str, ...] = DEFAULT_PROPERTIES
    n_parameters: int | None = None
    licence: str = ""
    citation: str = ""
    source: str = ""
    errors_by_group: Mapping[str, Mapping[str, float]] | None = None
    errors_on: str = ""
    speed_atoms_steps_per_s: float | None = None
    speed_measured_with: str = ""
    trained_on: str | None = None
    dataset_hash: str | None = None
    notes: tuple[str, ...] = field(default=())
    install: str = ""

    @property
    def installed(self) -> bool:
        """Whether `load` can open it here and now."""
        return not self.install


def card_of_folder(folder: Path) -> Card:
    """The card of a potential that `Potential.save` or a training wrote into `folder`.

    Of potential.json it reads name, sentence, elements, level_of_theory, cutoff_A (or that of architecture or
    settings), units, licence, citation, notes, dataset {name, hash} and metrics {on, groups: rows or a dictionary};
    the last six may stand under provenance. Raises ValueError when the file is no description of a potential.
    """
    folder = Path(folder)
    said = read_description(folder)
    dataset = _dataset(said)
    errors, errors_on = _errors(said)
    return Card(
        name=str(said.get("name") or folder.name),
        sentence=_text(said, "sentence") or _sentence(said, dataset),
        elements=_elements(said.get("elements")),
        cutoff_A=_cutoff(said),
        level_of_theory=str(said.get("level_of_theory") or ""),
        properties=_properties(said),
        n_parameters=count_parameters(folder / "model.safetensors"),
        licence=_text(said, "licence"),
        citation=_text(said, "citation"),
        source=str(folder),
        errors_by_group=errors,
        errors_on=errors_on,
        trained_on=dataset.get("name"),
        dataset_hash=dataset.get("hash"),
        notes=_notes(said.get("notes") or _part(said, "provenance").get("notes")),
    )


def card_of_potential(potential: Potential, base: Card | None = None) -> Card:
    """The card of an opened potential: `base`, if there is one, with what the object itself knows put first."""
    network = getattr(potential, "network", None)
    counted = sum(one.numel() for one in network.parameters()) if hasattr(network, "parameters") else None
    stated = counted or getattr(potential, "n_parameters", None)
    cutoff = getattr(potential, "cutoff_A", None)
    known = {
        "level_of_theory": potential.level_of_theory,
        "elements": potential.elements,
        "properties": tuple(potential.implemented),
        "cutoff_A": None if cutoff is None else float(cutoff),
        "n_parameters": stated,
    }
    known = {name: value for name, value in known.items() if value not in (None, "", ())}
    if base is not None:
        # A gallery entry counts what was trained, buffers included or not as its paper does.
        known.pop("n_parameters" if base.n_parameters else "", None)
        return replace(base, **known)
    said = {"provenance": getattr(potential, "provenance", None)}
    dataset = _dataset(said)
    errors, errors_on = _errors(said)
    return Card(
        name=potential.name,
        licence=_text(said, "licence"),
        citation=_text(said, "citation"),
        errors_by_group=errors,
        errors_on=errors_on,
        trained_on=dataset.get("name"),
        dataset_hash=dataset.get("hash"),
        **known,
    )


def read_description(folder: Path) -> dict[str, Any]:
    """The content of `folder`/potential.json; raises ValueError, naming the file, when it cannot be read."""
    path = Path(folder) / "potential.json"
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} cannot be read as the description of a potential ({error}).") from error
    if not isinstance(said, dict):
        raise ValueError(f"{path} holds a {type(said).__name__} where a potential's description was expected.")
    return said


def count_parameters(path: Path) -> int | None:
    """Numbers in a safetensors file, from its header alone; None when it holds none or cannot be read."""
    try:
        with Path(path).open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if length > MAX_HEADER_BYTES:
                return None
            header = json.loads(file.read(length))
        shapes = [entry["shape"] for name, entry in header.items() if name != "__metadata__"]
        return sum(math.prod(shape) for shape in shapes) or None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _elements(value: Any) -> frozenset[str] | None:
    return frozenset(map(str, value)) if isinstance(value, Sequence) and not isinstance(value, str) else None


def _part(said: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = said.get(name)
    return value if isinstance(value, Mapping) else {}


def _cutoff(said: Mapping[str, Any]) -> float | None:
    places = (said, _part(said, "settings"), _part(said, "architecture"))
    for place in places:
        for key in ("cutoff_A", "atom_graph_cutoff"):
            if isinstance(place.get(key), int | float):
                return float(place[key])
    return None


def _text(said: Mapping[str, Any], name: str) -> str:
    return str(said.get(name) or _part(said, "provenance").get(name) or "")


def _sentence(said: Mapping[str, Any], dataset: Mapping[str, str]) -> str:
    """What a potential is in a few words, for one that says nothing itself."""
    elements = sorted(_elements(said.get("elements")) or ())
    parts = [
        str(said.get("kind") or "potential").upper(),
        f"for {', '.join(elements)}"
        if 0 < len(elements) <= MANY
        else f"for {len(elements)} elements"
        if elements
        else "",
        f"trained on {dataset['name']}" if "name" in dataset else "",
    ]
    return " ".join(filter(None, parts))


def _properties(said: Mapping[str, Any]) -> tuple[str, ...]:
    given = said.get("properties") or [one for one in _part(said, "units") if one in KNOWN_PROPERTIES]
    return tuple(map(str, given)) if given else DEFAULT_PROPERTIES


def _notes(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    return tuple(map(str, value)) if isinstance(value, Sequence) else ()


def _dataset(said: Mapping[str, Any]) -> dict[str, str]:
    """Name and hash of what it was trained on, from `dataset`, or from `provenance`.dataset."""
    found = said.get("dataset") or _part(said, "provenance").get("dataset")
    found = {"name": found} if isinstance(found, str) else found
    found = dict(found) if isinstance(found, Mapping) else {}
    found.setdefault("hash", said.get("dataset_hash") or _part(said, "provenance").get("dataset_hash"))
    return {key: str(found[key]) for key in ("name", "hash") if found.get(key)}


def _errors(said: Mapping[str, Any]) -> tuple[dict[str, dict[str, float]] | None, str]:
    """Errors by group, and what they were measured on, from `metrics`; (None, "") when there are none."""
    metrics = _part(said, "metrics") or _part(_part(said, "provenance"), "metrics")
    groups = metrics.get("groups") or metrics.get("errors_by_group")
    if isinstance(groups, Sequence) and not isinstance(groups, str):
        groups = {str(row.get("group") or "all"): row for row in groups if isinstance(row, Mapping)}
    rows = dict(groups) if isinstance(groups, Mapping) else {}
    if not rows:
        whole = {name: value for name, value in metrics.items() if isinstance(value, Mapping)} or {"all": metrics}
        rows = whole
    kept = {str(group): _numbers(row) for group, row in rows.items() if isinstance(row, Mapping)}
    kept = {group: row for group, row in kept.items() if row}
    return (kept or None), str(metrics.get("on") or ("validation" if kept else ""))


def _numbers(row: Mapping[str, Any]) -> dict[str, float]:
    kept = {}
    for name in ERRORS:
        value = row.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            kept[name] = value
    return kept
