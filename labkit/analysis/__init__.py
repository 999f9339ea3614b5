"""From trajectories to observables: pure functions on lists of frames, plain results with the unit in every name."""

from labkit.analysis.anharmonicity import Anharmonicity, PotentialOfMeanForce, anharmonicity, potential_of_mean_force
from labkit.analysis.arrhenius import Arrhenius, Extrapolation, arrhenius
from labkit.analysis.conductivity import (
    HavenRatio,
    charge_msd,
    diffusion_from_conductivity,
    haven_ratio,
    nernst_einstein,
)
from labkit.analysis.conductivity_arrhenius import ConductivityArrhenius, conductivity_arrhenius
from labkit.analysis.critical_temperature import CriticalTemperature, critical_temperature
from labkit.analysis.diffusion import Diffusion, diffusion
from labkit.analysis.dynamic_stability import (
    StructuralDescriptor,
    displacements,
    mode_amplitudes,
    structural_descriptor,
)
from labkit.analysis.framework import FrameworkMotion, framework_motion
from labkit.analysis.luminescence import HuangRhys, huang_rhys, huang_rhys_from_forces
from labkit.analysis.luminescence_data import ColourCentre, nv_diamond
from labkit.analysis.luminescence_hessian import load_hessian, save_hessian
from labkit.analysis.luminescence_lineshape import Lineshape, lineshape
from labkit.analysis.luminescence_measurement import MeasuredSpectrum, read_spectrum
from labkit.analysis.luminescence_modes import NormalModes, normal_modes
from labkit.analysis.luminescence_overlap import VibronicOverlap, overlap, single_mode_lines, spectral_density
from labkit.analysis.msd import MSD, msd
from labkit.analysis.probability_density import ProbabilityDensity, probability_density
from labkit.analysis.rdf import RDF, rdf
from labkit.analysis.site_jumps import SiteJumps, site_jumps
from labkit.analysis.trajectory import positions, remove_drift, unwrap
from labkit.analysis.transport import TransportPoint, arrhenius_of, conductivity_of, pooled, transport_point
from labkit.analysis.vacancies import bridge_vacancies
from labkit.analysis.vibrations import VDOS, vdos, velocity_autocorrelation
from labkit.analysis.vibrations_coherence import coherence, guest_weight, line_change
from labkit.analysis.vibrations_committee import committee_modes, spectrum_band, stick_band
from labkit.analysis.vibrations_lorentzian import ModeLine, fit_line, fit_lines, lines_table
from labkit.analysis.vibrations_modes import eckart_frame, equipartition, mode_spectra, project
from labkit.analysis.vibrations_reweighting import reweighted
from labkit.analysis.vibrations_velocities import Velocities, velocities

__all__ = [
    "MSD",
    "RDF",
    "VDOS",
    "Anharmonicity",
    "Arrhenius",
    "ColourCentre",
    "ConductivityArrhenius",
    "CriticalTemperature",
    "Diffusion",
    "Extrapolation",
    "FrameworkMotion",
    "HavenRatio",
    "HuangRhys",
    "Lineshape",
    "MeasuredSpectrum",
    "ModeLine",
    "NormalModes",
    "PotentialOfMeanForce",
    "ProbabilityDensity",
    "SiteJumps",
    "StructuralDescriptor",
    "TransportPoint",
    "Velocities",
    "VibronicOverlap",
    "anharmonicity",
    "arrhenius",
    "arrhenius_of",
    "bridge_vacancies",
    "charge_msd",
    "coherence",
    "committee_modes",
    "conductivity_arrhenius",
    "conductivity_of",
    "critical_temperature",
    "diffusion",
    "diffusion_from_conductivity",
    "displacements",
    "eckart_frame",
    "equipartition",
    "fit_line",
    "fit_lines",
    "framework_motion",
    "guest_weight",
    "haven_ratio",
    "huang_rhys",
    "huang_rhys_from_forces",
    "line_change",
    "lines_table",
    "lineshape",
    "load_hessian",
    "mode_amplitudes",
    "mode_spectra",
    "msd",
    "nernst_einstein",
    "normal_modes",
    "nv_diamond",
    "overlap",
    "pooled",
    "positions",
    "potential_of_mean_force",
    "probability_density",
    "project",
    "rdf",
    "read_spectrum",
    "remove_drift",
    "reweighted",
    "save_hessian",
    "single_mode_lines",
    "site_jumps",
    "spectral_density",
    "spectrum_band",
    "stick_band",
    "structural_descriptor",
    "transport_point",
    "unwrap",
    "vdos",
    "velocities",
    "velocity_autocorrelation",
]
