"""Which phases are stable, and where: convex hulls, free energies, temperature-composition diagrams, voltage curves."""

from labkit.phase_diagrams.binary import BinaryDiagram, binary_diagram
from labkit.phase_diagrams.cluster_expansion import AlloyExpansion, enumerate_alloy, fit_expansion, on_lattice
from labkit.phase_diagrams.cluster_expansion_sampling import SampledAlloy, sample_free_energy
from labkit.phase_diagrams.competing import formation_energy, reaction, stability
from labkit.phase_diagrams.equilibrium import Equilibrium, TieLine, equilibrium
from labkit.phase_diagrams.grand_potential import StabilityWindow, stability_window
from labkit.phase_diagrams.hull import Hull, convex_hull
from labkit.phase_diagrams.hull_entry import HullEntry, mixture
from labkit.phase_diagrams.phases import LinePhase, SolutionPhase, TabulatedPhase
from labkit.phase_diagrams.phases_base import Phase
from labkit.phase_diagrams.phases_vibrations import expanding, vibrating
from labkit.phase_diagrams.vacancy_orderings import vacancy_orderings
from labkit.phase_diagrams.voltage import Voltages, voltage_curve
from labkit.phase_diagrams.voltage_measured import measured_voltage
from labkit.phase_diagrams.voltage_sublattices import TwoSublattices
from labkit.phase_diagrams.voltage_task import VoltageCurve, voltages
from labkit.phase_diagrams.voltage_temperature import LatticeGas, fit_lattice_gas, occupation, plateaus, voltage_at
from labkit.phase_diagrams.with_landau import landau_diagram

__all__ = [
    "AlloyExpansion",
    "BinaryDiagram",
    "Equilibrium",
    "Hull",
    "HullEntry",
    "LatticeGas",
    "LinePhase",
    "Phase",
    "SampledAlloy",
    "SolutionPhase",
    "StabilityWindow",
    "TabulatedPhase",
    "TieLine",
    "TwoSublattices",
    "VoltageCurve",
    "Voltages",
    "binary_diagram",
    "convex_hull",
    "enumerate_alloy",
    "equilibrium",
    "expanding",
    "fit_expansion",
    "fit_lattice_gas",
    "formation_energy",
    "landau_diagram",
    "measured_voltage",
    "mixture",
    "occupation",
    "on_lattice",
    "plateaus",
    "reaction",
    "sample_free_energy",
    "stability",
    "stability_window",
    "vacancy_orderings",
    "vibrating",
    "voltage_at",
    "voltage_curve",
    "voltages",
]
