"""The Build tab: one builder at a time with its inputs, and the history of what was done, which can be undone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets as w

from . import theme
from .build_model import BUILDERS, Argument, BuildModel, read_argument
from .panel import muted
from .picker_library import Choose


class BuildPanel(w.VBox):
    """Shows the inputs of the chosen builder; Apply adds a step to the history, Undo takes one away."""

    def __init__(
        self, model: BuildModel, choose: Choose, apply: Callable[[str, dict[str, Any]], bool], undo: Callable[[], None]
    ) -> None:
        self.model, self._apply_step, self._choose = model, apply, choose
        self.builder = w.Dropdown(
            options=[(one.title, one.name) for one in BUILDERS.values()], layout=w.Layout(width="auto")
        )
        self._help, self.error, self._history = w.HTML(), w.HTML(), w.HTML()
        self._inputs = w.VBox()
        self.controls: dict[str, w.Widget] = {}
        self.apply = w.Button(description="Apply", tooltip="Add this step", layout=w.Layout(width="92px"))
        self.apply.add_class("lk-primary")
        self.undo = w.Button(description="Undo", tooltip="Take the last step away", layout=w.Layout(width="92px"))
        self.apply.on_click(lambda _: self._on_apply())
        self.undo.on_click(lambda _: undo())
        self.builder.observe(lambda _: self._show_inputs(), "value")
        buttons = w.HBox([self.apply, self.undo])
        super().__init__([self.builder, self._help, self._inputs, buttons, self.error, self._history])
        self._show_inputs()
        self.refresh()

    def refresh(self) -> None:
        """Show the history and offer the elements of the newest structure."""
        self.undo.disabled = len(self.model.steps) < 2
        self.error.value = ""
        items = "".join(f"<li>{theme.escape(step.text)} · {len(step.atoms)} atoms</li>" for step in self.model.steps)
        empty = muted("choose a structure in the Library first")
        self._history.value = (
            f'<div class="lk-muted">History<ol style="margin:2px 0">{items}</ol></div>' if items else empty
        )
        species = self._species()
        for argument in BUILDERS[self.builder.value].arguments:
            control = self.controls.get(argument.name)
            if argument.kind == "species" and control is not None and tuple(control.options) != species:
                control.options = species

    def _species(self) -> tuple[str, ...]:
        atoms = self.model.structure
        return () if atoms is None else tuple(dict.fromkeys(atoms.get_chemical_symbols()))

    def _show_inputs(self) -> None:
        builder = BUILDERS[self.builder.value]
        self._help.value = muted(builder.help)
        self.controls = {argument.name: self._control(argument) for argument in builder.arguments}
        rows = []
        for argument in builder.arguments:
            label = w.HTML(theme.escape(argument.label), layout=w.Layout(width="150px"))
            unit = w.HTML(f'<span class="lk-unit">{theme.escape(argument.unit)}</span>')
            rows.append(w.HBox([label, self.controls[argument.name], unit], layout=w.Layout(align_items="center")))
        old, self._inputs.children = self._inputs.children, rows
        for row in old:
            row.close()

    def _control(self, argument: Argument) -> w.Widget:
        layout = w.Layout(width="150px")
        if argument.kind == "species":
            return w.Dropdown(options=self._species(), layout=layout)
        if argument.kind == "int":
            return w.IntText(value=argument.default, layout=layout)
        if argument.kind == "float":
            return w.FloatText(value=argument.default, step=None, layout=layout)
        return w.Text(value=str(argument.default), layout=layout)

    def _on_apply(self) -> None:
        builder = BUILDERS[self.builder.value]
        try:
            values = {one.name: read_argument(one, self.controls[one.name].value) for one in builder.arguments}
        except ValueError as error:
            self.error.value = theme.message(error)
            return
        self._apply_step(builder.name, values)
