"""`Launcher`: a task's form with a Start button, and below it the run that was started: status, atoms, curves.

Start returns at once: the run is a process of its own. Several runs may be started one after the other; the last is
shown.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

import ipywidgets as w
import traitlets
from ase import Atoms
from pydantic import BaseModel
from traitlets import HasTraits

from labkit.runs import Run, Store

from . import theme
from .form import TaskForm, spaced
from .panel import Panel, button, muted
from .run_panels import panel_for
from .run_view import RunView


class Launcher(Panel):
    """One or several kinds of task to choose from, a form, Start, and the run. `launcher.run` is the newest run."""

    run = traitlets.Instance(Run, allow_none=True, help="the run that was started last")

    def __init__(
        self,
        task: type[BaseModel] | BaseModel | Sequence[type[BaseModel]],
        *,
        structure: Atoms | HasTraits | None = None,
        store: Store | None = None,
        panel: bool = True,
    ) -> None:
        self._tasks = list(task) if isinstance(task, Sequence) else [task]
        self._structure, self._store, self._with_panel = structure, store, panel
        self._follows = isinstance(structure, HasTraits)
        self._lock = threading.Lock()
        self.panel: Panel | None = None
        names = [spaced((one if isinstance(one, type) else type(one)).__name__) for one in self._tasks]
        self.kind = w.Dropdown(
            options=[(name, i) for i, name in enumerate(names)], value=0, layout=w.Layout(width="220px")
        )
        self.kind.layout.display = "flex" if len(names) > 1 else "none"
        self.start = button("Start", "Start a run with these values", "lk-primary", "110px")
        self.name = w.Text(placeholder="name of the run (optional)", layout=w.Layout(width="230px"))
        self.error, self._hint = w.HTML(), w.HTML()
        self._form_place, self._panel_place = w.VBox(), w.VBox()
        super().__init__([self.kind, self._form_place, self.error, self._panel_place])
        self.start.on_click(lambda _: self.launch())
        self.kind.observe(lambda change: self.show_task(self._tasks[change["new"]]), "value")
        self.show_task(self._tasks[0])

    def show_task(self, task: type[BaseModel] | BaseModel) -> None:
        """Show the form of another kind of task, or of an existing task to be changed and started again."""
        old = self._form_place.children
        self.form = TaskForm(task, structure=self._structure if isinstance(task, type) or self._follows else None)
        self.form.on_change(self._on_form)
        self.form.bar.children = [self.start, self.name, *self.form.bar.children, self._hint]
        self._form_place.children = [self.form]
        for child in old:
            child.close()
        self._on_form()

    def launch(self) -> Run | None:
        """Start a run with the form's values; returns it, or None and shows why not."""
        with self._lock:
            self.start.disabled = True
            try:
                run = self.form.task.launch(store=self._store, name=self.name.value.strip() or None)
            except Exception as error:
                self.error.value = theme.message(error)
                return None
            finally:
                self.start.disabled = not self.form.is_valid
            self.error.value = ""
            self.show_run(run)
            return run

    def show_run(self, run: Run) -> None:
        """Show a run below the form."""
        old, self.panel, self.run = self.panel, None, run
        if self._with_panel:
            status = RunView(run)
            self._panel_place.children = [status]  # Stop is there before the pictures are made
            self.panel = panel_for(run, status=status)
            self._panel_place.children = [self.panel]
        if old is not None:
            old.close()

    def _on_form(self) -> None:
        errors = self.form.errors
        self.start.disabled = bool(errors)
        waits = any(self.form.model.fields[path[0]].kind.startswith("structure") for path in errors if path)
        hint = "choose a structure first" if waits else "some values need another look" if errors else ""
        self._hint.value = muted(hint)

    def release(self) -> None:
        """Close the form and the panel; runs go on."""
        self.form.close()
        if self.panel is not None:
            self.panel.close()
