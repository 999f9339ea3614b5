"""`FilmView`: a minimum as a still picture, or a saddle with the film of its path, with a button for play and a slider.

A film keeps the bonds of its saddle, so a bond that breaks on the way is not drawn as a long stick.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import ipywidgets as w
import numpy as np
from ase import Atoms

from . import scene, theme
from .landscape_frames import Film
from .landscape_pose import Pose
from .landscape_words import lines
from .neb_shapes import ShapedAtoms
from .panel import Panel


class FilmView(Panel):
    """Shows one `Film`; `atoms` is what is on the screen, `film` what was shown last."""

    def __init__(self, *, height: str = "340px", on_move: Callable[[int], None] | None = None) -> None:
        """`on_move` is called with the number of the frame that is shown."""
        self._lock = threading.RLock()
        self._on_move = on_move
        self._silent = False
        self._bonds: np.ndarray | None = None
        self._pose = Pose()
        self.film: Film | None = None
        self.view = ShapedAtoms(height=height)
        self.play = w.Play(min=0, max=0, interval=120, show_repeat=True, tooltip="Play the film")
        self.slider = w.IntSlider(min=0, max=0, readout=False, layout=w.Layout(flex="1 1 auto"))
        self.slider.tooltip = "Place along the film"
        self.to_saddle = w.Button(description="Saddle", tooltip="Go to the saddle", layout=w.Layout(width="72px"))
        w.jslink((self.play, "value"), (self.slider, "value"))
        self.slider.observe(self._on_slider, "value")
        self.to_saddle.on_click(lambda _: self.film is not None and self.go(self.film.saddle or 0))
        self.bar = w.HBox([self.play, self.slider, self.to_saddle])
        self.bar.layout = w.Layout(align_items="center", width="100%", display="none")
        self.note, self.error = w.HTML(), w.HTML()
        super().__init__([self.view, self.bar, self.note, self.error])

    @property
    def atoms(self) -> Atoms | None:
        """What is on the screen, with the coordinates of the film: only the picture is turned."""
        return None if self.film is None else self.film.frames[min(self.frame, len(self.film.frames) - 1)]

    @property
    def frame(self) -> int:
        """The number of the frame that is shown."""
        return self.slider.value

    def show(self, film: Film | None) -> None:
        """Show a film, a saddle first; None shows nothing."""
        with self._lock:
            self.film = film
            self.error.value = ""
            frames = () if film is None else film.frames
            many = len(frames) > 1
            start = (film.saddle or 0) if film is not None else 0
            self._silent = True
            try:
                self.slider.max = self.play.max = max(0, len(frames) - 1)
                self.slider.value = start
            finally:
                self._silent = False
            self.bar.layout.display = "flex" if many else "none"
            if film is None:
                self.view.clear()
                self._bonds = None
                self.note.value = ""
                return
            self._pose.take(frames[start])
            self._draw(self._pose.turned(frames[start]))
            self._say(start)

    def go(self, frame: int) -> None:
        """Show a frame by its number (from 0)."""
        frame = min(max(frame, 0), self.slider.max)
        if self.slider.value != frame:
            self.slider.value = frame  # comes back through the slider
        else:
            self._move(frame)

    def _draw(self, atoms: Atoms) -> None:
        bonds = scene.bonds(atoms)
        shown = self.view.atoms
        same = shown is not None and np.array_equal(shown.numbers, atoms.numbers)
        if same and self._bonds is not None and np.array_equal(bonds, self._bonds):
            self.view.show(atoms)  # only moves: the camera stays where the user turned it
        else:
            self.view.build(atoms)
            self._bonds = bonds

    def _on_slider(self, change: dict) -> None:
        with self._lock:
            silent = self._silent
        if not silent:
            self._move(change["new"])

    def _move(self, frame: int) -> None:
        try:
            with self._lock:
                if self.film is None:
                    return
                frame = min(frame, len(self.film.frames) - 1)
                self.view.show(self._pose.turned(self.film.frames[frame]))
                self._say(frame)
                self.error.value = ""
            if self._on_move is not None:
                self._on_move(frame)
        except Exception as error:
            self.error.value = theme.message(f"This frame cannot be shown: {error}")

    def _say(self, frame: int) -> None:
        film = self.film
        parts = [film.words] if film.words else []
        if len(film.frames) > 1:
            energy = film.energies_eV[frame]
            place = [f"frame {frame + 1} of {len(film.frames)}", *(["saddle"] if frame == film.saddle else [])]
            place += [f"{energy:.3f} eV above the lowest minimum"] if np.isfinite(energy) else []
            parts.append(" · ".join(place))
        self.note.value = lines(parts)

    def release(self) -> None:
        """Close the picture."""
        self.view.close()
