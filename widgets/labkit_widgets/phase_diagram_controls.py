"""A row for each phase: its colour, a switch, and how far its free energy is shifted."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import ipywidgets as w

from labkit.phase_diagrams.phases import Phase

from . import theme
from .panel import Panel, button
from .phase_diagram_drawing import colours


class PhaseControls(Panel):
    """Calls `on_change()` when a phase is switched or shifted; `on` and `shifts_meV` tell where they stand."""

    def __init__(self, phases: Sequence[Phase], reach_meV: float, on_change: Callable[[], None]) -> None:
        self._on_change, self._silent = on_change, False
        self.switches: list[w.Checkbox] = []
        self.sliders: list[w.FloatSlider] = []
        lines = []
        for phase, colour in zip(phases, colours(len(phases)), strict=True):
            switch = w.Checkbox(True, description=phase.name, indent=False, layout=w.Layout(width="120px"))
            switch.tooltip = f"Whether {phase.name} may form"
            slider = w.FloatSlider(value=0, min=-reach_meV, max=reach_meV, step=0.5, readout_format="+.1f")
            slider.layout.width, slider.tooltip = "240px", f"Shift of {phase.name} in energy (meV/atom)"
            chip = w.HTML(f'<span class="lk-pd-chip" style="background:{colour}"></span>')
            switch.observe(lambda _: self._changed(), "value")
            slider.observe(lambda _: self._changed(), "value")
            self.switches.append(switch)
            self.sliders.append(slider)
            row = w.HBox([chip, switch, slider], layout=w.Layout(align_items="center", width="390px"))
            lines.append(row)
        self.reset = button("Reset", "All phases on, no shifts")
        self.reset.on_click(lambda _: self.restore())
        head = w.HBox([theme.title("Phases", "switch, shift in meV/atom, or drag a curve up and down"), self.reset])
        head.layout = w.Layout(align_items="center")
        box = w.Box(lines, layout=w.Layout(flex_flow="row wrap", width="100%"))
        super().__init__([head, box])

    @property
    def on(self) -> list[bool]:
        """Which phases are switched on."""
        return [bool(one.value) for one in self.switches]

    @property
    def shifts_meV(self) -> list[float]:
        """How far each is shifted."""
        return [round(float(one.value), 6) for one in self.sliders]

    def shift(self, number: int, shift_meV: float) -> None:
        """Move one slider, as far as it goes."""
        slider = self.sliders[number]
        slider.value = min(max(shift_meV, slider.min), slider.max)

    def restore(self) -> None:
        """Switch all on and take the shifts away, as one change."""
        self._silent = True
        try:
            for switch, slider in zip(self.switches, self.sliders, strict=True):
                switch.value, slider.value = True, 0.0
        finally:
            self._silent = False
        self._changed()

    def _changed(self) -> None:
        if not self._silent:
            self._on_change()
