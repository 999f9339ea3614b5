"""The menu of a phonon view: imaginary modes first, then those of the special points, and whatever was clicked last."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import ipywidgets as w

from .phonon_model import Mode
from .phonon_words import menu_words


class ModeMenu(w.Dropdown):
    """A dropdown of modes; `on_pick(mode)` is called when the user chooses one."""

    def __init__(self, on_pick: Callable[[Mode], None]) -> None:
        self._on_pick, self._silent = on_pick, False
        self.modes: list[Mode] = []
        super().__init__(options=[], layout=w.Layout(width="min(330px, 100%)"), tooltip="Imaginary modes first")
        self.observe(self._changed, "value")

    def fill(self, modes: Sequence[Mode], chosen: Mode | None, unit: str) -> None:
        """Offer these modes, with frequencies in `unit`; a chosen one that is not among them is added."""
        found = next((at for at, one in enumerate(modes) if chosen is not None and _same_set(one, chosen)), None)
        if chosen is not None and found is None:
            modes, found = [*modes, chosen], len(modes)
        options = tuple((menu_words(one, unit), at) for at, one in enumerate(modes))
        self._silent = True
        try:
            if tuple(self.options) != options:
                self.options = options
            self.value, self.modes = found, list(modes)
        finally:
            self._silent = False

    def _changed(self, change: dict) -> None:
        if not self._silent and change["new"] is not None:
            self._on_pick(self.modes[change["new"]])


def _same_set(offered: Mode, chosen: Mode) -> bool:
    """Whether both belong to one degenerate set, of which the menu offers the first."""
    near = all(abs(a - b) < 1e-6 for a, b in zip(offered.qpoint, chosen.qpoint, strict=True))
    return near and offered.branch <= chosen.branch < offered.branch + offered.degeneracy
