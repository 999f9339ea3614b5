"""Crystals of springs, with and without imaginary modes, and a task that hands them out one by one."""

import time
from typing import Any, ClassVar

import numpy as np
from ase import Atoms
from ase.build import bulk
from pydantic import Field

from labkit.runs import RunContext, Task, quantity
from labkit.simulators.phonons_file import FILE
from labkit.simulators.phonons_phonopy import bare_phonopy
from labkit.simulators.phonons_result import HarmonicCrystal
from labkit.structures import StructureField


def springs(atoms: Atoms, supercell, along=8.0, across=1.0, reach_A=3.0) -> HarmonicCrystal:
    """Every pair within `reach_A` is held by springs (eV/Å²) along and across its line; these obey the sum rule."""
    cell = bare_phonopy(atoms, np.diag(supercell)).supercell
    positions, lattice = cell.positions, cell.cell
    constants = np.zeros((len(positions), len(positions), 3, 3))
    images = np.array([(i, j, k) for i in (-1, 0, 1) for j in (-1, 0, 1) for k in (-1, 0, 1)]) @ lattice
    for first, here in enumerate(positions):
        for second, there in enumerate(positions):
            for line in there + images - here:
                length = np.linalg.norm(line)
                if 1e-6 < length < reach_A:
                    outer = np.outer(line, line) / length**2
                    block = along * outer + across * (np.eye(3) - outer)
                    constants[first, second] -= block
                    constants[first, first] += block
    return HarmonicCrystal(atoms, np.diag(supercell), constants)


def perovskite(across=-0.6, along=3.0, a=4.0, name="BaFeO3") -> HarmonicCrystal:
    """A cubic perovskite whose octahedra turn by themselves when `across` is below zero."""
    places = [(0, 0, 0), (0.5, 0.5, 0.5), (0.5, 0.5, 0), (0.5, 0, 0.5), (0, 0.5, 0.5)]
    atoms = Atoms("BaFeO3", scaled_positions=places, cell=[a] * 3, pbc=True, info={"name": name})
    return springs(atoms, (2, 2, 2), along, across, reach_A=0.75 * a)


def salt(along=4.0, a=5.6) -> HarmonicCrystal:
    """Rock salt, stable."""
    atoms = bulk("NaCl", "rocksalt", a=a)
    atoms.info["name"] = "NaCl"
    return springs(atoms, (2, 2, 2), along, 0.4, reach_A=0.74 * a)


class PretendsToVibrate(Task):
    """Writes the files of a phonon run without any forces, one after the other."""

    kind: ClassVar[str] = "Phonons"

    structures: list[StructureField] = Field(["NaCl", "NaCl"], description="What to pretend for", validate_default=True)
    pause_s: float = quantity(0.0, "s", "Time between two of them", ge=0)
    damaged: bool = Field(False, description="The last file is not readable")

    def execute(self, context: RunContext) -> dict[str, Any]:
        """A salt for each structure, then the end."""
        for index in range(len(self.structures)):
            context.progress(index, len(self.structures), "pretending")
            time.sleep(self.pause_s)
            context.raise_if_stopped()
            path = context.folder / FILE.format(index)
            if self.damaged and index == len(self.structures) - 1:
                path.write_bytes(b"PK nothing")
            else:
                salt(4.0 + index).write(path)
        return {"structures": len(self.structures)}
