"""LATP, Li1.5Al0.5Ti1.5(PO4)3: its extra lithium travels by knocking; CHGNet 0.2.0 learns the hops from CHGNet 0.3.0.
Makes 32_latp.json.

    python 32_latp.py FOLDER

One Ti of the primitive cell becomes Al, one Li is added in each kind of void, all are relaxed with CHGNet 0.3.0; bands
between the lowest states of two neighbouring cavities, then the loop of notebook 32. FOLDER keeps the runs: called
again with it, the script goes on where it was stopped.
"""

import json
import sys
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.geometry import find_mic
from scipy.optimize import linear_sum_assignment

from labkit.active_learning.dual_neb import DualNEB, paths
from labkit.runs import Run, Store
from labkit.runs.worker import work
from labkit.simulators import Band, Relaxation
from labkit.simulators.hops_sites import void_sites
from labkit.structures import named
from labkit.structures.build_cell import primitive
from labkit.structures.field import from_dict

HERE = Path(__file__).parent


def candidates() -> list[Atoms]:
    """LiTi2(PO4)3 with one Al for Ti and one more Li, once in each void."""
    parent = primitive(named("LiTi2(PO4)3"))
    host = parent.copy()
    host.symbols[list(host.symbols).index("Ti")] = "Al"
    made = []
    for number, site in enumerate(void_sites(parent, "Li")):
        atoms = host + Atoms("Li", positions=[site @ host.cell.array])
        atoms.info = {"name": f"void {number}"}
        made.append(atoms)
    return made


def lithium(atoms: Atoms) -> np.ndarray:
    """Indices of lithium."""
    return np.flatnonzero(atoms.symbols == "Li")


def band(initial: Atoms, final: Atoms, name: str) -> Band:
    """A band in which each lithium goes to the place nearest to its own: which one has travelled is not known."""
    ions = lithium(initial)
    ways = final.positions[ions][None, :] - initial.positions[ions][:, None]
    distances = np.array([find_mic(row, initial.cell, pbc=True)[1] for row in ways])
    _, order = linear_sum_assignment(distances**2)
    final = final.copy()
    final.positions[ions] = final.positions[ions[order]]
    moved = distances[np.arange(len(ions)), order]
    return Band(initial=initial, final=final, name=f"{name}, {' + '.join(f'{one:.1f}' for one in np.sort(moved))} Å")


def cavity(atoms: Atoms) -> int:
    """Which 6b site holds the pair: the one (0 or 1) that no lithium sits on."""
    sites = primitive(named("LiTi2(PO4)3"))
    sites = sites.positions[lithium(sites)]
    nearest = [find_mic(atoms.positions[lithium(atoms)] - site, atoms.cell, pbc=True)[1].min() for site in sites]
    return int(np.argmax(nearest))


def rounded(value, digits=4):
    """Numbers as short as they are known."""
    if isinstance(value, float):
        return round(value, digits)
    if isinstance(value, list):
        return [rounded(one, digits) for one in value]
    return {key: rounded(one, digits) for key, one in value.items()} if isinstance(value, dict) else value


def finished(task, folder: Path, name: str) -> Run:
    """The run of `task` in `folder`, gone on with if it was stopped."""
    for run in Store(folder).runs():
        if run.name == name:
            if run.state != "finished":
                work(run.folder, own_process=False)
            return run
    return task.run(store=folder, name=name)


def main(folder: Path) -> None:
    """Relax, choose the states, run the loop, write the file."""
    settings = {"fmax_eV_A": 0.04, "max_steps": 300, "relax_cell": False, "device": "cpu"}
    relaxed = finished(Relaxation(structures=candidates(), **settings), folder, "states").result()
    energies = np.array(relaxed["energies_eV"])
    states = [from_dict(one) for one in relaxed["structures"]]
    lowest = {}
    for index in np.argsort(energies):
        lowest.setdefault(cavity(states[index]), []).append(int(index))
    here, there = (lowest[one] for one in sorted(lowest, key=lambda one: energies[lowest[one][0]]))
    pair = states[here[0]]
    turned = next(index for index in here[1:] if abs(energies[index] - energies[here[0]]) < 0.005)
    # The nearest of the states around the other cavity within 5 meV of its lowest.
    near = [index for index in there if energies[index] - energies[there[0]] < 0.005]
    bands = [band(pair, states[index], "knock") for index in near]
    bands = sorted(bands, key=lambda one: np.linalg.norm(one.final.positions - one.initial.positions))[:1]
    bands += [band(pair, states[turned], "turn")]
    task = DualNEB(bands=bands, images=7, copies=1, rounds=2, device="cpu")
    run = finished(task, folder, "LATP")
    found = {key: value for key, value in run.result().items() if key != "potential"}
    found["paths"] = {who: [path.to_dict() for path in some] for who, some in paths(run).items()}
    found["states"] = {"energies_eV": energies.tolist(), "cavity": [cavity(one) for one in states]}
    (HERE / "32_latp.json").write_text(json.dumps(rounded(found)) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
