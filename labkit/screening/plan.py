"""The stages of a campaign, ready to be sent: each with its label, all its parameters, and what workers are told."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

from ase import Atoms
from pydantic import ValidationError

from labkit.errors import InvalidTask
from labkit.runs.explain import explain
from labkit.screening.fingerprint import of_function
from labkit.screening.stage import BUILT_IN, Function, Stage, StageSettings, build, stage_class

#: Parameters that a stage takes from the campaign when it does not set them itself.
SHARED = ("potential", "device")


@dataclass(frozen=True)
class Planned:
    """One stage: `spec` is what a worker builds it from, `stage` the same object here, None for a notebook's function.

    phases: competing phases that it wants evaluated, by the stages of the numbers `phases_by`, in this order.
    """

    label: str
    spec: dict[str, Any]
    stage: Stage | None
    timeout_s: float
    phases: tuple[Atoms, ...] = ()
    phases_by: tuple[int, ...] = ()

    @property
    def gathers(self) -> bool:
        """Whether it waits for all candidates."""
        return self.stage is not None and self.stage.gathers

    @property
    def cheap(self) -> bool:
        """Whether many candidates travel together from the start."""
        return self.stage is not None and self.stage.cheap

    def in_full(self) -> dict[str, Any]:
        """What the folder says of it, with the parameters that were left at their defaults."""
        if self.stage is None or isinstance(self.stage, Function):
            return self.described()
        return {**self.described(), "parameters": self.stage.model_dump(mode="json")}

    def described(self) -> dict[str, Any]:
        """What the folder says of it."""
        parameters = {key: value for key, value in self.spec.items() if key != "callable"}
        return {"label": self.label, **parameters, "gathers": self.gathers}


def plan(
    stages: Sequence[StageSettings | Stage | str | dict[str, Any] | Callable[..., Any]],
    *,
    potential: str,
    device: str,
    timeout_s: float,
) -> list[Planned]:
    """Build every stage; raises InvalidTask for one that does not exist, does not take its parameters, or misses what
    only another stage before it brings.
    """
    planned: list[Planned] = []
    for given in stages:
        if isinstance(given, StageSettings | Stage | str | dict):
            settings = _settings(given)
            parameters = dict(settings.parameters)
            cls = stage_class(settings.name)
            for key, value in zip(SHARED, (potential, device), strict=True):
                if cls is not None and key in cls.model_fields:
                    parameters.setdefault(key, value)
            stage = build(settings.name, parameters)
            name = settings.label or settings.name.rpartition(":")[2]
            spec = {"name": settings.name, "parameters": parameters}
            if settings.name not in BUILT_IN:  # a module of the user's may have changed since
                spec["code"] = of_function(stage.function if isinstance(stage, Function) else type(stage).judge)
            timeout = settings.timeout_s or timeout_s
        else:
            name = getattr(given, "__name__", type(given).__name__)
            stage, timeout = None, timeout_s
            spec = {"name": name, "parameters": {}, "code": of_function(given), "callable": _pickled(given, name)}
        taken = {one.label for one in planned}
        label = name if name not in taken else next(one for n in count(2) if (one := f"{name} {n}") not in taken)
        phases = tuple(getattr(stage, "phases", ()))
        by = _energies(planned, label) if stage is not None and stage.gathers and hasattr(stage, "phases") else ()
        planned.append(Planned(label, spec, stage, timeout, phases, by))
    if not planned:
        raise InvalidTask(f"a campaign needs at least one stage: {', '.join(BUILT_IN)}, or a function of your own.")
    return planned


def _settings(given: Any) -> StageSettings:
    try:
        return StageSettings.model_validate(given)
    except ValidationError as error:
        raise InvalidTask(explain(error, StageSettings)) from error


def _energies(before: list[Planned], label: str) -> tuple[int, ...]:
    """The stages that bring a phase its energy: relaxations and all of the user's, with the cheap checks between, whose
    values these may read. Hops, barriers and dynamics of a competing phase would cost much and say nothing of it.
    """
    brings = {n for n, one in enumerate(before) if one.spec["name"] == "relaxation" or one.spec["name"] not in BUILT_IN}
    brings = {number for number in brings if not before[number].gathers}
    if not brings:
        raise InvalidTask(f"the stage {label} compares energies: put a relaxation (or a stage of your own) before it.")
    return tuple(
        n for n, one in enumerate(before) if n in brings or (one.cheap and not one.gathers and n < max(brings))
    )


def _pickled(function: Callable[..., Any], name: str) -> str:
    import cloudpickle

    try:
        return base64.b64encode(cloudpickle.dumps(function)).decode()
    except Exception as error:  # pickling may raise anything
        raise InvalidTask(
            f"the stage {name} cannot be sent to a worker ({error}); put it into a module and name it 'module:{name}'."
        ) from error
