"""`DiffusionView`: mean-squared displacement and diffusion coefficient of a run, refined while it runs.

The numbers come from `labkit.analysis` in a thread of their own, so that neither the kernel nor the other views wait.
"""

from __future__ import annotations

import threading

import ipywidgets as w

from labkit.runs import Run

from . import theme
from .curves import figure_layout
from .curves_model import thin
from .diffusion_model import MIN_FRAMES, DiffusionModel, SpeciesResult, in_words
from .figure import Figure
from .panel import Panel, muted
from .ticker import IDLE_S, TICKER

INTERVAL_S = 1.0


class DiffusionView(Panel):
    """Shows MSD against lag time for up to three species, and D ± standard error; `results` holds the numbers."""

    def __init__(self, run: Run, *, species: list[str] | None = None, skip_ps: float = 0.0, height: int = 300) -> None:
        self.run = run
        self.model = DiffusionModel(run, species, skip_ps)
        self.results: list[SpeciesResult] = []
        self._worker: threading.Thread | None = None
        self._lock = threading.Lock()
        self.figure = Figure(figure_layout(height, "Lag time (ps)", "Mean-squared displacement (Å²)"))
        self.text, self.error = w.HTML(), w.HTML()
        head = theme.title("Diffusion", "mean-squared displacement, one standard error")
        super().__init__([head, self.figure, self.text, self.error])
        self._say(0)
        TICKER.subscribe(self._poll, INTERVAL_S)

    def refresh(self) -> list[SpeciesResult]:
        """Read and compute here and now; returns the results."""
        self._compute(force=True)
        return self.results

    def _poll(self) -> None:
        if self._worker is not None and self._worker.is_alive():
            return
        over = not self.run.status().active
        self._worker = threading.Thread(target=self._guarded, name="labkit-diffusion", daemon=True)
        self._worker.start()
        TICKER.pace(self._poll, IDLE_S if over else INTERVAL_S)

    def _guarded(self) -> None:
        try:
            self._compute()
        except Exception as error:
            self.on_tick_error(error)

    def _compute(self, force: bool = False) -> None:
        with self._lock:
            if not self.model.poll() and not force:
                return
            results = self.model.compute()
            if results:
                self.results = results
                self._draw()
            self._say(len(self.model.frames()[0]))

    def _draw(self) -> None:
        shown = [one for one in self.results if len(one.lag_fs)]
        colours = theme.palette()
        if [trace.name for trace in self.figure.data] != [one.species for one in shown]:
            self.figure.data = []
            for number, one in enumerate(shown):
                line = {"color": colours[number % len(colours)], "width": 2}
                self.figure.add_scatter(x=[], y=[], mode="lines", name=one.species, line=line, showlegend=True)
        with self.figure.batch_update():
            for trace, one in zip(self.figure.data, shown, strict=True):
                trace.x, trace.y = thin(one.lag_fs / 1000, one.msd_A2)

    def _say(self, n_frames: int) -> None:
        if not self.results:
            self.text.value = muted(f"waiting for {MIN_FRAMES} frames ({n_frames} so far)")
            return
        blocks = []
        for one in self.results:
            if one.diffusion is None:
                blocks.append(theme.message(in_words(one), "info"))
                continue
            if one.diffusion.warning:  # a number that is not to be trusted yet does not stand in bold
                blocks.append(f"<div>{muted(f'preliminary: {in_words(one)}; {one.diffusion.warning}')}</div>")
            else:
                blocks.append(f"<div><b>{theme.escape(in_words(one))}</b></div>")
        self.text.value = "".join(blocks)

    def on_tick_error(self, error: Exception) -> None:
        """Show an error of the worker thread under the plot."""
        self.error.value = theme.message(f"The diffusion coefficient could not be computed: {error}")

    def release(self) -> None:
        """Stop following and close."""
        TICKER.unsubscribe(self._poll)
        self.figure.close()
