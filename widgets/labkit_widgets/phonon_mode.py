"""`PhononModeView`: a phonon that moves in 3D, as a wave through several cells, at the amplitude of a slider."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

import ipywidgets as w
import numpy as np
from ase import Atoms

from . import theme
from .panel import Panel, button, muted
from .phonon_wave import FRAMES, Wave, drawn_cell, smallest_cell
from .spectrum_mode import MovingAtoms

if TYPE_CHECKING:
    from labkit.simulators.phonons_result import HarmonicCrystal

    from .phonon_model import Mode

AMPLITUDE_A = 0.4


class WaveAtoms(MovingAtoms):
    """Atoms whose cell and bonds change with the wave."""

    def lay_out(self, rest: Atoms, motion: np.ndarray) -> None:
        """Show atoms at rest; the scene is built again, once, unless only the motion differs."""
        with self._lock:
            old = self._atoms
            if old is not None and np.array_equal(old.numbers, rest.numbers) and np.allclose(old.cell, rest.cell):
                self.colour(motion)
                return
            self.motion, self._atoms = motion, None
            self.show(rest)


class PhononModeView(Panel):
    """Shows a mode of a crystal; `mode` is what is shown, `frames` one period of it, `structure` what was taken."""

    def __init__(self, *, height: str = "320px") -> None:
        self._lock = threading.RLock()
        self._crystal: HarmonicCrystal | None = None
        self._wave: Wave | None = None
        self._taken: Atoms | None = None
        self.view = WaveAtoms(height=height)
        self.play = w.Play(min=0, max=FRAMES - 1, interval=110, show_repeat=False, tooltip="Let the mode move")
        self.play.repeat = True
        self.slider = w.IntSlider(min=0, max=FRAMES - 1, readout=False, layout=w.Layout(flex="1 1 auto"))
        self.slider.tooltip = "Phase of the mode"
        self.amplitude = w.FloatSlider(value=AMPLITUDE_A, min=0.0, max=1.5, step=0.05, readout_format=".2f")
        self.amplitude.description, self.amplitude.layout.width = "amplitude (Å)", "300px"
        self.amplitude.style.description_width, self.amplitude.tooltip = "95px", "How far the atom that moves most goes"
        self.by_motion = w.Checkbox(True, description="colours: motion", indent=False, layout=w.Layout(width="140px"))
        self.by_motion.tooltip = "Colour the atoms by how far they move, or by element"
        self.take_button = button(
            "Take this structure", "Hand out the structure displaced along the mode, to relax from", width="160px"
        )
        self.take_button.disabled = True
        w.jslink((self.play, "value"), (self.slider, "value"))
        self.slider.observe(lambda _: self._guarded(self._draw), "value")
        self.amplitude.observe(lambda _: self._guarded(self._draw), "value")
        self.by_motion.observe(lambda change: self.view.colour(by_motion=change["new"]), "value")
        self.take_button.on_click(lambda _: self._guarded(self.take))
        self.note, self.error, self.said = w.HTML(muted("click on a band to see its mode")), w.HTML(), w.HTML()
        line = w.Layout(align_items="center", width="100%", flex_flow="row wrap")
        bar = w.HBox([self.play, self.slider, self.by_motion], layout=w.Layout(align_items="center", width="100%"))
        below = w.HBox([self.amplitude, self.take_button], layout=line)
        super().__init__([self.view, bar, below, self.note, self.error, self.said])

    @property
    def mode(self) -> Mode | None:
        """The mode that moves."""
        return self._wave.mode if self._wave is not None else None

    @property
    def frames(self) -> list[Atoms]:
        """One period of the mode at the amplitude of the slider."""
        return self._wave.frames(self.amplitude.value) if self._wave is not None else []

    @property
    def structure(self) -> Atoms | None:
        """What the button handed out last; before that, what it would hand out now, if anything."""
        if self._taken is None and self._wave is not None and self._wave.fits:
            return self._displaced()
        return self._taken

    def show(self, crystal: HarmonicCrystal, mode: Mode, *, play: bool = True) -> None:
        """Lay out one period of `mode` and let it move."""
        with self._lock:
            self.error.value = self.said.value = ""
            cells, fits = drawn_cell(crystal.atoms, mode.qpoint)
            self._crystal, self._wave = crystal, Wave.of(crystal, mode, cells, fits=fits)
            self._words(cells)
            self.view.lay_out(_free(self._wave.rest.copy()), self._wave.motion)
            self._draw()
        if play:
            self.play.playing = True

    def clear(self) -> None:
        """Show nothing."""
        with self._lock:
            self.play.playing = False
            self._crystal = self._wave = None
            self.take_button.disabled = True
            self.view.clear()
            self.note.value = muted("click on a band to see its mode")

    def take(self) -> Atoms:
        """Hand out the smallest cell of the wave, displaced along it; raises ValueError when no small cell holds it."""
        with self._lock:
            if self._wave is None:
                raise ValueError("no mode is chosen: click on a band first.")
            made = self._taken = self._displaced()
        self.said.value = theme.message(
            f"view.structure holds {len(made)} atoms ({made.get_chemical_formula()}), displaced by up to "
            f"{self.amplitude.value:.2f} Å: relax it to see where the mode leads.",
            "success",
        )
        return made.copy()

    def _displaced(self) -> Atoms:
        mode, cell = self._wave.mode, smallest_cell(self._wave.mode.qpoint)
        if cell is None:
            raise ValueError(f"the wave of q = {mode.place} fits into no small cell; choose a mode at a special point.")
        return Wave.of(self._crystal, mode, cell).farthest(self.amplitude.value)

    def _draw(self) -> None:
        with self._lock:
            if self._wave is not None:
                self.view.show(_free(self._wave.frame(self.slider.value, self.amplitude.value)))

    def _words(self, cells: tuple[int, int, int]) -> None:
        wave, mode = self._wave, self._wave.mode
        size = " x ".join(str(one) for one in cells)
        drawn = f"{size} cells, {len(wave.rest)} atoms" + ("" if wave.fits else ", a stretch of a longer wave")
        colour = f' style="color:{theme.RED}"' if mode.imaginary else ""
        self.note.value = f'<div class="lk-words"{colour}>{theme.escape(mode.words)}</div>{muted(drawn)}'
        self.take_button.disabled = not wave.fits
        self.take_button.tooltip = (
            "Hand out the structure displaced along the mode, to relax from"
            if wave.fits
            else "No small cell holds this wave: choose a mode at a special point"
        )

    def _guarded(self, action: Callable[[], object]) -> None:
        try:
            action()
            self.error.value = ""
        except Exception as error:
            self.error.value = theme.message(f"This mode cannot be shown: {error}")

    def release(self) -> None:
        """Stop and close the picture."""
        self.play.playing = False
        self.view.close()


def _free(atoms: Atoms) -> Atoms:
    """Without periodic boundaries, so that an atom that swings over a border is not drawn at the other side."""
    atoms.pbc = False
    return atoms
