"""Everything that maps a batch of atoms to energy, forces and stress; `load` opens any of them by name or path."""

from labkit.potentials.ase_adaptor import ASEPotential
from labkit.potentials.interface import DEFAULT_PROPERTIES, Potential, Prediction
from labkit.potentials.registry import describe, load, names

__all__ = ["DEFAULT_PROPERTIES", "ASEPotential", "Potential", "Prediction", "describe", "load", "names"]
