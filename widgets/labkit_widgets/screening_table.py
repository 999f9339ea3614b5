"""`ScreeningTable`: a campaign while it goes on: every candidate in a table that sorts and filters at once, how many
each stage let through, what it costs, and one candidate in detail.

`table.table`, `table.shown`, `table.selected` and `table.task` are what is on the screen. Everything is read off the
campaign's folder, so any number of views agree.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

import ipywidgets as w
import pandas as pd
from ase import Atoms

from labkit import screening
from labkit.errors import LabkitError
from labkit.runs import Run

from . import theme
from .panel import Panel, button
from .run_view import RunView
from .screening_detail import CandidateView
from .screening_export import ExportBar
from .screening_funnel import Funnel, cost_html
from .screening_grid import NOTHING, Grid
from .screening_model import ScreeningModel
from .screening_next import next_task
from .ticker import IDLE_S, TICKER

if TYPE_CHECKING:
    from labkit.screening import Screening

    from .launcher import Launcher

INTERVAL_S = 0.5


class ScreeningTable(Panel):
    """Shows a campaign: a run of a `Screening`, or the folder of `labkit.screening.run_screening`."""

    def __init__(self, run: Run | Path | str, *, status: RunView | None = None, height: int = 430) -> None:
        self.run, self.folder = _opened(run)
        self.model = ScreeningModel(self.folder)
        self._lock = threading.RLock()
        self._failed = False
        self.task: Screening | None = None
        self.launcher: Launcher | None = None
        self.status = status or (RunView(self.run) if self.run else None)
        self.model.poll()
        self.funnel, self.cost, self.error = Funnel(), w.HTML(), w.HTML()
        self.grid = Grid(self.model.columns(), self.model.rows, height=f"{height}px")
        self.detail = CandidateView(self.model.structure, lambda number: screening.record(self.folder, number))
        self.again = button("New campaign from the selected", "A screening of the ticked candidates", width="250px")
        self.again.disabled = True
        self.again.on_click(lambda _: self.new_campaign())
        self.export_bar = ExportBar(self.folder)
        self._launcher_place = w.VBox()
        super().__init__(self._parts())
        self.grid.observe(lambda change: self._on_active(change["new"]), "active")
        self.grid.observe(lambda change: self._on_selected(change["new"]), "selected")
        self._drawn: list | None = None
        self._draw()
        TICKER.subscribe(self._poll, INTERVAL_S)

    @property
    def table(self) -> pd.DataFrame:
        """All candidates with what is known of them, see `labkit.screening.table`."""
        return screening.table(self.folder)

    @property
    def shown(self) -> pd.DataFrame:
        """The candidates that pass the filters, in the order of the screen."""
        return self.table.set_index("candidate", drop=False).loc[self.grid.shown].reset_index(drop=True)

    @property
    def selected(self) -> list[Atoms]:
        """The newest structures of the ticked candidates, by number."""
        return [self.model.structure(number) for number in sorted(self.grid.selected)]

    @property
    def structure(self) -> Atoms | None:
        """The structure of the candidate that was clicked, or None."""
        return None if self.grid.active == NOTHING else self.model.structure(self.grid.active)

    def show(self, candidate: int) -> None:
        """Show a candidate in detail, as a click on its row does; raises KeyError when there is none."""
        self.model.row(candidate)
        self.grid.active = candidate

    def select(self, candidates: list[int]) -> None:
        """Tick these candidates and no others; raises KeyError when one does not exist."""
        for number in candidates:
            self.model.row(number)
        self.grid.selected = list(candidates)

    def new_campaign(self) -> None:
        """Make `task`, a campaign of the ticked candidates with the stages of this one, and show its form."""
        from .launcher import Launcher

        try:
            self.task = next_task(self.folder, self.run, self.selected)
            old, self.launcher = self.launcher, Launcher(self.task)
        except Exception as error:
            self.error.value = theme.message(error)
            return
        self.error.value = ""
        self._launcher_place.children = [self.launcher]
        if old is not None:
            old.close()

    def _parts(self) -> list[w.Widget]:
        wrap = w.Layout(flex_flow="row wrap", width="100%", align_items="flex-start")
        funnel = w.VBox([theme.title("Funnel", "candidates by stage"), self.funnel])
        funnel.layout = w.Layout(flex="1 1 520px", min_width="320px", margin="0 18px 6px 0", overflow="hidden")
        cost = w.VBox([theme.title("Cost"), self.cost], layout=w.Layout(flex="0 1 390px", min_width="280px"))
        foot = w.Box([self.again, self.export_bar], layout=w.Layout(flex_flow="row wrap", align_items="flex-start"))
        head = self.status or theme.title("Screening", str(self.folder))
        return [
            head,
            w.Box([funnel, cost], layout=wrap),
            self.grid,
            foot,
            self.error,
            self._launcher_place,
            self.detail,
        ]

    def _poll(self) -> None:
        with self._lock:
            changed = self.model.poll()
            if self._failed:  # nobody knows which of the rows were shown before the error
                changed = range(len(self.model.rows))
            if changed:
                self.grid.write({at: self.model.rows[at] for at in changed}, self.model.columns())
            self._draw()
        over = self.run is not None and not self.run.status().active
        if self._failed:
            self._failed, self.error.value = False, ""
        TICKER.pace(self._poll, IDLE_S if over else INTERVAL_S)

    def _draw(self) -> None:
        if self.model.stages == self._drawn:
            return
        self.funnel.draw(self.model.stages)
        self.cost.value = cost_html(self.model.stages, self.model.cost)
        self._drawn = list(self.model.stages)

    def _on_active(self, candidate: int) -> None:
        if candidate != NOTHING:
            self.detail.show(candidate)

    def _on_selected(self, candidates: list[int]) -> None:
        self.again.disabled = not candidates

    def on_tick_error(self, error: Exception) -> None:
        """Show an error of the reader thread under the table, until reading succeeds."""
        self._failed = True
        self.error.value = theme.message(f"The campaign could not be read: {error}")

    def release(self) -> None:
        """Stop following and close the parts; the campaign goes on."""
        TICKER.unsubscribe(self._poll)
        for part in (self.status, self.funnel, self.grid, self.detail, self.export_bar, self.launcher):
            if part is not None:
                part.close()


def _opened(source: Run | Path | str) -> tuple[Run | None, Path]:
    if isinstance(source, Run):
        return source, source.folder
    folder = Path(source).absolute()
    if not folder.is_dir():
        raise LabkitError(f"there is no folder {folder}; give a run, or the folder of a screening campaign.")
    try:
        return Run(folder), folder
    except LabkitError:
        return None, folder
