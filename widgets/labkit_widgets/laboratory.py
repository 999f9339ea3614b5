"""`Lab`: the whole laboratory in one widget: structure, launch, runs, data. This is what the Voila page shows.

Left to right is cause to effect: the picked structure feeds the launcher's form, and the browser lists every run. Data
and potentials stand on the shelf.
"""

from __future__ import annotations

from collections.abc import Sequence

import ipywidgets as w
from ase import Atoms
from pydantic import BaseModel

from labkit.runs import Run, Store

from .launcher import Launcher
from .panel import Panel
from .picker import StructurePicker
from .run_browser import RunBrowser
from .shelf import Shelf


class Lab(Panel):
    """Picker, launcher, run browser and shelf in four tabs; `structure` and `run` are what is chosen and started."""

    def __init__(
        self,
        tasks: Sequence[type[BaseModel]] | None = None,
        *,
        start: str | Atoms | None = "LiCoO2",
        store: Store | None = None,
    ) -> None:
        if tasks is None:
            from labkit.simulators import MolecularDynamics, Relaxation
            from labkit.training import Training

            tasks = (MolecularDynamics, Relaxation, Training)
        self.store = store if store is not None else Store()
        self.picker = StructurePicker(start, title=False)
        self.launcher = Launcher(tasks, structure=self.picker, store=self.store)
        self.browser = RunBrowser(self.store, structure=self.picker)
        self.shelf = Shelf()
        titles = ("1  Structure", "2  Launch", "3  Runs", "Data and potentials")
        self.tabs = w.Tab([self.picker, self.launcher, self.browser, self.shelf], titles=titles)
        self.tabs.selected_index = 0
        head = w.HTML(
            '<div class="lk-title" style="font-size:18px;line-height:26px">labkit'
            '<span class="lk-note">pick a structure, launch, watch, read the answer</span></div>'
        )
        super().__init__([head, self.tabs])

    @property
    def structure(self) -> Atoms | None:
        """The picked structure."""
        return self.picker.structure

    @property
    def run(self) -> Run | None:
        """The run that was started last."""
        return self.launcher.run

    def release(self) -> None:
        """Close everything that is shown; runs go on."""
        for part in (self.picker, self.launcher, self.browser, self.shelf):
            part.close()


def lab(**options: object) -> Lab:
    """Return the whole laboratory as one widget; options are those of `Lab`."""
    return Lab(**options)
