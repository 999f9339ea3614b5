"""One function a figure: results in, Matplotlib axes out, colour-blind-safe, a unit on every axis."""

from labkit.plots.arrhenius import arrhenius
from labkit.plots.barriers import barrier_profile, percolation
from labkit.plots.dataset import composition, energy_volume, force_histogram
from labkit.plots.dynamics import displacement, msd, rdf, thermo
from labkit.plots.grades import grade_histogram
from labkit.plots.landscapes import compare_trees, disconnectivity, first_passage, growth, match_counts
from labkit.plots.luminescence import huang_rhys_stems, spectral_function, spectrum
from labkit.plots.palette import CYCLE, PALETTE, ground, rc, style
from labkit.plots.parity import parity
from labkit.plots.relaxations import relaxation
from labkit.plots.reliability import reliability
from labkit.plots.transport import density, jump_rates, transport
from labkit.plots.vibrations import coherence, mode_line, vdos

__all__ = [
    "CYCLE",
    "PALETTE",
    "arrhenius",
    "barrier_profile",
    "coherence",
    "compare_trees",
    "composition",
    "density",
    "disconnectivity",
    "displacement",
    "energy_volume",
    "first_passage",
    "force_histogram",
    "grade_histogram",
    "ground",
    "growth",
    "huang_rhys_stems",
    "jump_rates",
    "match_counts",
    "mode_line",
    "msd",
    "parity",
    "percolation",
    "rc",
    "rdf",
    "relaxation",
    "reliability",
    "spectral_function",
    "spectrum",
    "style",
    "thermo",
    "transport",
    "vdos",
]
