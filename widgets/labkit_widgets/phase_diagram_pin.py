"""The isotherm and the pinned tie-line of a diagram, as shapes above its traces.

They are for the picture that plotly saves; on the page the cursor draws the same at once.

The one idea: their number never changes, so that a move is a handful of numbers to the page. An arm of the tie-line has
the colour of the phase whose amount it measures.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from . import theme
from .phase_diagram_drawing import INK
from .phase_diagram_words import percent

#: Temperature (K), composition, and the stable phases there (number, composition).
Pin = tuple[float, float, Sequence[tuple[int, float]]]
_MOVING = {
    "shapes": ("x0", "x1", "y0", "y1", "xanchor", "yanchor", "visible", "fillcolor"),
    "annotations": ("x", "y", "text", "visible"),
}


def marks(pinned: Pin, limits: tuple[float, float], shades: Sequence[str], *, shown: bool) -> dict[str, list[dict]]:
    """Return the shapes and annotations of the layout; their number is always the same.

    `shown`: whether more than the isotherm is drawn, which over chemical potentials it is not.
    """
    temperature, x, ends = pinned
    two = shown and len(ends) == 2
    # Always two ends, so that nothing comes or goes but only hides.
    ends = ends if two else [(0, x), (0, x)]
    dashed = {"color": theme.RED, "width": 1.4, "dash": "dash"}
    isotherm = {"type": "line", "x0": limits[0], "x1": limits[1], "y0": temperature, "y1": temperature, "line": dashed}
    arms = [
        {"type": "line", "x0": end[1], "x1": x, "y0": temperature, "y1": temperature, "visible": two,
         "line": {"width": 4, "color": shades[ends[1 - at][0]]}}
        for at, end in enumerate(ends)
    ]  # fmt: skip
    dots = [_dot(end[1], temperature, 6, shades[end[0]], two) for end in ends]
    values = [
        {"x": end[1], "y": temperature, "text": percent(end[1]), "visible": two, "showarrow": False, "yshift": 14,
         "font": {"size": 11.5, "color": INK}, "bgcolor": "rgba(255,255,255,0.55)", "borderpad": 1}
        for end in ends
    ]  # fmt: skip
    return {"shapes": [isotherm, *arms, *dots, _dot(x, temperature, 4, INK, shown)], "annotations": values}


def edits(layout: dict[str, list[dict]]) -> dict[str, Any]:
    """Return what may have changed of shapes and annotations, as plotly takes changes of a layout."""
    made = {
        f"{kind}[{at}].{key}": one[key]
        for kind, all_of_them in layout.items()
        for at, one in enumerate(all_of_them)
        for key in _MOVING[kind]
        if key in one
    }
    colours = {f"shapes[{at}].line.color": one["line"]["color"] for at, one in enumerate(layout["shapes"])}
    return made | colours


def _dot(x: float, y: float, radius: float, colour: str, visible: bool) -> dict:
    return {
        "type": "circle", "xsizemode": "pixel", "ysizemode": "pixel", "xanchor": x, "yanchor": y, "visible": visible,
        "x0": -radius, "x1": radius, "y0": -radius, "y1": radius, "fillcolor": colour,
        "line": {"color": "white", "width": 1.5},
    }  # fmt: skip
