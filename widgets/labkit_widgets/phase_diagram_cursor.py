"""What the pointer does over the two plots of a phase diagram happens in the page, from numbers that were sent before.

The one idea: hovering asks the kernel nothing. A click and a dragged curve do, at most 20 times a second and only the
latest position of the pointer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import resources
from typing import Any

import anywidget
import traitlets

from .phase_diagram_drawing import colours
from .phase_diagram_pin import Pin
from .phase_diagram_rows import COMPOSITION, Row, packed, packed_row
from .phase_diagram_words import potential


def _static(name: str) -> str:
    return resources.files("labkit_widgets").joinpath(f"static/{name}").read_text(encoding="utf-8")


class Cursor(anywidget.AnyWidget):
    """Draws the tie-line under the pointer, and says in words what is there; stands in a part of class
    `lk-phase-diagram`.

    Calls `on_pin(x, temperature_K)` for a click in the diagram, `on_pick(phase, x)` for one on a curve,
    `on_drag(phase, shift_meV)` while a curve is dragged, `on_hover(temperature_K)` while the isotherm follows.
    """

    _esm = _static("phase_diagram_cursor.js")
    _css = _static("phase_diagram.css")
    look = traitlets.Dict().tag(sync=True)
    rows = traitlets.Dict().tag(sync=True)
    isotherm = traitlets.Dict().tag(sync=True)
    pin = traitlets.Dict().tag(sync=True)
    shifts = traitlets.List().tag(sync=True)
    axis = traitlets.Unicode(COMPOSITION).tag(sync=True)
    words = traitlets.Unicode().tag(sync=True)
    follow = traitlets.Bool().tag(sync=True)
    dragged = traitlets.List().tag(sync=True)
    hovered = traitlets.List().tag(sync=True)

    def __init__(
        self,
        names: Sequence[str],
        elements: Sequence[str],
        reach_meV: float,
        *,
        on_pin: Callable[[float, float], None],
        on_pick: Callable[[int, float], None],
        on_drag: Callable[[int, float], None],
        on_hover: Callable[[float], None],
    ) -> None:
        look = {"names": list(names), "colours": colours(len(names)), "second": elements[1]}
        super().__init__(look={**look, "mu": potential(elements), "reach_meV": reach_meV})
        self._on_pin, self._on_pick = on_pin, on_pick
        self.observe(lambda change: on_drag(int(change["new"][0]), float(change["new"][1])), "dragged")
        self.observe(lambda change: on_hover(float(change["new"][0])), "hovered")
        self.on_msg(self._on_message)

    def tell(self, rows: Sequence[Row], axis: str, shifts_meV: Sequence[float]) -> None:
        """Send what is stable at all temperatures."""
        with self.hold_sync():
            self.rows, self.axis, self.shifts = packed(rows), axis, list(shifts_meV)

    def tell_isotherm(self, row: Row, pinned: Pin, words: str) -> None:
        """Send what is stable at the chosen temperature, and the sentence for when nothing is pointed at."""
        with self.hold_sync():
            self.isotherm, self.words = {"T": row.temperature_K, "row": packed_row(row)}, words
            self.pin = {"T": pinned[0], "x": pinned[1], "ends": [list(one) for one in pinned[2]]}

    def _on_message(self, _: Any, content: dict, __: Any) -> None:
        if content.get("kind") == "pin":
            self._on_pin(float(content["x"]), float(content["T"]))
        elif content.get("kind") == "pick":
            self._on_pick(int(content["phase"]), float(content["x"]))
