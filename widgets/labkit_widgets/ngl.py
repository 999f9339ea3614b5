"""NGLView's canvas behind three verbs: build a scene, move its atoms, change its look.

`nglview.NGLWidget` keeps an archive of calls and two threads for each view; here the scene itself is the state, and
it is sent again whenever a browser view appears (first display, second display, page reload), so nothing can be lost
or doubled.
"""

from __future__ import annotations

import itertools
import threading
from importlib import resources
from typing import Any

import ipywidgets as w
import numpy as np
from nglview import NGLWidget
from traitlets import observe

_scene_ids = itertools.count(1)


def _program() -> str:
    return resources.files("labkit_widgets").joinpath("static/ngl_scene.js").read_text(encoding="utf-8")


class NglCanvas(NGLWidget):
    """The NGL canvas; every method may be called from any thread, and before the canvas is displayed."""

    def __init__(self, height: str = "360px") -> None:
        self._lock = threading.RLock()
        self._scene: dict | None = None
        self._positions: np.ndarray | None = None
        super().__init__(layout=w.Layout(width="100%", height=height))
        self.add_class("lk-canvas")

    def build(self, scene: dict) -> None:
        """Show a new scene: keys pdb, style, cell, orientation, center, and perhaps tints (see `tint`)."""
        with self._lock:
            self._scene = {**scene, "id": f"{self.model_id}-{next(_scene_ids)}"}
            self._positions = None
            self._call("labkitScene", self._scene)

    def move(self, positions: np.ndarray) -> None:
        """Move the atoms of the scene; positions (n, 3) in Å travel as one binary message."""
        with self._lock:
            self._positions = np.ascontiguousarray(positions, dtype="f4")
            if self.loaded:
                self.set_coordinates({0: self._positions})

    def tint(self, values: np.ndarray) -> None:
        """Give each atom of the scene a number (n,) from 0 to 1; a tinted style shows them as colours."""
        with self._lock:
            tints = np.round(values, 3).tolist()
            if self._scene is not None:
                self._scene["tints"] = tints
            self._call("labkitTint", tints)

    def restyle(self, style: list[dict]) -> None:
        """Change how atoms are drawn."""
        with self._lock:
            if self._scene is not None:
                self._scene["style"] = style
            self._call("labkitStyle", style)

    def draw_cell(self, cell: dict) -> None:
        """Replace the lines of the cell."""
        with self._lock:
            if self._scene is not None:
                self._scene["cell"] = cell
            self._call("labkitCell", cell)

    def reset_camera(self, orientation: tuple[float, ...]) -> None:
        """Turn to the given orientation (quaternion x, y, z, w) and fit everything."""
        self._call("labkitCamera", list(orientation))

    def _call(self, method: str, *args: Any) -> None:
        if self.loaded:
            self.send(
                {"type": "call_method", "target": "Widget", "methodName": method, "args": list(args), "kwargs": {}}
            )

    def _on_view(self) -> None:
        with self._lock:
            self.loaded = True
            self._call("executeCode", _program())
            if self._scene is not None:
                self._call("labkitScene", self._scene)
            if self._positions is not None:
                self.set_coordinates({0: self._positions})

    # What follows replaces parts of nglview's own machinery.

    def _handle_nglview_custom_msg(self, _: Any, msg: dict, buffers: Any) -> None:
        if msg.get("type") == "request_loaded":
            self._on_view()

    def _initialize_threads(self) -> None:
        # nglview polls a call queue from threads that outlive the widget; this canvas sends its messages itself.
        self.on_msg(self._handle_nglview_custom_msg)

    def _remote_call(
        self, method_name: str, target: str = "Widget", args: Any = None, kwargs: Any = None, **_: Any
    ) -> None:
        if self.loaded:
            call = {"type": "call_method", "target": target, "methodName": method_name}
            self.send({**call, "args": args or [], "kwargs": kwargs or {}})

    def _create_player(self) -> None:
        # The overlay player is missing in newer JupyterLab; TrajectoryView has its own, but the front end wants a box.
        self._iplayer = w.HBox()

    @observe("loaded")
    def on_loaded(self, change: dict) -> None:
        """Do nothing: nglview sleeps here, then replays an archive of calls that this canvas does not keep."""
