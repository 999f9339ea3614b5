"""`HopList`: the distinct hops as a table, one or several to be chosen, and the buttons that have them computed.

Buttons answer at once and work in a thread; what goes wrong stands under them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence

import ipywidgets as w
import pandas as pd
from itables.widget import ITable

from . import theme
from .hop_model import COLUMNS, HopModel
from .panel import Panel, button, muted


class HopList(Panel):
    """The hops of a model; `chosen` are the indices of those whose rows are marked."""

    def __init__(
        self,
        model: HopModel,
        potential: str,
        *,
        on_choice: Callable[[], None],
        on_compute: Callable[[Sequence[int]], object],
        lock: threading.RLock,
    ) -> None:
        """`on_choice` is called when other hops are chosen, `on_compute` in a thread with those to be computed.

        `lock` is that of the view around it: two locks taken in either order would wait for each other.
        """
        self.model = model
        self._on_choice, self._on_compute = on_choice, on_compute
        self._lock = lock
        self._silent = self._working = False
        self._cells = model.cells()
        self.table = ITable(
            _frame(self._cells), select="os", maxBytes=0, showIndex=False, classes="display compact",
            scrollY="220px", paging=False, scrollCollapse=True, order=[],
            layout={"topStart": None, "topEnd": None, "bottomStart": None, "bottomEnd": None},
            columnDefs=[{"targets": "_all", "className": "dt-left"}], style="width:100%;margin:0",
        )  # fmt: skip
        self.potential = w.Text(value=potential, continuous_update=False, layout=w.Layout(width="150px"))
        self.potential.tooltip = "Name or path of the potential of the next run"
        self.compute = button("Compute barrier", "Find the paths of the chosen hops, in one run", "lk-primary", "170px")
        self.compute_all = button("All", "Find the paths of all hops without a barrier, in one run", "", "200px")
        self.note, self.error = w.HTML(), w.HTML()
        buttons = w.HBox([self.compute, self.compute_all, w.HTML(muted("potential")), self.potential])
        buttons.layout = w.Layout(align_items="center", flex_flow="row wrap", margin="4px 0")
        super().__init__([self.table, self.note, buttons, self.error])
        self.table.observe(lambda _: self._choice(), "selected_rows")
        self.compute.on_click(lambda _: self._launch(self._free(self.chosen)))
        self.compute_all.on_click(lambda _: self._launch(self.unknown))
        self.refresh()

    @property
    def chosen(self) -> list[int]:
        """The indices of the chosen hops."""
        return sorted(one for one in self.table.selected_rows if one < len(self._cells))

    @property
    def unknown(self) -> list[int]:
        """The indices of the hops that have no barrier and are not being computed."""
        return [index for index, one in self.model.states.items() if not one.known and not one.computing]

    def choose(self, hops: int | Iterable[int]) -> None:
        """Mark the rows of these hops; raises ValueError for a hop that does not exist."""
        wanted = [hops] if isinstance(hops, int) else list(hops)
        wrong = [one for one in wanted if one not in self.model.states]
        if wrong:
            raise ValueError(f"there is no hop {wrong[0]}; the network has the hops 0 to {len(self.model.states) - 1}")
        with self._lock:
            self.table.selected_rows = wanted

    def refresh(self) -> None:
        """Show what the model knows by now; the choice stays."""
        with self._lock:
            cells = self.model.cells()
            if cells != self._cells:
                self._cells = cells
                self._silent = True
                try:
                    self.table.update(_frame(cells), selected_rows=self.chosen)
                finally:
                    self._silent = False
            self._write()

    def fail(self, error: object) -> None:
        """Show an error under the buttons; empty takes it away."""
        self.error.value = theme.message(error)

    def _free(self, hops: Sequence[int]) -> list[int]:
        return [one for one in hops if not self.model.states[one].computing]

    def _launch(self, hops: Sequence[int]) -> None:
        self.fail("")
        self._working = True
        self._write()

        def work() -> None:
            try:
                self._on_compute(hops)
            except Exception as error:
                self.fail(error)
            finally:
                self._working = False
                self._write()

        threading.Thread(target=work, name="labkit-hops", daemon=True).start()

    def _choice(self) -> None:
        with self._lock:  # of a table that is just being written, one's own choice must not be taken for the writer's
            if self._silent:
                return
        try:
            self.fail("")
            self._write()
            self._on_choice()
        except Exception as error:
            self.fail(error)

    def _write(self) -> None:
        chosen, unknown = self.chosen, self.unknown
        free = self._free(chosen)
        count = "barrier" if len(free) < 2 else f"{len(free)} barriers"
        self.compute.description = "Starting…" if self._working else f"Compute {count}"
        self.compute.disabled = self._working or not free
        many = f"all {len(unknown)} unknown" if len(unknown) > 1 else "the unknown one"
        self.compute_all.description = f"Compute {many}" if unknown else "Nothing unknown"
        self.compute_all.disabled = self._working or not unknown
        self.note.value = muted(self._words(chosen))

    def _words(self, chosen: Sequence[int]) -> str:
        if not chosen:
            return "click on a row or on a hop in the picture; Ctrl or Shift chooses several rows"
        if len(chosen) > 1:
            return f"{len(chosen)} hops chosen"
        hop, state = self.model.network.hops[chosen[0]], self.model.states[chosen[0]]
        return " · ".join([hop.name, *([state.reason] if state.reason else [])])

    def release(self) -> None:
        """Nothing to stop: runs go on."""


def _frame(cells: Sequence[tuple[str, ...]]) -> pd.DataFrame:
    return pd.DataFrame(cells, columns=list(COLUMNS), dtype=str)
