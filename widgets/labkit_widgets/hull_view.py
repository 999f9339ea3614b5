"""`HullView`: which crystals of a binary system are stable at 0 K; a click on a point shows the crystal in 3D."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

import ipywidgets as w

from labkit.phase_diagrams.hull import Hull, HullEntry, convex_hull

from . import theme
from .hull_figure import HullFigure
from .panel import Panel, muted
from .phase_diagram_export import TableExport
from .viewer import AtomsView

if TYPE_CHECKING:
    import pandas as pd


class HullView(Panel):
    """Shows the hull of two elements (or compounds); `entry` is the crystal that is chosen, `table` all of them."""

    def __init__(self, hull: Hull | Sequence[HullEntry], *, height: int = 400) -> None:
        self._lock = threading.RLock()
        self.hull = hull if isinstance(hull, Hull) else convex_hull(list(hull))
        if len(self.hull.corners) != 2:
            raise ValueError(
                f"HullView draws hulls of two corners, this one has {len(self.hull.corners)} "
                f"({', '.join(self.hull.corners)}); name two compounds as corners, or look at hull.table()."
            )
        self.table: pd.DataFrame = self.hull.table()
        second = self.hull.corners[1]
        self.entry: HullEntry | None = None
        self._silent = False
        self.figure = HullFigure(self.table.assign(x=self.table[f"x_{second}"]), second, height, self._on_pick)
        order = self.table.sort_values("above_hull_eV_atom", kind="stable").index
        options = [(self._title(int(row)), int(row)) for row in order]
        self.menu = w.Dropdown(options=options, value=None, layout=w.Layout(width="min(300px, 100%)"))
        self.menu.tooltip = "Crystals, the stable ones first"
        self.menu.observe(self._on_menu, "value")
        self.view = AtomsView(height=f"{height - 110}px")
        self.note, self.error = w.HTML(), w.HTML()
        self.saved = TableExport(lambda: self.table, f"{'-'.join(self.hull.corners)}_hull", "Crystals as CSV")
        cell = {"flex": "1 1 45%", "min_width": "min(320px, 100%)", "overflow": "hidden"}
        left = w.VBox([self.figure, self.saved], layout=w.Layout(**cell))
        pick = w.HBox([w.HTML(muted("crystal")), self.menu], layout=w.Layout(align_items="center"))
        right = w.VBox([theme.title("Crystal", "click on a point, or choose"), pick, self.view, self.note, self.error])
        right.layout = w.Layout(**cell)
        row = w.Box([left, right], layout=w.Layout(flex_flow="row wrap", width="100%", align_items="flex-start"))
        head = theme.title("Convex hull at 0 K", f"{'–'.join(self.hull.corners)}, {self.hull.level_of_theory}")
        super().__init__([head, row])
        self._on_pick(int(self.table["formation_eV_atom"].to_numpy().argmin()))

    def select(self, row: int) -> None:
        """Choose an entry by its row in the table."""
        with self._lock:
            if not 0 <= row < len(self.hull.entries):
                raise ValueError(f"row {row} does not exist; there are {len(self.hull.entries)}, counted from 0.")
            self.entry = self.hull.entries[row]
            self.error.value = ""
            self.figure.ring(row)
            self.view.show(self.entry.atoms)
            self.note.value = muted(self._words(row))
            self._silent = True
            try:
                self.menu.value = row
            finally:
                self._silent = False

    def _words(self, row: int) -> str:
        one = self.table.iloc[row]
        formed = f"{one['name']}: {1e3 * one['formation_eV_atom']:.1f} meV/atom from {' and '.join(self.hull.corners)}"
        if one["stable"]:
            return f"{formed}, stable"
        return f"{formed}, {1e3 * one['above_hull_eV_atom']:.1f} meV/atom above {one['decomposition']}"

    def _title(self, row: int) -> str:
        one = self.table.iloc[row]
        where = "stable" if one["stable"] else f"+{1e3 * one['above_hull_eV_atom']:.1f} meV/atom"
        return f"{one['name']}, {where}"

    def _on_menu(self, change: dict) -> None:
        if not self._silent and change["new"] is not None:
            self._on_pick(change["new"])

    def _on_pick(self, row: int) -> None:
        try:
            self.select(row)
        except Exception as error:
            self.error.value = theme.message(f"This crystal cannot be shown: {error}")

    def release(self) -> None:
        """Close the parts."""
        for part in (self.figure, self.view, self.saved):
            part.close()
