"""`ShapedAtoms`: atoms in 3D together with cylinders and spheres that can be clicked.

A path is a tube, a hop is a cylinder between two sites: both are drawn as shapes of NGL beside the one component of
atoms, sent again whenever a browser view appears, and a click on a named one arrives as its name.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from ase import Atoms

from . import scene
from .ngl import NglCanvas
from .viewer import AtomsView

_PROGRAM = """
(function (view) {
  if (view.labkitDraw) { return; }
  const stage = view.stage;
  const rgb = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16) / 255);
  let shown = [], fitted = null;

  // Things outside the cell must be in the picture too: once for each extent, when the atoms are there.
  function fit(extent) {
    const state = view.labkit;
    if (!extent.points.length || fitted === extent.id) { return; }
    if (!state.atoms || view.el.dataset.scene !== state.id) { setTimeout(() => fit(extent), 40); return; }
    fitted = extent.id;
    state.box = (state.box || []).concat(extent.points.map((point) => [point, point]));
    if (!view.model.get("_camera_orientation").length) { view.labkitCamera(extent.orientation); }
  }

  view.labkitDraw = function (groups, extent) {
    const old = shown;
    shown = [];
    let count = 0;
    groups.forEach((group) => {
      const shape = new NGL.Shape(group.name);
      group.cylinders.forEach((one) => shape.addCylinder(one[0], one[1], rgb(one[2]), one[3], one[4]));
      group.spheres.forEach((one) => shape.addSphere(one[0], rgb(one[1]), one[2], one[3]));
      const made = group.cylinders.length + group.spheres.length;
      if (!made) { return; }
      count += made;
      const component = stage.addComponentFromObject(shape);
      component.addRepresentation("buffer", { opacity: group.opacity, depthWrite: group.opacity === 1 });
      shown.push(component);
    });
    old.forEach((component) => stage.removeComponent(component));
    view.el.dataset.shapes = String(count);
    view.el.dataset.drawn = String(Number(view.el.dataset.drawn || 0) + 1);
    fit(extent);
  };

  stage.mouseControls.remove("clickPick-left"); // it would move what was clicked to the middle
  stage.signals.clicked.add((hit) => {
    const shape = hit && (hit.cylinder || hit.sphere);
    if (shape && shape.name) { view.send({ type: "labkit_picked", name: String(shape.name) }); }
  });
})(this);
"""


@dataclass
class Shapes:
    """Cylinders and spheres that share an opacity; points in Å, colours as #RRGGBB, radii in Å.

    A name makes a shape something to click; shapes without one are scenery.
    """

    name: str
    opacity: float = 1.0
    cylinders: list[list] = field(default_factory=list)
    spheres: list[list] = field(default_factory=list)

    def cylinder(self, start: np.ndarray, end: np.ndarray, colour: str, radius: float, name: str = "") -> None:
        """Add a cylinder."""
        self.cylinders.append([_point(start), _point(end), colour, round(radius, 3), name])

    def sphere(self, centre: np.ndarray, colour: str, radius: float, name: str = "") -> None:
        """Add a sphere."""
        self.spheres.append([_point(centre), colour, round(radius, 3), name])

    def tube(self, points: np.ndarray, colour: str, radius: float) -> None:
        """Add a tube through the points (m, 3)."""
        for start, end in itertools.pairwise(points):
            self.cylinder(start, end, colour, radius)

    def message(self) -> dict:
        """What the browser gets."""
        return {"name": self.name, "opacity": self.opacity, "cylinders": self.cylinders, "spheres": self.spheres}


class ShapesCanvas(NglCanvas):
    """The canvas with one more verb, `draw`, and a callback for what was clicked."""

    def __init__(self, height: str, on_pick: Callable[[str], None] | None = None) -> None:
        """`on_pick` is called with the name of a shape that was clicked."""
        self._drawn: list[Any] | None = None
        self._extents = 0
        self._on_pick = on_pick
        super().__init__(height)

    def draw(self, groups: Sequence[Shapes], extent: np.ndarray | None = None) -> None:
        """Replace all shapes; `extent` (m, 3) are points that must be in the picture, if they are new."""
        points = np.zeros((0, 3)) if extent is None else np.asarray(extent, float)
        with self._lock:
            before = self._drawn[1] if self._drawn else {"points": [], "id": ""}
            rounded = points.round(3).tolist()
            if rounded != before["points"]:
                self._extents += 1
            place = {"points": rounded, "id": f"{self._extents}", "orientation": list(scene.ORIENTATION)}
            self._drawn = [[group.message() for group in groups], place]
            self._call("labkitDraw", *self._drawn)

    def _on_view(self) -> None:
        with self._lock:
            super()._on_view()
            self._call("executeCode", _PROGRAM)
            if self._drawn is not None:
                self._call("labkitDraw", *self._drawn)

    def _handle_nglview_custom_msg(self, _: Any, msg: dict, buffers: Any) -> None:
        if msg.get("type") == "labkit_picked":
            if self._on_pick is not None:
                self._on_pick(str(msg.get("name", "")))
            return
        super()._handle_nglview_custom_msg(_, msg, buffers)


class ShapedAtoms(AtomsView):
    """`AtomsView` with shapes; atoms stay where they are put, never wrapped, so that they agree with the shapes."""

    def __init__(
        self, *, height: str = "360px", style: str = "ball and stick", on_pick: Callable[[str], None] | None = None
    ) -> None:
        """`on_pick` is called with the name of a shape that was clicked."""
        self._special: tuple[list[int], str] = ([], "")
        super().__init__(height=height, style=style)
        plain, self.canvas = self.canvas, ShapesCanvas(height, on_pick)
        self.children = [self.canvas if child is plain else child for child in self.children]
        plain.close()

    def build(self, atoms: Atoms, special: Sequence[int] = (), colour: str = "") -> None:
        """Draw these atoms anew, those with the numbers `special` larger and in one `colour`."""
        with self._lock:
            self._atoms = None
            self._special = ([int(one) for one in special], colour)
            self.show(_still(atoms))

    def move(self, positions: np.ndarray) -> None:
        """Move the atoms that are shown to the positions (n, 3) in Å."""
        with self._lock:
            if self._atoms is not None:
                moved = self._atoms.copy()
                moved.positions = positions
                self.show(moved)

    def draw(self, groups: Sequence[Shapes], extent: np.ndarray | None = None) -> None:
        """Replace the shapes; `extent` (m, 3) are points that must be in the picture."""
        self.canvas.draw(groups, extent)

    def _look(self) -> list[dict]:
        look = super()._look()
        numbers, colour = self._special
        if numbers:
            chosen = "@" + ",".join(str(one) for one in numbers)
            params = {"sele": chosen, "radiusType": "covalent", "radiusScale": 0.52, "color": colour}
            look = [*look, {"type": "spacefill", "params": params}]
        return look


def _still(atoms: Atoms) -> Atoms:
    """Return a copy that is not periodic any more, but still shows its cell: nothing moves it back into the cell."""
    copy = Atoms(atoms.numbers, positions=atoms.positions, cell=atoms.cell, pbc=False)
    copy.info.update({name: value for name, value in atoms.info.items() if isinstance(value, str | int | float)})
    return copy


def _point(point: np.ndarray) -> list[float]:
    return [round(float(one), 3) for one in point]
