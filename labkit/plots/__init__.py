"""One function a figure: results in, Matplotlib axes out, colour-blind-safe, a unit on every axis."""

from labkit.plots.arrhenius import arrhenius
from labkit.plots.dynamics import displacement, msd, rdf, thermo
from labkit.plots.palette import CYCLE, PALETTE, ground, rc, style
from labkit.plots.relaxations import relaxation

__all__ = [
    "CYCLE",
    "PALETTE",
    "arrhenius",
    "displacement",
    "ground",
    "msd",
    "rc",
    "rdf",
    "relaxation",
    "style",
    "thermo",
]
