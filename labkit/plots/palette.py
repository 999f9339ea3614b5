"""The one palette of labkit: Okabe and Ito's eight colours, which colour-blind readers can tell apart.

Source: M. Okabe and K. Ito, "Color Universal Design" (2008), https://jfly.uni-koeln.de/color/.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap

PALETTE: dict[str, str] = {
    "black": "#000000",
    "orange": "#E69F00",
    "sky_blue": "#56B4E9",
    "green": "#009E73",
    "yellow": "#F0E442",
    "blue": "#0072B2",
    "vermillion": "#D55E00",
    "purple": "#CC79A7",
}

# Black is left out (invisible on a dark page) and yellow comes last (faint on a light one).
_CYCLE = ("blue", "vermillion", "green", "orange", "sky_blue", "purple", "yellow")
CYCLE: tuple[str, ...] = tuple(PALETTE[name] for name in _CYCLE)

_LIGHT = {"background": "#FFFFFF", "text": "#1A1A1A", "grid": "#D9D9D9"}
_DARK = {"background": "#111111", "text": "#E8E8E8", "grid": "#3A3A3A"}
#: A sum of red, green and blue (0 to 3) below which a thin line is lost on the dark ground.
_LOST = 1.0


def ground(dark: bool = False) -> dict[str, str]:
    """Return the hex colours `background`, `text` and `grid` of the light or the dark page."""
    return dict(_DARK if dark else _LIGHT)


def ink(ax: Axes, name: str) -> str:
    """Return the hex colour `name` as it reads best on `ax`.

    On a dark ground the two blues change places, and black is the colour of the text.
    """
    if not _is_dark(ax):
        return PALETTE[name]
    return _DARK["text"] if name == "black" else PALETTE[{"blue": "sky_blue", "sky_blue": "blue"}.get(name, name)]


def ramp(ax: Axes, name: str) -> Colormap:
    """Return Matplotlib's colour map `name`, on a dark ground without the shades (dark blue) that are lost there."""
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap

    shades = colormaps[name](np.linspace(0, 1, 256))
    seen = shades[:, :3].sum(axis=1) > _LOST
    return ListedColormap(shades[seen]) if _is_dark(ax) else colormaps[name]


def _is_dark(ax: Axes) -> bool:
    from matplotlib.colors import to_rgb

    # The ground itself may be transparent; the colour of the labels tells what it is meant to be.
    return sum(to_rgb(ax.xaxis.label.get_color())) > 1.5


def rc(dark: bool = False) -> dict[str, Any]:
    """Return the Matplotlib settings of the light or the dark style."""
    from matplotlib import cycler

    page = ground(dark)
    cycle = CYCLE if not dark else (PALETTE["sky_blue"], *(colour for colour in CYCLE if colour != PALETTE["sky_blue"]))
    return {
        "axes.prop_cycle": cycler(color=cycle),
        "axes.facecolor": page["background"],
        "figure.facecolor": page["background"],
        "savefig.facecolor": page["background"],
        "axes.edgecolor": page["text"],
        "axes.labelcolor": page["text"],
        "axes.titlecolor": page["text"],
        "text.color": page["text"],
        "xtick.color": page["text"],
        "ytick.color": page["text"],
        "legend.facecolor": page["background"],
        "legend.edgecolor": page["grid"],
        "grid.color": page["grid"],
        "axes.spines.top": False,
        "axes.spines.right": False,
    }


def style(dark: bool = False) -> AbstractContextManager[None]:
    """Return a context in which figures take the labkit style: `with plots.style(dark=True): plots.msd(result)`."""
    import matplotlib

    return matplotlib.rc_context(rc(dark))
