"""Relaxation and molecular dynamics: tasks that run on any potential, watched, paused and steered while they run."""

from labkit.simulators.molecular_dynamics import MolecularDynamics
from labkit.simulators.relaxation import Relaxation

__all__ = ["MolecularDynamics", "Relaxation"]
