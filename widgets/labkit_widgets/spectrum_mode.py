"""`ModeView`: a normal mode that moves in 3D, atoms coloured by how far they go, with a play button of its own."""

from __future__ import annotations

import threading

import ipywidgets as w
import numpy as np
from ase import Atoms

from labkit.analysis.luminescence_modes import NormalModes

from . import scene, theme
from .error_view import scale_html
from .panel import Panel, muted
from .viewer import AtomsView

FRAMES = 16


class MovingAtoms(AtomsView):
    """Atoms coloured by `motion` (n,), from 0 to 1, or, where `by_motion` is off, by element."""

    def __init__(self, *, height: str) -> None:
        self.motion = np.zeros(0)
        self.by_motion = True
        super().__init__(height=height)

    def colour(self, motion: np.ndarray | None = None, *, by_motion: bool | None = None) -> None:
        """Take other numbers, or the other kind of colours."""
        with self._lock:
            if motion is not None:
                self.motion = motion
                self.canvas.tint(motion)
            if by_motion is not None and by_motion != self.by_motion:
                self.by_motion = by_motion
                self.canvas.restyle(self._look())
                if self._atoms is not None:
                    self._write_legend(self._atoms)

    def _scene(self, atoms: Atoms, positions: np.ndarray, pairs: np.ndarray) -> dict:
        tints = self.motion if len(self.motion) == len(atoms) else np.zeros(len(atoms))
        return {**super()._scene(atoms, positions, pairs), "tints": tints.round(3).tolist()}

    def _look(self) -> list[dict]:
        return scene.representation(self._style, self._bonded, tinted=self.by_motion)

    def _chips(self, atoms: Atoms) -> str:
        if not self.by_motion:
            return super()._chips(atoms)
        names = "".join(f"<span>{theme.escape(symbol)} {count}</span>" for symbol, _, count in scene.legend(atoms))
        return names + scale_html("motion", "of the largest", 1.0, {})


class ModeView(Panel):
    """Shows a mode of `NormalModes`; `mode` is its number, `frames` one period of it."""

    def __init__(self, *, height: str = "300px", amplitude_A: float = 0.4) -> None:
        self._lock = threading.RLock()
        self.mode: int | None = None
        self.frames: list[Atoms] = []
        self._amplitude_A = amplitude_A
        self.view = MovingAtoms(height=height)
        self.play = w.Play(min=0, max=FRAMES - 1, interval=110, show_repeat=False, tooltip="Let the mode move")
        self.play.repeat = True
        self.slider = w.IntSlider(min=0, max=FRAMES - 1, readout=False, layout=w.Layout(flex="1 1 auto"))
        self.slider.tooltip = "Phase of the mode"
        self.by_motion = w.Checkbox(True, description="colours: motion", indent=False, layout=w.Layout(width="140px"))
        self.by_motion.tooltip = "Colour the atoms by how far they move, or by element"
        w.jslink((self.play, "value"), (self.slider, "value"))
        self.slider.observe(self._on_slider, "value")
        self.by_motion.observe(lambda change: self.view.colour(by_motion=change["new"]), "value")
        self.note, self.error = w.HTML(muted("click on a mode to see it move")), w.HTML()
        bar = w.HBox([self.play, self.slider, self.by_motion], layout=w.Layout(align_items="center", width="100%"))
        super().__init__([self.view, bar, self.note, self.error])

    def show(self, modes: NormalModes | None, mode: int, words: str = "", *, play: bool = True) -> None:
        """Lay out one period of `mode` and let it move; `words` stand below."""
        with self._lock:
            self.error.value = ""
            if modes is None:
                self.mode, self.frames = None, []
                self.view.clear()
                self.note.value = muted("these phonons came without eigenvectors: there is nothing to move")
                return
            self.frames = modes.frames(mode, amplitude_A=self._amplitude_A, count=FRAMES)
            self.mode = mode
            self.note.value = muted(words or f"{modes.energies_meV[mode]:.1f} meV")
            far = np.linalg.norm(self.frames[FRAMES // 4].positions - modes.atoms.positions, axis=1)
            self.view.colour(far / far.max())
            self.view.show(self.frames[self.slider.value])
        if play:
            self.play.playing = True

    def _on_slider(self, change: dict) -> None:
        try:
            with self._lock:
                if self.frames:
                    self.view.show(self.frames[change["new"]])
        except Exception as error:
            self.error.value = theme.message(f"This mode cannot be shown: {error}")

    def release(self) -> None:
        """Stop and close the picture."""
        self.play.playing = False
        self.view.close()
