"""Plotly's FigureWidget with its 5 MB program sent once for each kernel, not once for each figure.

anywidget gives a widget two seconds to load its program and then shows an error; several copies of plotly at once
need longer on a small machine. So a figure carries a few lines that wait for the one shared copy, and keep the
messages until it is there.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from importlib import resources
from typing import Any

import anywidget
import plotly.graph_objects as go
import traitlets

_BUNDLE = """
function initialize({ model }) {
  if (globalThis.labkitPlotly) { return; }
  let bundle = null;
  async function load() {
    const url = URL.createObjectURL(new Blob([model.get("program")], { type: "text/javascript" }));
    try { return await import(/* webpackIgnore: true */ url); } finally { URL.revokeObjectURL(url); }
  }
  globalThis.labkitPlotly = () => { bundle = bundle || load(); return bundle; };
}
export default { initialize };
"""

_FIGURE = """
const MESSAGES = ["addTraces", "restyle", "relayout", "update", "animate", "deleteTraces", "moveTraces",
  "removeLayoutProps", "removeTraceProps"].map((name) => "_py2js_" + name);

async function shared() {
  while (!globalThis.labkitPlotly) { await new Promise((go) => setTimeout(go, 30)); }
  return (await globalThis.labkitPlotly()).default;
}

export default () => {
  let inner = null;
  return {
    initialize({ model }) {
      const waiting = [];
      const keepers = MESSAGES.map((name) => {
        const keep = () => { if (model.get(name)) { waiting.push([name, model.get(name)]); } };
        model.on("change:" + name, keep);
        return [name, keep];
      });
      inner = (async () => {
        const made = await shared();
        const widget = typeof made === "function" ? await made() : made;
        keepers.forEach(([name, keep]) => model.off("change:" + name, keep));
        await widget.initialize({ model });
        waiting.forEach(([name, message]) => { model.set(name, null); model.set(name, message); });
        return widget;
      })();
    },
    async render(context) { return (await inner).render(context); },
  };
};
"""


class _Bundle(anywidget.AnyWidget):
    """Carries plotly's program to the page."""

    _esm = _BUNDLE
    program = traitlets.Bytes().tag(sync=True)


_bundle: _Bundle | None = None


def _share() -> None:
    """Send plotly's program to the page, once for each kernel."""
    global _bundle
    if _bundle is None or _bundle.comm is None:
        path = resources.files("plotly").joinpath("package_data/widgetbundle.js")
        _bundle = _Bundle(program=path.read_bytes())


class Figure(go.FigureWidget):
    """A plotly figure in a notebook; see the module for how it differs from `FigureWidget`."""

    _esm = _FIGURE

    def __init__(self, layout: dict, data: list[dict] | None = None) -> None:
        """Make a figure with this plotly layout and, if they are known already, these traces.

        Traces that are added later travel as messages, and a page that is just being told the whole figure may draw the
        last of them twice.
        """
        _share()
        super().__init__(data=data, layout=layout)
        # "Share chart" would send the figure to plotly's servers, and nothing here listens to a selection.
        quiet = {"showSendToCloud": False, "plotlyServerURL": "", "modeBarButtonsToRemove": ["select2d", "lasso2d"]}
        self._config = {**self._config, **quiet, "displaylogo": False, "responsive": True}

    def get_state(self, key: str | Collection[str] | None = None, drop_defaults: bool = False) -> dict[str, Any]:
        """Return the state with what the figure shows now.

        Plotly keeps there what it showed when it was made, and sends changes as messages: a page that comes later
        (Voila, a reload, a second browser) has missed those.
        """
        state = super().get_state(key=key, drop_defaults=drop_defaults)
        if key is None and "_layout_obj" in self.__dict__:
            state |= {name: None for name in state if name.startswith("_py2js_")} | self._shown()
        return state

    def _shown(self) -> dict[str, Any]:
        """Layout and traces as they are sent; nothing in the unlikely case that they never stand still."""
        to_json = self.trait_metadata("_widget_data", "to_json")
        for _ in range(20):
            try:
                layout, data = to_json(self._layout_obj._props, self), to_json(self._data, self)
                return {"_widget_layout": layout, "_widget_data": data}
            except RuntimeError:  # a thread that follows a run has just written into them
                time.sleep(0.005)
        return {}
