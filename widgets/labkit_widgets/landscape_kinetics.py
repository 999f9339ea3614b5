"""The temperature slider of a landscape, and what it changes: occupations, passage times, the fastest path."""

from __future__ import annotations

import threading
from collections.abc import Callable

import ipywidgets as w
import numpy as np

from labkit.landscapes.network import KineticNetwork

from . import theme
from .landscape_rates import Passage, passage, prefactors_of
from .landscape_words import lines, path_words, time_words
from .panel import Panel, muted

LOWEST_K, HIGHEST_K = 10.0, 10_000.0
#: Above this number of transition states, a tenth of a second each time, the slider answers when it is let go.
WHILE_DRAGGED = 300


class KineticsPanel(Panel):
    """Kinetics from the chosen minimum to another; `passage` holds the numbers that are shown."""

    def __init__(
        self, network: KineticNetwork, temperature_K: float, *, on_change: Callable[[Passage | None], None]
    ) -> None:
        """`on_change` is called with new numbers, or None when there are none."""
        self._lock = threading.RLock()
        self._on_change = on_change
        self.network, self.source, self._own_goal = network, 0, 0
        self.passage: Passage | None = None
        self.prefactors, self._why = prefactors_of(network) if network.n_minima else ("unit", "")
        self.temperature = w.FloatLogSlider(
            value=min(max(temperature_K, LOWEST_K), HIGHEST_K), base=10, min=np.log10(LOWEST_K),
            max=np.log10(HIGHEST_K), step=0.001, readout_format=".0f",
            continuous_update=network.n_transition_states <= WHILE_DRAGGED,
            layout=w.Layout(flex="1 1 180px", max_width="340px"),
        )  # fmt: skip
        self.temperature.tooltip = "Temperature in K"
        self.target = w.BoundedIntText(0, min=0, max=10**9, layout=w.Layout(width="76px"))
        self.target.tooltip = "The minimum to go to"
        self.table, self.note, self.error = w.HTML(), w.HTML(), w.HTML()
        words = [w.HTML(muted(text)) for text in ("temperature (K)", "to minimum")]
        bar = w.HBox([words[0], self.temperature, words[1], self.target])
        bar.layout = w.Layout(align_items="center", flex_flow="row wrap", width="100%")
        super().__init__([bar, self.error, self.table, self.note])
        for control in (self.temperature, self.target):
            control.observe(lambda _: self.refresh(), "value")

    def start_from(self, minimum: int) -> None:
        """Take another minimum as the start; a goal that nobody chose moves along: the lowest one, or its neighbour."""
        self.source = minimum
        if self.target.value in (minimum, self._own_goal):
            self._own_goal = self._goal(minimum)
            if self._own_goal != self.target.value:
                self.target.value = self._own_goal  # comes back through the field
                return
        self.refresh()

    def refresh(self) -> None:
        """Compute and show the numbers; a wrong goal is said beside the field."""
        wanted = (self.temperature.value, self.source, self.target.value, self.prefactors)
        with self._lock:
            try:
                self.passage = passage(self.network, *wanted)
                self.error.value = ""
            except (ValueError, LookupError) as error:
                self.passage, self.error.value = None, theme.message(error)
            self.table.value = "" if self.passage is None else _table(self.network, self.passage)
            self.note.value = "" if self.passage is None else self._words(self.passage)
        self._on_change(self.passage)  # without the lock: who is told has one of its own

    def _goal(self, minimum: int) -> int:
        lowest = self.network.global_minimum.index
        if minimum != lowest:
            return lowest
        ends = [end for saddle in self.network.transition_states_of(minimum) for end in saddle.minima if end != minimum]
        others = ends or [one.index for one in self.network.minima if one.index != minimum]
        return min(others, key=lambda one: self.network.minima[one].energy_eV, default=minimum)

    def _words(self, one: Passage) -> str:
        said = [] if not one.problem else [one.problem]
        if one.path is not None:
            start = self.network.minima[one.source].energy_eV
            highest = max(self.network.transition_states[k].energy_eV for k in one.path.transition_states) - start
            said.append("fastest path " + path_words(one.path.minima, one.path.transition_states, highest))
        if one.prefactors == "unit":
            why = self._why.split(";")[0].split(", which")[0]
            said.append(f"times in units of 1/ν, with one prefactor ν for all steps: {why}")
        else:
            said.append("harmonic transition-state theory")
        return lines(said)

    def release(self) -> None:
        """Nothing to stop."""


def _table(network: KineticNetwork, one: Passage) -> str:
    """Occupations and times of both ends, and the minima that are occupied most."""
    seconds = one.prefactors == "harmonic"
    ends = (one.source, one.target)
    head = "".join(f"<th>minimum {end}</th>" for end in ends)
    occupied = "".join(f"<td>{_share(one.occupations[end])}</td>" for end in ends)
    known = np.isfinite([one.log_there, one.log_back]).all() or one.log_there == np.inf
    rows = [f"<tr><th></th>{head}</tr>", f"<tr><th>Occupation</th>{occupied}</tr>"]
    if known:
        times = "".join(f"<td>{time_words(value, seconds)}</td>" for value in (one.log_there, one.log_back))
        rows.append(f"<tr><th>Mean first passage time to the other</th>{times}</tr>")
    most = np.argsort(-one.occupations, kind="stable")[:5]
    shown = ", ".join(f"{index}: {_share(one.occupations[index])}" for index in most if one.occupations[index] > 1e-4)
    top = lines([f"most occupied at {one.temperature_K:.0f} K: {shown}"])
    return f'<table class="lk-errors" aria-label="Kinetics">{"".join(rows)}</table>{top}'


def _share(value: float) -> str:
    return f"{100 * value:.1f} %" if value >= 1e-3 else f"{100 * value:.1e} %"
