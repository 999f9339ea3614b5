"""What a nudged elastic band ends as: the whole minimum-energy path, not only the height of its barrier.

Images, energies and forces stay together; the profile between the images is drawn through the energies with the slopes
that the forces give.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write

from labkit.runs.atomic import read_json, write_json
from labkit.simulators.neb_band import tangents
from labkit.structures.field import from_dict, to_dict


@dataclass(frozen=True)
class MinimumEnergyPath:
    """A path between two states.

    images: M + 2 structures, ends included, with continuous positions; energies (eV) and forces (eV/Å) in a
    SinglePointCalculator. distances_A: (M + 2,) length of the path up to each image, over all atoms. energies_eV: (M +
    2,) absolute. state: "converged", "not converged" or "failed", with `reason`. steps: of the band. max_force_eV_A:
    largest NEB force on an atom when it ended. saddle: index of the highest image. saddle_force_eV_A: the largest true
    force on an atom there, which vanishes at a saddle. imaginary_THz: frequency of the unstable mode at the saddle
    (positive number), when it was asked for and found; negative_modes: how many unstable modes; mode_atoms: how many
    atoms were displaced for them, with `mode_kind` "full" or "partial". mirrored: half of the images came from a
    symmetry operation.
    """

    images: list[Atoms]
    distances_A: np.ndarray
    energies_eV: np.ndarray
    state: str
    reason: str
    steps: int
    max_force_eV_A: float
    saddle: int
    name: str = ""
    imaginary_THz: float | None = None
    negative_modes: int | None = None
    mode_atoms: int = 0
    mode_kind: str = ""
    saddle_force_eV_A: float = float("nan")
    mirrored: bool = False

    @classmethod
    def of(
        cls,
        template: Atoms,
        positions: np.ndarray,
        energies: np.ndarray,
        forces: np.ndarray,
        **said: Any,
    ) -> MinimumEnergyPath:
        """A path from arrays: positions (M + 2, n, 3) Å, energies (M + 2,) eV, forces (M + 2, n, 3) eV/Å."""
        images = []
        for place, energy, force in zip(positions, energies, forces, strict=True):
            image = Atoms(template.numbers, positions=place, cell=template.cell, pbc=template.pbc)
            for key in ("initial_magmoms", "tags", "masses"):
                if key in template.arrays:
                    image.set_array(key, template.arrays[key])
            image.calc = SinglePointCalculator(image, energy=float(energy), forces=np.array(force))
            images.append(image)
        lengths = np.sqrt((np.diff(positions, axis=0) ** 2).sum(axis=(1, 2)))
        known = np.where(np.isfinite(energies), energies, -np.inf)
        saddle = int(np.argmax(known))
        return cls(
            images=images,
            distances_A=np.concatenate([[0.0], np.cumsum(lengths)]),
            energies_eV=np.array(energies, dtype=float),
            saddle=saddle,
            saddle_force_eV_A=float(np.sqrt((np.asarray(forces[saddle]) ** 2).sum(axis=1).max())),
            **said,
        )

    @property
    def forward_eV(self) -> float:
        """Barrier (eV) from the first image to the highest."""
        return float(self.energies_eV[self.saddle] - self.energies_eV[0])

    @property
    def backward_eV(self) -> float:
        """Barrier (eV) from the last image to the highest."""
        return float(self.energies_eV[self.saddle] - self.energies_eV[-1])

    @property
    def reaction_eV(self) -> float:
        """Energy (eV) of the last image relative to the first: forward minus backward."""
        return float(self.energies_eV[-1] - self.energies_eV[0])

    @property
    def hop_A(self) -> float:
        """How far (Å) the atom that moves most moves from end to end."""
        return float(np.linalg.norm(self.images[-1].positions - self.images[0].positions, axis=1).max())

    def profile(self, points: int = 101) -> tuple[np.ndarray, np.ndarray]:
        """(s, E): distance along the path (points,) Å and energy relative to the first image (points,) eV.

        A cubic Hermite spline through the images with the slopes -F·τ̂; the ends, whose tangent has one side only, take
        the difference to their neighbour. NaN throughout where an energy or a force is not known (a failed path).
        """
        from scipy.interpolate import CubicHermiteSpline

        s = np.linspace(0, float(self.distances_A[-1]), points)
        knots, index = np.unique(self.distances_A, return_index=True)
        if not np.isfinite(self.energies_eV).all() or not np.isfinite(self._forces()).all():
            return s, np.full(points, np.nan)
        if len(knots) < 2:
            return s, np.zeros(points)
        relative = self.energies_eV - self.energies_eV[0]
        return s, CubicHermiteSpline(knots, relative[index], self.slopes()[index])(s)

    def slopes(self) -> np.ndarray:
        """dE/ds (M + 2,) eV/Å along the path at each image, from the forces."""
        positions = np.array([image.positions for image in self.images])
        return slopes(positions, self.energies_eV, self._forces())

    def _forces(self) -> np.ndarray:
        return np.array([image.calc.results["forces"] for image in self.images])

    def to_dict(self, *, images: bool = True) -> dict[str, Any]:
        """JSON-able data; without `images` the structures and forces are left out and the numbers stay."""
        data: dict[str, Any] = {
            "name": self.name,
            "state": self.state,
            "reason": self.reason,
            "steps": self.steps,
            "max_force_eV_A": self.max_force_eV_A,
            "saddle": self.saddle,
            "saddle_force_eV_A": self.saddle_force_eV_A,
            "imaginary_THz": self.imaginary_THz,
            "negative_modes": self.negative_modes,
            "mode_atoms": self.mode_atoms,
            "mode_kind": self.mode_kind,
            "mirrored": self.mirrored,
            "distances_A": self.distances_A.tolist(),
            "energies_eV": self.energies_eV.tolist(),
            "forward_eV": self.forward_eV,
            "backward_eV": self.backward_eV,
            "reaction_eV": self.reaction_eV,
            "hop_A": self.hop_A,
        }
        if images:
            data["images"] = [to_dict(image) for image in self.images]
            data["forces_eV_A"] = [image.calc.results["forces"].tolist() for image in self.images]
        return data

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> MinimumEnergyPath:
        """The path of `to_dict()`; raises ValueError for data without images."""
        if "images" not in data:
            raise ValueError("these data hold the numbers of a path without its images; read the run with neb.paths().")
        images = [from_dict(one) for one in data["images"]]
        for image, energy, forces in zip(images, data["energies_eV"], data["forces_eV_A"], strict=True):
            image.calc = SinglePointCalculator(image, energy=float(energy), forces=np.array(forces, dtype=float))
        fields = {key: data[key] for key in cls.__dataclass_fields__ if key in data and key != "images"}
        for key in ("distances_A", "energies_eV"):
            fields[key] = np.array(fields[key], dtype=float)
        return cls(images=images, **fields)

    def write(self, path: str | Path) -> Path:
        """Write the images with energies and forces as extended XYZ (or `to_dict()` where the name ends in .json)."""
        path = Path(path)
        if path.suffix == ".json":
            write_json(path, self.to_dict())
        else:
            write(path, self.images, format="extxyz")
        return path

    @classmethod
    def read(cls, path: str | Path) -> MinimumEnergyPath:
        """Read the JSON form that `write` made; raises FileNotFoundError."""
        data = read_json(Path(path))
        if data is None:
            raise FileNotFoundError(f"there is no path in {path}.")
        return cls.from_dict(data)


def slopes(positions: np.ndarray, energies: np.ndarray, forces: np.ndarray) -> np.ndarray:
    """dE/ds (M + 2,) eV/Å = -F·τ̂ along a path of M + 2 images; positions and forces (M + 2, n, 3)."""
    steps = np.diff(positions, axis=0)
    along: Sequence[np.ndarray] = [steps[0], *tangents(positions, energies), steps[-1]]
    return np.array(
        [
            -float((force * one).sum()) / max(float(np.sqrt((one**2).sum())), 1e-12)
            for force, one in zip(forces, along, strict=True)
        ]
    )
