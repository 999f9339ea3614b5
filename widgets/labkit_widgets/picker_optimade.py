"""The OPTIMADE tab: searches materials databases, only when Search is pressed, and says so when there is no network."""

from __future__ import annotations

import threading
from collections.abc import Callable

import ipywidgets as w

from . import theme
from .optimade import PROVIDERS, TIMEOUT_S, Hit, search
from .panel import muted
from .picker_library import Choose


class OptimadePanel(w.VBox):
    """A question, a provider and a list of answers; the request runs in a thread with a time-out."""

    def __init__(self, choose: Choose, refuse: Callable[[str], None]) -> None:
        self._choose, self._refuse = choose, refuse
        self._hits: dict[str, Hit] = {}
        self._silent = False
        self.text = w.Text(placeholder="LiCoO2, or: Li Co O, or a filter", layout=w.Layout(flex="1 1 auto"))
        self.provider = w.Combobox(options=tuple(PROVIDERS), value="Materials Project", ensure_option=False)
        self.provider.layout.width = "auto"
        self.provider.tooltip = "A provider's name, or the address of any OPTIMADE server"
        self.button = w.Button(description="Search", layout=w.Layout(width="92px"))
        self.button.tooltip = f"Ask the provider now (at most {TIMEOUT_S:.0f} s); nothing is asked before"
        self.button.add_class("lk-primary")
        self.list = w.Select(options=(), rows=9, layout=w.Layout(width="auto"))
        self.status = w.HTML(muted("Needs a network; nothing is sent before you press Search."))
        super().__init__([w.HBox([self.text, self.button]), self.provider, self.status, self.list])
        self.button.on_click(lambda _: self.ask())
        self.list.observe(self._on_pick, "value")

    def ask(self) -> threading.Thread:
        """Ask the provider in a thread, which is returned."""
        self.button.disabled = True
        self.status.value = muted("asking…")
        worker = threading.Thread(target=self._work, args=(self.text.value, self.provider.value), daemon=True)
        worker.start()
        return worker

    def _work(self, text: str, provider: str) -> None:
        try:
            hits = search(text, provider)
        except Exception as error:
            self.status.value = theme.message(error)
            hits = []
        else:
            found = f"{len(hits)} structures" if hits else "nothing found; try fewer elements"
            self.status.value = muted(found)
        self._hits = {hit.id: hit for hit in hits}
        self._silent = True
        self.list.options = [(f"{hit.formula} · {hit.n_sites} atoms · {hit.id}", hit.id) for hit in hits]
        self.list.value = None
        self._silent = False
        self.button.disabled = False

    def _on_pick(self, change: dict) -> None:
        if not self._silent and change["new"] in self._hits:
            hit = self._hits[change["new"]]
            self._choose(hit.atoms, f"{hit.id} by OPTIMADE", "")
