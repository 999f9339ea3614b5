"""How a phase diagram view is laid out: cause above, picture below, what follows from it at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ipywidgets as w

from . import theme

if TYPE_CHECKING:
    from .phase_diagram_view import PhaseDiagramView


def slider(value: float, low: float, high: float, step: float, name: str, tooltip: str, form: str) -> w.FloatSlider:
    """Return a slider; raises ValueError for a value outside of its range."""
    if not low <= value <= high:
        raise ValueError(f"{tooltip}: {value:g} lies outside of {low:g} to {high:g}.")
    made = w.FloatSlider(value=value, min=low, max=high, step=step, description=name, readout_format=form)
    made.style.description_width, made.layout.width, made.tooltip = "58px", "300px", tooltip
    return made


def arranged(view: PhaseDiagramView) -> list[w.Widget]:
    """Return the parts of a view from top to bottom."""
    wrap = {"align_items": "center", "flex_flow": "row wrap", "width": "100%"}
    bar = w.HBox([view.temperature, view.composition, view.axis, view.follow], layout=w.Layout(**wrap))
    plots = w.Box([_cell(view.figure, "54%"), _cell(view.curves, "42%")])
    plots.layout = w.Layout(flex_flow="row wrap", width="100%", align_items="flex-start")
    table = [theme.title("Three phases at once", "invariant reactions"), view.facts, view.saved]
    below = [w.VBox(table, layout=w.Layout(flex="1 1 46%", min_width="min(400px, 100%)"))]
    if view.pane.entries:
        shown = [theme.title("Structure", "click a point of the hull"), view.pane]
        below.append(w.VBox(shown, layout=w.Layout(flex="1 1 40%", min_width="300px", overflow="hidden")))
    row = w.Box(below, layout=w.Layout(flex_flow="row wrap", width="100%", align_items="flex-start"))
    head = theme.title("Phase diagram", f"{'–'.join(view.elements)}: point at it; a click pins the tie-line")
    return [head, bar, view.error, plots, view.cursor, view.controls, row, view.note]


def _cell(part: w.Widget, width: str) -> w.Box:
    # The names of the fields need this room; where there is less, the plots stand one below the other.
    return w.Box([part], layout=w.Layout(flex=f"1 1 {width}", min_width="min(420px, 100%)", display="block"))
