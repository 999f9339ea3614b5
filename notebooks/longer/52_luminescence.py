"""Force constants of the NV centre from cheap potentials, for notebook 52: Tersoff in a minute, CHGNet in ten.

Run it as `python 52_luminescence.py tersoff chgnet`; it writes 52_luminescence_NAME.npz beside itself. The geometry
of DFT is relaxed in its cell, and the symmetry of the centre (C3v) saves three of four displacements.
"""

import sys
import time
from pathlib import Path

import numpy as np
import spglib
from ase import Atoms
from ase.optimize import BFGS

from labkit.analysis.luminescence_data import nv_diamond
from labkit.analysis.luminescence_hessian import save_hessian

STEP_A = 0.01
#: J. Tersoff, Phys. Rev. B 39, 5566 (1989): carbon.
CARBON = {
    "A": 1393.6, "B": 346.74, "lambda1": 3.4879, "lambda2": 2.2119, "lambda3": 0.0, "beta": 1.5724e-7, "n": 0.72751,
    "c": 38049.0, "d": 4.3484, "h": -0.57058, "R": 1.95, "D": 0.15, "m": 3, "gamma": 1.0,
}  # fmt: skip


def calculator(name: str):
    """The potential as an ASE calculator."""
    if name == "tersoff":
        from ase.calculators.tersoff import Tersoff, TersoffParameters

        return Tersoff({("C", "C", "C"): TersoffParameters(**CARBON)})
    import torch

    from labkit import potentials

    torch.set_num_threads(1)
    return potentials.load(name, "cpu").calculator()


def permutation(atoms: Atoms, rotation: np.ndarray, translation: np.ndarray) -> np.ndarray:
    """Return where each atom goes under an operation."""
    places = atoms.get_scaled_positions()
    gap = (places @ rotation.T + translation)[:, None] - places[None]
    return np.linalg.norm(gap - np.round(gap), axis=2).argmin(axis=1)


def hessian(atoms: Atoms) -> np.ndarray:
    """Return the force constants (3N, 3N) in eV/Å^2, by central differences of the forces on inequivalent atoms."""
    n, cell = len(atoms), atoms.cell.array.T
    symmetry = spglib.get_symmetry_dataset((atoms.cell.array, atoms.get_scaled_positions(), atoms.numbers), 1e-2)
    operations = [
        (cell @ rotation @ np.linalg.inv(cell), permutation(atoms, rotation, shift))
        for rotation, shift in zip(symmetry.rotations, symmetry.translations, strict=True)
    ]
    blocks, hits = np.zeros((n, n, 3, 3)), np.zeros(n)
    rest = atoms.positions.copy()
    for i in sorted(set(symmetry.equivalent_atoms)):
        row = np.zeros((n, 3, 3))
        for axis in range(3):
            for step in (STEP_A, -STEP_A):
                atoms.positions = rest
                atoms.positions[i, axis] += step
                row[:, axis] -= atoms.get_forces() / (2 * step)
        for turn, to in operations:
            blocks[to[i], to] += turn @ row @ turn.T
            hits[to[i]] += 1
    atoms.positions = rest
    full = (blocks / hits[:, None, None, None]).transpose(0, 2, 1, 3).reshape(3 * n, 3 * n)
    return 0.5 * (full + full.T)


def main(names: list[str]) -> None:
    """Compute and write."""
    for name in names:
        started = time.process_time()
        atoms = nv_diamond().ground.copy()
        masses = atoms.get_masses()
        if name == "tersoff":  # it knows no nitrogen: a carbon atom with nitrogen's mass stands in
            atoms.numbers[:] = 6
            atoms.set_masses(masses)
        before = atoms.get_positions()
        atoms.calc = calculator(name)
        BFGS(atoms, logfile=None).run(fmax=0.005, steps=100)
        print(f"{name}: relaxed, {time.process_time() - started:.0f} s", flush=True)
        force, moved = np.abs(atoms.get_forces()).max(), np.abs(atoms.positions - before).max()
        file = Path(__file__).with_name(f"52_luminescence_{name}.npz")
        save_hessian(file, hessian(atoms), quantum_eV_A2=1e-3)
        print(f"{name}: largest force {force:.4f} eV/Å, atoms moved by up to {moved:.3f} Å", flush=True)
        print(f"{name}: {file.stat().st_size / 1e3:.0f} kB, {time.process_time() - started:.0f} s of processor time")


if __name__ == "__main__":
    main(sys.argv[1:] or ["tersoff"])
