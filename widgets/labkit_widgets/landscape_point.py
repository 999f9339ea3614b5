"""The chosen point of a landscape: its structure or film in 3D, its numbers, and the transition states around it."""

from __future__ import annotations

import threading
from collections.abc import Callable

import ipywidgets as w
import numpy as np
from ase import Atoms

from labkit.landscapes.alignment import Comparison
from labkit.landscapes.network import KineticNetwork, Minimum, TransitionState

from . import theme
from .landscape_frames import Film, film_of, kinds, laid_on, still_of
from .landscape_movie import FilmView
from .landscape_pair import in_order_of
from .landscape_words import many, point_facts, transition_line
from .panel import Panel, muted

THIS, PARTNER = "this", "its match, laid on it"
#: Lines of the list of transition states.
MOST = 300


class PointPanel(Panel):
    """Shows a minimum or a saddle; `atoms` is what is on the screen, `film` all frames of it."""

    def __init__(
        self, comparison: Comparison | None = None, *, height: str, on_saddle: Callable[[TransitionState], None]
    ) -> None:
        """`on_saddle` is called when a transition state of the list is chosen."""
        self._lock = threading.RLock()
        self._on_saddle = on_saddle
        self._silent = False
        self._comparison = comparison
        self._partner: tuple[KineticNetwork, Minimum] | None = None
        self.network: KineticNetwork | None = None
        self.point: Minimum | None = None
        self._minimum: int | None = None
        self.title = w.HTML()
        self.view = FilmView(height=height)
        self.kind = w.Dropdown(options=[], layout=w.Layout(width="170px"), tooltip="How the saddle is shown")
        self.which = w.ToggleButtons(options=(THIS, PARTNER), value=THIS)
        self.which.style.button_width = "160px"
        self.which.tooltips = ("The chosen minimum", "The minimum of the other landscape that matches it")
        self.which.layout.display = "none"
        self.facts, self.note, self.error = w.HTML(), w.HTML(), w.HTML()
        self.list = w.Select(options=[], value=None, rows=5, layout=w.Layout(width="100%"))
        self.list.tooltip = "Transition states of this minimum: one of them is shown as a film"
        self._kind_bar = w.HBox([w.HTML(muted("shown as")), self.kind])
        self._kind_bar.layout = w.Layout(align_items="center", display="none")
        super().__init__(
            [self.title, self.view, self._kind_bar, self.which, self.facts, self.note, self.list, self.error]
        )
        self.list.observe(lambda change: self._listed(change["new"]), "value")
        self.kind.observe(lambda _: self._redraw(), "value")
        self.which.observe(lambda _: self._redraw(), "value")

    @property
    def atoms(self) -> Atoms | None:
        """What is on the screen."""
        return self.view.atoms

    @property
    def film(self) -> Film | None:
        """All frames of what is shown."""
        return self.view.film

    def show(self, network: KineticNetwork, point: Minimum, label: str = "") -> None:
        """Show a point of a network; `label` names the network where there are two."""
        with self._lock:
            saddle = isinstance(point, TransitionState)
            beside = self.network is not network or (self._minimum not in point.minima if saddle else True)
            self.network, self.point = network, point
            name = f"Transition state {point.index}" if saddle else f"Minimum {point.index}"
            ends = " ↔ ".join(map(str, point.minima)) if saddle else ""
            note = " · ".join(part for part in (f"joins {ends}" if ends else "", label) if part)
            self.title.value = theme.title(name, note).value
            if beside:
                self._minimum = point.minima[0] if saddle else point.index
                self._partner = None
            self._silent = True
            try:
                self.which.value = THIS
                self.which.layout.display = "none" if self._partner is None or saddle else ""
                self._fill(saddle)
                possible = kinds(point) if saddle else ()
                self.kind.options = possible
                self.kind.index = 0 if possible else None
                self._kind_bar.layout.display = "flex" if len(possible) > 1 else "none"
            finally:
                self._silent = False
            self.facts.value = point_facts(network, point)
            self._draw()

    def partner(self, network: KineticNetwork | None, minimum: int | None) -> None:
        """Offer the minimum of the other landscape that matches the chosen one; None offers nothing."""
        with self._lock:
            self._partner = None if minimum is None else (network, network.minima[minimum])
            shown = minimum is not None and not isinstance(self.point, TransitionState)
            self.which.layout.display = "" if shown else "none"
            if minimum is None and self.which.value != THIS:
                self.which.value = THIS  # comes back through the buttons
            elif self.which.value != THIS:
                self._redraw()

    def _fill(self, saddle: bool) -> None:
        found = self.network.transition_states_of(self._minimum)
        found = sorted(found, key=lambda one: one.energy_eV)
        options = [(transition_line(self.network, one, self._minimum), one.index) for one in found[:MOST]]
        if tuple(options) != tuple(self.list.options):
            self.list.options = options
        self.list.value = self.point.index if saddle and self.point.index in dict(map(reversed, options)) else None
        words = f"{many(len(found), 'transition state')} of minimum {self._minimum}"
        more = f", the {MOST} lowest are listed" if len(found) > MOST else ""
        self.note.value = muted(f"{words}{more}: choose one to see its saddle and path" if found else f"no {words[2:]}")
        self.list.layout.display = "" if found else "none"

    def _listed(self, index: int | None) -> None:
        if self._silent or index is None or self.network is None:
            return
        self._on_saddle(self.network.transition_states[index])

    def _redraw(self) -> None:
        if not self._silent and self.point is not None:
            self._draw()

    def _draw(self) -> None:
        with self._lock:
            self.error.value = ""
            point, network = self.point, self.network
            kind = self.kind.value or "" if isinstance(point, TransitionState) else ""
            try:
                film = film_of(network, point, kind, self._comparison)
                if self.which.value == PARTNER and self._partner is not None:
                    film = self._laid(film)
            except Exception as error:  # the structure itself can be shown in any case
                what = "The film of this saddle" if isinstance(point, TransitionState) else "Its match"
                self.error.value = theme.message(f"{what} cannot be made: {error}")
                film = still_of(network, point)
            self.view.show(film)

    def _laid(self, film: Film) -> Film:
        network, other = self._partner
        theirs = in_order_of(self.network, network, other.positions)
        found = laid_on(self.network, self.point.positions, theirs, self._comparison)
        atoms = film.frames[0].copy()
        atoms.positions = found.positions
        apart = found.distance_A / len(atoms) ** 0.5
        mirrored = ", its mirror image" if found.inverted else ""
        words = f"minimum {other.index} of the other landscape{mirrored}, {apart:.3f} Å per atom away"
        energy = other.energy_eV - network.global_minimum.energy_eV
        return Film(film.kind, (atoms,), np.array([energy]), None, words)

    def release(self) -> None:
        """Close the picture."""
        self.view.close()
