"""The Library tab: search the named crystals and molecules, read where each comes from, click to take one."""

from __future__ import annotations

from collections.abc import Callable

import ipywidgets as w
from ase import Atoms

from labkit import structures

from . import theme
from .panel import muted

Choose = Callable[[Callable[[], Atoms], str, str], bool]
KINDS = {"all": None, "crystals": "crystal", "molecules": "molecule"}


def search(text: str = "", kind: str | None = None) -> list[structures.Entry]:
    """Return the entries of a kind that contain every word of `text` in name, title, formula, tags or note."""
    words = text.lower().split()

    def matches(entry: structures.Entry) -> bool:
        hay = " ".join((entry.name, entry.title, entry.formula, entry.note, *entry.tags)).lower()
        return all(word in hay for word in words)

    return [entry for entry in structures.entries() if (kind is None or entry.kind == kind) and matches(entry)]


class LibraryPanel(w.VBox):
    """A search box, a filter and a list; `pick(name)` does what a click does."""

    def __init__(self, choose: Choose) -> None:
        self._choose = choose
        self._silent = False
        self.text = w.Text(
            placeholder="search: name, formula, tag …", continuous_update=True, layout=w.Layout(flex="1 1 auto")
        )
        self.kind = w.Dropdown(
            options=tuple(KINDS), value="all", layout=w.Layout(width="105px"), tooltip="Kind of structure"
        )
        self.list = w.Select(options=(), rows=15, layout=w.Layout(width="auto"))
        self._count, self._note = w.HTML(), w.HTML()
        super().__init__([w.HBox([self.text, self.kind]), self.list, self._count, self._note])
        self.text.observe(lambda _: self._filter(), "value")
        self.kind.observe(lambda _: self._filter(), "value")
        self.list.observe(self._on_pick, "value")
        self._filter()

    def pick(self, name: str) -> None:
        """Take the entry `name`; an unknown name is explained like any refused structure."""
        self._choose(lambda: structures.named(name), f"{name} from the library", f"named({name!r})")
        if name in [value for _, value in self.list.options]:
            self._silent = True
            self.list.value = name
            self._silent = False
            self._describe(name)

    def _filter(self) -> None:
        found = search(self.text.value, KINDS[self.kind.value])
        chosen = self.list.value
        self._silent = True
        self.list.options = [(_line(entry), entry.name) for entry in found]
        self.list.value = chosen if chosen in {entry.name for entry in found} else None
        self._silent = False
        total = len(structures.names())
        text = f"{len(found)} of {total}" if found else f"none of {total} structures has all of these words"
        self._count.value = muted(text)

    def _on_pick(self, change: dict) -> None:
        if not self._silent and change["new"] is not None:
            self._choose(
                lambda: structures.named(change["new"]),
                f"{change['new']} from the library",
                f"named({change['new']!r})",
            )
            self._describe(change["new"])

    def _describe(self, name: str) -> None:
        entry = structures.entry(name)
        parts = [f"<b>{theme.escape(entry.title)}</b>", theme.escape(entry.note)]
        self._note.value = f'<div class="lk-muted">{"<br>".join(part for part in parts if part)}</div>'


def _line(entry: structures.Entry) -> str:
    group = f" · no. {entry.space_group}" if entry.space_group else ""
    return f"{entry.name} · {entry.title}{group}" if entry.title != entry.name else f"{entry.name}{group}"
