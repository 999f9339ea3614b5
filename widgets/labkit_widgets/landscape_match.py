"""The comparison of two landscapes with its threshold: matched, missing and spurious points, counted while it moves.

Distances are computed in a thread, up to the end of the slider, and kept; the slider then only asks again. The thread
ends with the view.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping

import ipywidgets as w
import numpy as np

from labkit.landscapes.alignment import Comparison
from labkit.landscapes.match import Match
from labkit.landscapes.matching import Matcher
from labkit.landscapes.network import KineticNetwork

from . import theme
from .landscape_figure import LOOKS, MATCHED, MISSING, SPURIOUS
from .landscape_frames import comparison_of
from .landscape_words import lines
from .panel import Panel, muted

SMALLEST_A, LARGEST_A = 0.05, 1.0
#: Seconds between two words on how far the comparison is; seconds that a release waits for its end.
TELL_S, WAIT_S = 0.5, 1.0


class MatchPanel(Panel):
    """Matches `other` to `reference`; `match` is the comparison at the threshold of the slider."""

    def __init__(
        self,
        reference: KineticNetwork,
        other: KineticNetwork,
        comparison: Comparison | None,
        threshold_A: float,
        *,
        on_match: Callable[[], None],
    ) -> None:
        """`on_match` is called from a thread when there is a new comparison; nothing is computed before `start`."""
        self._lock = threading.RLock()
        self._on_match = on_match
        self._known: Match | None = None
        self._thread: threading.Thread | None = None
        self._gone = False
        self._told = 0.0
        self.matcher = Matcher(reference, other, comparison_of(reference, comparison))
        self.slider = w.FloatSlider(
            value=min(max(threshold_A, SMALLEST_A), LARGEST_A), min=SMALLEST_A, max=LARGEST_A, step=0.01,
            layout=w.Layout(flex="1 1 200px", max_width="360px"),
        )  # fmt: skip
        self.slider.tooltip = "Two structures are the same below this distance (Å, root mean square per atom)"
        self.table, self.note, self.error = w.HTML(), w.HTML(), w.HTML()
        bar = w.HBox([w.HTML(muted("same below (Å per atom)")), self.slider])
        bar.layout = w.Layout(align_items="center", flex_flow="row wrap", width="100%")
        super().__init__([bar, self.error, self.table, self.note])
        self.slider.observe(lambda _: self._match_again(), "value")

    @property
    def match(self) -> Match | None:
        """The comparison at the threshold of the slider; waits for the distances, None if they could not be had."""
        if self._thread is not None:
            self._thread.join()
        return self._known

    def start(self) -> None:
        """Compute the distances in a thread and show the comparison when they are known."""
        self.note.value = muted("laying structures onto each other …")
        self._thread = threading.Thread(target=self._compute, name="labkit-match", daemon=True)
        self._thread.start()

    def partner(self, tree: int, minimum: int) -> int | None:
        """The partner of a minimum of the reference (tree 0) or of the other network (tree 1)."""
        pairs = () if self._known is None else self._known.minima
        sides = ((pair.reference, pair.other) for pair in pairs)
        return next((side[1 - tree] for side in sides if side[tree] == minimum), None)

    def leaves(self, tree: int) -> tuple[dict[str, np.ndarray], Mapping[int, str]]:
        """The minima of a tree by status, and what each of them says."""
        found = self._known
        if found is None:
            return {}, {}
        apart = found.missing_minima if tree == 0 else found.extra_minima
        words = {}
        for pair in found.minima:
            own, theirs = (pair.reference, pair.other)[tree], (pair.reference, pair.other)[1 - tree]
            words[own] = f"is minimum {theirs} there, {pair.rmsd_A:.2f} Å per atom"
        groups = {MATCHED: np.array(sorted(words), dtype=int), (MISSING, SPURIOUS)[tree]: np.array(apart, dtype=int)}
        return groups, words

    def _compute(self) -> None:
        try:
            self.matcher.match(LARGEST_A, progress=self._tell)
            while self._known is None:
                threshold = self.slider.value
                found = self.matcher.match(threshold, progress=self._tell)
                with self._lock:  # a slider that was moved meanwhile found nothing to change: once more, then
                    if threshold == self.slider.value:
                        self._show(found)
            if not self._gone:
                self._on_match()
        except _Released:
            pass
        except Exception as error:
            self.note.value = ""
            self._say(error)

    def _tell(self, words: str) -> None:
        if self._gone:
            raise _Released
        if time.monotonic() - self._told > TELL_S:
            self._told = time.monotonic()
            self.note.value = muted(f"laying structures onto each other: {words}")

    def _match_again(self) -> None:
        try:
            with self._lock:
                if self._gone or self._known is None:
                    return  # the thread draws the first comparison at whatever the slider says by then
                self._show(self.matcher.match(self.slider.value))
            self._on_match()
        except Exception as error:
            self._say(error)

    def _show(self, found: Match) -> None:
        self._known = found
        self.table.value = counts_table(found)
        self.note.value = lines(found.warnings)
        self.error.value = ""

    def _say(self, error: Exception) -> None:
        self.error.value = theme.message(f"The landscapes could not be compared: {error}")

    def release(self) -> None:
        """Draw nothing any more, and end the thread, which asks between a few pairs of structures."""
        self._gone = True
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(WAIT_S)


class _Released(Exception):
    """Nobody waits for the comparison any more."""


def counts_table(match: Match) -> str:
    """Return matched, missing and spurious minima and transition states as a table with the legend's colours."""
    counts = match.counts
    head = "".join(f"<th>{_chip(status)}</th>" for status in (MATCHED, MISSING, SPURIOUS))
    rows = []
    for words, name in (("Minima", "minima"), ("Transition states", "transition_states")):
        values = (counts[f"{name}_found"], counts[f"missing_{name}"], counts[f"extra_{name}"])
        rows.append(f"<tr><th>{words}</th>{''.join(f'<td>{value}</td>' for value in values)}</tr>")
    return f'<table class="lk-errors" aria-label="Comparison"><tr><th></th>{head}</tr>{"".join(rows)}</table>'


def _chip(status: str) -> str:
    colour, _ = LOOKS[status]
    return f'<span class="lk-dot" style="background:{colour};display:inline-block"></span> {status}'
