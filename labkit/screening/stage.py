"""The stages that labkit brings, and how a stage is named: "relaxation", or "module:function" of the user.

A stage is a frozen model of its parameters with `judge`; one that needs all candidates at once has `judge_all`.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from ase import Atoms
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator

from labkit.errors import InvalidTask
from labkit.runs import quantity
from labkit.runs.explain import explain
from labkit.runs.task import ADDRESS
from labkit.screening.candidate import Candidate, Outcome, as_outcome

#: name -> where its class lives, in the order of a usual funnel.
BUILT_IN = {
    "composition": "labkit.screening.stages.composition:Composition",
    "geometry": "labkit.screening.stages.geometry:Geometry",
    "relaxation": "labkit.screening.stages.relaxation:Relax",
    "hull": "labkit.screening.stages.hull:Hull",
    "hops": "labkit.screening.stages.hops:Hops",
    "barriers": "labkit.screening.stages.barriers:Barriers",
    "frenkel": "labkit.screening.stages.frenkel:Frenkel",
    "md": "labkit.screening.stages.dynamics:Dynamics",
    "ranking": "labkit.screening.stages.ranking:Ranking",
}


class Stage(BaseModel):
    """Base of the stages: fields are parameters, `judge` does the work in a worker process."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    #: Costs microseconds to milliseconds: many candidates travel to a worker together from the start.
    cheap: ClassVar[bool] = False
    #: Needs all candidates that are left; then `judge_all` is called, in the campaign's own process.
    gathers: ClassVar[bool] = False

    def judge(self, candidate: Candidate) -> Outcome:
        """What this stage says of one candidate."""
        raise NotImplementedError(f"{type(self).__name__} has no judge(candidate): write it in the class")

    def judge_all(self, members: Sequence[Member], phases: Sequence[Member]) -> Mapping[int, Outcome]:
        """What this stage says of all candidates, by their index."""
        raise NotImplementedError(f"{type(self).__name__} has no judge_all(members, phases): write it in the class")


@dataclass(frozen=True)
class Member:
    """A candidate as a gathering stage sees it: its number, name, composition, and the values so far.

    reason: of a competing phase, why it has no values.
    """

    index: int
    name: str
    counts: Mapping[str, int]
    values: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""


class StageSettings(BaseModel):
    """One stage of a campaign: which, with which parameters, and how long a candidate may take."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(description='A stage of labkit, or "module:function" of your own', min_length=1)
    parameters: dict[str, JsonValue] = Field({}, description="Its parameters")
    label: str = Field("", description="What the table calls it, if not its name")
    timeout_s: float | None = quantity(None, "s", "Longest time for one candidate, if not the campaign's", gt=0)

    @model_validator(mode="before")
    @classmethod
    def _from_stage(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {"name": value}
        if isinstance(value, Stage):
            return {"name": name_of(value), "parameters": value.model_dump(mode="json", exclude_unset=True)}
        return value

    @model_validator(mode="after")
    def _known(self) -> StageSettings:
        if self.name in BUILT_IN:
            build(self.name, self.parameters)
        elif not ADDRESS.fullmatch(self.name):
            raise InvalidTask(
                f"there is no stage {self.name!r}; labkit has {', '.join(BUILT_IN)}, and a stage of your own is named "
                "by its address, 'module:function'."
            )
        return self


def stage_class(name: str) -> type[Stage] | None:
    """The class of a built-in stage, whose fields a form shows; None for a user's function."""
    if name not in BUILT_IN:
        return None
    module, _, attribute = BUILT_IN[name].partition(":")
    return getattr(importlib.import_module(module), attribute)


def name_of(stage: Stage) -> str:
    """The name under which a stage object is found again."""
    where = f"{type(stage).__module__}:{type(stage).__qualname__}"
    return next((name for name, address in BUILT_IN.items() if address == where), where)


def build(name: str, parameters: Mapping[str, Any]) -> Stage:
    """The stage `name` with its parameters.

    Raises InvalidTask for parameters that do not fit, or for an address where there is no function of a candidate.
    """
    cls = stage_class(name) or _of_the_user(name, parameters)
    if not (isinstance(cls, type) and issubclass(cls, Stage)):
        return Function(function=cls, parameters=dict(parameters))
    try:
        return cls(**parameters)
    except ValidationError as error:
        raise InvalidTask(explain(error, cls)) from error


class Function(Stage):
    """A user's function as a stage."""

    function: Callable[..., Any]
    parameters: dict[str, Any] = {}

    def judge(self, candidate: Candidate) -> Outcome:
        """Call it."""
        return as_outcome(self.function(candidate, **self.parameters))


def _of_the_user(name: str, parameters: Mapping[str, Any]) -> Any:
    module, _, attribute = name.partition(":")
    try:
        found: Any = importlib.import_module(module)
        for part in attribute.split("."):
            found = getattr(found, part)
    except Exception as error:  # a foreign module may raise anything at import
        raise InvalidTask(
            f"the stage {name} cannot be imported ({type(error).__name__}: {error}); put its module where the workers "
            "find it too."
        ) from error
    if not callable(found):
        raise InvalidTask(f"the stage {name} is a {type(found).__name__}, not a function of a candidate.")
    if not isinstance(found, type):
        try:
            inspect.signature(found).bind(None, **parameters)
        except TypeError as error:
            raise InvalidTask(f"the stage {name} does not take these parameters: {error}.") from error
        except ValueError:  # a function of C has no signature to look at
            pass
    return found


def counts(atoms: Atoms) -> dict[str, int]:
    """How many atoms of each element."""
    return {symbol: int(count) for symbol, count in atoms.symbols.formula.count().items()}
