"""A structure in 3D: atoms, bonds, the cell with its axes, a legend of elements.

`AtomsView` decides by itself whether new atoms only move (one binary message, at most ten per second, late ones
dropped) or differ in species or number (the scene is built again).
"""

from __future__ import annotations

import threading
import time

import ipywidgets as w
import numpy as np
from ase import Atoms

from . import scene, theme
from .ngl import NglCanvas
from .panel import Panel, button
from .ticker import TICKER

SHORTEST_INTERVAL_S = 0.1


class AtomsView(Panel):
    """Shows `ase.Atoms`; `show(atoms)` may be called from any thread and as often as one likes.

    `style` is one of `labkit_widgets.scene.STYLES`, `height` a CSS length. `sent` and `dropped` count moves.
    """

    def __init__(
        self, atoms: Atoms | None = None, *, height: str = "360px", style: str = "ball and stick", controls: bool = True
    ) -> None:
        self._lock = threading.RLock()
        self._atoms: Atoms | None = None
        self._group: np.ndarray | None = None
        self._bonded = False
        self._waiting: Atoms | None = None
        self._last_sent = 0.0
        self.sent = self.dropped = 0
        self._style = style
        scene.representation(style)
        self.canvas = NglCanvas(height)
        self._legend = w.HTML()
        self._error = w.HTML()
        self.style_choice = w.Dropdown(options=scene.STYLES, value=style, layout=w.Layout(width="130px"))
        self.style_choice.tooltip = "How atoms are drawn"
        self.reset = button("Reset view", "Fit everything and turn back")
        self.style_choice.observe(self._on_style, "value")
        self.reset.on_click(lambda _: self.canvas.reset_camera(scene.ORIENTATION))
        self._bar = w.HBox([self._legend, w.HBox([self.style_choice, self.reset])])
        self._bar.layout = w.Layout(justify_content="space-between", align_items="center", flex_flow="row wrap")
        super().__init__([self.canvas, *([self._bar] if controls else []), self._error])
        if atoms is not None:
            self.show(atoms)

    @property
    def atoms(self) -> Atoms | None:
        """The atoms shown last (with their own, unwrapped positions)."""
        return self._atoms

    def show(self, atoms: Atoms) -> None:
        """Show these atoms: move what is there if species and number agree, else build a new scene."""
        with self._lock:
            if not np.isfinite(atoms.positions).all():
                self._error.value = theme.message(
                    "This frame has positions that are not numbers; the last good one is shown."
                )
                return
            self._error.value = ""
            if self._atoms is None or not np.array_equal(self._atoms.numbers, atoms.numbers):
                self._build(atoms)
                return
            if np.abs(self._atoms.cell.array - atoms.cell.array).max() > 1e-6:
                self.canvas.draw_cell(scene.cell_lines(atoms))
            self._atoms = atoms
            self.dropped += self._waiting is not None
            if time.monotonic() - self._last_sent >= SHORTEST_INTERVAL_S:
                self._move(atoms)
                return
            if self._waiting is None:
                TICKER.subscribe(self._flush, SHORTEST_INTERVAL_S)
            self._waiting = atoms

    def clear(self) -> None:
        """Show nothing."""
        with self._lock:
            self._atoms = self._waiting = None
            self._legend.value = ""
            self.canvas.build(self._scene(Atoms(), np.empty((0, 3)), np.empty((0, 2), int)))

    def _build(self, atoms: Atoms) -> None:
        pairs = scene.bonds(atoms)
        center = self._atoms is None or abs(len(self._atoms) - len(atoms)) > 2
        self._group = scene.groups(len(atoms), pairs)
        self._bonded = len(pairs) > 0 and len(atoms) <= scene.MAX_STICK_ATOMS
        self._atoms, self._waiting = atoms, None
        self._last_sent = time.monotonic()
        self.canvas.build({**self._scene(atoms, scene.wrapped(atoms, self._group), pairs), "center": center})
        self._write_legend(atoms)

    def _write_legend(self, atoms: Atoms) -> None:
        axes = zip("abc", scene.AXIS_COLOURS, strict=True) if scene.cell_lines(atoms)["edges"] else ()
        ends = "".join(f'<b style="color:{colour}">{name}</b>' for name, colour in axes)
        self._legend.value = f'<div class="lk-legend">{self._chips(atoms)}<span>{ends}</span></div>'

    def _chips(self, atoms: Atoms) -> str:
        """The elements of the legend."""
        kinds = scene.legend(atoms)
        return "".join(f'<span><i style="background:{c}"></i>{theme.escape(s)} {n}</span>' for s, c, n in kinds)

    def _look(self) -> list[dict]:
        """How atoms are drawn."""
        return scene.representation(self._style, self._bonded)

    def _scene(self, atoms: Atoms, positions: np.ndarray, pairs: np.ndarray) -> dict:
        return {
            "pdb": scene.pdb(atoms.get_chemical_symbols(), positions, pairs),
            "style": self._look(),
            "cell": scene.cell_lines(atoms),
            "orientation": list(scene.ORIENTATION),
            "center": True,
        }

    def _move(self, atoms: Atoms) -> None:
        self._waiting = None
        self._last_sent = time.monotonic()
        self.sent += 1
        self.canvas.move(scene.wrapped(atoms, self._group))

    def _flush(self) -> None:
        with self._lock:
            if self._waiting is None:
                TICKER.unsubscribe(self._flush)
            elif time.monotonic() - self._last_sent >= SHORTEST_INTERVAL_S:
                self._move(self._waiting)

    def _on_style(self, change: dict) -> None:
        with self._lock:
            self._style = change["new"]
            self.canvas.restyle(self._look())

    def on_tick_error(self, error: Exception) -> None:
        """Show an exception of the ticker thread under the picture."""
        self._error.value = theme.message(f"The picture could not be updated: {error}")

    def release(self) -> None:
        """Close the view and what it is made of; the shared style sheet stays."""
        TICKER.unsubscribe(self._flush)
        self.canvas.close()
