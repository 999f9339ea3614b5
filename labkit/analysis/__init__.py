"""From trajectories to observables: pure functions on lists of frames, plain results with the unit in every name."""

from labkit.analysis.arrhenius import Arrhenius, Extrapolation, arrhenius
from labkit.analysis.conductivity import (
    HavenRatio,
    charge_msd,
    diffusion_from_conductivity,
    haven_ratio,
    nernst_einstein,
)
from labkit.analysis.conductivity_arrhenius import ConductivityArrhenius, conductivity_arrhenius
from labkit.analysis.diffusion import Diffusion, diffusion
from labkit.analysis.framework import FrameworkMotion, framework_motion
from labkit.analysis.msd import MSD, msd
from labkit.analysis.probability_density import ProbabilityDensity, probability_density
from labkit.analysis.rdf import RDF, rdf
from labkit.analysis.site_jumps import SiteJumps, site_jumps
from labkit.analysis.trajectory import positions, remove_drift, unwrap
from labkit.analysis.transport import TransportPoint, arrhenius_of, conductivity_of, pooled, transport_point

__all__ = [
    "MSD",
    "RDF",
    "Arrhenius",
    "ConductivityArrhenius",
    "Diffusion",
    "Extrapolation",
    "FrameworkMotion",
    "HavenRatio",
    "ProbabilityDensity",
    "SiteJumps",
    "TransportPoint",
    "arrhenius",
    "arrhenius_of",
    "charge_msd",
    "conductivity_arrhenius",
    "conductivity_of",
    "diffusion",
    "diffusion_from_conductivity",
    "framework_motion",
    "haven_ratio",
    "msd",
    "nernst_einstein",
    "pooled",
    "positions",
    "probability_density",
    "rdf",
    "remove_drift",
    "site_jumps",
    "transport_point",
    "unwrap",
]
