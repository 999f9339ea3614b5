"""`TaskForm`: every parameter of a task as a control, with its unit, bounds and help.

The form is built from the task's own pydantic fields, so a form, a JSON file and a Python call can never disagree.
`form.task` is the task; "Copy as Python" shows and copies the call that makes it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import ipywidgets as w
from ase import Atoms
from pydantic import BaseModel
from traitlets import HasTraits

from . import theme
from .clipboard import Clipboard
from .form_controls import Row
from .form_model import FormModel
from .panel import Panel, button

MAIN_FIELDS = 8


class TaskForm(Panel):
    """A form for a `Task` class, or for an existing task whose values it starts from. `errors` holds what is wrong
    now.

    `structure` is `ase.Atoms`, a list of them, or a widget with a `structure` trait (a `StructurePicker`), which is
    followed.
    """

    def __init__(
        self,
        task: type[BaseModel] | BaseModel,
        *,
        structure: Atoms | list[Atoms] | HasTraits | None = None,
        title: bool = True,
    ) -> None:
        self.model = FormModel(task) if isinstance(task, type) else FormModel.of(task)
        self._listeners: list[Callable[[], None]] = []
        self.errors: dict[tuple[str, ...], str] = {}
        self._rows: dict[tuple[str, ...], Row] = {}
        self._source: HasTraits | None = None
        main, more = self._build_rows(self.model, ())
        self._problem = w.HTML()
        self._code = w.Textarea(disabled=False, layout=w.Layout(width="auto", height="190px", display="none"))
        self._code.add_class("lk-code")
        self._clipboard = Clipboard()
        self.copy_button = button("Copy as Python", "Copy the Python call that makes this task", width="130px")
        self.reset_button = button("Reset", "Back to the values the form opened with")
        self.copy_button.on_click(lambda _: self.show_code(self._code.layout.display == "none"))
        self.reset_button.on_click(lambda _: self.reset())
        self.bar = w.HBox([self.copy_button, self.reset_button])
        cls = self.model.model_class
        note = (cls.__doc__ or "").strip().splitlines()[0] if cls.__doc__ else ""
        head = (
            [theme.title(spaced(cls.__name__)), w.HTML(f'<div class="lk-muted">{theme.escape(note)}</div>')]
            if title
            else []
        )
        fold: list[w.Widget] = []
        if more:
            fold = [w.Accordion([_flow(more)], titles=("More settings",), selected_index=None)]
        super().__init__([*head, _flow(main), *fold, self._problem, self.bar, self._code, self._clipboard])
        if isinstance(structure, HasTraits) and structure.has_trait("structure"):
            self._source = structure
            structure.observe(self._on_source, "structure")
            # An existing task keeps its own structure until the user picks another.
            structure = structure.structure if isinstance(task, type) else None
        if structure is not None:
            self.model.set_structure(structure)
        self._refresh()

    @property
    def task(self) -> BaseModel:
        """The task as the form stands; raises InvalidTask with every sentence when it is not complete."""
        return self.model.task()

    @property
    def is_valid(self) -> bool:
        """Whether `task` would succeed."""
        return not self.errors

    def on_change(self, callback: Callable[[], None]) -> None:
        """Call `callback()` after every edit."""
        self._listeners.append(callback)

    def set(self, **values: Any) -> None:
        """Set fields from Python as a user would: `form.set(temperature_K=600)`."""
        unknown = sorted(set(values) - set(self.model.fields))
        if unknown:
            raise ValueError(f"no such parameter: {', '.join(unknown)}; there are: {', '.join(self.model.fields)}")
        for name, value in values.items():
            self.model.set(name, value)
        self._write_rows()
        self._refresh()

    def set_structure(self, structure: Atoms | list[Atoms] | None) -> None:
        """Give the task its structure (or structures)."""
        self.model.set_structure(structure)
        self._write_rows()
        self._refresh()

    def reset(self) -> None:
        """Return to the values that the form opened with; the structure stays."""
        self.model.reset()
        self._write_rows()
        self._refresh()

    def show_code(self, visible: bool = True) -> None:
        """Show the Python text and copy it, or hide it again."""
        self._code.layout.display = "flex" if visible else "none"
        self.copy_button.description = "Hide Python" if visible else "Copy as Python"
        if visible:
            self._clipboard.put(self.code)

    @property
    def code(self) -> str:
        """Python that makes this task."""
        return self.model.code()

    def _build_rows(self, model: FormModel, path: tuple[str, ...]) -> tuple[list[w.Widget], list[w.Widget]]:
        main: list[w.Widget] = []
        more: list[w.Widget] = []
        for name, field in model.fields.items():
            here = (*path, name)
            if name in model.children:
                inner, rest = self._build_rows(model.children[name], here)
                box = w.Accordion([_flow(inner + rest)], titles=(field.label,), selected_index=0)
                box.layout.width = "100%"
                main.append(box)
                continue
            row = Row(
                field, model.values[name], lambda field_name, raw, owner=model: self._on_edit(owner, field_name, raw)
            )
            self._rows[here] = row
            (main if field.required or len(main) < MAIN_FIELDS else more).append(row)
        return main, more

    def _models(
        self, model: FormModel | None = None, path: tuple[str, ...] = ()
    ) -> Iterator[tuple[tuple[str, ...], FormModel]]:
        model = model or self.model
        yield path, model
        for name, child in model.children.items():
            yield from self._models(child, (*path, name))

    def _write_rows(self) -> None:
        for path, model in self._models():
            for name in model.fields:
                if (*path, name) in self._rows:
                    self._rows[(*path, name)].write(model.values[name])

    def _on_edit(self, owner: FormModel, name: str, raw: Any) -> None:
        owner.set(name, raw)
        self._refresh()

    def _on_source(self, change: dict) -> None:
        self.set_structure(change["new"])

    def _refresh(self) -> None:
        for path, row in self._rows.items():
            if row.field.kind.startswith("structure"):
                owner = dict(self._models())[path[:-1]]
                row.write(owner.values[path[-1]])
        errors = self.errors = self.model.errors()
        for path, row in self._rows.items():
            # A structure that was not chosen yet is said in grey at its place, not as an error.
            missing = row.field.kind.startswith("structure") and errors.get(path, "").endswith("is needed.")
            row.say("" if missing else errors.get(path, ""))
        rest = [text for path, text in errors.items() if path not in self._rows]
        self._problem.value = theme.message("\n".join(rest))
        self._code.value = self.model.code()
        for listener in self._listeners:
            listener()

    def release(self) -> None:
        """Close the form and stop following its picker."""
        if self._source is not None:
            self._source.unobserve(self._on_source, "structure")


def _flow(children: list[w.Widget]) -> w.Box:
    return w.Box(children, layout=w.Layout(flex_flow="row wrap", align_items="flex-start", width="100%"))


def spaced(name: str) -> str:
    """Return `MolecularDynamics` as `Molecular dynamics`."""
    return "".join(
        f" {c.lower()}" if c.isupper() and i and not name[i - 1].isupper() else c for i, c in enumerate(name)
    )
