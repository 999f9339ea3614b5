"""`PhaseDiagramView`: a binary phase diagram whose tie-lines follow the cursor, beside the free energies that make it.

Hovering is answered in the page; a phase is switched off, shifted with its slider or dragged by its curve, and diagram,
tangents and invariant reactions follow.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import ipywidgets as w
import numpy as np

from labkit.phase_diagrams.binary import BinaryDiagram
from labkit.phase_diagrams.equilibrium import Equilibrium, Share
from labkit.phase_diagrams.phases import Phase

from . import theme
from .panel import Panel, muted
from .phase_diagram_controls import PhaseControls
from .phase_diagram_cursor import Cursor
from .phase_diagram_curves import CurvesFigure
from .phase_diagram_export import TableExport
from .phase_diagram_isotherm import Isotherm
from .phase_diagram_layout import arranged, slider
from .phase_diagram_map import MapFigure
from .phase_diagram_model import PhaseDiagramModel
from .phase_diagram_pin import Pin
from .phase_diagram_rows import COMPOSITION, POTENTIAL, Row
from .phase_diagram_structure import StructurePane, book
from .phase_diagram_words import invariant_table, lever, pair
from .ticker import TICKER

if TYPE_CHECKING:
    import pandas as pd

#: How long nothing has to move before the diagram is solved in full.
REST_S = 0.4


class PhaseDiagramView(Panel):
    """Shows `phases` between two `elements` over `temperatures_K` (by itself up to where the last of them melts).

    `diagram`, `equilibrium` (at the slider's temperature), `phases` (those switched on, with their shifts), `shares`
    (at the pinned composition) and `table` are what is on the screen. `structures`: atoms, or several, by name.
    `reach_meV`: how far a phase may be shifted.
    """

    def __init__(
        self,
        phases: Sequence[Phase],
        temperatures_K: Sequence[float] | None = None,
        *,
        elements: Sequence[str] = ("A", "B"),
        structures: Mapping[str, Any] | None = None,
        temperature_K: float | None = None,
        composition: float = 0.5,
        reach_meV: float = 60.0,
        height: int = 420,
    ) -> None:
        self._lock = threading.RLock()
        self.model = PhaseDiagramModel.of(phases, temperatures_K)
        self.elements = pair(elements)
        self._quick, self._changed_at = False, 0.0
        every, names = self.model.phases, [one.name for one in self.model.phases]
        low, high = (float(one) for one in self.model.temperatures_K[[0, -1]])
        start = 0.5 * (low + high) if temperature_K is None else float(temperature_K)
        self.temperature = slider(start, low, high, (high - low) / 400, "T (K)", "Temperature of the isotherm", ".0f")
        self.composition = slider(composition, 0, 1, 0.005, self.elements[1], "Composition of the tie-line", ".1%")
        self.axis = w.ToggleButtons(options=[("T – c", COMPOSITION), ("T – µ", POTENTIAL)])
        self.axis.tooltips = ("Over composition", "Over the difference of chemical potentials")
        self.axis.style.button_width = "64px"
        self.follow = w.Checkbox(False, description="isotherm follows the cursor", indent=False)
        self.follow.tooltip, self.follow.layout.width = "Free energies at the temperature under the cursor", "200px"
        self._diagram, x = self.model.diagram(), float(composition)
        rows = self.model.rows(self._diagram)
        self.isotherm = Isotherm.of(self.model, start)
        self.figure = MapFigure(every, self.elements, height, rows, self._diagram.invariants, self._pinned())
        self.curves = CurvesFigure(every, self.elements, height, self.isotherm, x)
        self.cursor = Cursor(
            names, self.elements, reach_meV,
            on_pin=self._on_pin, on_pick=self._on_pick, on_hover=self._on_hover,
            on_drag=lambda phase, shift_meV: self.controls.shift(phase, shift_meV),
        )  # fmt: skip
        self.controls = PhaseControls(every, reach_meV, self._on_phases)
        self.pane = StructurePane(book(every, structures, self.elements), names, self.elements[1])
        self.pane.on_choice(self._on_choice)
        self.saved = TableExport(lambda: self.table, f"{'-'.join(self.elements)}_phase_diagram", "Tie-lines as CSV")
        self.facts, self.note, self.error = w.HTML(), w.HTML(), w.HTML()
        super().__init__(arranged(self))
        self.add_class("lk-phase-diagram")
        self.temperature.observe(lambda _: self._guarded(self._draw_isotherm), "value")
        self.composition.observe(lambda _: self._guarded(self._draw_here), "value")
        self.axis.observe(lambda _: self._guarded(lambda: self._draw(quick=False)), "value")
        self.follow.observe(lambda change: setattr(self.cursor, "follow", bool(change["new"])), "value")
        self._say(rows)
        self._show_largest()

    @property
    def phases(self) -> list[Phase]:
        """The phases that are switched on, with their shifts."""
        return self.model.active

    @property
    def diagram(self) -> BinaryDiagram:
        """The diagram, solved in full."""
        with self._lock:
            if self._quick:
                self._guarded(lambda: self._draw(quick=False))
            return self._diagram

    @property
    def equilibrium(self) -> Equilibrium:
        """What is stable at the temperature of the slider."""
        return self.isotherm.found

    @property
    def shares(self) -> list[Share]:
        """The phases at the slider's temperature and composition, with their amounts."""
        x, found = float(self.composition.value), self.equilibrium
        return found.at(x) if found.solved.first[1] <= x <= found.solved.last[1] else []

    @property
    def table(self) -> pd.DataFrame:
        """All tie-lines: temperature_K, phase1, x1, phase2, x2, chemical_potential_eV, exact."""
        return self.diagram.table()

    @property
    def words(self) -> str:
        """The lever rule at the slider's temperature and composition, as a sentence."""
        return self.cursor.words

    def _guarded(self, call: Any) -> None:
        with self._lock:
            try:
                call()
                self.error.value = ""
            except Exception as error:
                self.error.value = theme.message(f"The diagram could not be drawn: {error}")

    def _draw(self, *, quick: bool, fit: bool = True) -> None:
        with self._lock:
            self.model.on, self.model.shifts_meV = self.controls.on, self.controls.shifts_meV
            found = self.model.diagram(quick=quick)
            rows, axis = self.model.rows(found), str(self.axis.value)
            self._diagram, self._quick = found, quick
            self.isotherm = Isotherm.of(self.model, float(self.temperature.value))
            self.figure.draw(rows, found.invariants, axis, self._pinned())
            self.curves.draw(self.isotherm, float(self.composition.value), fit=fit)
            self._say(rows)

    def _say(self, rows: list[Row]) -> None:
        self._tell()
        self.cursor.tell(rows, str(self.axis.value), self.model.shifts_meV)
        found = self._diagram
        self.facts.value = invariant_table(found.invariants, self.elements, found.congruent)
        self.note.value = muted(f"{len(rows)} temperatures, solved in {self.model.took_ms:.0f} ms")

    def _draw_isotherm(self) -> None:
        with self._lock:
            self.isotherm = Isotherm.of(self.model, float(self.temperature.value))
            self._tell()
            self.curves.draw(self.isotherm, float(self.composition.value))
            self._rest()

    def _draw_here(self) -> None:
        with self._lock:
            self._tell()
            self.curves.move_here(float(self.composition.value))
            self._rest()

    def _pinned(self) -> Pin:
        """The point of the sliders, and the stable phases there; none where no phase reaches."""
        T, x = float(self.temperature.value), float(self.composition.value)
        numbers = self.model.numbers
        return T, x, [(numbers[one.phase], one.composition) for one in self.shares]

    def _tell(self) -> None:
        x, found = float(self.composition.value), self.equilibrium
        said = lever(found, x, self.elements) if self.shares else f"No phase reaches {100 * x:.1f} %."
        self.cursor.tell_isotherm(Row.of(found, self.model.numbers), self._pinned(), said)

    def _on_phases(self) -> None:
        with self._lock:
            self._guarded(lambda: self._draw(quick=True, fit=False))
            self._rest()

    def _rest(self) -> None:
        """Do the rest when nothing has moved for a while."""
        self._changed_at = time.monotonic()
        TICKER.subscribe(self._settle, 0.1)

    def _settle(self) -> None:
        with self._lock:
            if time.monotonic() - self._changed_at < REST_S:
                return
            TICKER.unsubscribe(self._settle)
            if self._quick:
                self._guarded(lambda: self._draw(quick=False))
            else:
                self.figure.pin(self._pinned())

    def _on_pin(self, x: float, temperature_K: float) -> None:
        with self._lock:
            with self.composition.hold_trait_notifications(), self.temperature.hold_trait_notifications():
                if self.axis.value == COMPOSITION:
                    self.composition.value = min(max(x, 0.0), 1.0)
                self.temperature.value = min(max(temperature_K, self.temperature.min), self.temperature.max)
            self._show_largest()

    def _on_hover(self, temperature_K: float) -> None:
        self.temperature.value = min(max(temperature_K, self.temperature.min), self.temperature.max)

    def _on_pick(self, phase: int, x: float) -> None:
        at = self.pane.nearest(phase, x)
        if at is None:
            self.pane.say(f"{self.model.phases[phase].name} came without a structure.")
            return
        self._on_choice(at)

    def _show_largest(self) -> None:
        for one in sorted(self.shares, key=lambda one: -one.fraction):
            at = self.pane.nearest(self.model.numbers[one.phase], one.composition)
            if at is not None:
                self._on_choice(at)
                return

    def _on_choice(self, at: int) -> None:
        number, x, _ = self.pane.entries[at]
        self.pane.show(at, "" if x is None else self._energy(number, x))

    def _energy(self, number: int, x: float) -> str:
        """The free energy of a phase at x, and how far it is above the hull."""
        T = float(self.temperature.value)
        f = float(np.asarray(self.model.moved[number].free_energy(x, T)))
        above = 1e3 * (f - self.equilibrium.free_energy(x))
        return f"f = {f:.4f} eV/atom at {T:.0f} K, {max(above, 0):.1f} meV/atom above the hull"

    def on_tick_error(self, error: Exception) -> None:
        """Show an error of the thread that solves the full diagram."""
        self.error.value = theme.message(f"The diagram could not be solved in full: {error}")

    def release(self) -> None:
        """Stop and close the parts."""
        TICKER.unsubscribe(self._settle)
        for part in (self.figure, self.curves, self.cursor, self.controls, self.pane, self.saved):
            part.close()
