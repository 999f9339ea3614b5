"""Twenty published universal potentials on 120 DFT configurations of tungsten: softening without any weights.

From Kai-Liu-MSE/UQ-uMLIP (MIT; Liu et al., npj Comput. Mater. 2025). The files lie in
`labkit/datasets/data/w_uncertainty` with their SOURCE.txt; `published` was computed over all 1,026 configurations of
the kind "general", of which 100 are here.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase import Atoms

FOLDER = Path(__file__).parents[1] / "datasets" / "data" / "w_uncertainty"


@dataclass(frozen=True)
class Tungsten:
    """B configurations and what M potentials say of their forces.

    groups: (B,) general, dimer or short-range. reference: B arrays (n, 3) eV/Å (DFT). predicted: the same for each
    potential. published: slope, c_star, r2, mae, ... of each potential on the full set.
    """

    structures: list[Atoms]
    groups: list[str]
    reference: list[np.ndarray]
    predicted: dict[str, list[np.ndarray]]
    published: dict[str, dict[str, float]]

    def general(self) -> list[int]:
        """Indices of the configurations that the published slopes are about: no dimers, no overlapping atoms."""
        return [index for index, group in enumerate(self.groups) if group == "general"]


def tungsten() -> Tungsten:
    """Read the shipped configurations and forces."""
    from ase.io import read

    frames = read(FOLDER / "w_dft_120.extxyz.gz", ":", format="extxyz")
    with np.load(FOLDER / "umlip_forces_f32.npz", allow_pickle=False) as stored:
        ends = np.cumsum(stored["natoms"])[:-1]
        forces = stored["forces"].astype(float)
        names = [str(name) for name in stored["models"]]
    structures = [Atoms(one.numbers, positions=one.positions, cell=one.cell, pbc=one.pbc) for one in frames]
    return Tungsten(
        structures=structures,
        groups=[str(one.info["group"]) for one in frames],
        reference=[one.get_forces() for one in frames],
        predicted={name: np.split(forces[index], ends) for index, name in enumerate(names)},
        published=json.loads((FOLDER / "full_set_slopes.json").read_text(encoding="utf-8")),
    )
