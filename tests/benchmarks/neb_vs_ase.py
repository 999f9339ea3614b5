"""Eight migration paths with CHGNet: labkit's bands in one batch beside ASE's NEB with the stock CHGNetCalculator.

`python -m tests.benchmarks.neb_vs_ase FOLDER [prepare | ase | labkit | tight | report ...]`; each word is a stage, all
of them by default, and each stage skips what FOLDER already holds. Both sides start from the same relaxed end
states and stop at the same largest NEB force (FMAX eV/Å and THREADS for ASE's torch from the environment); ASE is
given the same start images for nothing.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.geometry import find_mic
from ase.io import read, write

FMAX, THREADS = float(os.environ.get("FMAX", "0.05")), int(os.environ.get("THREADS", "1"))
TIGHT, FMAX_ENDS, COARSE, IMAGES, SPRING = 0.02, 0.03, 0.1, 5, 0.1
#: name -> library structure, primitive cell?, repeats, length of the vacancy hop (Å), lattice axis it runs along.
PATHS: dict[str, tuple[str, bool, tuple[int, int, int], float, int | None]] = {
    "LiTiPO5": ("LiTiPO5", False, (1, 1, 1), 3.5, None),
    "beta-Li3PS4": ("beta-Li3PS4", False, (1, 1, 1), 3.5, None),
    "LiTi2(PO4)3": ("LiTi2(PO4)3", True, (1, 1, 1), 6.08, None),
    "LiCoO2": ("LiCoO2", False, (2, 2, 1), 2.82, None),
    "Li2S": ("Li2S", False, (2, 2, 1), 2.85, None),
    "LiMgPO4 [010]": ("LiMgPO4", False, (1, 2, 1), 2.95, 1),
    "LiFePO4 [010]": ("LiFePO4", False, (1, 2, 1), 3.0, 1),
    "LiFePO4 [101]": ("LiFePO4", False, (1, 2, 1), 4.69, 2),
}


def end_states(name: str) -> tuple[Atoms, Atoms]:
    """A lithium vacancy before and after the hop, unrelaxed."""
    from labkit import structures

    library, primitive, repeats, length, axis = PATHS[name]
    atoms = structures.named(library)
    atoms = (structures.primitive(atoms) if primitive else atoms).repeat(repeats)
    lithium = [index for index, symbol in enumerate(atoms.symbols) if symbol == "Li"]
    best: tuple[float, int, int] | None = None
    for j in lithium[1:]:
        vector, distance = find_mic(atoms.positions[j] - atoms.positions[lithium[0]], atoms.cell, atoms.pbc)
        along = 1.0 if axis is None else abs(vector @ atoms.cell[axis]) / distance / np.linalg.norm(atoms.cell[axis])
        score = abs(float(distance) - length) + 10 * (1 - along)
        if best is None or score < best[0] - 1e-6:
            best = (score, lithium[0], j)
    _, here, there = best
    final = atoms.copy()
    final.positions[here] = atoms.positions[there]
    keep = [index for index in range(len(atoms)) if index != there]
    return atoms[keep], final[keep]


def clock() -> tuple[float, float]:
    """Wall and CPU seconds, children that have ended included."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.perf_counter(), time.process_time() + children.ru_utime + children.ru_stime


def prepare(folder: Path) -> None:
    """Relax all end states and write the start images, by labkit's CHGNet in ASE's BFGS."""
    from ase.optimize import BFGS

    from labkit.potentials import load
    from labkit.simulators.neb_start import start_path

    potential = None
    for name in PATHS:
        file = folder / f"{name}.start.extxyz"
        if file.exists():
            continue
        potential = potential or load("chgnet", "cpu")
        ends, steps = end_states(name), []
        for atoms in ends:
            atoms.calc = potential.calculator()
            with BFGS(atoms, logfile=None) as optimiser:
                optimiser.run(fmax=FMAX_ENDS, steps=500)
                steps.append(optimiser.nsteps)
            atoms.calc = None
        path = start_path(*ends, IMAGES)
        hop = np.linalg.norm(path[-1] - path[0], axis=1).max()
        print(f"{name}: {len(ends[0])} atoms, hop {hop:.2f} Å, end states relaxed in {steps} steps", flush=True)
        images = []
        for positions in path:
            image = ends[0].copy()
            image.positions = positions
            images.append(image)
        write(file, images)


def stock_ase(folder: Path) -> None:
    """ASE's NEB and FIRE with the stock calculator, one path after the other."""
    import torch
    from ase.mep import NEB
    from ase.optimize import FIRE
    from chgnet.model import CHGNet
    from chgnet.model.dynamics import CHGNetCalculator

    torch.set_num_threads(THREADS)
    model = None
    for name in PATHS:
        file = folder / f"{name}.ase.json"
        if file.exists():
            continue
        model = model or CHGNet.load(use_device="cpu", verbose=False)
        images = read(folder / f"{name}.start.extxyz", ":")
        for image in images:
            image.calc = CHGNetCalculator(model=model, use_device="cpu")
        (
            images[0].get_forces(),
            images[-1].get_forces(),
        )  # the first call warms up; end states cost labkit nothing either
        begin = clock()
        steps = []
        for climb, fmax in ((False, COARSE), (True, FMAX)):
            band = NEB(images, k=SPRING, climb=climb, method="improvedtangent")
            with FIRE(band, logfile=str(folder / f"{name}.ase.log")) as optimiser:
                converged = optimiser.run(fmax=fmax, steps=500)
                steps.append(optimiser.nsteps)
        end = clock()
        energies = [float(image.get_potential_energy()) for image in images]
        row = {
            "steps": steps,
            "converged": bool(converged),
            "wall_s": end[0] - begin[0],
            "cpu_s": end[1] - begin[1],
            "energies_eV": energies,
            "forward_eV": max(energies) - energies[0],
            "peak_MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        }
        file.write_text(json.dumps(row, indent=1))
        print(f"ASE {name}: {steps} steps, {row['wall_s']:.0f} s, barrier {row['forward_eV']:.3f} eV", flush=True)


def in_labkit(folder: Path) -> None:
    """All bands in one batch, by one process and by two."""
    from labkit.simulators.neb import Band, NudgedElasticBand, paths

    bands = []
    for name in PATHS:
        images = read(folder / f"{name}.start.extxyz", ":")
        bands.append(Band(initial=images[0], final=images[-1], name=name))
    for processes in (1, 2):
        file = folder / f"labkit-{processes}.json"
        if file.exists():
            continue
        task = NudgedElasticBand(
            bands=bands, images=IMAGES, fmax_eV_A=FMAX, relax_ends=False, processes=processes, device="cpu"
        )
        begin = clock()
        run = task.run(store=folder / "runs")
        end = clock()
        row: dict[str, Any] = {
            "wall_s": end[0] - begin[0],
            "cpu_s": end[1] - begin[1],
            "result": {key: value for key, value in run.result().items() if key != "bands"},
            "paths": {
                path.name: {
                    "steps": path.steps,
                    "state": path.state,
                    "mirrored": path.mirrored,
                    "energies_eV": list(path.energies_eV),
                }
                for path in paths(run)
            },
            "peak_MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        }
        file.write_text(json.dumps(row, indent=1))
        print(f"labkit, {processes} process(es): {row['wall_s']:.0f} s wall, {row['cpu_s']:.0f} s CPU", flush=True)


def tight(folder: Path) -> None:
    """The same bands until no force is above `TIGHT`, both sides with labkit's CHGNet: do they find the same paths?"""
    from ase.mep import NEB
    from ase.optimize import FIRE

    from labkit.potentials import load
    from labkit.simulators.neb import find_paths

    potential = load("chgnet", "cpu")
    for name in sorted(PATHS, key=lambda name: name not in ("Li2S", "LiMgPO4 [010]", "LiCoO2")):
        file = folder / f"{name}.tight.json"
        if file.exists():
            continue
        images = read(folder / f"{name}.start.extxyz", ":")
        settings = {"fmax_eV_A": TIGHT, "relax_ends": False, "max_steps": 400}
        ours = find_paths([(images[0], images[-1])], potential, images=IMAGES, **settings)[0]
        for image in images:
            image.calc = potential.calculator()
        steps = []
        for climb, fmax in ((False, COARSE), (True, TIGHT)):
            band = NEB(images, k=SPRING, climb=climb, method="improvedtangent")
            with FIRE(band, logfile=None) as optimiser:
                converged = optimiser.run(fmax=fmax, steps=400)
                steps.append(optimiser.nsteps)
        energies = [image.get_potential_energy() for image in images]
        row = {
            "labkit": {"steps": ours.steps, "state": ours.state, "forward_eV": ours.forward_eV},
            "ASE": {"steps": steps, "converged": bool(converged), "forward_eV": float(max(energies) - energies[0])},
        }
        file.write_text(json.dumps(row, indent=1))
        print(f"{TIGHT} eV/Å, {name}: {row}", flush=True)


def report(folder: Path) -> None:
    """Write the table of the results into FOLDER, to be put into results/neb_vs_ase.md with what it means."""
    lines = [
        "| path | atoms | ASE steps | ASE CPU s | ASE barrier eV | labkit steps | labkit barrier eV | mirrored |"
        f" at {TIGHT} eV/Å: ASE | labkit |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    ours = json.loads((folder / "labkit-1.json").read_text())
    total = {"wall_s": 0.0, "cpu_s": 0.0}
    for name in PATHS:
        stock = json.loads((folder / f"{name}.ase.json").read_text())
        total = {key: total[key] + stock[key] for key in total}
        path = ours["paths"][name]
        barrier = max(path["energies_eV"]) - path["energies_eV"][0]
        atoms = len(read(folder / f"{name}.start.extxyz", 0))
        closer = folder / f"{name}.tight.json"
        row = json.loads(closer.read_text()) if closer.exists() else {}
        both = [
            f"{row[side]['forward_eV']:.3f} ({np.sum(row[side]['steps'])} steps)" if row else "not run"
            for side in ("ASE", "labkit")
        ]
        steps = " + ".join(map(str, stock["steps"]))
        lines.append(
            f"| {name} | {atoms} | {steps} | {stock['cpu_s']:.0f} | {stock['forward_eV']:.3f} | {path['steps']} | "
            f"{barrier:.3f} | {'yes' if path.get('mirrored') else 'no'} | {both[0]} | {both[1]} |"
        )
    lines += [
        "",
        "| side | CPU s for a path | wall s for a path | ratio of CPU time | peak memory MB |",
        "|" + " --- |" * 5,
    ]
    lines.append(f"| ASE, stock calculator | {total['cpu_s'] / 8:.1f} | {total['wall_s'] / 8:.1f} | 1 | |")
    for processes in (1, 2):
        file = folder / f"labkit-{processes}.json"
        if file.exists():
            row = json.loads(file.read_text())
            # The CPU time of workers that have not ended yet is not known here.
            known = processes == 1
            cpu = f"{row['cpu_s'] / 8:.1f}" if known else "not measured"
            ratio = f"{total['cpu_s'] / row['cpu_s']:.1f}" if known else ""
            lines.append(
                f"| labkit, processes={processes} | {cpu} | {row['wall_s'] / 8:.1f} | {ratio} | {row['peak_MB']:.0f} |"
            )
    (folder / "table.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))


def main(arguments: list[str]) -> None:
    """Run the stages named."""
    folder = Path(arguments[0])
    folder.mkdir(parents=True, exist_ok=True)
    stages = {"prepare": prepare, "ase": stock_ase, "labkit": in_labkit, "tight": tight, "report": report}
    for stage in arguments[1:] or stages:
        stages[stage](folder)


if __name__ == "__main__":
    main(sys.argv[1:] or ["neb_vs_ase_data"])
