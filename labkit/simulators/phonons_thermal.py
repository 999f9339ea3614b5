"""Sums over the Brillouin zone of a harmonic crystal: density of states and thermal functions, by phonopy."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from ase import units

from labkit.simulators.phonons_data import PhononDOS, ThermalFunctions
from labkit.simulators.phonons_result import RIGID_THz

if TYPE_CHECKING:
    from labkit.simulators.phonons_result import HarmonicCrystal

KJ_MOL = units.kJ / units.mol


def density_of_states(crystal: HarmonicCrystal, mesh: float | Sequence[int], points: int) -> PhononDOS:
    """Density of states, total and of each atom, by the tetrahedron method. Raises ValueError for a mesh of Γ alone.

    Only the irreducible wave vectors are summed; symmetry then shares what equivalent atoms have among them.
    """
    from phonopy.phonon.spectrum import TetrahedronDOSAccumulator

    phonon = crystal.phonopy
    found = phonon.run_mesh(_mesh(mesh), with_eigenvectors=True, is_gamma_center=True)
    if np.prod(found.mesh_numbers) == 1:
        raise ValueError(f"the mesh {mesh} is Γ alone, which has no density of states; take a larger one.")
    low, high = float(found.frequencies.min()), float(found.frequencies.max())
    margin = 0.02 * max(high - low, 0.1)
    grid = np.linspace(min(low - margin, 0.0), high + margin, points)
    vectors = found.eigenvectors.reshape(len(found.weights), -1, 3, found.frequencies.shape[1])
    parts = (np.abs(vectors) ** 2).sum(axis=2).transpose(0, 2, 1)
    density = TetrahedronDOSAccumulator(
        found.frequencies,
        found.bz_grid,
        mode_property=parts[None],
        ir_grid_points=found.ir_grid_points,
        ir_grid_weights=found.weights,
        ir_grid_map=found.grid_mapping_table,
        sampling_points=grid,
    ).result.density
    projected = density[0].T
    alike = np.asarray(phonon.primitive_symmetry.get_map_atoms())
    projected = np.array([projected[alike == one].mean(axis=0) for one in alike])
    return PhononDOS(grid, projected.sum(axis=0), projected)


def thermal_functions(
    crystal: HarmonicCrystal, temperatures_K: Sequence[float] | np.ndarray, mesh: float | Sequence[int]
) -> ThermalFunctions:
    """F = sum_k [h nu_k / 2 + kT ln(1 - exp(-h nu_k / kT))] and its derivatives, mean over the mesh.

    The three translations at Γ have no frequency: the mean is taken over the other modes. Raises ValueError for a
    temperature below zero, and for a mesh that holds nothing but translations.
    """
    temperatures = np.atleast_1d(np.asarray(temperatures_K, dtype=float))
    if not np.isfinite(temperatures).all() or (temperatures < 0).any():
        raise ValueError("temperatures are finite and not below 0 K.")
    phonon = crystal.phonopy
    found = phonon.run_mesh(_mesh(mesh), is_gamma_center=True)
    weights = found.weights / found.weights.sum()
    modes = found.frequencies.shape[1]
    rigid = float(weights @ (np.abs(found.frequencies) <= RIGID_THz).sum(axis=1)) / modes
    if rigid > 1 - 1e-9:
        raise ValueError(f"the mesh {mesh} holds nothing but translations; take a larger one.")
    imaginary = float(weights @ (found.frequencies < -RIGID_THz).sum(axis=1)) / modes
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about translations that are not quite still: the cutoff leaves them out
        thermal = phonon.run_thermal_properties(temperatures=temperatures, cutoff_frequency=RIGID_THz)
    scale = 1 / (1 - rigid)
    return ThermalFunctions(
        temperatures,
        np.array(thermal.free_energy) * KJ_MOL * scale,
        np.array(thermal.entropy) * KJ_MOL / 1000 * scale,
        np.array(thermal.heat_capacity) * KJ_MOL / 1000 * scale,
        float(thermal.zero_point_energy) * KJ_MOL * scale,
        imaginary,
    )


def _mesh(mesh: float | Sequence[int]) -> float | list[int]:
    if np.ndim(mesh) == 0:
        return float(mesh)
    return [int(number) for number in mesh]
