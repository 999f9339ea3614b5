"""`LandscapeView`: a landscape as a tree whose leaves open in 3D, with its saddles, a cut, rates, and a second tree.

`view.selected`, `view.structure`, `view.film`, `view.superbasins`, `view.match` and `view.passage` are what is on the
screen. Numbers come from `labkit.landscapes`; nothing is computed again that a slider only asks about.
"""

from __future__ import annotations

import threading
from typing import Any

import ipywidgets as w
from ase import Atoms

from labkit.landscapes.alignment import Comparison
from labkit.landscapes.disconnectivity import DisconnectivityTree
from labkit.landscapes.network import KineticNetwork, Minimum, TransitionState

from . import theme
from .landscape_frames import Film
from .landscape_kinetics import HIGHEST_K, LOWEST_K, KineticsPanel
from .landscape_match import LARGEST_A, SMALLEST_A, MatchPanel
from .landscape_pair import checked, point_of, titles_of, within
from .landscape_point import PointPanel
from .landscape_rates import Passage
from .landscape_trees import TreePanel
from .landscape_words import lines, size_words
from .panel import Panel


class LandscapeView(Panel):
    """The tree of a network, or of two: `other` is compared with `network`, the reference.

    `labels` name the two, `comparison` says what counts as the same structure (default: bonded classes, mirror images
    are the same), `threshold_A` and `temperature_K` are where the sliders start.
    """

    def __init__(
        self,
        network: KineticNetwork,
        other: KineticNetwork | None = None,
        *,
        labels: tuple[str, str] = ("", ""),
        comparison: Comparison | None = None,
        threshold_A: float = 0.3,
        temperature_K: float = 298.15,
        height: int = 440,
    ) -> None:
        """Raises InvalidStructure when the two networks are not of the same atoms, TypeError for what is none, and
        ValueError for a start that a slider cannot have.
        """
        checked(network, other)
        within("threshold_A", threshold_A, SMALLEST_A, LARGEST_A, "Å per atom")
        within("temperature_K", temperature_K, LOWEST_K, HIGHEST_K, "K")
        self._lock = threading.RLock()
        self.network, self.other = network, other
        self._shown: tuple[int, Minimum] | None = None
        networks = [network] if other is None else [network, other]
        self.titles = titles_of(networks, labels)
        self.words, self.error = w.HTML(), w.HTML()
        self.trees: TreePanel | None = None
        self.matching: MatchPanel | None = None
        self.kinetics: KineticsPanel | None = None
        self.point = PointPanel(comparison, height=f"{height - 80}px", on_saddle=self._on_saddle)
        said = [size_words(one, other is None) for one in networks]
        if other is not None:
            said = [f"{title}: {words}" for title, words in zip(self.titles, said, strict=True)]
        self.words.value = lines(said)
        if any(not one.n_minima for one in networks):
            super().__init__([theme.title("Energy landscape"), self.words])
            return
        self.trees = TreePanel(networks, self.titles, height, on_pick=self._on_pick)
        self.kinetics = KineticsPanel(network, temperature_K, on_change=self._on_passage)
        if other is not None:
            self.matching = MatchPanel(network, other, comparison, threshold_A, on_match=self._on_match)
        super().__init__(self._parts())
        self.select(network.global_minimum)
        if self.matching is not None:
            self.matching.start()

    @property
    def selected(self) -> Minimum | TransitionState | None:
        """The minimum or transition state that is shown."""
        return None if self._shown is None else self._shown[1]

    @property
    def structure(self) -> Atoms | None:
        """The atoms that are shown: of a film, the frame on the screen."""
        return self.point.atoms

    @property
    def film(self) -> Film | None:
        """What is shown in 3D, all its frames."""
        return self.point.film

    @property
    def tree(self) -> DisconnectivityTree | None:
        """The tree of `network`."""
        return None if self.trees is None else self.trees.drawings[0].tree

    @property
    def superbasins(self) -> list[set[int]]:
        """The sets of minima of `network` that reach each other below the cut."""
        return [] if self.trees is None else self.trees.superbasins(0)

    @property
    def match(self) -> Any:
        """The comparison of both networks at the threshold of the slider; waits until the distances are known."""
        return None if self.matching is None else self.matching.match

    @property
    def passage(self) -> Passage | None:
        """Occupations and passage times that are shown."""
        return None if self.kinetics is None else self.kinetics.passage

    def select(self, point: Minimum | int, *, tree: int = 0) -> None:
        """Show a stationary point, or a minimum by its number, of `network` (tree 0) or `other` (tree 1).

        Raises ValueError for a point that the network does not have.
        """
        network = (self.network, self.other)[tree] if tree in (0, 1) else None
        if network is None or self.trees is None:
            raise ValueError("there is no such tree in this view; give `other` two landscapes, and both some minima.")
        point = point_of(network, point)
        with self._lock:
            self._shown = (tree, point)
            self.point.show(network, point, self.titles[tree] if self.other is not None else "")
            if not isinstance(point, TransitionState):
                self.trees.choose(tree, point.index)
            self._ring()
            if tree == 0 and not isinstance(point, TransitionState):
                self.kinetics.start_from(point.index)

    def _ring(self) -> None:
        """Ring what is shown, of a saddle both its minima, and what belongs to it in the other tree."""
        tree, point = self._shown
        minima = point.minima if isinstance(point, TransitionState) else (point.index,)
        self.trees.ring(tree, minima)
        if self.matching is None:
            return
        partners = [self.matching.partner(tree, one) for one in minima]
        self.trees.ring(1 - tree, [one for one in partners if one is not None])
        self.point.partner((self.network, self.other)[1 - tree], partners[0] if len(partners) == 1 else None)

    def _on_pick(self, tree: int, minimum: int) -> None:
        self._guarded(lambda: self.select(minimum, tree=tree))

    def _on_saddle(self, point: TransitionState) -> None:
        self._guarded(lambda: self.select(point, tree=0 if self._shown is None else self._shown[0]))

    def _on_match(self) -> None:
        def draw() -> None:
            for tree in (0, 1):
                self.trees.draw_leaves(tree, *self.matching.leaves(tree))
            self._ring()

        self._guarded(draw)

    def _on_passage(self, passage: Passage | None) -> None:
        self._guarded(lambda: self.trees.draw_way(passage))

    def _guarded(self, action: Any) -> None:
        try:
            with self._lock:
                action()
                self.error.value = ""
        except Exception as error:
            self.error.value = theme.message(f"This could not be shown: {error}")

    def _parts(self) -> list[w.Widget]:
        compared = [] if self.matching is None else [self.matching]
        rates = theme.title("Rates", self.titles[0] if self.other is not None else "")
        left = [
            theme.title("Disconnectivity tree"),
            self.words,
            *compared,
            self.trees,
            self.error,
            rates,
            self.kinetics,
        ]
        row = w.Box([_cell(left, 560), _cell([self.point], 380)])
        row.layout = w.Layout(flex_flow="row wrap", width="100%", align_items="flex-start")
        return [row]

    def release(self) -> None:
        """Close the parts; the networks stay."""
        for part in (self.matching, self.trees, self.kinetics, self.point):
            if part is not None:
                part.close()


def _cell(children: list[w.Widget], basis: int) -> w.VBox:
    return w.VBox(children, layout=w.Layout(flex=f"1 1 {basis}px", min_width="300px", margin="0 14px 6px 0"))
