"""The Upload and Paste tabs: structures from a file or from text, in several formats, with a size limit.

Files are read by `labkit.structures.read`, which refuses what is broken with reasons; names are shown escaped.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import ipywidgets as w
from ase import Atoms

from labkit import structures

from . import theme
from .picker_library import Choose
from .upload import Upload

FORMATS = {
    "by name or content": None,
    "CIF": "cif",
    "POSCAR": "poscar",
    "xyz": "xyz",
    "extended xyz": "extxyz",
    "ASE trajectory": "traj",
}
_ORDER_HELP = (
    "Sites that are partly filled are refused, unless you ask for one ordered structure in the smallest supercell."
)


class _Options(w.VBox):
    """Format and what to do with partial occupancies; both tabs have it."""

    def __init__(self) -> None:
        self.format = w.Dropdown(options=tuple(FORMATS), layout=w.Layout(width="170px"), tooltip="File format")
        self.ordering = w.Checkbox(description="order partial occupancies", indent=False, tooltip=_ORDER_HELP)
        super().__init__([w.HBox([w.HTML("Format", layout=w.Layout(width="60px")), self.format]), self.ordering])

    def read(self, source: bytes | str, filename: str | None) -> list[Atoms]:
        """Read all structures as the options say."""
        kind = FORMATS[self.format.value]
        return structures.read_frames(
            source, filename=filename, format=kind, ordering="smallest" if self.ordering.value else None
        )


class UploadPanel(w.VBox):
    """A file from the user's computer; of several frames the last is taken, and a slider reaches the others."""

    def __init__(self, choose: Choose, refuse: Callable[[str], None]) -> None:
        self._choose, self._refuse = choose, refuse
        self._frames: list[Atoms] = []
        self.button = Upload(structures.MAX_BYTES, self.take, self._too_big)
        self.options = _Options()
        self.name = w.HTML()
        self.offer_button = w.Button(
            description="Take the readable part", layout=w.Layout(width="190px", display="none")
        )
        limit = structures.MAX_BYTES / 1e6
        note = w.HTML(
            f'<span class="lk-muted">CIF, POSCAR, xyz, extended xyz or ASE trajectory, up to {limit:.0f} MB</span>'
        )
        self.frame = w.IntSlider(description="frame", layout=w.Layout(width="320px", display="none"))
        super().__init__([note, self.button, self.options, self.name, self.frame, self.offer_button])
        self.frame.observe(lambda _: self._take_frame(), "value")
        self.offer_button.on_click(lambda _: self._take_part())
        for option in (self.options.format, self.options.ordering):
            option.observe(lambda _: self._read(), "value")
        self._file: tuple[str, bytes] | None = None

    def take(self, name: str, content: bytes) -> None:
        """Take a file as if it had been uploaded."""
        self.offer_button.layout.display = "none"
        self.frame.layout.display = "none"
        self.name.value = f"<b>{theme.escape(name)}</b> <span class='lk-muted'>{len(content):,} bytes</span>"
        if len(content) > structures.MAX_BYTES:
            self._too_big(name, len(content))
            return
        self._file = (name, content)
        self._read()

    def offer(self, frames: Sequence[Atoms]) -> None:
        """Offer the readable frames of a broken file."""
        self._frames = list(frames)
        count = len(self._frames)
        self.offer_button.description = f"Take frame {count} of {count} readable"
        self.offer_button.layout.display = "flex"

    def _too_big(self, name: str, size: int) -> None:
        self._file = None
        self.name.value = f"<b>{theme.escape(name)}</b> <span class='lk-muted'>{size:,} bytes</span>"
        limit = structures.MAX_BYTES / 1e6
        self._refuse(
            f"{name} is {size / 1e6:.1f} MB; files up to {limit:.0f} MB are read. "
            "Cut the trajectory or save fewer frames."
        )

    def _read(self) -> None:
        if self._file is not None:
            name, content = self._file
            self._choose(lambda: self._last_of(self.options.read(content, name)), f"uploaded {name}", "")

    def _last_of(self, frames: list[Atoms]) -> Atoms:
        self._frames, count = [], len(frames)  # empty while the slider moves by itself
        self.frame.min, self.frame.max = 1, max(1, count)
        self.frame.value = count
        self.frame.layout.display = "flex" if count > 1 else "none"
        self._frames = frames
        return structures.check(frames[-1])

    def _take_frame(self) -> None:
        if self.frame.value <= len(self._frames) and self._file is not None:
            number = self.frame.value
            self._choose(lambda: structures.check(self._frames[number - 1]), f"frame {number} of {self._file[0]}", "")

    def _take_part(self) -> None:
        self.offer_button.layout.display = "none"
        self._choose(lambda: structures.check(self._frames[-1]), "the readable part of the uploaded file", "")


class PastePanel(w.VBox):
    """Text of a structure file, pasted."""

    def __init__(self, choose: Choose) -> None:
        self._choose = choose
        self.text = w.Textarea(
            placeholder="paste a CIF, POSCAR or xyz here", layout=w.Layout(width="auto", height="220px")
        )
        self.text.add_class("lk-code")
        self.options = _Options()
        self.button = w.Button(
            description="Read", tooltip="Read the text as a structure", layout=w.Layout(width="92px")
        )
        self.button.add_class("lk-primary")
        self.button.on_click(lambda _: self.read())
        super().__init__([self.text, self.options, self.button])

    def read(self) -> None:
        """Read the text as it stands."""
        text = self.text.value
        self._choose(lambda: structures.check(self.options.read(text, None)[-1]), "pasted text", "")
