"""One row of a form: label, control, unit, and the sentence that says what is wrong with it.

Each row knows its field and hands raw values to the form's model; it never validates.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets as w
from ase import Atoms

from . import theme
from .form_fields import Field
from .form_model import UNSET

_LABEL_WIDTH, _CONTROL_WIDTH = "140px", "135px"


class Row(w.VBox):
    """The control of one field. `changed(name, raw value)` is called when the user edits it."""

    def __init__(self, field: Field, value: Any, changed: Callable[[str, Any], None]) -> None:
        self.field, self._changed, self._silent = field, changed, False
        self.control = _control(field)
        self.switch: w.Checkbox | None = None
        label = w.HTML(f'<span title="{theme.escape(field.tooltip)}">{theme.escape(field.label)}</span>')
        label.layout = w.Layout(width=_LABEL_WIDTH)
        unit = w.HTML(f'<span class="lk-unit">{theme.escape(field.unit)}</span>')
        cells: list[w.Widget] = [label, self.control, unit]
        if field.optional:
            self.switch = w.Checkbox(description="set", indent=False, layout=w.Layout(width="48px"))
            self.switch.tooltip = f"Leave off to let labkit choose {field.label.lower()}"
            cells = [label, self.switch, self.control, unit]
            self.switch.observe(self._on_edit, "value")
        self.error = w.HTML()
        super().__init__([w.HBox(cells, layout=w.Layout(align_items="center")), self.error])
        self.add_class("lk-wide" if field.kind.startswith("structure") else "lk-row")
        self.write(value)
        if field.kind not in ("structure", "structures"):
            self.control.observe(self._on_edit, "value")

    def write(self, value: Any) -> None:
        """Show a raw value without reporting an edit."""
        self._silent = True
        try:
            if self.switch is not None:
                self.switch.value = value is not None and value is not UNSET
                self.control.disabled = not self.switch.value
            if self.field.kind in ("structure", "structures"):
                self.control.value = _structure_label(value)
            elif value is None or value is UNSET:
                self.control.value = _blank(self.field)
            else:
                self.control.value = self.field.write(value)
        finally:
            self._silent = False

    def raw(self) -> Any:
        """Return what the control holds; None when an optional field is switched off."""
        if self.switch is not None and not self.switch.value:
            return None
        return self.control.value

    def say(self, sentence: str) -> None:
        """Show a sentence under the control; an empty one takes it away."""
        html = theme.message(sentence)
        if self.error.value != html:
            self.error.value = html

    def _on_edit(self, _: dict) -> None:
        if self._silent:
            return
        if self.switch is not None:
            self.control.disabled = not self.switch.value
        self._changed(self.field.name, self.raw())


def _control(field: Field) -> w.Widget:
    layout = w.Layout(width=_CONTROL_WIDTH)
    common = {"layout": layout, "tooltip": field.tooltip}
    if field.kind == "bool":
        return w.Checkbox(indent=False, **common)
    if field.kind == "int":
        return w.IntText(**common)
    if field.kind == "float":
        return w.FloatText(step=None, **common)
    if field.kind == "choice":
        return w.Dropdown(options=[(_choice_label(one), one) for one in field.choices], **common)
    if field.kind in ("structure", "structures"):
        return w.HTML(layout=w.Layout(width="auto"))
    if field.kind == "text" and field.suggestions:
        return w.Combobox(options=field.suggestions, ensure_option=False, **common)
    placeholder = {"list": "for example: 1, 2, 3", "json": "JSON"}.get(field.kind, "")
    return w.Text(placeholder=placeholder, **common)


def _choice_label(choice: Any) -> str:
    return str(getattr(choice, "value", choice))


def _blank(field: Field) -> Any:
    """Return what an empty control holds: the nearest allowed value to zero for numbers."""
    if field.kind in ("int", "float"):
        low = field.bounds.get("ge", field.bounds.get("gt", 0))
        return int(low) if field.kind == "int" else float(low)
    return {"bool": False, "choice": field.choices[0] if field.choices else None}.get(field.kind, "")


def _structure_label(value: Any) -> str:
    if value is UNSET or value is None:
        return '<span class="lk-muted">none yet: choose one in the picker</span>'
    if isinstance(value, list):
        return "; ".join(_structure_label(one) for one in value) if value else _structure_label(None)
    if isinstance(value, str):
        return f"<b>{theme.escape(value)}</b>"
    atoms: Atoms = value
    name = atoms.info.get("name")
    formula = atoms.get_chemical_formula("metal")
    title = f"{name} · {formula}" if name and name != formula else formula
    return f'<b>{theme.escape(title)}</b> <span class="lk-muted">{len(atoms)} atoms</span>'
