"""The history of a structure being built, without widgets: a start, steps that each name a builder, and undo.

Every step is one call of `labkit.structures`, so the history is also the Python that makes the same structure.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ase import Atoms

from labkit import structures


@dataclass(frozen=True)
class Argument:
    """One input of a builder: `kind` is int, float, element, species (one that is present), ints or floats."""

    name: str
    label: str
    kind: str
    default: Any
    unit: str = ""


@dataclass(frozen=True)
class Builder:
    """One builder: the name in `labkit.structures`, a title, one sentence, its inputs and how to call it."""

    name: str
    title: str
    help: str
    arguments: tuple[Argument, ...] = ()
    call: Callable[..., Atoms] | None = None

    def apply(self, atoms: Atoms, values: dict[str, Any]) -> Atoms:
        """Return the built structure; raises what the builder raises."""
        function = self.call or getattr(structures, self.name)
        return function(atoms, **values)


_SEED = Argument("seed", "Seed", "int", 0)
BUILDERS: dict[str, Builder] = {
    one.name: one
    for one in (
        Builder("supercell", "Supercell to a minimum edge", "Repeat the cell until no edge is shorter.",
                (Argument("min_edge_A", "Shortest edge", "float", 10.0, "Å"),)),
        Builder("repeat", "Repeat", "Repeat the cell along a, b and c.",
                (Argument("times", "Times along a, b, c", "ints", "2, 2, 2"),)),
        Builder("vacancy", "Vacancy", "Take away atoms of one element, chosen at random.",
                (Argument("symbol", "Element", "species", ""), Argument("count", "How many", "int", 1), _SEED)),
        Builder("substitute", "Substitution", "Replace atoms of one element by another, chosen at random.",
                (Argument("old", "Replace", "species", ""), Argument("new", "by", "element", "Na"),
                 Argument("count", "How many", "int", 1), _SEED)),
        Builder("swap_disorder", "Anion disorder", "Exchange a fraction of two elements at random.",
                (Argument("first", "Element", "species", ""), Argument("second", "and", "species", ""),
                 Argument("fraction", "Fraction", "float", 0.5), _SEED)),
        Builder("strain", "Strain", "Stretch or shear the cell (Voigt: xx, yy, zz, yz, xz, xy).",
                (Argument("amount", "Strain", "floats", "0.01, 0, 0, 0, 0, 0"),)),
        Builder("rattle", "Rattle", "Move every atom a little, at random.",
                (Argument("stdev_A", "Standard deviation", "float", 0.05, "Å"), _SEED)),
        Builder("slab", "Slab", "Cut a surface and put vacuum above it.",
                (Argument("miller", "Miller indices", "ints", "1, 0, 0"),
                 Argument("min_thickness_A", "Thickness", "float", 10.0, "Å"),
                 Argument("vacuum_A", "Vacuum", "float", 12.0, "Å"))),
        Builder("conventional", "Conventional cell", "The cell of the textbooks."),
        Builder("primitive", "Primitive cell", "The smallest cell."),
    )
}  # fmt: skip


@dataclass(frozen=True)
class Step:
    """One step of the history: what was done in words, as Python, and the structure it gave."""

    text: str
    code: str
    atoms: Atoms = field(repr=False)


class BuildModel:
    """A structure with its history. `start` begins anew, `apply` adds a step, `undo` takes the last one away."""

    def __init__(self) -> None:
        self.steps: list[Step] = []

    @property
    def structure(self) -> Atoms | None:
        """The newest structure."""
        return self.steps[-1].atoms if self.steps else None

    def start(self, atoms: Atoms, text: str, code: str = "") -> None:
        """Begin a new history."""
        self.steps = [Step(text, code, atoms)]

    def apply(self, name: str, values: dict[str, Any]) -> Atoms:
        """Apply a builder to the newest structure; the history is unchanged when it raises."""
        if self.structure is None:
            raise ValueError("there is no structure to build on: choose one in the Library first")
        builder = BUILDERS[name]
        built = builder.apply(self.structure, values)
        if "name" in self.structure.info:
            built.info["name"] = self.structure.info["name"]
        arguments = ", ".join(f"{key}={value!r}" for key, value in values.items())
        said = ", ".join(
            f"{one.label.lower()} {_plain(values[one.name])} {one.unit}".strip() for one in builder.arguments
        )
        self.steps.append(
            Step(f"{builder.title}: {said}" if said else builder.title, f"{name}(atoms, {arguments})", built)
        )
        return built

    def undo(self) -> Atoms | None:
        """Take the last step away (never the start); returns the structure that is left."""
        if len(self.steps) > 1:
            self.steps.pop()
        return self.structure

    def code(self) -> str:
        """Return the history as Python."""
        names = sorted({step.code.split("(")[0] for step in self.steps if "(" in step.code})
        lines = [f"from labkit.structures import {', '.join(names)}", ""] if names else []
        return "\n".join(
            lines + [f"atoms = {step.code.replace('(atoms, )', '(atoms)')}" for step in self.steps if step.code]
        )


def _plain(value: Any) -> str:
    return " ".join(str(one) for one in value) if isinstance(value, list | tuple) else str(value)


def read_argument(argument: Argument, raw: Any) -> Any:
    """Return the value of a control for `argument`; raises ValueError with a sentence."""
    if argument.kind in ("ints", "floats"):
        number = int if argument.kind == "ints" else float
        try:
            return [number(part) for part in str(raw).replace(",", " ").replace("(", " ").replace(")", " ").split()]
        except ValueError:
            kind = "whole numbers" if number is int else "numbers"
            raise ValueError(f"{argument.label}: {raw!r} is not a list of {kind} such as {argument.default}") from None
    if argument.kind in ("element", "species"):
        text = str(raw or "").strip()
        if not text:
            raise ValueError(f"{argument.label}: an element is needed")
        return text[:1].upper() + text[1:].lower()
    return raw
