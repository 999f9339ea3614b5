"""The clipboard of the user's browser, which Python cannot reach: text goes there when a button asks for it."""

from __future__ import annotations

import anywidget
import traitlets

# A refused clipboard (no permission, an insecure page) is no error: the text stands on the page, to be copied by hand.
_PROGRAM = """
function render({ model, el }) {
  el.style.display = "none";
  const put = () => navigator.clipboard?.writeText(model.get("text")).catch(() => {});
  model.on("change:turn", put);
  return () => model.off("change:turn", put);
}
export default { render };
"""


class Clipboard(anywidget.AnyWidget):
    """An invisible widget; `put(text)` writes into the clipboard of the page that shows it."""

    _esm = _PROGRAM
    text = traitlets.Unicode().tag(sync=True)
    turn = traitlets.Int().tag(sync=True)

    def put(self, text: str) -> None:
        """Copy `text`."""
        self.text = text
        self.turn += 1
