"""Runs one side of a comparison in a process of its own: own allocator, own threads, own imports.

Called as `python -m tests.benchmarks.peers SIDE JOB ARGUMENT DEVICE`; prints one line of JSON.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
import time
import warnings
from typing import Any

from ase import Atoms

SMALL_CELLS = ("LiCl", "Li2S", "LiCoO2", "LiMnO2", "BaFeO3", "NaCl", "MgO", "Si")


def supercell(n_atoms: int) -> Atoms:
    """Rattled orthorhombic LiMnO2 with 8, 64 or 256 atoms."""
    from labkit.structures import named, rattle, repeat

    repeats = {8: (1, 1, 1), 64: (2, 2, 2), 256: (4, 2, 4), 1024: (4, 4, 8)}[n_atoms]
    return rattle(repeat(named("LiMnO2"), repeats), 0.02, seed=1)


def small_cells() -> list[Atoms]:
    """32 strained and rattled cells of up to 12 atoms."""
    from labkit.structures import named, primitive, rattle, strain

    cells = []
    for index in range(32):
        atoms = primitive(named(SMALL_CELLS[index % len(SMALL_CELLS)]))
        stretch = 0.02 * (-1) ** index
        cells.append(rattle(strain(atoms, [stretch, stretch / 2, 0, 0, 0, 0]), 0.05, seed=index))
    return cells


def stock_dynamics(n_atoms: int, device: str) -> dict[str, Any]:
    """Steps per second of chgnet's own MolecularDynamics."""
    with _quiet():
        from chgnet.model.dynamics import MolecularDynamics

        dynamics = MolecularDynamics(
            supercell(n_atoms), ensemble="nvt", temperature=300, timestep=2, use_device=device, loginterval=10**9
        )
        dynamics.run(2)
        steps = _steps(n_atoms, device)
        started = time.perf_counter()
        dynamics.run(steps)
    return {"steps_per_second": steps / (time.perf_counter() - started)}


def labkit_dynamics(n_atoms: int, device: str) -> dict[str, Any]:
    """Steps per second of the MolecularDynamics task, with its guards, tables and checkpoints."""
    from labkit.simulators import MolecularDynamics

    steps = 4 * _steps(n_atoms, device)
    task = MolecularDynamics(
        structure=supercell(n_atoms), ensemble="NVT-Bussi", steps=steps, timestep_fs=2, device=device
    )
    return {"steps_per_second": task.run().result()["steps_per_second"]}


def stock_relaxation(count: int, device: str) -> dict[str, Any]:
    """Seconds for 32 cells by StructOptimizer, one after the other, with its defaults (fmax 0.1 eV/Å, cell too)."""
    with _quiet():
        from chgnet.model import StructOptimizer

        optimizer = StructOptimizer(use_device=device)
        started = time.perf_counter()
        energies = []
        for atoms in small_cells()[:count]:
            relaxed = optimizer.relax(atoms, verbose=False)
            energies.append(float(relaxed["trajectory"].energies[-1]) / len(atoms))
    return {"seconds": time.perf_counter() - started, "energies": energies}


def labkit_relaxation(count: int, device: str) -> dict[str, Any]:
    """Seconds for the same cells as one Relaxation task with the same criterion."""
    from labkit.potentials import load
    from labkit.simulators import Relaxation

    load("chgnet", device)
    cells = small_cells()[:count]
    started = time.perf_counter()
    result = Relaxation(structures=cells, fmax_eV_A=0.1, device=device).run().result()
    seconds = time.perf_counter() - started
    energies = [energy / len(atoms) for energy, atoms in zip(result["energies_eV"], cells, strict=True)]
    return {"seconds": seconds, "energies": energies, "steps": max(result["steps"])}


def _steps(n_atoms: int, device: str) -> int:
    return (20 if n_atoms <= 64 else 6) * (5 if device == "cuda" else 1)


@contextlib.contextmanager
def _quiet():
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")  # chgnet and torch warn of each other; the numbers are what is wanted here
        yield


if __name__ == "__main__":
    side, job, argument, device = sys.argv[1:5]
    print(json.dumps(globals()[f"{side}_{job}"](int(argument), device)))
