"""Random symmetric crystals against molecular dynamics as training sets for copper, at equal numbers of labels.

Truth is EMT, a potential that costs nothing, so errors are known exactly. Run it as

    python notebooks/longer/23_assyst_against_md.py [folder for the data]

It writes 23_assyst_against_md.json row by row and skips what that holds: five minutes of one core for the data, CPU_S
for each training. Notebook 23 takes its functions.
"""

from __future__ import annotations

import itertools
import json
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.build import bulk, fcc100, fcc110, fcc111
from ase.calculators.emt import EMT
from ase.cluster import Icosahedron
from ase.optimize import FIRE
from ase.spacegroup import crystal

from labkit import potentials, references
from labkit.active_learning import RandomSymmetric
from labkit.datasets import Dataset, compare, read
from labkit.potentials.camp import CAMPSettings
from labkit.simulators import MolecularDynamics
from labkit.training import Training

LATTICE_A = 3.59  # EMT's copper
#: What is kept of the random crystals, as ASSYST's energy and force filters do.
MOST_eV_ATOM, MOST_eV_A = 4.0, 10.0
MODEL = CAMPSettings(channels=24, message_channels=12, n_layers=2, max_v=2)
RECIPE = {"model": MODEL, "epochs": 100_000, "batch_size": 4, "learning_rate": 0.01, "energy_weight": 5}
RECIPE |= {"final_energy_weight": 50, "ema_decay": 0.99}
A15 = [(0, 0, 0), (2, 2, 2), (1, 0, 2), (3, 0, 2), (2, 1, 0), (2, 3, 0), (0, 2, 1), (0, 2, 3)]
LABELS, SEEDS, CPU_S = (100,), (0, 1, 2), 30
FORMULAS = ["Cu1", "Cu2", "Cu3", "Cu4"]
SPACE_GROUPS = [1, 2, 5, 8, 12, 14, 15, 19, 36, 62, 63, 65, 71, 74, 88, 123, 139, 141, 148, 160, 166, 167, 187, 191]
SPACE_GROUPS += [194, 204, 216, 221, 225, 229]


def labelled(structures: list[Atoms], group: str) -> list:
    """EMT's energies, forces and stresses, in the group `group`."""
    truth = references.load("emt")
    return [replace(truth.label(atoms), group=group) for atoms in structures]


def random_crystals(store: Path) -> list:
    """Labelled crystals of a RandomSymmetric run."""
    run = RandomSymmetric(formulas=FORMULAS, space_groups=SPACE_GROUPS, potential="emt", max_steps=100).run(store=store)
    return sound(labelled(run.frames(), "random crystals"))


def sound(records: list) -> list:
    """Without those that are too high in energy or in a force."""
    lowest = min(record.energy / len(record) for record in records)
    return [
        record
        for record in records
        if record.energy / len(record) < lowest + MOST_eV_ATOM and np.abs(record.forces).max() < MOST_eV_A
    ]


def dynamics(
    store: Path, atoms: Atoms, temperature_K: float, *, steps: int, interval: int, seed: int = 0
) -> list[Atoms]:
    """Frames of MD at constant volume, without the first fifth."""
    run = MolecularDynamics(
        structure=atoms,
        potential="emt",
        temperature_K=temperature_K,
        timestep_fs=3.0,
        steps=steps,
        frame_interval=interval,
        seed=seed,
    ).run(store=store)
    frames = run.frames()
    return frames[len(frames) // 5 :]


def fcc(scale: float = 1.0) -> Atoms:
    """32 atoms of fcc copper."""
    return bulk("Cu", "fcc", a=LATTICE_A * scale, cubic=True).repeat(2)


def hot_crystals(store: Path, steps: int = 1000, interval: int = 20) -> list:
    """fcc at four temperatures and three lattice constants: what one would take without thinking of phases."""
    cases = [(kelvin, scale) for kelvin in (300, 600, 900, 1200) for scale in (0.98, 1.0, 1.02)]
    frames = [
        frame
        for number, (kelvin, scale) in enumerate(cases)
        for frame in dynamics(store, fcc(scale), kelvin, steps=steps, interval=interval, seed=number)
    ]
    return labelled(frames, "fcc, MD")


def phases(seed: int = 0, each: int = 8) -> dict[str, list[Atoms]]:
    """Structures that fit in no cell of four atoms, and strained fcc; rattled by 0.1 Å, cells within 5 % in length.

    Chosen before any result was seen.
    """
    a15 = Atoms("Cu8", scaled_positions=np.array(A15) / 4, cell=[4.53] * 3, pbc=True)
    beta_mn = crystal(
        ("Cu", "Cu"), [(0.0633,) * 3, (0.125, 0.2022, 0.4522)], spacegroup=213, cellpar=[6.16] * 3 + [90] * 3
    )
    vacancy, dumbbell = fcc(), fcc()
    del vacancy[0]
    dumbbell.positions[0, 0] += 0.3 * LATTICE_A
    dumbbell.append("Cu")
    dumbbell.positions[-1] = [-0.3 * LATTICE_A, 0, 0]
    for atoms in (vacancy, dumbbell):
        atoms.calc = EMT()
        FIRE(atoms, logfile=None).run(fmax=0.05, steps=200)
    slabs = [make("Cu", (2, 2, 4), a=LATTICE_A, vacuum=6, periodic=True) for make in (fcc111, fcc100, fcc110)]
    clusters = [Icosahedron("Cu", shells) for shells in (2, 3)]
    starts = {
        "fcc strained": [fcc()],
        "A15": [a15],
        "beta-Mn": [beta_mn],
        "vacancy": [vacancy],
        "interstitial": [dumbbell],
        "surfaces": slabs,
        "icosahedra": clusters,
    }
    made: dict[str, list[Atoms]] = {}
    for name, kinds in starts.items():
        generator = np.random.default_rng([seed, *name.encode()])
        made[name] = []
        for number in range(each):
            start = kinds[number % len(kinds)]
            atoms = Atoms(start.symbols, positions=start.positions, cell=start.cell, pbc=start.pbc)
            if name == "fcc strained":
                strain = generator.uniform(-0.12, 0.12, (3, 3))
                atoms.set_cell(atoms.cell.array @ (np.eye(3) + (strain + strain.T) / 2), scale_atoms=True)
            elif name not in ("surfaces", "icosahedra"):
                atoms.set_cell(atoms.cell.array * generator.uniform(0.95, 1.05), scale_atoms=True)
            atoms.positions += generator.normal(scale=0.1, size=(len(atoms), 3))
            made[name].append(atoms)
    return made


def melt(store: Path) -> list[Atoms]:
    """108 atoms, molten at 3000 K for 4 ps, then ten frames from 6 ps at 1800 K; 10 % more volume than the crystal."""
    start = bulk("Cu", "fcc", a=LATTICE_A * 1.1 ** (1 / 3), cubic=True).repeat(3)
    hot = dynamics(store, start, 3000.0, steps=1300, interval=1300)[-1]
    moved = np.linalg.norm(hot.positions - start.positions, axis=1)
    if np.sqrt((moved**2).mean()) < LATTICE_A / 2**0.5:
        raise RuntimeError(f"the crystal has not molten: atoms moved by {moved.mean():.2f} Å.")
    return dynamics(store, hot, 1800.0, steps=2000, interval=160)[-10:]


def trained(store: Path, records: list, seed: int, cpu_s: float, name: str) -> potentials.Potential:
    """A new CAMP-L from these labels; a tenth of them chooses the best weights."""
    path = store / f"{name}.extxyz"
    Dataset(records, name).write(path)
    run = Training(dataset=str(path), seed=seed, cpu_budget_s=cpu_s, **RECIPE).run(store=store)
    return potentials.load(run.folder / "best")


def errors(potential: potentials.Potential, test: list) -> dict[str, dict[str, float]]:
    """group -> force RMSE (meV/Å) and energy RMSE (meV/atom)."""
    data = Dataset(test, "phases")
    table = compare(data, potential.predict(data.structures())).errors().set_index("group")
    return table[["forces_rmse_meV_A", "energy_rmse_meV_atom"]].round(2).to_dict("index")


def drawn(records: list, count: int, seed: int) -> tuple[list, list]:
    """`count` records at random, and 50 of those that are left."""
    order = np.random.default_rng([seed, 23]).permutation(len(records))
    return [records[index] for index in order[:count]], [records[index] for index in order[count : count + 50]]


def kept(path: Path, make: Callable[[], list]) -> list:
    """The records of a file, which are made first where it is missing."""
    if not path.exists():
        Dataset(make(), path.stem).write(path)
    return list(read(path))


def main(folder: Path) -> None:
    """Run everything that the table does not hold yet; data stay in `folder`."""
    target = Path(__file__).with_suffix(".json")
    table = json.loads(target.read_text()) if target.exists() else {"rows": []}
    rows = table["rows"]
    pools = {
        "random crystals": kept(folder / "random.extxyz", lambda: random_crystals(folder)),
        "MD": kept(folder / "md.extxyz", lambda: hot_crystals(folder)),
    }
    test = [record for name, atoms in phases().items() for record in labelled(atoms, name)]
    test += kept(folder / "melt.extxyz", lambda: labelled(melt(folder), "melt"))
    for count, seed in itertools.product(LABELS, SEEDS):
        homes = [one for pool in pools.values() for one in drawn(pool, count, seed)[1]]
        for name, pool in pools.items():
            if any((row["set"], row["labels"], row["seed"]) == (name, count, seed) for row in rows):
                continue
            chosen, _ = drawn(pool, count, seed)
            opened = trained(folder, chosen, seed, CPU_S, f"{name}-{count}-{seed}")
            found = {"set": name, "labels": count, "seed": seed, "atoms": sum(map(len, chosen)), "cpu_s": CPU_S}
            rows.append(found | {"errors": errors(opened, [*test, *homes])})
            facts = {"pools": {name: len(pool) for name, pool in pools.items()}}
            target.write_text(json.dumps({**facts, "rows": rows}, indent=1) + "\n")
            print(name, count, seed, rows[-1]["errors"]["all"], flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1] if sys.argv[1:] else tempfile.mkdtemp()))
