"""`TrajectoryView`: atoms that move, live from a run or scrubbed from a list of frames.

It brings its own play button and slider, draws the cell, follows the newest frame until the user goes back, and
rebuilds the scene by itself when species or number of atoms change.
"""

from __future__ import annotations

from collections.abc import Sequence

import ipywidgets as w
from ase import Atoms

from labkit.runs import Run

from . import theme
from .panel import Panel, muted
from .ticker import IDLE_S, TICKER
from .trajectory_model import TrajectoryModel
from .viewer import AtomsView

POLL_S = 0.1


class TrajectoryView(Panel):
    """Shows the frames of a `Run` (also one that has not written any yet) or of a sequence of `ase.Atoms`."""

    def __init__(
        self,
        source: Run | Sequence[Atoms],
        *,
        height: str = "360px",
        style: str = "ball and stick",
        view: AtomsView | None = None,
    ) -> None:
        self.model = TrajectoryModel(source)
        self._silent = False
        self.view = view if view is not None else AtomsView(height=height, style=style)
        last = max(0, len(self.model) - 1)
        self.play = w.Play(min=0, max=last, interval=120, show_repeat=False, tooltip="Play the frames")
        self.slider = w.IntSlider(min=0, max=last, readout=False, layout=w.Layout(flex="1 1 auto"))
        self.slider.tooltip = "Frame"
        self.live = w.ToggleButton(description="Live", value=self.model.following, layout=w.Layout(width="64px"))
        self.live.tooltip = "Follow the newest frame"
        self._caption = w.HTML()
        self.error = w.HTML()
        w.jslink((self.play, "value"), (self.slider, "value"))
        self.slider.observe(self._on_slider, "value")
        self.live.observe(self._on_live, "value")
        controls: list[w.Widget] = [self.play, self.slider]
        if self.model.run is not None:
            controls.insert(0, self.live)
        bar = w.HBox(controls, layout=w.Layout(align_items="center", width="100%"))
        super().__init__([self.view, bar, self._caption, self.error])
        self._sync_controls()
        self._show()
        if self.model.run is not None:
            TICKER.subscribe(self._poll, POLL_S)

    @property
    def run(self) -> Run | None:
        """The run that is shown, if it is a run."""
        return self.model.run

    @property
    def atoms(self) -> Atoms | None:
        """The frame on the screen."""
        return self.view.atoms

    @property
    def caption(self) -> str:
        """The text under the picture."""
        return self.model.caption(self.view.atoms)

    def go(self, index: int) -> None:
        """Show frame `index` (from 0)."""
        self.model.go(index)
        self._sync_controls()
        self._show()

    def _poll(self) -> None:
        over = not self.model.run.status().active
        count = len(self.model)
        if self.model.poll():
            self._show()
        if len(self.model) != count:
            self._sync_controls()
            self._say()
        TICKER.pace(self._poll, IDLE_S if over else POLL_S)

    def _sync_controls(self) -> None:
        last = max(0, len(self.model) - 1)
        self._silent = True
        try:
            for control in (self.slider, self.play):
                if control.max != last:
                    control.max = last
            if self.slider.value != self.model.index:
                self.slider.value = self.model.index
            if self.live.value != self.model.following:
                self.live.value = self.model.following
        finally:
            self._silent = False

    def _show(self) -> None:
        try:
            atoms = self.model.current()
        except (OSError, ValueError, IndexError) as error:
            self.on_tick_error(error)
            return
        if atoms is not None:
            self.view.show(atoms)
        self._say(atoms)

    def _say(self, atoms: Atoms | None = None) -> None:
        text = self.model.caption(atoms if atoms is not None else self.view.atoms)
        self._caption.value = muted(text)

    def _on_slider(self, change: dict) -> None:
        if self._silent or change["new"] == self.model.index:
            return
        self.model.go(change["new"])
        self._sync_controls()
        self._show()

    def _on_live(self, change: dict) -> None:
        if self._silent:
            return
        self.model.follow(change["new"])
        self._sync_controls()
        self._show()

    def on_tick_error(self, error: Exception) -> None:
        """Show an error of the reader thread under the picture."""
        self.error.value = theme.message(f"This frame could not be read: {error}")

    def release(self) -> None:
        """Stop following and close the view."""
        TICKER.unsubscribe(self._poll)
        self.view.close()
