"""The state of a task form without its widgets: raw values in, a task or sentences out.

The same object answers "what is wrong" (`errors`), "what is the task" (`task`) and "how do I write it in Python"
(`code`).
"""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
from ase import Atoms
from pydantic import BaseModel, ValidationError

from labkit.errors import InvalidTask

from .form_fields import Field, fields_of, sentence

UNSET = object()


class FormModel:
    """Holds a value for each field of `model_class`; nested models are FormModels themselves."""

    def __init__(self, model_class: type[BaseModel], values: dict[str, Any] | None = None) -> None:
        self.model_class = model_class
        self.fields: dict[str, Field] = {one.name: one for one in fields_of(model_class)}
        self.children: dict[str, FormModel] = {}
        self._start = dict(values or {})
        self.values: dict[str, Any] = {}
        self.reset()

    @classmethod
    def of(cls, task: BaseModel) -> FormModel:
        """Return the form of an existing task, filled with its values."""
        return cls(type(task), {name: getattr(task, name) for name in type(task).model_fields})

    def reset(self) -> None:
        """Return to the values that the form was opened with; a structure that was set stays."""
        kept = {n: v for n, v in self.values.items() if self.fields[n].kind.startswith("structure") and v is not UNSET}
        self.values = {}
        for name, one in self.fields.items():
            value = self._start.get(name, UNSET if one.required else one.default)
            if one.model is not None:
                start = (
                    {} if value is UNSET or value is None else {n: getattr(value, n) for n in type(value).model_fields}
                )
                self.children[name] = FormModel(one.model, start)
                value = None if value is None else UNSET
            self.values[name] = value
        self.values.update(kept)

    def set(self, name: str, value: Any) -> None:
        """Set one raw value; None means "not set" for an optional field."""
        self.values[name] = value

    def set_structure(self, structure: Atoms | list[Atoms] | None) -> None:
        """Give a structure to every field that wants one; None takes it away."""
        for name, one in self.fields.items():
            if one.kind not in ("structure", "structures"):
                continue
            if structure is None:
                self.values[name] = UNSET
            elif one.kind == "structures":
                self.values[name] = structure if isinstance(structure, list) else [structure]
            else:
                self.values[name] = structure[0] if isinstance(structure, list) else structure

    def arguments(self) -> dict[str, Any]:
        """Return the keyword arguments of the task, as far as they are given."""
        given: dict[str, Any] = {}
        for name, one in self.fields.items():
            value = self.values[name]
            if name in self.children and value is not None:
                given[name] = self.children[name].arguments()
            elif value is not UNSET:
                given[name] = None if value is None else one.read(value)
        return given

    def check(self) -> tuple[BaseModel | None, dict[tuple[str, ...], str]]:
        """Return (task, {}) or (None, sentences by the path of the field; the empty path is the task as a whole)."""
        try:
            return self.model_class(**self.arguments()), {}
        except (ValueError, TypeError) as error:
            # A Task raises InvalidTask from pydantic's error, which knows the path of each parameter.
            cause = error if isinstance(error, ValidationError) else error.__cause__
            if isinstance(cause, ValidationError):
                return None, self._sentences(cause)
            return None, {(): str(error)}

    def errors(self) -> dict[tuple[str, ...], str]:
        """Return what is wrong, empty when the task is complete."""
        return self.check()[1]

    def task(self) -> BaseModel:
        """Return the task; raises InvalidTask with every sentence."""
        task, errors = self.check()
        if task is None:
            raise InvalidTask("\n".join(errors.values()))
        return task

    def _sentences(self, error: ValidationError) -> dict[tuple[str, ...], str]:
        found: dict[tuple[str, ...], list[str]] = {}
        for one in error.errors(include_url=False):
            path, owner = self._locate(one["loc"])
            found.setdefault(path, []).append(sentence(one, owner))
        return {path: "\n".join(dict.fromkeys(lines)) for path, lines in found.items()}

    def _locate(self, location: tuple[Any, ...]) -> tuple[tuple[str, ...], Field | None]:
        """Return the path of the control that an error belongs to, and its field."""
        if not location or location[0] not in self.fields:
            return (), None
        name = str(location[0])
        if name in self.children and len(location) > 1:
            path, owner = self.children[name]._locate(location[1:])
            return (name, *path), owner or self.fields[name]
        return (name,), self.fields[name]

    def code(self) -> str:
        """Return Python that makes this task: imports, then the call with everything that differs from the defaults."""
        imports: list[str] = []
        call = self._call(imports)
        return "\n".join([*dict.fromkeys(imports), "", f"task = {call}", "run = task.launch()"])

    def _call(self, imports: list[str], indent: str = "") -> str:
        inner = indent + "    "
        imports.append(f"from {public_module(self.model_class)} import {self.model_class.__name__}")
        lines = []
        for name, one in self.fields.items():
            value = self.values[name]
            if name in self.children and value is not None:
                text = self.children[name]._call(imports, inner)
            elif value is UNSET:
                if not one.kind.startswith("structure"):
                    continue
                text = "picker.structure"
            elif one.kind.startswith("structure"):
                text = _structure_code(value, imports)
            else:
                value = one.read(value) if value is not None else None
                if not one.required and _same(value, one.default):
                    continue
                text = repr(value)
            lines.append(f"{inner}{name}={text},")
        return (
            f"{self.model_class.__name__}(\n" + "\n".join(lines) + f"\n{indent})"
            if lines
            else f"{self.model_class.__name__}()"
        )


def public_module(cls: type) -> str:
    """Return the shortest package that exports `cls` under its own name: what a reader would import."""
    parts = cls.__module__.split(".")
    for length in range(1, len(parts)):
        name = ".".join(parts[:length])
        if getattr(importlib.import_module(name), cls.__name__, None) is cls:
            return name
    return cls.__module__


def _same(value: Any, default: Any) -> bool:
    if isinstance(value, list | tuple) and isinstance(default, list | tuple):
        return list(value) == list(default)
    return bool(type(value) is type(default) or isinstance(value, int | float)) and value == default


def _structure_code(value: Any, imports: list[str]) -> str:
    """Return `named("LiCoO2")` for an unchanged library structure, else the expression that reads the picker."""
    if isinstance(value, list):
        return "[" + ", ".join(_structure_code(one, imports) for one in value) + "]"
    if isinstance(value, str):
        imports.append("from labkit.structures import named")
        return f"named({value!r})"
    name = value.info.get("name")
    if name:
        from labkit import structures

        if name in structures.names():
            original = structures.named(name)
            unchanged = len(original) == len(value) and np.allclose(original.cell.array, value.cell.array)
            if (
                unchanged
                and np.array_equal(original.numbers, value.numbers)
                and np.allclose(original.positions, value.positions)
            ):
                imports.append("from labkit.structures import named")
                return f"named({name!r})"
    return "picker.structure"
