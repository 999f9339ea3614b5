"""`IsoSurface`: where the mobile ions are, as a surface around the places that hold a chosen share of them.

The density comes from `labkit.analysis.probability_density`; the surface is NGL's, fed with the text of a cube file
that stays in memory.
"""

from __future__ import annotations

import itertools
from importlib import resources
from typing import Any

import ipywidgets as w
import numpy as np
from ase import Atoms

from labkit.analysis.probability_density import ProbabilityDensity

from . import scene, theme
from .ngl import NglCanvas
from .panel import Panel, button, muted

_volume_ids = itertools.count(1)
COLOUR = theme.GREEN


def _program() -> str:
    return resources.files("labkit_widgets").joinpath("static/iso_surface.js").read_text(encoding="utf-8")


class VolumeCanvas(NglCanvas):
    """The canvas with one density beside its atoms."""

    def __init__(self, height: str) -> None:
        self._volume: dict | None = None
        super().__init__(height)

    def show_volume(self, cube: str, level: float, colour: str = COLOUR, opacity: float = 0.55) -> None:
        """Show the iso-surface at `level` of the density in the text of a cube file."""
        with self._lock:
            known = f"{self.model_id}-volume-{next(_volume_ids)}"
            self._volume = {"id": known, "cube": cube, "level": level, "colour": colour, "opacity": opacity}
            self._call("labkitVolume", self._volume)

    def set_level(self, level: float) -> None:
        """Move the iso-surface to another level."""
        with self._lock:
            if self._volume is not None:
                self._volume["level"] = level
            self._call("labkitLevel", level)

    def _on_view(self) -> None:
        with self._lock:
            super()._on_view()
            self._call("executeCode", _program())
            if self._volume is not None:
                self._call("labkitVolume", self._volume)


class IsoSurface(Panel):
    """Shows a `ProbabilityDensity` around the other atoms; the slider says which share of the ions is inside.

    `level` is the density on the surface (1/Å^3), `share` what it holds.
    """

    def __init__(self, density: ProbabilityDensity, *, share: float = 0.6, height: str = "380px") -> None:
        self.density = density
        self.canvas = VolumeCanvas(height)
        self.slider = w.FloatSlider(share, min=0.05, max=0.95, step=0.01, readout_format=".0%", continuous_update=False)
        self.slider.layout, self.slider.tooltip = w.Layout(width="300px"), "Share of the ions inside of the surface"
        self.reset = button("Reset view", "Fit everything and turn back")
        self.reset.on_click(lambda _: self.canvas.reset_camera(scene.ORIENTATION))
        self._words, self.error = w.HTML(), w.HTML()
        label = w.HTML(f'<span class="lk-muted">{theme.escape(", ".join(density.species))} inside</span>')
        bar = w.HBox([label, self.slider, self._words, self.reset], layout=w.Layout(align_items="center"))
        bar.layout.flex_flow = "row wrap"
        note = f"{density.n_frames} frames, {density.n_ions:g} ions in this cell"
        heading = theme.title(f"Probability density of {', '.join(density.species)}", note)
        super().__init__([heading, self.canvas, bar, self.error])
        self._build()
        self.slider.observe(self._on_slider, "value")

    @property
    def share(self) -> float:
        """The share of the ions inside of the surface."""
        return float(self.slider.value)

    @property
    def level(self) -> float:
        """The density on the surface, 1/Å^3."""
        return self.density.level_that_holds(self.share)

    def show(self, density: ProbabilityDensity) -> None:
        """Show another density."""
        self.density = density
        self._build()
        self.error.value = ""

    def _build(self) -> None:
        density = self.density
        atoms = density.host if density.host is not None else Atoms(cell=density.cell, pbc=True)
        pairs = scene.bonds(atoms)
        pdb = scene.pdb(atoms.get_chemical_symbols(), atoms.positions, pairs)
        look: dict[str, Any] = {"pdb": pdb, "style": scene.representation("ball and stick", len(pairs) > 0)}
        place = {"cell": scene.cell_lines(atoms), "orientation": list(scene.ORIENTATION), "center": True}
        self.canvas.build(look | place)
        self.canvas.show_volume(density.cube(), self.level)
        self._say()

    def _on_slider(self, _: dict) -> None:
        try:
            self.canvas.set_level(self.level)
            self._say()
            self.error.value = ""
        except Exception as error:
            self.error.value = theme.message(f"The surface could not be moved: {error}")

    def _say(self) -> None:
        uniform = self.density.n_ions / abs(np.linalg.det(self.density.cell))
        self._words.value = muted(f"surface at {self.level:.3g} / Å³, {self.level / uniform:.3g} times the mean")

    def release(self) -> None:
        """Close the canvas with the view."""
        self.canvas.close()
