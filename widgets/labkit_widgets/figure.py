"""Plotly's FigureWidget with its 5 MB program sent once for each kernel, not once for each figure.

anywidget gives a widget two seconds to load its program and then shows an error; several copies of plotly at once
need longer on a small machine. So a figure carries a few lines that wait for the one shared copy, and keep the
messages until it is there.
"""

from __future__ import annotations

from importlib import resources

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
        self._config = {**self._config, "displaylogo": False, "responsive": True}
