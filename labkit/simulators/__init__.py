"""Relaxation, molecular dynamics, nudged elastic bands: tasks on any potential, watched and steered while they run."""

from labkit.simulators.batched_dynamics import BatchedDynamics
from labkit.simulators.hops import HopNetwork, find_hops
from labkit.simulators.molecular_dynamics import MolecularDynamics
from labkit.simulators.neb import Band, NudgedElasticBand
from labkit.simulators.neb_path import MinimumEnergyPath
from labkit.simulators.relaxation import Relaxation

__all__ = [
    "Band",
    "BatchedDynamics",
    "HopNetwork",
    "MinimumEnergyPath",
    "MolecularDynamics",
    "NudgedElasticBand",
    "Relaxation",
    "find_hops",
]
