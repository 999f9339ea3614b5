"""The look of the laboratory: one colour-blind-safe palette and one small style sheet.

Every colour that is not data comes from JupyterLab's own variables, so that light and dark themes both work; data and
states use the Okabe-Ito colours of `labkit.plots`. Text that a user or a file supplied passes through `escape` first.
"""

from __future__ import annotations

import html

import ipywidgets as w

from labkit.plots import CYCLE, PALETTE

BLUE, ORANGE, GREEN, RED = (PALETTE[name] for name in ("blue", "orange", "green", "vermillion"))
GREY = "#8A8F98"

STATE_COLOURS = {
    "queued": GREY,
    "running": BLUE,
    "paused": ORANGE,
    "stopping": ORANGE,
    "finished": GREEN,
    "failed": RED,
    "cancelled": GREY,
    "interrupted": ORANGE,
}


def palette() -> list[str]:
    """Return the data colours as hex strings, in the order of use."""
    return list(CYCLE)


def escape(text: object) -> str:
    """Return text that is safe inside HTML: file names and error sentences are never markup."""
    return html.escape(str(text), quote=True)


def message(text: object, kind: str = "error") -> str:
    """Return one or several sentences as an HTML block; `kind` is error, warning, success or info. Text is escaped."""
    lines = [line for line in str(text).splitlines() if line.strip()]
    if not lines:
        return ""
    if len(lines) == 1:
        body = escape(lines[0])
    else:
        body = "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in lines) + "</ul>"
    role = "alert" if kind == "error" else "status"
    return f'<div class="lk-message lk-{kind}" role="{role}">{body}</div>'


def badge(state: str, colour: str = "") -> str:
    """Return the state of a run (or any other, in its `colour`) as a coloured dot with its name: never colour alone."""
    colour = colour or STATE_COLOURS.get(state, GREY)
    return f'<span class="lk-badge"><span class="lk-dot" style="background:{colour}"></span>{escape(state)}</span>'


def facts(rows: dict[str, object]) -> str:
    """Return a two-column table of names and values; both are escaped."""
    body = "".join(f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in rows.items())
    return f'<table class="lk-facts">{body}</table>'


def title(text: object, note: object = "") -> w.HTML:
    """Return the heading of a section with an optional grey note beside it."""
    aside = f'<span class="lk-note">{escape(note)}</span>' if note else ""
    return w.HTML(f'<div class="lk-title">{escape(text)}{aside}</div>')
