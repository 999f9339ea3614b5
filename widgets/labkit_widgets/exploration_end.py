"""What stands at the top once an exploration is over: what it found, and the button that opens the whole landscape."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import ipywidgets as w

from . import theme
from .exploration_model import Counts
from .exploration_words import end_words
from .panel import Panel, button

if TYPE_CHECKING:
    from labkit.landscapes.network import KineticNetwork


class EndOfExploration(Panel):
    """A sentence, the button, its error beside it; the landscape appears in `place`, wherever that is shown."""

    def __init__(self, network: Callable[[], KineticNetwork | None]) -> None:
        self._network = network
        self.landscape: w.Widget | None = None
        self.words, self.error = w.HTML(), w.HTML()
        tooltip = "Show the whole landscape: tree, superbasins, paths and rates"
        self.button = button("Open the landscape", tooltip, "lk-primary", "170px")
        self.button.on_click(lambda _: self.show_landscape())
        self.place = w.VBox(layout=w.Layout(width="100%"))
        bar = w.HBox([self.words, self.button, self.error])
        bar.layout = w.Layout(align_items="center", flex_flow="row wrap", width="100%", grid_gap="10px")
        super().__init__([bar])
        self.say("running", Counts())

    def say(self, state: str, counts: Counts) -> None:
        """Say how the run ended; nothing while it works."""
        text = theme.message(end_words(state, counts), "success" if state == "finished" else "warning")
        if self.words.value != text:
            self.words.value = text
        network = self._network()
        self.button.layout.display = "inline-flex" if text and network is not None and network.minima else "none"

    def show_landscape(self) -> None:
        """Show the LandscapeView of the network in `place`, instead of the one that is there."""
        try:
            from .landscape_view import LandscapeView

            old, self.landscape = self.landscape, LandscapeView(self._network())
            self.place.children = [self.landscape]
            if old is not None:
                old.close()
            self.error.value = ""
        except Exception as error:
            self.error.value = theme.message(f"The landscape cannot be shown: {error}")

    def release(self) -> None:
        """Close the landscape with everything else."""
        if self.landscape is not None:
            self.landscape.close()
