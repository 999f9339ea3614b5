"""Stationary points found per CPU minute: labkit's exploration beside topsearch's, same molecule, potential and budget.

`python -m tests.benchmarks.landscape_vs_topsearch FOLDER [--venv /tmp/venv_topsearch] [--cpu-s 60] [SYSTEM ...]`. The
environment of topsearch is made when it is missing: Python 3.11 or 3.12 with topsearch 0.0.3, numpy < 2, ase 3.22.1,
tblite. Whatever either side found is converged again and proven by a Hessian afterwards, off the clock, and only
distinct proven points count, copies and mirror images left out; each with the CPU second of its discovery.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

PINS = ("topsearch==0.0.3", "numpy<2", "ase==3.22.1", "tblite==0.8.0")
LJ = "labkit.potentials.lennard_jones_cluster:lennard_jones_cluster"
#: Two points are one: distance (Å, norm over all atoms, aligned) and energy (eV), for both sides.
DISTANCE_A, ENERGY_EV = 0.3, 1e-3
#: What topsearch returns may move by so much (Å) when it is converged further, and still counts as found.
MOVED_A = 0.6


def system(name: str) -> dict[str, Any]:
    """The start geometry, the potential, and topsearch's own parameters (those of Landscape17 for molecules)."""
    if name.startswith("LJ"):
        from labkit.landscapes.quench import minimise
        from labkit.landscapes.surface import Surface

        atoms = Atoms(f"Ar{name[2:]}")
        starts = np.random.default_rng(1).uniform(-1.2, 1.2, (10, len(atoms), 3))
        quenched = minimise(Surface.of(LJ, atoms), starts, max_steps=3000)
        atoms.positions = quenched.positions[np.where(quenched.converged, quenched.energies, np.inf).argmin()]
        own = {"distance_A": DISTANCE_A, "energy_eV": ENERGY_EV, "pushoff_A": 0.1, "hops": 50}
    else:
        from rdkit import Chem
        from rdkit.Chem import AllChem

        molecule = Chem.AddHs(Chem.MolFromSmiles({"ethanol": "CCO", "glycol": "OCCO"}[name]))
        AllChem.EmbedMolecule(molecule, randomSeed=1)
        AllChem.MMFFOptimizeMolecule(molecule)
        atoms = Atoms([a.GetSymbol() for a in molecule.GetAtoms()], molecule.GetConformer().GetPositions())
        own = {"distance_A": 1.0, "energy_eV": 5e-3, "pushoff_A": 0.8, "hops": 20}
    return {
        "name": name,
        "potential": LJ if name.startswith("LJ") else "gfn2-xtb",
        "symbols": atoms.get_chemical_symbols(),
        "numbers": atoms.numbers.tolist(),
        "positions": atoms.positions.tolist(),
        **own,
    }


def labkit_side(task: dict[str, Any], target: Path) -> None:
    """Explorations with seeds 0, 1, ... until the CPU time is spent; to be run in a process of its own."""
    from labkit.landscapes.exploration import LandscapeExploration
    from labkit.landscapes.network import KineticNetwork
    from labkit.landscapes.surface import Surface

    events: list[tuple[str, float, float, list[float], int]] = []
    evaluations = 0

    class Spent(BaseException):
        pass

    def watched(kind: str, inner: Any) -> Any:
        def outer(self: Any, *args: Any, **options: Any) -> int:
            energy, positions = args[-2:]
            point = np.asarray(positions).ravel().tolist()
            events.append((kind, time.process_time(), float(energy), point, evaluations))
            return inner(self, *args, **options)

        return outer

    KineticNetwork.add_minimum = watched("minimum", KineticNetwork.add_minimum)
    KineticNetwork.add_transition_state = watched("saddle", KineticNetwork.add_transition_state)
    evaluate = Surface.evaluate

    def clocked(self: Any, positions: np.ndarray) -> Any:
        nonlocal evaluations
        if time.process_time() > task["budget_s"]:
            raise Spent
        evaluations += len(positions)
        return evaluate(self, positions)

    Surface.evaluate = clocked
    atoms = Atoms(task["symbols"], task["positions"])
    rounds = 0
    try:
        while rounds < 1000:
            exploration = LandscapeExploration(structure=atoms, potential=task["potential"], seed=rounds)
            exploration.run(store=target.parent / "runs")
            rounds += 1
    except Spent:
        pass
    said = {"evaluations": evaluations, "rounds": rounds, "cpu_s": time.process_time(), "events": events}
    target.write_text(json.dumps(said))


def proven(task: dict[str, Any], events: list[Any]) -> list[tuple[str, float, int]]:
    """(kind, CPU second, evaluations) at every first discovery of a distinct point that a Hessian confirms."""
    from labkit.landscapes.alignment import Comparison
    from labkit.landscapes.eigenvector_following import find_saddles
    from labkit.landscapes.exploration_subject import Subject
    from labkit.landscapes.hessian import normal_modes
    from labkit.landscapes.quench import minimise
    from labkit.landscapes.surface import Surface

    atoms = Atoms(task["symbols"], task["positions"])
    surface = Surface.of(task["potential"], atoms)
    subject = Subject.of(Atoms(task["symbols"], minimise(surface, atoms.positions[None]).positions[0]))
    comparison: Comparison = subject.comparison(inversion=True)
    known: dict[str, list[tuple[np.ndarray, float]]] = {"minimum": [], "saddle": []}
    tried: dict[str, list[tuple[np.ndarray, float]]] = {"minimum": [], "saddle": []}
    found = []

    def seen(where: list[tuple[np.ndarray, float]], x: np.ndarray, energy: float) -> bool:
        return any(comparison.same(y, other, x, energy, DISTANCE_A, ENERGY_EV) for y, other in where)

    for kind, when, energy, flat, spent in sorted(events, key=lambda event: event[1]):
        start = np.array(flat).reshape(-1, 3)
        if seen(tried[kind], start, energy) or seen(known[kind], start, energy):
            continue
        tried[kind].append((start, energy))
        if kind == "minimum":
            quench = minimise(surface, start[None])
            [modes] = normal_modes(surface, quench.positions) if quench.converged[0] else [None]
            good = modes is not None and modes.negative == 0 and modes.flat == 0
            x, energy = quench.positions[0], float(quench.energies[0])
        else:
            [saddle] = find_saddles(surface, start[None], max_steps=40, repairs=0)
            good, x, energy = saddle.found, saddle.positions, saddle.energy_eV
        # A minimum that moved far on quenching was none; a saddle likewise.
        good = good and np.linalg.norm(x - start) < MOVED_A and not (kind == "minimum" and subject.fault(x))
        if good and not seen(known[kind], x, energy):
            known[kind].append((x, energy))
            found.append((kind, when, spent))
    return found


def environment(folder: Path) -> Path:
    """The interpreter of topsearch's environment, made when it is missing."""
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run(["python3.11", "-m", "venv", str(folder)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "-q", *PINS], check=True)
    return python


def report(name: str, sides: dict[str, dict[str, Any]]) -> str:
    """One line of the table, and what it means."""
    rows = []
    for side, said in sides.items():
        kinds = [kind for kind, _, _ in said["proven"]]
        minutes = said["cpu_s"] / 60
        last = max((when for _, when, _ in said["proven"]), default=np.nan)
        rows.append(
            f"| {name} | {side} | {kinds.count('minimum')} | {kinds.count('saddle')} | {len(kinds) / minutes:.1f} | "
            f"{last:.1f} | {said['cpu_s']:.0f} | {said['evaluations']:,} |"
        )
    peer, ours = (sorted((when, spent) for _, when, spent in sides[side]["proven"]) for side in ("topsearch", "labkit"))
    level = min(len(peer), len(ours)) - 1
    if level >= 0:
        (slow, many), (quick, few) = peer[level], ours[level]
        rows.append(
            f"\nThe first {level + 1} points: topsearch {slow:.1f} s of CPU and {many:,} evaluations, labkit "
            f"{quick:.1f} s and {few:,}; ratio of CPU {slow / quick:.1f}.\n"
        )
    return "\n".join(rows)


def main() -> None:
    """Run both sides of every system, prove what they found, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("systems", nargs="*", default=["ethanol", "glycol", "LJ10"])
    parser.add_argument("--venv", type=Path, default=Path("/tmp/venv_topsearch"))
    parser.add_argument("--cpu-s", type=float, default=60.0)
    parser.add_argument("--side", help="internal: the task file of labkit's side")
    options = parser.parse_args()
    if options.side:
        labkit_side(json.loads(Path(options.side).read_text()), options.folder)
        return
    options.folder.mkdir(parents=True, exist_ok=True)
    python = environment(options.venv)
    one_thread = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    print("| system | side | minima | saddles | points per CPU minute | last new point, CPU s | CPU s | evaluations |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for name in options.systems:
        task = {**system(name), "budget_s": options.cpu_s, "seed": 0}
        asked = options.folder / f"{name}.json"
        asked.write_text(json.dumps(task))
        sides = {}
        for side in ("topsearch", "labkit"):
            target = options.folder / f"{name}_{side}_{options.cpu_s:g}.json"
            if side == "topsearch":
                command = [str(python), str(Path(__file__).with_name("topsearch_side.py")), str(asked), str(target)]
            else:
                command = [sys.executable, "-m", __spec__.name, str(target), "--side", str(asked)]
            if not target.exists():
                subprocess.run(command, check=True, env=one_thread)
            said = json.loads(target.read_text())
            if "proven" not in said:
                said["proven"] = proven(task, said["events"])
                target.write_text(json.dumps(said))
            sides[side] = said
        print(report(name, sides), flush=True)


if __name__ == "__main__":
    main()
