"""The base of every view: a column that lets go of its threads and parts exactly once when it is closed."""

from __future__ import annotations

from collections.abc import Sequence

import ipywidgets as w

from . import theme
from .style import style


class Panel(w.VBox):
    """A column of widgets below the shared style sheet; subclasses release what they hold in `release`."""

    def __init__(self, children: Sequence[w.Widget], *, width: str = "100%") -> None:
        """Show `children` one below the other."""
        super().__init__([style(), *children], layout=w.Layout(width=width))
        self.add_class("lk-root")

    def release(self) -> None:
        """Stop threads, close parts; called once, before the widget itself is closed."""

    def close(self) -> None:
        """Close the view; runs and the shared style sheet stay."""
        if self.comm is None:  # closed already, or never opened because its constructor failed
            return
        self.release()
        super().close()


def button(text: str, tooltip: str, kind: str = "", width: str = "92px") -> w.Button:
    """Return a button; `kind` is empty, lk-primary or lk-danger."""
    made = w.Button(description=text, tooltip=tooltip, layout=w.Layout(width=width))
    if kind:
        made.add_class(kind)
    return made


def muted(text: object) -> str:
    """Return a small grey line; the text is escaped."""
    return f'<span class="lk-muted">{theme.escape(text)}</span>'
