"""`NebView`: minimum-energy paths while they are found: energy profile, the ion on its way in 3D, barriers and forces.

Everything is read off the run's folder or off finished paths; a second source (another potential, or the same one
after fine-tuning) is drawn on the same axes. `view.run`, `view.path` and `view.paths` hold what is on the screen.
"""

from __future__ import annotations

import threading
from typing import Any

import ipywidgets as w

from labkit.runs import Run

from . import theme
from .neb_figures import ForceCurve, ProfileFigure
from .neb_model import BandPicture, partner
from .neb_path_view import PathView
from .neb_source import RunSource, source
from .neb_words import place_of, place_words, readouts, reasons, title_of
from .panel import Panel, muted
from .run_view import RunView
from .ticker import IDLE_S, TICKER

INTERVAL_S = 0.4


class NebView(Panel):
    """Profile, path and read-outs of the bands of a `NudgedElasticBand` run, its folder, or of `MinimumEnergyPath`s.

    `compare` is a second source of any of these kinds; bands belong together by name, else by their order. `labels`
    names the two sources (default: their potentials).
    """

    def __init__(
        self,
        run_or_paths: Any,
        compare: Any = None,
        *,
        labels: tuple[str, str] = ("", ""),
        status: RunView | None = None,
        height: int = 340,
    ) -> None:
        """Raises TypeError for a source that is none."""
        self._lock = threading.RLock()
        self._silent = self._failed = False
        self._shown: tuple | None = None
        first = labels[0] or ("this" if compare is not None and not isinstance(run_or_paths, Run) else "")
        self.source = source(run_or_paths, first)
        self.other = None if compare is None else source(compare, labels[1])
        if self.other is not None and self.other.label == self.source.label:
            self._tell_apart()
        self.status = status or (RunView(self.run) if self.run is not None else None)
        self.chooser = w.Dropdown(options=[], layout=w.Layout(width="min(460px, 100%)"), tooltip="Which path is shown")
        self.profile = ProfileFigure(height)
        self.forces = None if self.run is None else ForceCurve(self.run)
        self.path_view = PathView(height=f"{height}px", on_move=self._on_move)
        self.table, self.why, self.note, self.error = w.HTML(), w.HTML(), w.HTML(), w.HTML()
        super().__init__(self._parts())
        self.chooser.observe(lambda change: self._choose(change["new"]), "value")
        self._refresh()
        if any(isinstance(one, RunSource) for one in (self.source, self.other)):
            TICKER.subscribe(self._poll, INTERVAL_S)

    @property
    def run(self) -> Run | None:
        """The run that is shown, if it is a run."""
        return self.source.run

    @property
    def band(self) -> BandPicture | None:
        """What is shown of the chosen band."""
        bands, index = self.source.bands, self.chooser.value
        return bands[index] if index is not None and index < len(bands) else None

    @property
    def path(self) -> Any:
        """The `MinimumEnergyPath` of the chosen band, None while it is not finished."""
        return self.source.paths.get(self.chooser.value)

    @property
    def paths(self) -> list[Any]:
        """The finished paths in the order of the bands."""
        return [path for _, path in sorted(self.source.paths.items())]

    def choose(self, band: int | str) -> None:
        """Show a band by its index or its name; raises ValueError when there is none."""
        names = [one.name for one in self.source.bands]
        if band not in names and band not in range(len(names)):
            raise ValueError(f"there is no band {band!r}; there are {', '.join(names[:8]) or 'none yet'}")
        with self._lock:
            self.chooser.value = names.index(band) if band in names else band

    def _parts(self) -> list[w.Widget]:
        bar = w.HBox([w.HTML(muted("path")), self.chooser, self.note])
        bar.layout = w.Layout(align_items="center", flex_flow="row wrap", width="100%")
        self._bar = bar
        curves = [] if self.forces is None else [self.forces]
        left = [theme.title("Energy profile", "images and spline"), self.profile, self.table, self.why, *curves]
        right = [theme.title("Path"), self.path_view]
        row = w.Box([_cell(left), _cell(right)])
        row.layout = w.Layout(flex_flow="row wrap", width="100%", align_items="flex-start")
        return [*([] if self.status is None else [self.status]), bar, row, self.error]

    def _tell_apart(self) -> None:
        for one, words in ((self.source, "first"), (self.other, "second")):
            one.label = one.run.name if one.run is not None else f"{one.label} ({words})"
        if self.source.label == self.other.label:
            self.source.label, self.other.label = f"{self.source.label} (first)", f"{self.other.label} (second)"

    def _poll(self) -> None:
        sources = [one for one in (self.source, self.other) if one is not None]
        with self._lock:
            changed = [one.poll() for one in sources]
            if any(changed) or self._failed:
                self._refresh()
            self._recover()
        TICKER.pace(self._poll, INTERVAL_S if any(one.active for one in sources) else IDLE_S)

    def _refresh(self) -> None:
        with self._lock:
            bands = self.source.bands
            options = tuple((title_of(one), one.index) for one in bands)
            if options != tuple(self.chooser.options):
                chosen = self.chooser.value
                self._silent = True
                try:
                    self.chooser.options = options
                    self.chooser.value = chosen if chosen is not None else 0 if bands else None
                finally:
                    self._silent = False
            self._bar.layout.display = "flex" if len(bands) > 1 else "none"
            self._draw()

    def _choose(self, index: int | None) -> None:
        try:
            with self._lock:
                if not self._silent:
                    self._draw()
                    self._recover()
        except Exception as error:
            self.on_tick_error(error)

    def _draw(self) -> None:
        band = self.band
        if band is None:
            self.table.value = muted("waiting for the first band")
            return
        other = None if self.other is None else partner(band, self.source.bands, self.other.bands)
        labels = (self.source.label, other, "" if self.other is None else self.other.label)
        self.profile.draw(band, *labels)
        _write(self.table, readouts(band, *labels))
        _write(self.why, reasons(band, *labels))
        missing = self.other is not None and other is None
        _write(self.note, muted(f"{self.other.label} has no such path") if missing else "")
        self._show_path(band)
        self._on_move(self.path_view.image)

    def _show_path(self, band: BandPicture) -> None:
        relaxed = band.index in self.source.paths
        if (band.index, relaxed) != self._shown:
            images, relaxed = self.source.images(band.index)
            self._shown = (band.index, relaxed)
            self.path_view.show(images, band.saddle, relaxed)
        else:
            self.path_view.mark_saddle(band.saddle)

    def _on_move(self, image: float) -> None:
        band = self.band
        if band is None or self.path_view.track is None:
            return
        self.profile.mark(*(place_of(band, image) or (None, None)))
        self.path_view.say(place_words(band, image))

    def on_tick_error(self, error: Exception) -> None:
        """Show an error of the reader thread under the plots, until reading succeeds."""
        self._failed = True
        self.error.value = theme.message(f"The paths could not be read: {error}")

    def _recover(self) -> None:
        if self._failed:
            self._failed, self.error.value = False, ""

    def release(self) -> None:
        """Stop following and close the parts; the run goes on."""
        TICKER.unsubscribe(self._poll)
        for part in (self.status, self.profile, self.forces, self.path_view):
            if part is not None:
                part.close()


def _write(html: w.HTML, text: str) -> None:
    if html.value != text:
        html.value = text


def _cell(children: list[w.Widget]) -> w.VBox:
    return w.VBox(children, layout=w.Layout(flex="1 1 420px", min_width="300px", margin="0 14px 6px 0"))
