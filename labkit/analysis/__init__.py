"""From trajectories to observables: pure functions on lists of frames, plain results with the unit in every name."""

from labkit.analysis.arrhenius import Arrhenius, Extrapolation, arrhenius
from labkit.analysis.conductivity import (
    HavenRatio,
    charge_msd,
    diffusion_from_conductivity,
    haven_ratio,
    nernst_einstein,
)
from labkit.analysis.diffusion import Diffusion, diffusion
from labkit.analysis.msd import MSD, msd
from labkit.analysis.rdf import RDF, rdf
from labkit.analysis.trajectory import positions, remove_drift, unwrap

__all__ = [
    "MSD",
    "RDF",
    "Arrhenius",
    "Diffusion",
    "Extrapolation",
    "HavenRatio",
    "arrhenius",
    "charge_msd",
    "diffusion",
    "diffusion_from_conductivity",
    "haven_ratio",
    "msd",
    "nernst_einstein",
    "positions",
    "rdf",
    "remove_drift",
    "unwrap",
]
