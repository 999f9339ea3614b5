"""The trees of a landscape view with their controls: the energy cut, the colours, and how two trees stand.

A cut that is dragged in the plot and one that is moved by the slider are the same; superbasins are counted beside it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence

import ipywidgets as w
import numpy as np

from labkit.landscapes.network import KineticNetwork

from . import theme
from .landscape_cut import BasinColours
from .landscape_drawing import Drawing
from .landscape_figure import PLAIN, TreeFigure
from .landscape_rates import Passage
from .landscape_words import basin_words, lines
from .panel import Panel, muted

BY_MATCH, BY_BASIN = "match", "superbasins"
BESIDE, ABOVE = "side by side", "one above the other"


class TreePanel(Panel):
    """Draws one or two networks; `drawings` are their layouts, `chosen` is (tree, minimum), `cut_eV` is the cut."""

    def __init__(
        self,
        networks: Sequence[KineticNetwork],
        titles: Sequence[str],
        height: int,
        *,
        on_pick: Callable[[int, int], None],
    ) -> None:
        """`on_pick(tree, minimum)` is called when a leaf is clicked."""
        self._lock = threading.RLock()
        self.networks = list(networks)
        self.titles = list(titles)
        self.drawings = [Drawing.of(one) for one in networks]
        self.chosen = (0, networks[0].global_minimum.index)
        self._colours = [BasinColours() for _ in networks]
        two = len(networks) == 2
        self.figure = TreeFigure(
            self.drawings,
            self.titles if two else [],
            height,
            colours=self._colours[0].colours,
            on_pick=on_pick,
            on_cut=self.cut,
        )
        low, high = min(one.span_eV()[0] for one in self.drawings), max(one.span_eV()[1] for one in self.drawings)
        room = 0.05 * (high - low) or 0.1
        self.slider = w.FloatSlider(
            value=_first_cut(self.drawings), min=low - room, max=high + room, step=(high - low + 2 * room) / 500,
            readout_format=".3f", layout=w.Layout(flex="1 1 220px", max_width="420px"),
        )  # fmt: skip
        self.slider.tooltip = "Energy of the cut, eV above the lowest minimum; the dotted line can be dragged too"
        self.colour_by = w.ToggleButtons(options=(BY_MATCH, BY_BASIN), value=BY_MATCH if two else BY_BASIN)
        self.colour_by.style.button_width = "112px"
        self.colour_by.tooltips = ("Colour leaves by what the other tree has", "Colour superbasins below the cut")
        self.arrangement = w.Dropdown(options=(BESIDE, ABOVE), value=BESIDE, layout=w.Layout(width="170px"))
        self.arrangement.tooltip = "How the two trees stand"
        self.note, self.error = w.HTML(), w.HTML()
        bar = w.HBox([w.HTML(muted("energy cut (eV)")), self.slider])
        choices = w.HBox([w.HTML(muted("colour by")), self.colour_by, self.arrangement])
        for row in (bar, choices):
            row.layout = w.Layout(align_items="center", flex_flow="row wrap", width="100%")
        super().__init__([self.figure, bar, *([choices] if two else []), self.note, self.error])
        self.slider.observe(lambda _: self._guarded(self._draw_cut), "value")
        self.colour_by.observe(lambda _: self._guarded(self._draw_cut), "value")
        self.arrangement.observe(
            lambda change: self._guarded(lambda: self.figure.arrange(change["new"] == ABOVE)), "value"
        )
        for tree, drawing in enumerate(self.drawings):
            self.draw_leaves(tree, {PLAIN: drawing.minima}, {})
        self._draw_cut()

    @property
    def cut_eV(self) -> float:
        """Where the cut is, eV above the lowest minimum."""
        return float(self.slider.value)

    def cut(self, energy_eV: float) -> None:
        """Move the cut; energies beyond the slider's ends stop there."""
        energy_eV = min(max(energy_eV, self.slider.min), self.slider.max)
        if self.slider.value == energy_eV:
            self._guarded(self._draw_cut)  # a line that was dragged sideways goes back to its place
        else:
            self.slider.value = energy_eV  # comes back through the slider

    def superbasins(self, tree: int = 0) -> list[set[int]]:
        """Sets of minima of a tree that reach each other below the cut, lowest first."""
        drawing = self.drawings[tree]
        return drawing.tree.superbasins(self.cut_eV + drawing.origin_eV)

    def draw_leaves(self, tree: int, groups: Mapping[str, np.ndarray], words: Mapping[int, str]) -> None:
        """Colour the leaves of a tree; see `TreeFigure.draw_leaves`."""
        with self._lock:
            self.figure.draw_leaves(tree, groups, words)

    def choose(self, tree: int, minimum: int) -> None:
        """Take a minimum as the chosen one, of which the words tell where it can go."""
        with self._lock:
            self.chosen = (tree, minimum)
            self._say()

    def ring(self, tree: int, minima: Iterable[int]) -> None:
        """Ring these minima of a tree."""
        with self._lock:
            self.figure.ring(tree, minima)

    def draw_way(self, passage: Passage | None) -> None:
        """Draw the fastest path of the first network, or none."""
        network, drawing = self.networks[0], self.drawings[0]
        path = None if passage is None else passage.path
        line = np.zeros((0, 2))
        if path is not None:
            tops = [network.transition_states[k].energy_eV - drawing.origin_eV for k in path.transition_states]
            line = drawing.way(path.minima, tops)
        with self._lock:
            self.figure.draw_way(0, line)

    def _draw_cut(self) -> None:
        with self._lock:
            coloured = self.colour_by.value == BY_BASIN
            for tree, drawing in enumerate(self.drawings):
                basins = drawing.basins(self.cut_eV)
                drawn: list[np.ndarray | None] = [None] * len(self._colours[tree].colours)
                if coloured:
                    sizes, lowest = basins.sizes.tolist(), basins.lowest.tolist()
                    for at, slot in enumerate(self._colours[tree].slots(sizes, lowest)):
                        if slot is not None:
                            drawn[slot] = drawing.below(int(basins.tops[at]), self.cut_eV)
                self.figure.draw_cut(tree, self.cut_eV, drawn)
            self.figure.show_stems(not coloured)
            self._say()

    def _say(self) -> None:
        said = []
        for tree, drawing in enumerate(self.drawings):
            selected = self.chosen[1] if self.chosen[0] == tree else None
            words = basin_words(drawing, drawing.basins(self.cut_eV), self.cut_eV, selected)
            said.append(f"{self.titles[tree]}: {words}" if len(self.drawings) == 2 else words)
        self.note.value = lines(said)

    def _guarded(self, action: Callable[[], None]) -> None:
        try:
            with self._lock:
                action()
            self.error.value = ""
        except Exception as error:
            self.error.value = theme.message(f"The tree could not be drawn: {error}")

    def release(self) -> None:
        """Close the plot."""
        self.figure.close()


def _first_cut(drawings: Sequence[Drawing]) -> float:
    """A cut that shows something: half way between the lowest and the highest joint of all trees."""
    joints = np.concatenate([one.energies_eV[len(one.minima) :] for one in drawings])
    return float((joints.min() + joints.max()) / 2) if len(joints) else 0.0
