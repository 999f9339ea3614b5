"""The stationary point on the screen: the newest one as it is found, or the one that somebody clicked on."""

from __future__ import annotations

import threading
from collections.abc import Callable

import ipywidgets as w
from ase import Atoms

from . import theme
from .exploration_model import ExplorationModel, Point
from .exploration_structure import StationaryView
from .exploration_words import point_words
from .panel import Panel, muted


class PointView(Panel):
    """A stationary point in 3D with a line about it; `on_change` is called when another one is to be ringed."""

    def __init__(
        self, model: ExplorationModel, lock: threading.RLock, on_change: Callable[[], None], *, height: int
    ) -> None:
        self.model = model
        self._lock, self._on_change, self._silent = lock, on_change, False
        self._chosen: Point | None = None
        self._shown: tuple | None = None
        self._generation = model.generation
        self.newest = w.ToggleButton(description="Newest", value=True, layout=w.Layout(width="84px"))
        self.newest.tooltip = "Show the stationary point that was found last"
        self.newest.observe(lambda change: self._follow(change["new"]), "value")
        self.viewer = StationaryView(height=f"{height}px")
        self.caption, self.error = w.HTML(muted("waiting for the first minimum")), w.HTML()
        bar = w.HBox([theme.title("Stationary point"), self.newest], layout=w.Layout(align_items="center"))
        super().__init__([bar, self.viewer, self.caption, self.error])

    @property
    def point(self) -> Point | None:
        """The stationary point on the screen, None before there is one."""
        return self._chosen if self._chosen is not None else self.model.newest()

    @property
    def structure(self) -> Atoms | None:
        """Its atoms, energy (eV) in `info`."""
        return self.model.structure(self.point)

    def choose(self, point: Point | None) -> None:
        """Show this point until another is chosen, or, with None, the newest one from now on."""
        with self._lock:
            self._chosen, self._silent = point, True
            try:
                self.newest.value = point is None
            finally:
                self._silent = False
            self.refresh()
            self._on_change()

    def refresh(self) -> None:
        """Draw the point if it is another one than before, or was converged further, and say what is known of it."""
        with self._lock:
            if self.model.generation != self._generation:  # the numbers mean other points now
                self._generation = self.model.generation
                self.choose(None)
                return
            point, network = self.point, self.model.network
            found = self.model.stationary_point(point)
            if found is None or network is None or point is None:
                waiting = self.model.run.status().active
                self._say("waiting for the first minimum" if waiting else "there is nothing to show")
                return
            if (self._generation, point, found.energy_eV) != self._shown:
                self.viewer.show(network.atoms(found))
                self._shown = (self._generation, point, found.energy_eV)
            self._say(point_words(network, point))

    def _say(self, words: str) -> None:
        if self.caption.value != muted(words):
            self.caption.value = muted(words)

    def _follow(self, on: bool) -> None:
        if self._silent:
            return
        try:
            self.choose(None if on else self.point)
            self.error.value = ""
        except Exception as error:
            self.error.value = theme.message(f"The structure cannot be shown: {error}")

    def release(self) -> None:
        """Close the 3D view."""
        self.viewer.close()
