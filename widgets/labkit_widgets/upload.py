"""A file from the user's computer, in pieces of 1 MB: one message with a whole file would break the connection above
10 MB.

The browser says name and size first, so that a file over the limit is refused before any of it travels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anywidget
import traitlets

PIECE_BYTES = 1_000_000

_PROGRAM = """
function render({ model, el }) {
  const box = document.createElement("label");
  box.className = "lk-drop";
  const text = document.createElement("span");
  text.textContent = "Choose a file, or drop it here";
  const input = document.createElement("input");
  input.type = "file";
  input.setAttribute("aria-label", "Choose a file");
  box.append(text, input);
  el.append(box);
  async function take(file) {
    if (!file) { return; }
    text.textContent = file.name;
    model.send({ kind: "begin", name: file.name, size: file.size });
    if (file.size > model.get("limit_bytes")) { return; }
    const piece = model.get("piece_bytes");
    for (let at = 0; at < file.size; at += piece) {
      model.send({ kind: "piece", at }, undefined, [await file.slice(at, at + piece).arrayBuffer()]);
    }
    model.send({ kind: "end" });
    input.value = "";
  }
  input.addEventListener("change", () => take(input.files[0]));
  box.addEventListener("dragover", (event) => { event.preventDefault(); box.classList.add("lk-over"); });
  box.addEventListener("dragleave", () => box.classList.remove("lk-over"));
  box.addEventListener("drop", (event) => {
    event.preventDefault();
    box.classList.remove("lk-over");
    take(event.dataTransfer.files[0]);
  });
}
export default { render };
"""


class Upload(anywidget.AnyWidget):
    """A place to choose or drop one file; calls `taken(name, content)`, or `too_big(name, size)` above the limit."""

    _esm = _PROGRAM
    limit_bytes = traitlets.Int().tag(sync=True)
    piece_bytes = traitlets.Int(PIECE_BYTES).tag(sync=True)

    def __init__(
        self, limit_bytes: int, taken: Callable[[str, bytes], None], too_big: Callable[[str, int], None]
    ) -> None:
        """Take files of at most `limit_bytes`."""
        super().__init__(limit_bytes=limit_bytes)
        self._taken, self._too_big = taken, too_big
        self._name, self._size, self._pieces = "", 0, bytearray()
        self.on_msg(self._on_message)

    def _on_message(self, _: Any, content: dict, buffers: list) -> None:
        kind = content.get("kind")
        if kind == "begin":
            self._name, self._size, self._pieces = str(content["name"]), int(content["size"]), bytearray()
            if self._size > self.limit_bytes:
                self._too_big(self._name, self._size)
        elif kind == "piece" and len(self._pieces) == content.get("at") and len(self._pieces) <= self.limit_bytes:
            self._pieces += bytes(buffers[0])
        elif kind == "end" and len(self._pieces) == self._size:
            whole, self._pieces = bytes(self._pieces), bytearray()
            self._taken(self._name, whole)
