"""`PhononView`: bands, density of states and heat of a crystal, and the mode one clicks on, moving in 3D.

Crystals of the same atoms (two potentials, say) are laid over each other; a run of `Phonons` is followed while it
computes. Imaginary frequencies stand below zero, shaded, and each of them can be followed to a new structure.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence

import ipywidgets as w
from ase import Atoms

from labkit.runs import Run
from labkit.simulators.phonons_result import HarmonicCrystal

from . import theme
from .panel import Panel, muted
from .phonon_menu import ModeMenu
from .phonon_mode import PhononModeView
from .phonon_model import UNITS, Mode, PhononModel
from .phonon_plots import PhononPlots
from .phonon_source import PhononSource
from .phonon_words import facts_line, imaginary_table
from .run_view import RunView
from .ticker import IDLE_S, TICKER

INTERVAL_S = 0.5


class PhononView(Panel):
    """Shows a `HarmonicCrystal`, several (a mapping gives them names) or a run of `Phonons`.

    `crystal` is the chosen one, `mode` what moves, `frames` one period of it, `structure` what was taken from it.
    """

    def __init__(
        self,
        source: HarmonicCrystal | Sequence[HarmonicCrystal] | Mapping[str, HarmonicCrystal] | Run,
        *,
        unit: str = "THz",
        height: int = 380,
        status: RunView | None = None,
    ) -> None:
        if unit not in UNITS:
            raise ValueError(f"the unit {unit!r} is not known; choose one of: {', '.join(UNITS)}")
        self._lock = threading.RLock()
        self._source = PhononSource(source) if isinstance(source, Run) else None
        self.model = PhononModel() if self._source else PhononModel.of(source)
        self.status = (status or RunView(self._source.run)) if self._source else None
        self._silent = self._unread = False
        self.chosen = w.Dropdown(options=[], layout=w.Layout(width="240px"), tooltip="The crystal that is shown")
        self.overlay = _check(True, "lay over each other", "Draw crystals of the same atoms too, dashed")
        self.elements = _check(True, "states by element", "Split the density of states by element")
        self.unit = w.ToggleButtons(options=list(UNITS), value=unit)
        self.unit.tooltips, self.unit.style.button_width = [f"Frequencies in {one}" for one in UNITS], "60px"
        self.menu = ModeMenu(self._picked)
        self.plots = PhononPlots(self.model, height, on_pick=self._on_pick, on_error=self._fail)
        self.mode_view = PhononModeView(height=f"{height - 110}px")
        self.facts, self.table, self.error = w.HTML(), w.HTML(), w.HTML()
        super().__init__(self._parts())
        self.chosen.observe(lambda _: self._silent or self._guarded(self._draw), "value")
        for control in (self.overlay, self.elements):
            control.observe(lambda _: self._guarded(lambda: self._draw(keep=True)), "value")
        self.unit.observe(lambda _: self._guarded(self._use_unit), "value")
        if self._source:
            self._poll()
            TICKER.subscribe(self._tick, INTERVAL_S)
        else:
            self._offer()
            self._draw()

    @property
    def run(self) -> Run | None:
        """The run that is followed, if it is one."""
        return self._source.run if self._source else None

    @property
    def name(self) -> str | None:
        """The name of the chosen crystal; None before the first is there."""
        return self.chosen.value

    @property
    def crystal(self) -> HarmonicCrystal | None:
        """The chosen crystal; None while a run has not finished its first."""
        return self.model.crystals.get(self.name) if self.name else None

    @property
    def mode(self) -> Mode | None:
        """The mode that moves: wave vector, branch, frequency, degeneracy."""
        return self.mode_view.mode

    @property
    def frames(self) -> list[Atoms]:
        """One period of the mode, as it is shown."""
        return self.mode_view.frames

    @property
    def structure(self) -> Atoms | None:
        """The structure that was taken last, or would be taken now."""
        return self.mode_view.structure

    def take(self) -> Atoms:
        """Hand out the structure displaced along the mode at the amplitude of the slider, as the button does."""
        return self.mode_view.take()

    def select(self, qpoint: Sequence[float] | str, branch: int, *, play: bool = True) -> Mode:
        """Let a mode move; `qpoint` in reduced coordinates or as the label of a special point, `branch` from 0.

        Raises ValueError for a label, a wave vector or a branch that does not exist.
        """
        with self._lock:
            if self.name is None:
                raise ValueError("there is no crystal yet: the run has not finished its first.")
            mode = self.model.mode(self.name, qpoint, branch)
            self._show(mode, play=play)
            return mode

    def _parts(self) -> list[w.Widget]:
        wrap = {"align_items": "center", "flex_flow": "row wrap", "width": "100%"}
        self._several = w.HBox([w.HTML(muted("crystal")), self.chosen, self.overlay], layout=w.Layout(**wrap))
        self._several.layout.display, self._several.layout.width = "none", "auto"
        controls = w.HBox([self._several, self.unit, self.elements], layout=w.Layout(**wrap))
        pick = w.HBox([w.HTML(muted("mode")), self.menu], layout=w.Layout(**wrap))
        left = w.VBox([self.plots, self.facts, self.table])
        left.layout = w.Layout(flex="1 1 55%", min_width="min(420px, 100%)", overflow="hidden")
        right = [theme.title("The mode", "click on a band, or choose"), pick, self.mode_view]
        right_box = w.VBox(right, layout=w.Layout(flex="1 1 36%", min_width="min(320px, 100%)", overflow="hidden"))
        row = w.Box([left, right_box], layout=w.Layout(flex_flow="row wrap", width="100%", align_items="flex-start"))
        head = theme.title("Phonons", "imaginary frequencies below zero")
        return [*([self.status] if self.status else []), head, controls, self.error, row]

    # A run that is followed.

    def _tick(self) -> None:
        self._poll()
        TICKER.pace(self._tick, INTERVAL_S if self._source.active else IDLE_S)

    def _poll(self) -> None:
        with self._lock:
            new = self._source.poll()
            for name, crystal in new.items():
                self.model.add(name, crystal)
            if new:
                first = self.name is None or self.name in new
                self._offer()
                self._guarded(lambda: self._draw(keep=not first))
            if self._source.problems:
                self.error.value = theme.message("\n".join(self._source.problems.values()))
            elif self._unread:
                self.error.value = ""
            self._unread = bool(self._source.problems)
            if not self.model.crystals:
                waiting = self._source.active
                self.facts.value = muted("waiting for the first structure" if waiting else "this run has no phonons")

    def on_tick_error(self, error: Exception) -> None:
        """Show an error of the reader thread, until reading succeeds."""
        self._unread = True
        self.error.value = theme.message(f"The phonons could not be read: {error}")

    # What is drawn.

    def _offer(self) -> None:
        names = tuple(self.model.crystals)
        self._silent = True
        try:
            if tuple(self.chosen.options) != names:
                kept = self.chosen.value
                self.chosen.options = names
                self.chosen.value = kept if kept in names else names[0]
        finally:
            self._silent = False
        self._several.layout.display = "flex" if len(names) > 1 else "none"
        self.overlay.layout.display = "flex" if any(self.model.alike(name) for name in names) else "none"

    def _draw(self, keep: bool = False) -> None:
        """Draw everything; `keep` leaves the mode that moves as it is."""
        with self._lock:
            if self.name is None:
                return
            self.plots.draw(self._names(), str(self.unit.value), split=self.elements.value)
            if keep and self.mode is not None:
                self.plots.ring(self.mode)
            else:
                self._show(self.model.first(self.name), play=False)
            self._say()

    def _names(self) -> list[str]:
        """The chosen crystal and those that are drawn over it."""
        return [self.name, *(self.model.alike(self.name) if self.overlay.value else [])]

    def _show(self, mode: Mode, *, play: bool) -> None:
        self.mode_view.show(self.model.crystals[mode.name], mode, play=play)
        self.plots.ring(mode)
        self.menu.fill(self.model.menu(mode.name), mode, str(self.unit.value))

    def _say(self) -> None:
        unit = str(self.unit.value)
        self.facts.value = muted(facts_line(self.name, self.crystal, self.model.bands(self.name), unit))
        self.table.value = imaginary_table({name: self.model.imaginary(name) for name in self._names()}, unit)

    def _use_unit(self) -> None:
        with self._lock:
            if self.name is not None:
                self.plots.use(str(self.unit.value))
                self.menu.fill(self.model.menu(self.name), self.mode, str(self.unit.value))
                self._say()

    # What the user did.

    def _on_pick(self, name: str, point: int, branch: int) -> None:
        with self._lock:
            qpoint = self.model.bands(self.plots.names[0]).qpoints[point]
            if name != self.name:
                self.chosen.value = name
            self._picked((qpoint, branch))

    def _picked(self, what: Mode | tuple[Sequence[float], int]) -> None:
        with self._lock:
            try:
                mode = what if isinstance(what, Mode) else self.model.mode(self.name, *what)
                self._show(mode, play=True)
            except Exception as error:
                self.mode_view.error.value = theme.message(f"This mode cannot be shown: {error}")

    def _guarded(self, action: Callable[[], object]) -> None:
        with self._lock:
            try:
                action()
                self.error.value = ""
            except Exception as error:
                self._fail(error)

    def _fail(self, error: Exception) -> None:
        self.error.value = theme.message(f"The phonons could not be shown: {error}")

    def release(self) -> None:
        """Stop following and close the parts; the run goes on."""
        TICKER.unsubscribe(self._tick)
        for part in (self.status, self.plots, self.mode_view):
            if part is not None:
                part.close()


def _check(value: bool, words: str, tooltip: str) -> w.Checkbox:
    made = w.Checkbox(value, description=words, indent=False, layout=w.Layout(width="160px"))
    made.tooltip = tooltip
    return made
