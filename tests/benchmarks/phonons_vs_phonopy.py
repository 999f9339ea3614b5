"""Forces for the phonons of twenty crystals with CHGNet: labkit's one stream of batches beside phonopy one by one.

`python -m tests.benchmarks.phonons_vs_phonopy FOLDER [crystals]`. Both sides get the same displaced supercells (made by
phonopy) and give forces to phonopy; the peer is the stock CHGNetCalculator on one supercell after another. Each side
runs in a process of its own, with one torch thread, with and without glibc's memory kept (MALLOC, methods D), by turns.
TURNS (2) and MEMORY ("returned kept") in the environment shorten that; the fastest turn counts.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

CRYSTALS = (
    "Cu Al Ni Fe W Mo Mg Zr Li Si diamond NaCl MgO LiF LiCl Li2S BaFeO3 SrTiO3 LiCoO2 graphite".split()  # noqa: SIM905
)
DISPLACEMENT_A, LENGTH_A, MOST_ATOMS = 0.01, 8.0, 130
#: methods D (a): what glibc would return to the system after every batch stays with the process.
MALLOC = {
    "MALLOC_MMAP_THRESHOLD_": "4294967296",
    "MALLOC_TRIM_THRESHOLD_": "8589934592",
    "MALLOC_TOP_PAD_": "268435456",
}
SIDES = {"stock": ("stock", 1), "labkit": ("labkit", 1), "labkit, 2 processes": ("labkit", 2)}


def displaced(name: str) -> tuple[Any, list[Atoms]]:
    """The phonopy object of a library crystal and its displaced supercells."""
    from labkit import structures
    from labkit.simulators.phonons_cell import primitive, supercell
    from labkit.simulators.phonons_phonopy import ase_cell, bare_phonopy

    atoms, _, _ = primitive(structures.named(name), 0.01)
    phonon = bare_phonopy(atoms, supercell(atoms, None, LENGTH_A, MOST_ATOMS)[0])
    phonon.generate_displacements(distance=DISPLACEMENT_A)
    return phonon, [ase_cell(cell) for cell in phonon.supercells_with_displacements]


def stock_forces(cells: list[Atoms], warm: Atoms) -> tuple[list[np.ndarray], float, float]:
    """Forces by the stock calculator, one supercell after another, and the wall and CPU seconds they took."""
    from chgnet.model import CHGNet
    from chgnet.model.dynamics import CHGNetCalculator

    calculator = CHGNetCalculator(model=CHGNet.load(use_device="cpu", verbose=False), use_device="cpu")
    warm.calc = calculator
    warm.get_forces()
    begin, cpu, forces = time.perf_counter(), time.process_time(), []
    for atoms in cells:
        atoms.calc = calculator
        forces.append(atoms.get_forces())
    return forces, time.perf_counter() - begin, time.process_time() - cpu


def labkit_forces(cells: list[Atoms], warm: Atoms, processes: int) -> tuple[list[np.ndarray], float, float]:
    """Forces by one stream of batches of all crystals, and the wall and CPU seconds they took (CPU: this process)."""
    from labkit.potentials import load
    from labkit.simulators.neb_batch import Batch
    from labkit.simulators.neb_pool import Pool

    potential = load("chgnet", "cpu")
    pool = Pool("chgnet", processes, "cpu") if processes > 1 else None
    batch = Batch(potential, pool=pool)
    for _ in range(1 if pool is None else 3):  # the stock side is warm too; workers need a few parts to start
        batch.evaluate([warm] * 12 * processes)
    batch = Batch(potential, pool=pool)
    begin, cpu = time.perf_counter(), time.process_time()
    answers = batch.evaluate(cells)
    seconds, cpu = time.perf_counter() - begin, time.process_time() - cpu
    if pool is not None:
        pool.close()
    wrong = [answer for answer in answers if isinstance(answer, str)]
    if wrong:
        raise RuntimeError(wrong[0])
    return [forces for _, forces in answers], seconds, cpu


def side(kind: str, processes: int, folder: Path, names: list[str], out: str) -> None:
    """One side in this process: forces into a file, seconds printed as JSON."""
    import torch

    torch.set_num_threads(1)
    made = [displaced(name) for name in names]
    cells = [atoms for _, group in made for atoms in group]
    warm = cells[0].copy()
    found = stock_forces(cells, warm) if kind == "stock" else labkit_forces(cells, warm, processes)
    forces, seconds, cpu = found
    np.savez(folder / out, **{str(place): one for place, one in enumerate(forces)})
    atoms = sum(len(one) for one in cells)
    print(json.dumps({"wall_s": seconds, "cpu_s": cpu, "supercells": len(cells), "atoms": atoms}))


def agreement(folder: Path, names: list[str], ours: str, theirs: str) -> dict[str, float]:
    """Largest differences of forces (eV/Å) and, at the wave vectors that fit, of frequencies (THz)."""
    from phonopy.harmonic.dynmat_to_fc import get_commensurate_points

    found = {out: np.load(folder / out) for out in (ours, theirs)}
    place, force, frequency, worst = 0, 0.0, 0.0, ""
    for name in names:
        phonon, cells = displaced(name)
        bands = []
        for data in found.values():
            phonon.forces = np.array([data[str(place + number)] for number in range(len(cells))])
            phonon.produce_force_constants(show_drift=False)
            phonon.symmetrize_force_constants(level=3, show_drift=False)
            points = get_commensurate_points(phonon.supercell_matrix)
            bands.append(phonon.run_qpoints(points).frequencies)
        for number in range(len(cells)):
            one, other = (data[str(place + number)] for data in found.values())
            force = max(force, float(abs(one - other).max()))
        # A translation has frequency 0 +- the root of rounding; compare squares there, as frequencies elsewhere.
        squares = abs(np.sign(bands[0]) * bands[0] ** 2 - np.sign(bands[1]) * bands[1] ** 2)
        apart = float((squares / np.maximum(abs(bands[0]) + abs(bands[1]), 1.0)).max())
        if apart > frequency:
            frequency, worst = apart, name
        place += len(cells)
    return {"force_eV_A": force, "frequency_THz": frequency, "worst": worst}


def main(folder: Path, names: list[str]) -> None:
    """All sides by turns, twice; the faster of two counts. Prints a table and writes report.json."""
    folder.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Any]] = []
    memory = [word == "kept" for word in os.environ.get("MEMORY", "returned kept").split()]
    for turn in range(int(os.environ.get("TURNS", "2"))):
        for kept in memory:
            for title, (kind, processes) in SIDES.items():
                out = f"{kind}-{processes}.npz"
                command = [sys.executable, "-m", __spec__.name, str(folder), "side", kind, str(processes), out, *names]
                environment = {**os.environ, **(MALLOC if kept else {}), "OMP_NUM_THREADS": "1"}
                load = os.getloadavg()[0]
                done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
                if done.returncode:
                    raise RuntimeError(done.stderr[-2000:])
                row = {"side": title, "memory_kept": kept, "turn": turn, "load": load}
                rows.append(row | json.loads(done.stdout.splitlines()[-1]))
                print(rows[-1], flush=True)
    same = agreement(folder, names, "labkit-1.npz", "stock-1.npz")
    for kept in memory:
        for key in ("wall_s", "cpu_s"):
            best = {t: min(r[key] for r in rows if (r["side"], r["memory_kept"]) == (t, kept)) for t in SIDES}
            for title, seconds in best.items():
                glibc = "kept" if kept else "returned"
                print(f"| {title} | {glibc} | {key} | {seconds:.1f} | {best['stock'] / seconds:.1f} |")
    print(same)
    (folder / "report.json").write_text(json.dumps({"crystals": names, "rows": rows, "agreement": same}, indent=1))


if __name__ == "__main__":
    place = Path(sys.argv[1])
    if sys.argv[2:3] == ["side"]:
        side(sys.argv[3], int(sys.argv[4]), place, sys.argv[6:], sys.argv[5])
    else:
        main(place, sys.argv[2:] or CRYSTALS)
