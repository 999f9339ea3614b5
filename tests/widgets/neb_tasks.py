"""Bands that are pretended to be relaxed, and paths made by a formula: food for the views of migration barriers."""

import time
from typing import Any, ClassVar

import numpy as np
from ase import Atoms
from ase.build import bulk
from pydantic import Field

from labkit.runs import RunContext, Task, quantity
from labkit.simulators.neb import Band
from labkit.simulators.neb_path import MinimumEnergyPath

HEIGHT_eV, TILT_eV = 0.4, 0.06


def crystal() -> Atoms:
    """Eight atoms of rock salt with the first lithium missing."""
    atoms = bulk("LiF", "rocksalt", a=4.03, cubic=True)
    del atoms[next(atom.index for atom in atoms if atom.symbol == "Li")]
    return atoms


def ends() -> tuple[Atoms, Atoms]:
    """Before and after the hop of a lithium ion into the vacancy; the ion leaves the cell on its way."""
    initial = crystal()
    final = initial.copy()
    final.positions[mover()] += [0.0, 2.015, 2.015]
    return initial, final


def mover() -> int:
    """The number of the atom that hops."""
    return next(atom.index for atom in crystal() if atom.symbol == "Li")


def arrays(height_eV: float = HEIGHT_eV, tilt_eV: float = TILT_eV, images: int = 5, bow_A: float = 0.5) -> tuple:
    """(template, positions, energies, forces) of a bowed path: E = h sin^2(pi x) + t x, forces along the path only."""
    initial, final = ends()
    x = np.linspace(0, 1, images + 2)
    way = final.positions - initial.positions
    bow = np.zeros_like(way)
    bow[mover(), 0] = bow_A
    positions = np.array([initial.positions + share * way + np.sin(np.pi * share) * bow for share in x])
    energies = -30.0 + height_eV * np.sin(np.pi * x) ** 2 + tilt_eV * x
    slope = height_eV * np.pi * np.sin(2 * np.pi * x) + tilt_eV
    moves = np.gradient(positions[:, mover()], x, axis=0)
    forces = np.zeros_like(positions)
    forces[:, mover()] = -slope[:, None] * moves / (moves**2).sum(axis=1)[:, None]
    return initial, positions, energies, forces


def path(name: str = "hop", state: str = "converged", reason: str = "", **shape: float) -> MinimumEnergyPath:
    """A path with a barrier of about `height_eV`."""
    said = {"state": state, "reason": reason, "steps": 12, "max_force_eV_A": 0.031, "name": name}
    return MinimumEnergyPath.of(*arrays(**shape), **said)


class PretendsToFindPaths(Task):
    """Writes tables and frames of bands that sink to their paths; the second does not converge, the third fails."""

    kind: ClassVar[str] = "NudgedElasticBand"

    bands: list[Band] = Field(
        default_factory=lambda: [
            Band(initial=ends()[0], final=ends()[1], name=name) for name in ("Li1-Li2", "Li1-Li3", "Li1-Li4")
        ]
    )
    potential: str = "pretended"
    images: int = quantity(5, "", "Images between the ends", ge=1)
    steps: int = quantity(6, "steps", "Steps of the first band; each further one takes two more", ge=1)
    height_eV: float = quantity(HEIGHT_eV, "eV", "Height of the first barrier", gt=0)
    pause_s: float = quantity(0.0, "s", "Time of a step", ge=0)

    def execute(self, context: RunContext) -> dict[str, Any]:
        """Step by step; bands leave one after the other."""
        lasts = [self.steps + 2 * index for index in range(len(self.bands))]
        ended, rows, frames, paths = 0, 0, 0, {}
        for step in range(max(lasts) + 1):
            context.raise_if_stopped()
            context.pause_point()
            active = [index for index in range(len(self.bands)) if lasts[index] >= step]
            force = 2.0 * 0.6**step
            context.row("neb", step, active=len(active), end_states=0, max_force_eV_A=force, batch_atoms=256)
            for index in active:
                height = (self.height_eV + 0.2 * index) * (1 + 0.6**step)
                template, positions, energies, forces = arrays(height_eV=height, images=self.images)
                band = MinimumEnergyPath.of(
                    template, positions, energies, forces, name=self.bands[index].name, steps=step,
                    max_force_eV_A=force, **_END[index % 3],
                )  # fmt: skip
                for image, slope in enumerate(band.slopes()):
                    context.row(
                        "profiles", rows, step_of_band=step, band=index, image=image,
                        distance_A=band.distances_A[image], energy_eV=energies[image] - energies[0],
                        force_eV_A=force, slope_eV_A=slope,
                    )  # fmt: skip
                    rows += 1
                if step < lasts[index]:
                    continue
                paths[index] = band
                context.save_json(f"path_{index:06d}", band.to_dict())
                for image, atoms in enumerate(band.images):
                    atoms.info.update(band=index, image=image)
                    context.frame(atoms, frames)
                    frames += 1
                context.row(
                    "bands", ended, index=index, name=band.name, state=band.state, steps=step,
                    forward_eV=band.forward_eV, backward_eV=band.backward_eV, reaction_eV=band.reaction_eV,
                    max_force_eV_A=force, hop_A=band.hop_A, imaginary_THz=np.nan, mirrored=False, reason=band.reason,
                )  # fmt: skip
                ended += 1
            context.progress(ended, len(self.bands), f"step {step}, largest force {force:.3f} eV/Å")
            time.sleep(self.pause_s)
        return {"bands": [paths[index].to_dict(images=False) for index in range(len(self.bands))]}


_END = (
    {"state": "converged", "reason": ""},
    {"state": "not converged", "reason": "largest force 0.080 eV/Å after 300 steps, wanted 0.05."},
    {"state": "failed", "reason": "atoms 3 (Li) and 5 (F) came 0.31 Å close in image 2."},
)
