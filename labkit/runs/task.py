"""A task says what to do: its fields are the parameters, `execute` does the work.

A task is data. It travels as JSON under a public address "module:name", and nothing but subclasses of `Task` is ever
made from it.
"""

import importlib
import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from labkit.errors import InvalidTask
from labkit.runs.explain import explain
from labkit.runs.folder import now

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from labkit.runs.context import RunContext
    from labkit.runs.run import Run
    from labkit.runs.store import Store

ADDRESS = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")


class Task(BaseModel):
    """Base of everything long: subclass it, give it fields (see `quantity`), and write `execute`."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    kind: ClassVar[str] = "Task"

    def __init__(self, /, **parameters: Any) -> None:
        """Check the parameters; raises InvalidTask with one sentence for each that is wrong."""
        try:
            super().__init__(**parameters)
        except ValidationError as error:
            raise InvalidTask(explain(error, type(self))) from error

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        """Name the kind after the class unless the class names it itself."""
        if "kind" not in cls.__dict__:
            cls.kind = cls.__name__

    def execute(self, context: "RunContext") -> dict[str, Any]:
        """Do the work, reporting through `context`, and return what JSON can hold; each kind of task writes its own."""
        message = f"{self.kind} has no execute(context): write it in the class"
        raise NotImplementedError(message)

    def label(self) -> str:
        """A short name for people, used in the run id and in lists."""
        return self.kind

    def launch(
        self,
        *,
        store: "Store | Path | str | None" = None,
        executor: "Executor | None" = None,
        name: str | None = None,
    ) -> "Run":
        """Start a run outside this process, or on `executor`, and return it at once.

        Raises InvalidTask for a task that another process could not import, LabkitError for a store that cannot be
        written.
        """
        from labkit.runs.launcher import launch

        return launch(self, store=store, executor=executor, name=name)

    def run(self, *, store: "Store | Path | str | None" = None, name: str | None = None) -> "Run":
        """Do the work here and now, in a run folder all the same; raises the task's own error."""
        from labkit.runs.launcher import run_here

        return run_here(self, store=store, name=name)

    def to_dict(self) -> dict[str, Any]:
        """The task as JSON-able data: {"task": address, "kind": ..., "parameters": {...}}."""
        return {"task": address(type(self)), "kind": self.kind, "parameters": self.model_dump(mode="json")}

    def to_json(self) -> str:
        """The task as the text of a task.json."""
        return json.dumps(self.to_dict(), indent=1, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Read a task of this class from the text of a task.json; raises InvalidTask."""
        try:
            data = json.loads(text)
        except ValueError as error:
            message = f"this is not a task in JSON: {error}"
            raise InvalidTask(message) from error
        task = load_task(data)
        if not isinstance(task, cls):
            message = f"the JSON holds a {task.kind} where a {cls.__name__} was expected"
            raise InvalidTask(message)
        return task


def load_task(source: Path | str | dict[str, Any]) -> Task:
    """Read a task from a task.json, a run folder, or the data of one.

    Raises InvalidTask for a file that cannot be read, a class that is not an importable Task, or wrong parameters.
    """
    if isinstance(source, dict):
        data: Any = source
    else:
        path = Path(source)
        path = path / "task.json" if path.is_dir() else path
        try:
            data = json.loads(path.read_bytes())
        except (OSError, ValueError) as error:
            message = f"{path} is not a readable task: {error}"
            raise InvalidTask(message) from error
    parameters = data.get("parameters", {}) if isinstance(data, dict) else None
    if not isinstance(parameters, dict) or not isinstance(data.get("task"), str):
        message = 'a task needs {"task": "module:name", "parameters": {...}}'
        raise InvalidTask(message)
    return import_task_class(data["task"])(**parameters)


def address(cls: type[Task]) -> str:
    """The "module:name" of a task class, through the outermost package that offers it under its own name."""
    parts = cls.__module__.split(".")
    for depth in range(1, len(parts) + 1):
        module = ".".join(parts[:depth])
        if getattr(sys.modules.get(module), cls.__qualname__, None) is cls:
            return f"{module}:{cls.__qualname__}"
    return f"{cls.__module__}:{cls.__qualname__}"


def import_task_class(where: str) -> type[Task]:
    """Import the task class at "module:name"; raises InvalidTask for anything that is not a subclass of Task."""
    if not ADDRESS.fullmatch(where):
        message = f"{where[:100]!r} is not the address of a task; it reads like 'labkit.simulators:MolecularDynamics'"
        raise InvalidTask(message)
    module, _, name = where.partition(":")
    try:
        found: Any = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except Exception as error:  # a foreign module may raise anything at import
        message = f"the task {where} cannot be imported here ({type(error).__name__}: {error}); install what defines it"
        raise InvalidTask(message) from error
    if not (isinstance(found, type) and issubclass(found, Task)):
        message = f"{where} is not a labkit task, so it is not executed"
        raise InvalidTask(message)
    return found


def check_importable(task: Task) -> str:
    """Return the address of the task's class; raises InvalidTask when another process could not find it."""
    where, cls = address(type(task)), type(task)
    if cls.__module__ == "__main__" or "<locals>" in where:
        message = (
            f"{cls.__qualname__} is defined in a notebook, a script or a function, where no other process can find it: "
            "put the class into a module (a .py file beside the notebook) and import it, or use task.run()"
        )
        raise InvalidTask(message)
    if import_task_class(where) is not cls:
        message = f"{where} has been redefined since this task was made: make the task again"
        raise InvalidTask(message)
    return where


def describe(task: Task, name: str | None) -> dict[str, Any]:
    """The content of a new run's task.json."""
    from labkit import __version__

    title = " ".join((name or task.label()).split())[:200]
    return {**task.to_dict(), "name": title, "created": now(), "labkit": __version__}
