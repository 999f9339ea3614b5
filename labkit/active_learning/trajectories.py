"""Dynamics that looks for trouble: several temperatures side by side in one batch, stopped where the committee is lost.

The one idea: the mean of the members drives and their spread comes with the same evaluation, so the break threshold is
watched at every step and costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from labkit.active_learning.calibration import Calibration
from labkit.active_learning.uncertainty import atom_spread
from labkit.errors import UnstableDynamics
from labkit.potentials.interface import LARGEST_EXTENT_A
from labkit.simulators.guards import Guard
from labkit.simulators.langevin import Langevin
from labkit.structures import bare

if TYPE_CHECKING:
    from labkit.potentials.committee import Committee


@dataclass(frozen=True)
class Sight:
    """A structure as the committee sees it. predicted: calibrated errors (n,) eV/Å; energy: eV, mean over the members;
    broken: beyond the break threshold, or no longer physics.
    """

    atoms: Atoms
    predicted: np.ndarray
    energy: float
    source: str
    broken: bool = False


@dataclass
class Watch:
    """How trajectories are watched. calibration: from spread to error; upper: break threshold, eV/Å; listen: hears a
    sentence at every step and may raise to end the work.
    """

    calibration: Calibration
    upper: Callable[[], float]
    listen: Callable[[str], None] = lambda sentence: None
    ends: list[str] = field(default_factory=list)


def explore(
    committee: Committee,
    starts: Sequence[tuple[Atoms, float, Sequence[int], str]],
    watch: Watch,
    *,
    duration_fs: float,
    timestep_fs: float,
    sample_every_fs: float,
    friction_per_ps: float,
) -> list[Sight]:
    """Sample trajectories from `starts` (structure, temperature K, seed, name), which go in one batch.

    A trajectory ends at `duration_fs`, or with the structure in which the predicted error of an atom reaches the break
    threshold or which left physics (atoms within 0.5 Å, ten times too hot, at least 5000 K); that structure is
    the last one and marked `broken`. `watch.ends` gets a sentence for each that ended early.
    """
    walkers = [
        (name, Langevin(bare(atoms), temperature, timestep_fs, friction_per_ps, np.random.default_rng(list(seed))))
        for atoms, temperature, seed, name in starts
    ]
    total, every = round(duration_fs / timestep_fs), max(1, round(sample_every_fs / timestep_fs))
    seen: list[list[Sight]] = [[] for _ in walkers]
    moving = list(range(len(walkers)))
    forces = _look(committee, [walkers[index][1] for index in moving])[1]
    for step in range(1, total + 1):
        watch.listen(f"{len(moving)} trajectories, {step * timestep_fs:.0f} of {duration_fs:.0f} fs")
        for index, force in zip(moving, forces, strict=True):
            walkers[index][1].before(force.mean(axis=0))
        energies, forces = _look(committee, [walkers[index][1] for index in moving])
        kept, upper = [], watch.upper()
        for place, index in enumerate(moving):
            name, walker = walkers[index]
            force, energy = forces[place], energies[place]
            walker.after(force.mean(axis=0))
            why, predicted = _trouble(walker, energy, force, watch.calibration, upper)
            if why or step % every == 0 or step == total:
                source = f"{name}, {step * timestep_fs:g} fs"
                seen[index].append(Sight(walker.atoms.copy(), predicted, energy, source, bool(why)))
            if why:
                watch.ends.append(f"{name} ended after {step * timestep_fs:g} fs: {why}")
            else:
                kept.append(place)
        moving, forces = [moving[place] for place in kept], [forces[place] for place in kept]
        if not moving:
            break
    return [sight for part in seen for sight in part]


def _look(committee: Committee, walkers: Sequence[Langevin]) -> tuple[list[float], list[np.ndarray]]:
    """Mean energies and all members' forces (M, n, 3); numbers that are none for positions that are none."""
    places = [one.atoms.positions for one in walkers]
    sound = [bool(np.isfinite(each).all() and np.ptp(each, axis=0).max() < LARGEST_EXTENT_A) for each in places]
    structures = [one.atoms for one, good in zip(walkers, sound, strict=True) if good]
    answers = committee.predict_members(structures, ("energy", "forces")) if structures else []
    energies = iter(np.mean([one.energies for one in answers], axis=0) if answers else [])
    forces = iter(zip(*(one.forces for one in answers), strict=True) if answers else [])
    nothing = np.full(1, np.nan)
    found_energies, found_forces = [], []
    for one, good in zip(walkers, sound, strict=True):
        found_energies.append(float(next(energies)) if good else float("nan"))
        shape = (len(committee.members), len(one.atoms), 3)
        found_forces.append(np.stack(next(forces)) if good else np.broadcast_to(nothing, shape).copy())
    return found_energies, found_forces


def _trouble(
    walker: Langevin, energy: float, forces: np.ndarray, calibration: Calibration, upper: float
) -> tuple[str, np.ndarray]:
    """Why the trajectory ends here ("" when it does not), and the predicted errors (n,), infinite without physics."""
    atoms, lost = walker.atoms, np.full(len(walker.atoms), np.inf)
    atoms.set_velocities(walker.velocities)
    atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=forces.mean(axis=0))
    try:
        Guard(max(5000.0, 10 * walker.temperature_K)).check(atoms, walker.steps, walker.kinetic_temperature_K)
    except UnstableDynamics as error:
        return str(error).split(". ")[0], lost
    finally:
        atoms.calc = None
    predicted = calibration(atom_spread(forces))
    if predicted.max() >= upper:
        return f"the predicted error {predicted.max():.3g} eV/Å reached the break threshold {upper:.3g}", predicted
    return "", predicted
