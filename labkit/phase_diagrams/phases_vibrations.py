"""Free energies of crystals that vibrate: harmonic at one volume, or quasi-harmonic with thermal expansion.

The one idea: phonons become a table f(T) in eV/atom; a phase of the diagram takes it like any other free energy.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from labkit.errors import InvalidTask
from labkit.phase_diagrams.phases_free_energy import TabulatedEnergy

if TYPE_CHECKING:
    from labkit.simulators.phonons_quasi_harmonic_result import QuasiHarmonicResult
    from labkit.simulators.phonons_result import HarmonicCrystal

#: More of the modes than this left out as imaginary, and the harmonic free energy means nothing.
MOST_LEFT_OUT = 0.001


def vibrating(
    crystal: HarmonicCrystal, energy_eV: float, temperatures_K: Sequence[float] = tuple(range(0, 1501, 25)),
    name: str = "this phase",
) -> TabulatedEnergy:  # fmt: skip
    """Return the static energy (eV/atom) plus the harmonic free energy of a crystal at its volume, in eV/atom.

    Raises InvalidTask for a crystal with imaginary modes: it is no minimum, and has no harmonic free energy.
    """
    found = crystal.thermal(temperatures_K)
    _refuse_imaginary(found.imaginary_fraction, name)
    values = energy_eV + np.asarray(found.free_energy_eV) / len(crystal.atoms)
    return TabulatedEnergy(np.asarray(found.temperatures_K, float), values, name)


def expanding(result: QuasiHarmonicResult, name: str = "this phase") -> TabulatedEnergy:
    """Return the quasi-harmonic Gibbs free energy of a crystal in eV/atom (its static energy is in it).

    Raises InvalidTask for a crystal with imaginary modes at one of its volumes.
    """
    _refuse_imaginary(float(np.max(result.left_out)), name)
    return TabulatedEnergy(result.temperatures_K, np.asarray(result.gibbs_eV) / result.atoms, name)


def _refuse_imaginary(fraction: float, name: str) -> None:
    if fraction > MOST_LEFT_OUT:
        raise InvalidTask(
            f"{fraction:.1%} of the modes of {name} are imaginary: it is not stable, and has no "
            "harmonic free energy. Follow the mode to a lower symmetry first."
        )
