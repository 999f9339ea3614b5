"""`ExplorationView`: a landscape exploration while it goes on: what was found, how the network grows, what failed.

`view.network`, `view.structure`, `view.growth` and `view.failures` hold what is on the screen. Everything is read off
the run's folder; a picture that is not drawn in time is left out, never queued.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import ipywidgets as w
import pandas as pd
from ase import Atoms

from labkit.runs import Run

from . import theme
from .exploration_end import EndOfExploration
from .exploration_figures import EVALUATIONS, TIME, GrowthCurves
from .exploration_graph import MAX_DRAWN, NetworkGraph
from .exploration_model import ExplorationModel, Point
from .exploration_point import PointView
from .exploration_scales import Scales, legend_html
from .exploration_tree import GrowingTree
from .exploration_words import counters_html, failures_html
from .panel import Panel, button, muted
from .run_view import RunView
from .ticker import IDLE_S, TICKER

if TYPE_CHECKING:
    from labkit.landscapes.network import KineticNetwork

INTERVAL_S = 1.0
#: At most this share of the time goes into reading and drawing.
_SHARE = 0.2
GRAPH, TREE = "network", "tree"


class ExplorationView(Panel):
    """Status, counters, the growing network or its tree, a stationary point in 3D, growth, reasons of failures."""

    def __init__(self, run: Run, *, status: RunView | None = None, height: int = 380) -> None:
        self.run = run
        self.model = ExplorationModel(run)
        self._lock = threading.RLock()
        self._gone = self._failed = False
        self._was_active: bool | None = None
        self._owed: set[str] = set()  # what was read and is not drawn yet
        self._scales: Scales | None = None
        self.status = status or RunView(run)
        self.end = EndOfExploration(lambda: self.network)
        self.graph, self.tree = NetworkGraph(height, self._picked), GrowingTree(height, self._picked)
        self.shown = PointView(self.model, self._lock, self._mark, height=height - 40)
        self.curves = GrowthCurves(height - 150)
        self.counters, self.legend, self.note = w.HTML(), w.HTML(), w.HTML()
        self.reasons, self.error = w.HTML(), w.HTML()
        self.picture = w.ToggleButtons(options=[GRAPH, TREE], style={"button_width": "78px"})
        self.picture.tooltip = "The network as a graph, or its disconnectivity tree"
        self.rearrange = button("Rearrange", "Place the minima anew; otherwise they stay where they are")
        self.axis = w.ToggleButtons(options=[EVALUATIONS, TIME], style={"button_width": "106px"})
        self.axis.tooltip = "What the growth is drawn against"
        # Both stay in the page: a plot that leaves it goes on listening, and complains on the console.
        self._canvases = {GRAPH: w.VBox([self.graph]), TREE: w.VBox([self.tree])}
        self._canvases[TREE].layout.display = "none"
        super().__init__(self._parts())
        self.picture.observe(lambda _: self._now(self._switch), "value")
        self.axis.observe(lambda _: self._now(self._draw_growth), "value")
        self.rearrange.on_click(lambda _: self._now(self._rearrange))
        self._poll()
        TICKER.subscribe(self._poll, INTERVAL_S)

    @property
    def state(self) -> str:
        """The state of the run."""
        return self.run.state

    @property
    def network(self) -> KineticNetwork | None:
        """The network so far, None before the first minimum."""
        return self.model.network

    @property
    def growth(self) -> pd.DataFrame:
        """How the network grew, one row a step."""
        return self.model.tables["growth"]

    @property
    def failures(self) -> pd.DataFrame:
        """What failed, one row each: step, stage, reason."""
        return self.model.tables["failures"]

    @property
    def point(self) -> str:
        """The stationary point in 3D, as "minimum 3" or "transition state 5"; "" before there is one."""
        return str(self.shown.point or "")

    @property
    def structure(self) -> Atoms | None:
        """The atoms of the stationary point in 3D, energy (eV) in `info`."""
        return self.shown.structure

    @property
    def landscape(self) -> w.Widget | None:
        """The LandscapeView below, once it was opened."""
        return self.end.landscape

    def choose(self, point: str) -> None:
        """Show "minimum 3" or "transition state 5", as a click does; raises ValueError when there is none."""
        wanted = Point.of(point)
        if self.model.stationary_point(wanted) is None:
            raise ValueError(f"there is no {wanted} in the network yet")
        self.shown.choose(wanted)

    def _parts(self) -> list[w.Widget]:
        bar = _line([theme.title("Network"), self.picture, self.rearrange])
        network = [bar, *self._canvases.values(), self.legend, self.note]
        growth = [_line([theme.title("Growth", "against"), self.axis]), self.curves]
        reasons = [theme.title("Failures", "and why"), self.reasons]
        rows = [_row([_cell(network, "1 1 520px"), _cell([self.shown])]), _row([_cell(growth), _cell(reasons)])]
        return [self.status, self.end, self.counters, *rows, self.error, self.end.place]

    def _poll(self) -> None:
        active = self.run.status().active
        began = time.monotonic()
        with self._lock:
            if self._gone:
                return
            self._owed |= self.model.poll()
            ended, self._was_active = active != self._was_active, active
            if self._owed or ended or self._failed:
                self._draw(self._owed, active)
                self._owed = set()
        spent = time.monotonic() - began
        TICKER.pace(self._poll, max(INTERVAL_S if active else IDLE_S, spent / _SHARE))

    def _draw(self, found: set[str], active: bool) -> None:
        counts, network = self.model.counts(), self.network
        _write(self.counters, counters_html(counts))
        self.end.say("" if active else self.run.state, counts)
        if "growth" in found:
            self._draw_growth()
        _write(self.reasons, failures_html(self.failures))
        if network is None:
            words = "waiting for the first minimum" if active else "this run wrote no network"
            _write(self.note, "" if "network" in self.model.problems else muted(words))
        elif "network" in found and network.minima:
            self._scales = Scales.of(network)
            self._draw_network()
        self.shown.refresh()
        self._mark()
        self._failed = False
        _write(self.error, theme.message("\n".join(self.model.problems.values())))

    def _draw_growth(self) -> None:
        if len(self.growth):
            self.curves.draw(self.growth, self.axis.value)

    def _draw_network(self) -> None:
        network, scales, left_out = self.network, self._scales, 0
        if network is None or scales is None:
            return
        if self.picture.value == GRAPH:
            left_out = self.graph.draw(network, scales, self.model.generation)
            _write(self.legend, legend_html(scales))
        else:
            self.tree.draw(network)
        words = f"the {MAX_DRAWN} lowest of {network.n_minima:,} minima are drawn; the tree shows all of them"
        _write(self.note, muted(words) if left_out else "")

    def _mark(self) -> None:
        figure = self.graph if self.picture.value == GRAPH else self.tree
        figure.mark(self.model.newest(), self.shown.point)

    def _picked(self, point: Point) -> None:
        self._now(lambda: self.shown.choose(point))

    def _switch(self) -> None:
        graph = self.picture.value == GRAPH
        for name, canvas in self._canvases.items():
            canvas.layout.display = "" if name == self.picture.value else "none"
        self.legend.layout.display = self.rearrange.layout.display = "" if graph else "none"
        self._draw_network()
        self._mark()

    def _rearrange(self) -> None:
        if self.network is not None and self._scales is not None:
            self.graph.rearrange(self.network, self._scales)

    def _now(self, action: Callable[[], None]) -> None:
        """Do what a control asks for; an error is shown instead of vanishing."""
        try:
            with self._lock:
                if not self._gone:
                    action()
        except Exception as error:
            self.error.value = theme.message(f"This cannot be shown: {error}")

    def on_tick_error(self, error: Exception) -> None:
        """Show an error of the reader thread under the pictures, until reading succeeds."""
        self._failed = True
        self.error.value = theme.message(f"The exploration cannot be shown: {error}")

    def release(self) -> None:
        """Stop following and close the parts; the run goes on."""
        TICKER.unsubscribe(self._poll)
        with self._lock:
            self._gone = True
        for part in (self.status, self.end, self.graph, self.tree, self.shown, self.curves):
            part.close()


def _write(html: w.HTML, text: str) -> None:
    if html.value != text:
        html.value = text


def _line(children: list[w.Widget]) -> w.HBox:
    return w.HBox(children, layout=w.Layout(align_items="center", flex_flow="row wrap", width="100%", grid_gap="8px"))


def _cell(children: list[w.Widget], flex: str = "1 1 400px") -> w.VBox:
    return w.VBox(children, layout=w.Layout(flex=flex, min_width="300px", margin="0 14px 6px 0", overflow="hidden"))


def _row(cells: list[w.Widget]) -> w.Box:
    return w.Box(cells, layout=w.Layout(flex_flow="row wrap", width="100%", align_items="flex-start"))
