"""The style sheet as a widget: it travels with every view, and mends what plots and sliders leave out.

Plotly listens to the window only, so a plot that appears in a tab or beside the viewer would keep a width of 700
pixels: it is told when the room it stands in changes its width. ipywidgets keeps the tooltip of a slider on its label,
which may be hidden, and gives its handle and the buttons of a player no name: they get one for pointers and screen
readers.
"""

from __future__ import annotations

from importlib import resources

import anywidget

_PROGRAM = """
const PLAYER = { "fa-play": "Play", "fa-pause": "Pause", "fa-stop": "Stop", "fa-retweet": "Repeat" };

function name(slider) {
  const label = slider.querySelector(".widget-label"), words = label && (label.title || label.textContent);
  if (!words) { return; }
  slider.title = words;
  slider.querySelectorAll(".noUi-handle, .widget-readout").forEach((part) => part.setAttribute("aria-label", words));
}

function call(button) {
  const icon = button.querySelector("i.fa");
  const known = icon && Object.keys(PLAYER).find((one) => icon.classList.contains(one));
  if (known) { button.title = PLAYER[known]; button.setAttribute("aria-label", PLAYER[known]); }
}

function render({ el }) {
  el.style.display = "none";
  let root = null;
  const nameAll = () => {
    root.querySelectorAll(".widget-slider").forEach(name);
    root.querySelectorAll(".widget-play button").forEach(call);
  };
  const late = ({ target }) => {
    const slider = target.closest && target.closest(".widget-slider");
    const button = target.closest && target.closest(".widget-play button");
    if (slider) { name(slider); }
    if (button) { call(button); }
  };
  const EVENTS = ["focusin", "pointerover"];
  let timer = null;
  const tell = () => { clearTimeout(timer); timer = setTimeout(() => window.dispatchEvent(new Event("resize")), 80); };
  const watch = new ResizeObserver(tell);
  const start = setTimeout(() => {
    root = el.parentElement;
    if (root) {
      watch.observe(root);
      nameAll();
      EVENTS.forEach((one) => root.addEventListener(one, late));
    }
    tell();
  }, 50);
  return () => {
    clearTimeout(start);
    clearTimeout(timer);
    watch.disconnect();
    if (root) { EVENTS.forEach((one) => root.removeEventListener(one, late)); }
  };
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
