"""`PathView`: a path in 3D, with a slider that moves the ion along it.

All places between the images are laid out once; the slider then only moves the atoms of one NGL component. The way of
the ion is a tube with a sphere at each image; the highest one is marked.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import ipywidgets as w
from ase import Atoms

from . import theme
from .neb_geometry import BETWEEN, Track, track
from .neb_shapes import ShapedAtoms, Shapes
from .panel import Panel, muted

ION, SADDLE = theme.ORANGE, theme.RED
_TUBE_A, _IMAGE_A, _SADDLE_A = 0.1, 0.24, 0.36


class PathView(Panel):
    """Shows the images of one path; `image` is where the slider stands, `atoms` what is shown there."""

    def __init__(self, *, height: str = "360px", on_move: Callable[[float], None] | None = None) -> None:
        """`on_move` is called with the image (from 0, with a fraction between two of them) that is shown."""
        self._lock = threading.RLock()
        self._on_move = on_move
        self._silent = False
        self.track: Track | None = None
        self.view = ShapedAtoms(height=height)
        self.play = w.Play(min=0, max=0, interval=120, show_repeat=True, tooltip="Move the ion along the path")
        self.slider = w.IntSlider(min=0, max=0, readout=False, layout=w.Layout(flex="1 1 auto"))
        self.slider.tooltip = "Place along the path"
        self.to_saddle = w.Button(description="Saddle", tooltip="Go to the highest image")
        self.to_saddle.layout.width = "72px"
        w.jslink((self.play, "value"), (self.slider, "value"))
        self.slider.observe(self._on_slider, "value")
        self.to_saddle.on_click(lambda _: self._go_to_saddle())
        self.legend, self.note, self.error = w.HTML(), w.HTML(), w.HTML()
        bar = w.HBox([self.play, self.slider, self.to_saddle], layout=w.Layout(align_items="center", width="100%"))
        self._saddle: int | None = None
        super().__init__([self.view, self.legend, bar, self.note, self.error])

    @property
    def image(self) -> float:
        """The image that is shown, from 0, with a fraction between two of them."""
        return self.slider.value / BETWEEN

    @property
    def atoms(self) -> Atoms | None:
        """What is shown, or None before there is a path."""
        return self.view.atoms

    def show(self, images: Sequence[Atoms], saddle: int | None = None, relaxed: bool = True) -> None:
        """Lay out these images and draw them; the slider stays where it was if the path is as long."""
        with self._lock:
            if len(images) < 2:
                self.track = None
                self.note.value = muted("the images of this band are not known yet")
                return
            self.track, self._saddle = track(images), saddle
            last = len(self.track.places) - 1
            self._silent = True
            try:
                self.slider.max = self.play.max = last
            finally:
                self._silent = False
            self.view.build(self.track.atoms, self.track.movers, ION)
            self.view.draw(self._shapes(), self.track.images[:, self.track.movers].reshape(-1, 3))
            self.to_saddle.disabled = saddle is None
            self.legend.value = self._legend_html(relaxed)
            self.go(self.image)

    def mark_saddle(self, saddle: int | None) -> None:
        """Mark another image as the highest."""
        with self._lock:
            if saddle != self._saddle and self.track is not None:
                self._saddle = saddle
                self.view.draw(self._shapes(), self.track.images[:, self.track.movers].reshape(-1, 3))
                self.to_saddle.disabled = saddle is None

    def go(self, image: float) -> None:
        """Show the place at `image` (from 0; 2.5 is half way between images 2 and 3)."""
        place = round(min(max(image * BETWEEN, 0), self.slider.max))
        if self.slider.value != place:
            self.slider.value = place  # comes back through the slider
        else:
            self._move(place)

    def say(self, text: str) -> None:
        """Write the line under the slider."""
        self.note.value = muted(text)

    def _go_to_saddle(self) -> None:
        if self._saddle is not None:
            self.go(float(self._saddle))

    def _on_slider(self, change: dict) -> None:
        with self._lock:
            silent = self._silent
        if not silent:
            self._move(change["new"])

    def _move(self, place: int) -> None:
        try:
            with self._lock:
                if self.track is None:
                    return
                self.error.value = ""
                self.view.move(self.track.places[min(place, len(self.track.places) - 1)])
            if self._on_move is not None:
                self._on_move(place / BETWEEN)
        except Exception as error:
            self.error.value = theme.message(f"This place of the path cannot be shown: {error}")

    def _shapes(self) -> list[Shapes]:
        tube, ghosts = Shapes("path"), Shapes("images", opacity=0.55)
        for atom in self.track.movers:
            tube.tube(self.track.places[::2, atom], ION, _TUBE_A)
            for number, point in enumerate(self.track.images[:, atom]):
                high = number == self._saddle
                ghosts.sphere(point, SADDLE if high else ION, _SADDLE_A if high else _IMAGE_A)
        return [tube, ghosts]

    def _legend_html(self, relaxed: bool) -> str:
        symbols = sorted({self.track.atoms.symbols[atom] for atom in self.track.movers})
        if not symbols:
            return muted("nothing moves along this path")
        moving = f'<span><i style="background:{ION}"></i>moving {theme.escape(", ".join(symbols))} and its path</span>'
        highest = f'<span><i style="background:{SADDLE}"></i>highest image</span>'
        if not relaxed:
            words = "straight line between the end states until this band is done"
            return f'<div class="lk-legend">{moving}<span class="lk-muted">{words}</span></div>'
        return f'<div class="lk-legend">{moving}{highest}</div>'

    def release(self) -> None:
        """Close the picture."""
        self.view.close()
