"""Relaxation, molecular dynamics, nudged elastic bands, phonons: tasks on any potential, steered while they run."""

from labkit.simulators.batched_dynamics import BatchedDynamics
from labkit.simulators.dynamic_stability import DynamicStability
from labkit.simulators.hops import HopNetwork, find_hops
from labkit.simulators.molecular_dynamics import MolecularDynamics
from labkit.simulators.neb import Band, NudgedElasticBand
from labkit.simulators.neb_path import MinimumEnergyPath
from labkit.simulators.phonons import Phonons
from labkit.simulators.phonons_quasi_harmonic import QuasiHarmonic
from labkit.simulators.phonons_quasi_harmonic_result import QuasiHarmonicResult, quasi_harmonic
from labkit.simulators.phonons_result import HarmonicCrystal
from labkit.simulators.relaxation import Relaxation

__all__ = [
    "Band",
    "BatchedDynamics",
    "DynamicStability",
    "HarmonicCrystal",
    "HopNetwork",
    "MinimumEnergyPath",
    "MolecularDynamics",
    "NudgedElasticBand",
    "Phonons",
    "QuasiHarmonic",
    "QuasiHarmonicResult",
    "Relaxation",
    "find_hops",
    "quasi_harmonic",
]
