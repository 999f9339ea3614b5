"""`HopExplorer`: the hops of an ion in a crystal, to be chosen in the list or in the picture, computed, and read off.

The graph takes its thickness and its colours from barriers as they arrive, and the percolation barriers follow. What
is shown can be had as `explorer.network`, `explorer.barriers`, `explorer.paths`, `explorer.percolation` and
`explorer.run`.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import ipywidgets as w
from ase import Atoms

from labkit.runs import Run, Store

from . import theme
from .hop_graph import TEMPERATURE_K, legend_html, shapes
from .hop_list import HopList
from .hop_model import HopModel
from .hop_words import percolation_html
from .neb_shapes import ShapedAtoms
from .neb_view import NebView
from .panel import Panel
from .ticker import IDLE_S, TICKER

if TYPE_CHECKING:
    from labkit.simulators.hops import HopNetwork
    from labkit.simulators.hops_percolation import Percolation

INTERVAL_S = 0.4


class HopExplorer(Panel):
    """Crystal with its hop graph, list of distinct hops, percolation, and the path of the chosen hop.

    `potential` and `settings` (such as `images=7`, `fmax_eV_A=0.03`) are those of the `NudgedElasticBand` runs that it
    launches into `store`. `barriers` are known already, `runs` are followed from the start (those of an earlier
    session, for example). With atoms, `search` goes to `find_hops` (kind, max_distance_A, sites).
    """

    def __init__(
        self,
        atoms_or_network: Atoms | HopNetwork,
        species: str = "Li",
        *,
        potential: str = "chgnet",
        store: Store | None = None,
        barriers: Mapping[int, Any] | None = None,
        runs: Sequence[Run] = (),
        search: Mapping[str, Any] | None = None,
        min_length_A: float = 8.0,
        temperature_K: float = TEMPERATURE_K,
        height: int = 420,
        **settings: Any,
    ) -> None:
        """Raises InvalidStructure for a crystal without such hops, ValueError for barriers or runs of other hops."""
        network = atoms_or_network
        if isinstance(network, Atoms):
            from labkit.simulators.hops import find_hops

            network = find_hops(network, species, **(search or {}))
        self.model = HopModel(network, barriers)
        self._store, self._settings = store, settings
        self._min_length_A, self._temperature_K = min_length_A, temperature_K
        self._lock = threading.RLock()
        self._gone = self._failed = False
        self.run: Run | None = None
        self.view: NebView | None = None
        self.canvas = ShapedAtoms(height=f"{height}px", on_pick=self._on_pick)
        self.legend, self.transport, self.error = w.HTML(), w.HTML(), w.HTML()
        callbacks = {"on_choice": self._on_choice, "on_compute": self.compute, "lock": self._lock}
        self.list = HopList(self.model, potential, **callbacks)
        self._place = w.VBox()
        super().__init__(self._parts())
        self.canvas.build(network.atoms)
        for run in runs:
            self.attach(run)
        self._refresh()
        TICKER.subscribe(self._poll, INTERVAL_S)

    @property
    def network(self) -> HopNetwork:
        """The sites and hops."""
        return self.model.network

    @property
    def barriers(self) -> dict[int, tuple[float, float]]:
        """(forward, backward) in eV of each hop whose barrier is known, by the hop's index."""
        return self.model.barriers

    @property
    def paths(self) -> dict[int, Any]:
        """The `MinimumEnergyPath` of each hop that has one, by the hop's index."""
        return dict(self.model.paths)

    @property
    def percolation(self) -> Percolation:
        """Minimax barriers in one, two and three dimensions with what is known by now."""
        return self.model.percolation()

    @property
    def chosen(self) -> list[int]:
        """The indices of the chosen hops."""
        return self.list.chosen

    def choose(self, hops: int | Iterable[int]) -> None:
        """Choose hops by their index, as a click on their rows does; raises ValueError for one that does not exist."""
        self.list.choose(hops)

    def compute(self, hops: int | Iterable[int] | None = None) -> Run:
        """Launch one run for these hops (by default the chosen ones), follow it, show it below; returns at once."""
        wanted = self.chosen if hops is None else [hops] if isinstance(hops, int) else list(hops)
        if not wanted:
            raise ValueError("no hop is chosen: click on a row of the list or on a hop in the picture")
        from labkit.simulators.neb import NudgedElasticBand

        bands = self.network.bands(wanted, min_length_A=self._min_length_A)
        potential = self.list.potential.value.strip()
        task = NudgedElasticBand(bands=bands, potential=potential, **self._settings)
        name = self.network.hops[wanted[0]].name if len(wanted) == 1 else f"{len(wanted)} hops"
        run = task.launch(store=self._store, name=f"{self._crystal()}: {name}")
        self.attach(run, wanted)
        self._show(run, wanted[0])
        return run

    def attach(self, run: Run, hops: Sequence[int] | None = None) -> None:
        """Follow a run of hops of this network; `hops` are those of its bands, by default found by their names.

        Does nothing once the explorer is closed.
        """
        with self._lock:
            if self._gone:
                return
            self.model.attach(run, hops)
            self.run = run
            self._refresh()
        TICKER.pace(self._poll, INTERVAL_S)

    def _parts(self) -> list[w.Widget]:
        network = self.network
        kinds, edges = len(network.hops), len(network.edges)
        words = f"{network.kind} hops of {network.species}: {kinds} distinct, {edges} in the cell"
        left = w.VBox([self.canvas, self.legend])
        right = w.VBox([self.list, theme.title("Percolation", "lowest barrier of endless motion"), self.transport])
        left.layout = w.Layout(flex="1 1 440px", min_width="320px", margin="0 14px 6px 0")
        right.layout = w.Layout(flex="1 1 480px", min_width="320px", overflow="hidden")
        row = w.Box([left, right])
        row.layout = w.Layout(flex_flow="row wrap", width="100%", align_items="flex-start")
        return [theme.title(f"Hops in {self._crystal()}", words), row, self.error, self._place]

    def _crystal(self) -> str:
        atoms = self.network.atoms
        return str(atoms.info.get("name") or atoms.get_chemical_formula(empirical=True))

    def _poll(self) -> None:
        with self._lock:
            if self._gone:
                return
            if self.model.poll() or self._failed:
                self._refresh()
            if self._failed:
                self._failed, self.error.value = False, ""
        TICKER.pace(self._poll, INTERVAL_S if self.model.active else IDLE_S)

    def _refresh(self) -> None:
        with self._lock:
            self.list.refresh()
            self.legend.value = legend_html(self.model.states, self._temperature_K)
            self.transport.value = percolation_html(self.model)
            self._draw()

    def _draw(self) -> None:
        self.canvas.draw(*shapes(self.network, self.model.states, self.chosen, self._temperature_K))

    def _on_choice(self) -> None:
        with self._lock:
            self._draw()
            chosen = self.chosen
            state = self.model.states[chosen[0]] if chosen else None
            if state is not None and state.run is not None:
                self._show(state.run, chosen[0])

    def _on_pick(self, name: str) -> None:
        kind, _, number = name.partition(" ")
        if kind == "hop" and number.isdigit():
            self.choose(int(number))

    def _show(self, run: Run, hop: int) -> None:
        """Show the run that computes a hop below, with the hop's path chosen."""
        with self._lock:
            if self._gone:  # a run takes a moment to be launched: nobody would ever close its view
                return
            self.run = run
            old = self.view
            if old is None or old.run is None or old.run.id != run.id:
                self.view = NebView(run)
                self._place.children = [theme.title("Path of the chosen hop"), self.view]
                if old is not None:
                    old.close()
            state = self.model.states[hop]
            if state.run is not None and state.run.id == run.id and state.band < len(self.view.source.bands):
                self.view.choose(state.band)

    def on_tick_error(self, error: Exception) -> None:
        """Show an error of the reader thread under the picture."""
        self._failed = True
        self.error.value = theme.message(f"The barriers could not be read: {error}")

    def release(self) -> None:
        """Stop following and close the parts; runs go on."""
        TICKER.unsubscribe(self._poll)
        with self._lock:
            self._gone = True
        for part in (self.canvas, self.list, self.view):
            if part is not None:
                part.close()
