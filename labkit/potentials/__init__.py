"""Everything that maps a batch of atoms to energy, forces and stress; `load` opens any of them by name or path."""

from labkit.potentials.ase_adaptor import ASEPotential
from labkit.potentials.cards import Card
from labkit.potentials.child import ForeignFailed
from labkit.potentials.consent import NotTrusted, distrust, trust
from labkit.potentials.foreign import ForeignPotential
from labkit.potentials.interface import DEFAULT_PROPERTIES, Potential, Prediction
from labkit.potentials.registry import card, describe, load, names
from labkit.potentials.speed import measure_speed

__all__ = [
    "DEFAULT_PROPERTIES",
    "ASEPotential",
    "Card",
    "ForeignFailed",
    "ForeignPotential",
    "NotTrusted",
    "Potential",
    "Prediction",
    "card",
    "describe",
    "distrust",
    "load",
    "measure_speed",
    "names",
    "trust",
]
