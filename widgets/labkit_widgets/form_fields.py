"""What a form must know about each parameter of a task, read once from its pydantic fields.

Nothing here knows a widget: a `Field` says which control suits, its label, unit, bounds and help, and turns the text
of a control into a value. Pydantic alone decides whether a value is right; `sentence` says why it is not, in plain
words.
"""

from __future__ import annotations

import json
import types
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from ase import Atoms
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

UNIT_SUFFIXES = (
    "eV_A3", "eV_A", "cm2_s", "GPa", "meV", "K", "fs", "ps", "eV", "A", "A2", "A3", "s", "MB", "THz", "deg", "percent",
)  # fmt: skip


@dataclass(frozen=True)
class Field:
    """One parameter: `kind` is bool, int, float, choice, text, list, structure, structures, model or json."""

    name: str
    kind: str
    label: str
    unit: str = ""
    help: str = ""
    default: Any = None
    required: bool = False
    optional: bool = False
    choices: tuple[Any, ...] = ()
    suggestions: tuple[str, ...] = ()
    bounds: Mapping[str, float] = field(default_factory=dict)
    model: type[BaseModel] | None = None

    @property
    def limits(self) -> str:
        """The allowed range in words, empty without one."""
        words = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}
        parts = [f"{words[key]} {value:g}" for key, value in self.bounds.items()]
        return f"{' and '.join(parts)} {self.unit}".strip() if parts else ""

    @property
    def tooltip(self) -> str:
        """Help, limits and the name in Python."""
        return "\n".join(part for part in (self.help, self.limits.capitalize(), f"In Python: {self.name}") if part)

    def read(self, raw: Any) -> Any:
        """Turn what a control holds into the value to validate; raises ValueError with a sentence."""
        if self.kind == "list" and isinstance(raw, str):
            return read_list(raw)
        if self.kind == "json" and isinstance(raw, str):
            try:
                return json.loads(raw) if raw.strip() else None
            except ValueError:
                return raw
        return raw

    def write(self, value: Any) -> Any:
        """Turn a value into what its control holds: the inverse of `read`."""
        if self.kind == "list" and not isinstance(value, str):
            return ", ".join(str(item) for item in value or ())
        if self.kind == "json" and not isinstance(value, str):
            return "" if value is None else json.dumps(value, default=_as_json)
        return value


def read_list(text: str) -> list[Any]:
    """Return the items of a comma- or space-separated text: numbers where they are numbers, else words."""
    items: list[Any] = []
    for part in text.replace(",", " ").replace(";", " ").split():
        for kind in (int, float, str):
            try:
                items.append(kind(part))
                break
            except ValueError:
                continue
    return items


def label_of(name: str, unit: str = "") -> str:
    """Return `temperature_K` as `Temperature`: the unit stands beside the control, not in the label."""
    name = name.split("_per_")[0]
    for suffix in sorted(UNIT_SUFFIXES, key=len, reverse=True):
        if name.endswith("_" + suffix) and (unit or suffix in {"K", "fs", "ps", "GPa", "eV", "A"}):
            name = name[: -len(suffix) - 1]
            break
    words = name.replace("_", " ").strip()
    return words[:1].upper() + words[1:]


def fields_of(model: type[BaseModel]) -> list[Field]:
    """Return the form's view of every field of a pydantic model, in its order."""
    return [_field(name, info) for name, info in model.model_fields.items()]


def _field(name: str, info: FieldInfo) -> Field:
    annotation, optional = _without_none(info.annotation)
    extra = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
    unit = str(extra.get("unit") or "")
    kind, choices, model = _kind(annotation)
    required = info.default is PydanticUndefined and info.default_factory is None
    default = None if required else info.get_default(call_default_factory=True)
    bounds = {
        key: float(getattr(part, key))
        for part in info.metadata
        for key in ("ge", "gt", "le", "lt")
        if isinstance(getattr(part, key, None), int | float)
    }
    return Field(
        name=name, kind=kind, label=str(extra.get("label") or label_of(name, unit)), unit=unit,
        help=info.description or "",
        default=default, required=required, optional=optional, choices=choices, bounds=bounds, model=model,
        suggestions=tuple(extra.get("suggestions") or suggestions(name)) if kind == "text" else (),
    )  # fmt: skip


def _without_none(annotation: Any) -> tuple[Any, bool]:
    if get_origin(annotation) is Annotated:
        return _without_none(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        parts = [part for part in get_args(annotation) if part is not type(None)]
        has_none = len(parts) < len(get_args(annotation))
        inner = parts[0] if len(parts) == 1 else Union[tuple(parts)]  # noqa: UP007 -- built at run time
        if get_origin(inner) is Annotated:
            inner = get_args(inner)[0]
        return inner, has_none
    return annotation, False


def _kind(annotation: Any) -> tuple[str, tuple[Any, ...], type[BaseModel] | None]:
    origin = get_origin(annotation)
    if origin is Literal:
        return "choice", get_args(annotation), None
    if origin in (list, tuple):
        item = _without_none(next(iter(get_args(annotation)), str))[0]
        if isinstance(item, type) and issubclass(item, Atoms):
            return "structures", (), None
        plain = item in (int, float, str) or get_origin(item) is Literal
        return ("list" if plain else "json"), (), None
    if not isinstance(annotation, type):
        return "json", (), None
    for base, kind in ((Atoms, "structure"), (bool, "bool"), (int, "int"), (float, "float"), (str, "text")):
        if issubclass(annotation, base) and not issubclass(annotation, Enum):
            return kind, (), None
    if issubclass(annotation, Enum):
        return "choice", tuple(annotation), None
    return ("model", (), annotation) if issubclass(annotation, BaseModel) else ("json", (), None)


def suggestions(name: str) -> tuple[str, ...]:
    """Return words to offer for well-known text parameters; any other text may still be typed."""
    if name == "device":
        return ("auto", "cpu", "cuda", "mps")
    if name == "potential":
        from labkit import potentials

        return tuple(potentials.names())
    return ()


def sentence(error: Mapping[str, Any], form_field: Field | None) -> str:
    """Return one pydantic error as a sentence that names the parameter, the value, the limit and the unit."""
    label = form_field.label if form_field else ".".join(str(part) for part in error["loc"]) or "The task"
    unit = f" {form_field.unit}" if form_field and form_field.unit else ""
    given = error.get("input")
    shown = f"{given!r}" if isinstance(given, str) else f"{given}"
    shown = shown if len(shown) < 60 else shown[:57] + "..."
    context = error.get("ctx", {})
    kind = error["type"]
    limits = {"greater_than_equal": ("at least", "ge"), "greater_than": ("more than", "gt"),
              "less_than_equal": ("at most", "le"), "less_than": ("less than", "lt")}  # fmt: skip
    if kind in limits:
        words, key = limits[kind]
        return f"{label} must be {words} {context[key]:g}{unit}; {shown}{unit} was given."
    if kind == "missing":
        return f"{label} is needed."
    if kind.startswith(("int_", "float_", "finite_number")):
        noun = "a whole number" if kind.startswith("int_") else "a number"
        return f"{label} must be {noun}; {shown} was given."
    if kind == "literal_error":
        return f"{label} must be one of {context.get('expected')}; {shown} was given."
    if kind in ("value_error", "assertion_error"):
        return str(context.get("error") or error["msg"]).removeprefix("Value error, ")
    return f"{label}: {error['msg'][:1].lower()}{error['msg'][1:]}; {shown} was given."


def _as_json(value: Any) -> Any:
    return value.model_dump(mode="json") if isinstance(value, BaseModel) else str(value)
