"""`RunBrowser`: every run of the store, to filter, reopen, start again with changes, or delete.

The table is kept up to date while it is open; folders that cannot be read are listed with the reason.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import ipywidgets as w
import pandas as pd
import traitlets
from itables.widget import ITable

from labkit.runs import STATES, Run, Store

from . import theme
from .browser_model import COLUMNS, BrowserModel
from .launcher import Launcher
from .panel import Panel, button
from .run_panels import panel_for
from .ticker import TICKER

INTERVAL_S = 1.0


class RunBrowser(Panel):
    """A table of runs with Open, Duplicate and Delete. `run` is the selected one. `structure` is offered to
    duplicated tasks.
    """

    run = traitlets.Instance(Run, allow_none=True, help="the selected run")

    def __init__(self, store: Store | None = None, *, structure: traitlets.HasTraits | None = None) -> None:
        self.model = BrowserModel(store)
        self._structure = structure
        self._silent = False
        self.text = w.Text(placeholder="filter by name", continuous_update=True, layout=w.Layout(width="200px"))
        self.state = w.Dropdown(
            options=[("any state", None), *((one, one) for one in STATES)], layout=w.Layout(width="125px")
        )
        self.kind = w.Dropdown(options=[("any kind", None)], layout=w.Layout(width="170px"))
        self.table = ITable(
            _frame([]), select="single", maxBytes=0, showIndex=False, classes="display compact",
            scrollY="240px", paging=False,
            scrollCollapse=True, layout={"topStart": None, "topEnd": None, "bottomStart": "info", "bottomEnd": None},
            order=[],
            columnDefs=[{"targets": "_all", "className": "dt-left"}], style="width:100%;margin:0",
        )  # fmt: skip
        self.open_button = button("Open", "Show status, atoms and curves of the selected run", "lk-primary", "110px")
        self.duplicate_button = button(
            "Duplicate", "Open the form of the selected run's task, to start it with changes", width="110px"
        )
        self.delete_button = button("Delete…", "Delete the selected run's folder", width="110px")
        self.really = button("Yes, delete it", "There is no way back", "lk-danger", "110px")
        self.keep = button("Keep it", "Do nothing", width="110px")
        self._question = w.HTML()
        self._confirm = w.HBox(
            [self._question, self.really, self.keep], layout=w.Layout(display="none", align_items="center")
        )
        self.error, self._broken = w.HTML(), w.HTML()
        self._place = w.VBox()
        filters = w.HBox([self.text, self.state, self.kind], layout=w.Layout(flex_flow="row wrap"))
        actions = w.HBox([self.open_button, self.duplicate_button, self.delete_button], layout=w.Layout(margin="4px 0"))
        head = theme.title("Runs", str(self.model.store.root))
        super().__init__([head, filters, self.table, actions, self._confirm, self.error, self._broken, self._place])
        for control, name in ((self.text, "text"), (self.state, "state"), (self.kind, "kind")):
            control.observe(lambda change, name=name: self._on_filter(name, change["new"]), "value")
        self.table.observe(lambda _: self._on_select(), "selected_rows")
        self.open_button.on_click(lambda _: self._guarded(self.show))
        self.duplicate_button.on_click(lambda _: self._guarded(self.show_form))
        self.delete_button.on_click(lambda _: self._ask())
        self.really.on_click(lambda _: self._guarded(self._delete))
        self.keep.on_click(lambda _: self._hide_question())
        self._poll(force=True)
        self._on_select()
        TICKER.subscribe(self._poll, INTERVAL_S)

    def select(self, run_id: str) -> None:
        """Select a run of the table by its id; raises ValueError when the table does not show it."""
        ids = [row.id for row in self.model.rows]
        if run_id not in ids:
            raise ValueError(f"the table does not show a run {run_id!r}; is a filter set?")
        self.table.selected_rows = [ids.index(run_id)]

    def show(self) -> None:
        """Show the selected run below the table."""
        if self.run is not None:
            self._put(panel_for(self.run))

    def show_form(self) -> None:
        """Show the form of the selected run's task below the table, with a Start button."""
        if self.run is None:
            return
        task = self.run.task
        if task is None:
            kind = self.run.kind
            raise ValueError(
                f"the task {kind} of this run cannot be made here; is the package that defines it installed?"
            )
        self._put(Launcher(task, structure=self._structure, store=self.model.store))

    def _put(self, widget: w.Widget) -> None:
        old = self._place.children
        self._place.children = [widget]
        for child in old:
            child.close()

    def _delete(self) -> None:
        self._hide_question()
        if self.run is not None:
            self.model.store.delete(self.run)
            self._put(w.HTML())
            self._poll(force=True)

    def _ask(self) -> None:
        if self.run is not None:
            self._question.value = f"Delete <b>{theme.escape(self.run.name)}</b> with all its frames? "
            self._confirm.layout.display = "flex"

    def _hide_question(self) -> None:
        self._confirm.layout.display = "none"

    def _poll(self, force: bool = False) -> None:
        started = time.monotonic()
        changed = self.model.refresh()
        # A store of a thousand runs takes a while to read: at most a twentieth of the ticker's time goes into it.
        TICKER.pace(self._poll, max(INTERVAL_S, 20 * (time.monotonic() - started)))
        if not changed and not force:
            return
        chosen = self.run.id if self.run is not None else None
        ids = [row.id for row in self.model.rows]
        self._silent = True
        try:
            rows = [ids.index(chosen)] if chosen in ids else []
            self.table.update(_frame([row.cells() for row in self.model.rows]), selected_rows=rows)
            options = (("any kind", None), *((one, one) for one in self.model.kinds))
            if tuple(self.kind.options) != options:
                self.kind.options = options
                self.kind.value = self.model.kind if self.model.kind in self.model.kinds else None
        finally:
            self._silent = False
        self._on_select()
        lines = [f"{folder.name}: {reason}" for folder, reason in self.model.broken]
        self._broken.value = theme.message(
            "\n".join(["Folders that cannot be read:", *lines]) if lines else "", "warning"
        )

    def _on_filter(self, name: str, value: object) -> None:
        if not self._silent:
            setattr(self.model, name, value)
            self._guarded(lambda: self._poll(force=True))

    def _on_select(self) -> None:
        if self._silent:
            return
        rows = [one for one in self.table.selected_rows if one < len(self.model.rows)]
        chosen = self.model.runs.get(self.model.rows[rows[0]].id) if rows else None
        if (chosen.id if chosen else None) != (self.run.id if self.run else None):
            self.run = chosen
            self._hide_question()
            self.error.value = ""
        for control in (self.open_button, self.duplicate_button, self.delete_button):
            control.disabled = self.run is None

    def _guarded(self, action: Callable[[], object]) -> None:
        try:
            self.error.value = ""
            action()
        except Exception as error:
            self.error.value = theme.message(error)

    def on_tick_error(self, error: Exception) -> None:
        """Show why the store could not be read."""
        self.error.value = theme.message(f"The runs could not be listed: {error}")

    def release(self) -> None:
        """Stop watching the store and close; runs go on."""
        TICKER.unsubscribe(self._poll)
        self._put(w.HTML())


def _frame(cells: list[tuple[str, ...]]) -> pd.DataFrame:
    return pd.DataFrame(cells, columns=list(COLUMNS), dtype=str)
