"""The plots of a phonon view: bands with their density of states on one tab, the thermal functions on another.

The thermal functions are summed and drawn when somebody looks at them, not before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import ipywidgets as w
import numpy as np

from . import theme
from .panel import Panel
from .phonon_figure import MOST_CRYSTALS, BandFigure, Curve
from .phonon_model import Mode, PhononModel, by_element, formula_units
from .phonon_thermal import Heat, ThermalFigure
from .phonon_words import thermal_table

TABS = ("Bands and states", "Thermal functions")


class PhononPlots(Panel):
    """Draws crystals of a model; `on_pick(name, point, branch)` says which point of which band was clicked."""

    def __init__(
        self,
        model: PhononModel,
        height: int,
        *,
        on_pick: Callable[[str, int, int], None],
        on_error: Callable[[Exception], None],
    ) -> None:
        self.model, self._height, self._on_error = model, height, on_error
        self.names: list[str] = []
        self.heats: list[Heat] = []
        self.figure = BandFigure(height, on_pick)
        self.thermal: ThermalFigure | None = None
        self.heat = w.HTML()
        self._warm = w.VBox([])
        self.tabs = w.Tab([w.VBox([self.figure]), self._warm], titles=TABS, selected_index=0)
        super().__init__([self.tabs])
        self.tabs.observe(lambda _: self._on_tab(), "selected_index")

    def draw(self, names: Sequence[str], unit: str, *, split: bool) -> None:
        """Draw the crystals `names`, the first one solid; `split` its density of states by element."""
        self.names = list(names)[:MOST_CRYSTALS]
        first = self.names[0]
        bands, curves = self.model.bands(first), []
        for name in self.names:
            dos, along = self.model.dos(name), self.model.along(name, first)
            curves.append(
                Curve(name, self._colour(name), bands.distances, along, dos.frequencies_THz, np.asarray(dos.total))
            )
        crystal = self.model.crystals[first]
        several = split and len(set(crystal.atoms.numbers)) > 1
        parts = by_element(crystal, self.model.dos(first)) if several else {}
        self.figure.show(curves, bands.ticks, bands.segments, parts, unit)
        self._draw_heat()

    def use(self, unit: str) -> None:
        """Write frequencies in another unit."""
        self.figure.use(unit)

    def ring(self, mode: Mode | None) -> None:
        """Ring the first point of the path with this wave vector; a mode beside the path has no ring."""
        if mode is None or mode.name != self.names[0]:
            self.figure.ring(None)
            return
        bands = self.model.bands(mode.name)
        at = np.flatnonzero(np.abs(bands.qpoints - np.asarray(mode.qpoint)).max(axis=1) < 1e-6)
        self.figure.ring(float(bands.distances[at[0]]) if len(at) else None, mode.frequency_THz)

    def _on_tab(self) -> None:
        try:
            self._draw_heat()
        except Exception as error:
            self._on_error(error)

    def _draw_heat(self) -> None:
        if self.tabs.selected_index != 1 or not self.names:
            return
        if self.thermal is None:
            self.thermal = ThermalFigure(self._height - 60)
            self._warm.children = [self.thermal, self.heat]
        self.heats = []
        for name in self.names:
            crystal, thermal = self.model.crystals[name], self.model.thermal(name)
            self.heats.append(Heat.of(name, self._colour(name), thermal, formula_units(crystal), len(crystal.atoms)))
        self.thermal.show(self.heats)
        self.heat.value = thermal_table(self.heats)

    def _colour(self, name: str) -> str:
        colours = theme.palette()
        return colours[list(self.model.crystals).index(name) % len(colours)]

    def release(self) -> None:
        """Close the figures."""
        for figure in (self.figure, self.thermal):
            if figure is not None:
                figure.close()
