"""`Shelf`: what there is to learn from and to compute with: labelled data and potentials, side by side.

Nothing is opened before it is asked for, so a laboratory that shows a shelf is as quick to appear as one without.
"""

from __future__ import annotations

import threading

import ipywidgets as w

from labkit import datasets, potentials
from labkit.errors import LabkitError

from . import theme
from .dataset_browser import DatasetBrowser
from .panel import Panel, button, muted
from .potential_card import PotentialCard

NO_POTENTIAL = "no potential"


class Shelf(Panel):
    """Opens a labelled set in a `DatasetBrowser`, with a potential's errors on it if wanted, and potentials' cards.

    `browser` and `card` are what is open, None before the first *Open*.
    """

    def __init__(self) -> None:
        self.browser: DatasetBrowser | None = None
        self.card: PotentialCard | None = None
        self._lock = threading.Lock()
        described = {"description_width": "80px"}
        self.dataset = w.Combobox(
            value=datasets.names()[0], options=datasets.names(), description="Data", style=described,
            placeholder="a name or the path of a file", layout=w.Layout(width="320px"), ensure_option=False,
        )  # fmt: skip
        self.potential = w.Combobox(
            value=NO_POTENTIAL, options=[NO_POTENTIAL, *potentials.names()], description="Potential", style=described,
            placeholder="a name or a folder", layout=w.Layout(width="320px"), ensure_option=False,
        )  # fmt: skip
        self.open_button = button("Open", "Show the data, and the potential's card and errors on them", "lk-primary")
        self.open_button.on_click(lambda _: self.show())
        self.error, self._place = w.HTML(), w.VBox([])
        self._hint = w.HTML(muted("Every point of a picture opens its structure; bad ones can be flagged."))
        row = w.HBox(
            [self.dataset, self.potential, self.open_button],
            layout=w.Layout(flex_flow="row wrap", align_items="center"),
        )
        super().__init__([row, self._hint, self.error, self._place])

    def show(self) -> None:
        """Show what is chosen; a name that is not there becomes a sentence below the row."""
        with self._lock:
            self.error.value = ""
            self._put_away()
            name = self.potential.value.strip()
            chosen = None if name in ("", NO_POTENTIAL) else name
            try:
                if chosen:
                    self.card = PotentialCard(chosen)
                self.browser = DatasetBrowser(self.dataset.value.strip(), potential=chosen)
            except (LabkitError, OSError, ValueError) as error:
                self.error.value = theme.message(str(error))
            self._place.children = [part for part in (self.card, self.browser) if part is not None]

    def release(self) -> None:
        """Close what is open."""
        self._put_away()

    def _put_away(self) -> None:
        for part in (self.card, self.browser):
            if part is not None:
                part.close()
        self.card = self.browser = None
