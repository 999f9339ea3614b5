"""One function a figure: results in, Matplotlib axes out, colour-blind-safe, a unit on every axis."""

from labkit.plots.arrhenius import arrhenius
from labkit.plots.dataset import composition, energy_volume, force_histogram
from labkit.plots.dynamics import displacement, msd, rdf, thermo
from labkit.plots.palette import CYCLE, PALETTE, ground, rc, style
from labkit.plots.parity import parity
from labkit.plots.relaxations import relaxation

__all__ = [
    "CYCLE",
    "PALETTE",
    "arrhenius",
    "composition",
    "displacement",
    "energy_volume",
    "force_histogram",
    "ground",
    "msd",
    "parity",
    "rc",
    "rdf",
    "relaxation",
    "style",
    "thermo",
]
