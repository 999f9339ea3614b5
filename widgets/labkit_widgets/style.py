"""The style sheet as a widget: it travels with every view, and tells plots when the room they stand in changes its
width.

Plotly listens to the window only, so a plot that appears in a tab or beside the viewer would keep a width of 700
pixels.
"""

from __future__ import annotations

from importlib import resources

import anywidget

_PROGRAM = """
function render({ el }) {
  el.style.display = "none";
  let timer = null;
  const tell = () => { clearTimeout(timer); timer = setTimeout(() => window.dispatchEvent(new Event("resize")), 80); };
  const watch = new ResizeObserver(tell);
  const start = setTimeout(() => { if (el.parentElement) { watch.observe(el.parentElement); } tell(); }, 50);
  return () => { clearTimeout(start); clearTimeout(timer); watch.disconnect(); };
}
export default { render };
"""


def _sheet() -> str:
    return resources.files("labkit_widgets").joinpath("static/labkit.css").read_text(encoding="utf-8")


class Style(anywidget.AnyWidget):
    """An invisible widget that carries labkit's style sheet."""

    _esm = _PROGRAM
    _css = _sheet()


_shared: Style | None = None


def style() -> Style:
    """Return the one style widget of this kernel; every view shows it."""
    global _shared
    if _shared is None or _shared.comm is None:
        _shared = Style()
    return _shared
