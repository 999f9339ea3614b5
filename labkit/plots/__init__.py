"""One function a figure: results in, Matplotlib axes out, colour-blind-safe, a unit on every axis."""

from labkit.plots.arrhenius import arrhenius
from labkit.plots.barriers import barrier_profile, percolation
from labkit.plots.dataset import composition, energy_volume, force_histogram
from labkit.plots.dynamic_stability import displacement_cloud, mean_force, order_parameter, skewness
from labkit.plots.dynamics import displacement, msd, rdf, thermo
from labkit.plots.grades import grade_histogram
from labkit.plots.hulls import binary_hull, stability_windows, ternary_hull, voltage_steps, warm_voltages
from labkit.plots.landscapes import compare_trees, disconnectivity, first_passage, growth, match_counts
from labkit.plots.luminescence import huang_rhys_stems, spectral_function, spectrum
from labkit.plots.palette import CYCLE, PALETTE, ground, rc, style
from labkit.plots.parity import parity
from labkit.plots.phase_diagrams import free_energies, landau_fields, phase_diagram
from labkit.plots.phonons import bands_and_dos, phonon_bands, phonon_dos, quasi_harmonic, thermal_functions
from labkit.plots.relaxations import relaxation
from labkit.plots.reliability import reliability
from labkit.plots.transport import density, jump_rates, transport
from labkit.plots.vibrations import coherence, mode_line, vdos

__all__ = [
    "CYCLE",
    "PALETTE",
    "arrhenius",
    "bands_and_dos",
    "barrier_profile",
    "binary_hull",
    "coherence",
    "compare_trees",
    "composition",
    "density",
    "disconnectivity",
    "displacement",
    "displacement_cloud",
    "energy_volume",
    "first_passage",
    "force_histogram",
    "free_energies",
    "grade_histogram",
    "ground",
    "growth",
    "huang_rhys_stems",
    "jump_rates",
    "landau_fields",
    "match_counts",
    "mean_force",
    "mode_line",
    "msd",
    "order_parameter",
    "parity",
    "percolation",
    "phase_diagram",
    "phonon_bands",
    "phonon_dos",
    "quasi_harmonic",
    "rc",
    "rdf",
    "relaxation",
    "reliability",
    "skewness",
    "spectral_function",
    "spectrum",
    "stability_windows",
    "style",
    "ternary_hull",
    "thermal_functions",
    "thermo",
    "transport",
    "vdos",
    "voltage_steps",
    "warm_voltages",
]
