"""Four buttons that write a campaign into files beside the notebook, in a thread, and say where they are."""

from __future__ import annotations

import threading
from pathlib import Path

import ipywidgets as w

from labkit import screening
from labkit.runs.folder import slug

from . import theme
from .panel import Panel, button, muted

#: What the button says, what the function calls it, how the name ends.
KINDS = (("CSV", "csv", ".csv"), ("JSON", "json", ".json"), ("ASE db", "db", ".db"), ("CIFs", "cif", "_cif"))


class ExportBar(Panel):
    """Writes the campaign in `folder`; `last` is the path that was written last."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.last = folder, None
        self.name = w.Text(value=f"screening_{slug(folder.name)}"[:60], layout=w.Layout(width="230px"))
        self.name.tooltip = "Path without its ending; beside the notebook if it is no whole path"
        self.only = w.Dropdown(options=[("passed", "passed"), ("all", "")], layout=w.Layout(width="90px"))
        self.only.tooltip = "Whose structures go into the database or the CIFs; the tables hold every candidate"
        self.buttons = {kind: button(label, f"Export as {label}", width="74px") for label, kind, _ in KINDS}
        for kind, one in self.buttons.items():
            one.on_click(lambda _, kind=kind: self.export(kind))
        self.note = w.HTML()
        row = [w.HTML(muted("export as")), self.name, *self.buttons.values(), w.HTML(muted("structures of")), self.only]
        line = w.HBox(row, layout=w.Layout(flex_flow="row wrap", align_items="center"))
        super().__init__([line, self.note], width="auto")

    def export(self, kind: str) -> None:
        """Write one kind of file, in a thread."""
        for one in self.buttons.values():
            one.disabled = True
        self.note.value = muted("writing…")
        threading.Thread(target=self._write, args=(kind,), name="labkit-export", daemon=True).start()

    def _write(self, kind: str) -> None:
        try:
            end = next(end for _, one, end in KINDS if one == kind)
            target = Path(f"{self.name.value.strip() or 'screening'}{end}").absolute()
            self.last = screening.export(self.folder, target, kind, only=self.only.value or None)
            self.note.value = muted(f"written to {self.last}")
        except Exception as error:
            self.note.value = theme.message(f"It could not be exported: {error}")
        finally:
            for one in self.buttons.values():
                one.disabled = False
