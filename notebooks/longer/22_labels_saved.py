"""How many labels active learning saves: the same committee, the same pool, chosen with and without looking.

    python notebooks/longer/22_labels_saved.py water 0 1 2 3 4      # about 30 CPU minutes
    python notebooks/longer/22_labels_saved.py copper 0 1 2 3 4

For each seed a committee of three starts from the same ten random structures. Then the number of labels doubles: by the
committee's uncertainty (the most uncertain, three times as many as wanted, thinned by farthest points) up to 80 labels,
at random up to 160. Errors are of forces on structures that are not in the pool. Water: clusters of 2 to 6 molecules
from GFN1-xTB dynamics, labelled with GFN2-xTB; tested on GFN2-xTB dynamics. Copper: EMT, 24 to 32 atoms, mostly a cold
crystal, as a long run would give; tested on all kinds in equal parts. The outcome is 22_labels_saved.json, one entry
for each system, seed and strategy; what is there already is not computed again.
"""

from __future__ import annotations

import json
import sys
import tempfile
import warnings
from functools import lru_cache
from pathlib import Path

import numpy as np
from ase import Atoms, units
from ase.build import bulk, fcc100, fcc111, molecule
from ase.md.langevin import Langevin
from ase.md.velocitydistribution import thermalize_momenta

from labkit.active_learning import at_random, atom_spread, farthest_point, member_forces, structure_spread
from labkit.datasets import Record
from labkit.potentials.camp import CAMP, CAMPSettings
from labkit.potentials.committee import Committee
from labkit.references import load
from labkit.training import fit

RESULTS = Path(__file__).with_suffix(".json")
CACHE = Path(tempfile.gettempdir()) / "labkit-labels-saved"
COUNTS = {True: (10, 20, 40, 80), False: (10, 20, 40, 80, 160)}
MEMBERS, BATCH = 3, 5
#: Steps of the optimiser; more labels take more steps to be learned, so that no strategy is held back by the budget.
STEPS = {10: 500, 20: 500, 40: 500, 80: 500, 160: 700}
MODEL = {
    "water": CAMPSettings(channels=16, n_layers=2, max_v=2, message_channels=16, readout_hidden=16),
    "copper": CAMPSettings(channels=16, n_layers=1, max_v=2, products=2, readout_hidden=16),
}


def dynamics(atoms: Atoms, potential, temperature: float, frames: int, every: int, step_fs: float, seed: int) -> list:
    """Frames of Langevin dynamics, the first tenth left out."""
    rng = np.random.default_rng(seed)
    atoms = atoms.copy()
    atoms.calc = potential.calculator()
    thermalize_momenta(atoms, temperature, rng=rng)
    friction = 0.02 / units.fs
    motion = Langevin(atoms, step_fs * units.fs, temperature_K=temperature, friction=friction, fixcm=False, rng=rng)
    found = []
    for frame in range(frames + frames // 10):
        motion.run(every)
        if frame >= frames // 10:
            found.append(Atoms(atoms.numbers, positions=atoms.positions, cell=atoms.cell, pbc=atoms.pbc))
    return found


def water(n: int, seed: int) -> Atoms:
    """n molecules on a loose grid, turned at random."""
    rng, cluster = np.random.default_rng(seed), Atoms()
    for place in range(n):
        one = molecule("H2O")
        one.rotate(float(rng.uniform(0, 360)), rng.normal(size=3))
        one.translate(2.9 * np.array([place % 2, place // 2 % 2, place // 4], dtype=float))
        cluster += one
    return cluster


def water_structures(seed: int, frames: int, potential) -> list[tuple[str, Atoms]]:
    """Clusters of two to six molecules at three temperatures."""
    found = []
    for n in (2, 3, 4, 5, 6):
        for temperature in (100, 200, 350):
            chain = dynamics(water(n, seed + n), potential, temperature, frames, 20, 0.5, seed + 10 * n)
            found += [(f"{temperature} K", atoms) for atoms in chain]
    return found


def copper_structures(seed: int, counts: dict[str, int], potential) -> list[tuple[str, Atoms]]:
    """A cold and a hot crystal, a vacancy, a surface, a melt."""
    crystal = bulk("Cu", "fcc", a=3.6, cubic=True).repeat((2, 2, 2))
    hole = crystal.copy()
    del hole[0]
    loose = crystal.copy()
    loose.set_cell(loose.cell * 1.03, scale_atoms=True)
    starts = {
        "cold crystal": (crystal, 300),
        "hot crystal": (crystal, 1000),
        "vacancy": (hole, 700),
        "surface 100": (fcc100("Cu", (2, 2, 6), a=3.6, vacuum=6.0, periodic=True), 700),
        "surface 111": (fcc111("Cu", (2, 2, 6), a=3.6, vacuum=6.0, periodic=True), 700),
        "melt": (loose, 2500),
    }
    found = []
    for index, (name, (atoms, temperature)) in enumerate(starts.items()):
        chain = dynamics(atoms, potential, temperature, counts[name], 20, 4.0, seed + index)
        found += [(name, one) for one in chain]
    return found


def labelled(system: str) -> tuple[list[Record], list[Record]]:
    """The pool and the test set, labelled once and kept in the temporary folder of this machine."""
    from labkit import datasets

    CACHE.mkdir(exist_ok=True)
    sets = []
    for part in ("pool", "test"):
        path = CACHE / f"{system}-{part}.extxyz"
        if not path.exists():
            seed, few = (100, False) if part == "pool" else (900, True)
            if system == "water":
                explorer, truth = load("gfn1-xtb" if not few else "gfn2-xtb"), load("gfn2-xtb")
                found = water_structures(seed, 20 if few else 110, explorer.potential())
            else:
                truth = load("ase.calculators.emt:EMT")
                names = ("cold crystal", "hot crystal", "vacancy", "surface 100", "surface 111", "melt")
                shares = dict.fromkeys(names, 50) if few else dict(zip(names, (1100, 200, 60, 60, 60, 60), strict=True))
                found = copper_structures(seed, shares, truth.potential())
            records = []
            for group, atoms in found:
                one = truth.label(atoms)
                records.append(
                    Record(one.atoms, one.energy, one.forces, group=group, level_of_theory=one.level_of_theory)
                )
            datasets.Dataset(records, f"{system}-{part}").write(path)
        sets.append(list(datasets.load(path)))
    return sets[0], sets[1]


def committee(system: str, records: list[Record], seed: int) -> Committee:
    """Three networks from scratch."""
    elements = sorted({symbol for record in records for symbol in record.atoms.symbols})
    members = []
    for number in range(MEMBERS):
        one = CAMP.untrained(MODEL[system], elements, seed=100 * seed + number, device="cpu")
        one.fit_scale_and_shift(
            [record.atoms for record in records], [record.energy for record in records], [r.forces for r in records]
        )
        batch = min(BATCH, len(records))
        epochs = max(1, STEPS[len(records)] * batch // len(records))
        fit(
            one,
            records,
            epochs=epochs,
            batch_size=batch,
            learning_rate=0.01,
            ema_decay=0.99,
            validation_interval=1_000_000,
            validation_structures=1,
            seed=100 * seed + number,
        )
        members.append(one)
    return Committee(members)


def descriptor(atoms: Atoms) -> np.ndarray:
    """A histogram of smoothed pair distances for each pair of elements, per atom: 0.25 Å wide up to 5 Å."""
    centres, rows = np.arange(0.5, 5.0, 0.25), []
    distances = atoms.get_all_distances(mic=bool(atoms.pbc.any()))
    elements = sorted(set(atoms.numbers))
    for a, one in enumerate(elements):
        for other in elements[a:]:
            found = distances[np.ix_(atoms.numbers == one, atoms.numbers == other)]
            found = found[(found > 0.1) & (found < 5.5)]
            rows.append(np.exp(-(((found[:, None] - centres) / 0.25) ** 2)).sum(0) / len(atoms))
    return np.concatenate(rows)


@lru_cache(maxsize=1)
def first(system: str, seed: int) -> Committee:
    """The committee of the first ten labels, which both strategies begin with."""
    pool = labelled(system)[0]
    return committee(system, [pool[choice.index] for choice in at_random(len(pool), COUNTS[True][0], seed)], seed)


def race(system: str, seed: int, looking: bool, pool: list[Record], test: list[Record]) -> list[dict]:
    """One line for each number of labels."""
    rows = np.array([descriptor(record.atoms) for record in pool])
    rows /= rows.std(axis=0) + 1e-9
    chosen = [choice.index for choice in at_random(len(pool), COUNTS[looking][0], seed)]
    told, members = [], None
    groups = sorted({record.group for record in test})
    for count in COUNTS[looking]:
        if count > len(chosen):
            rest = np.setdiff1d(np.arange(len(pool)), chosen)
            wanted = count - len(chosen)
            if looking:
                spreads = member_forces(members, [pool[index].atoms for index in rest])
                worst = np.array([structure_spread(atom_spread(forces)) for forces in spreads])
                rest = rest[np.argsort(-worst)[: 3 * wanted]]
                new = [rest[c.index] for c in farthest_point(rows[rest], wanted, known=rows[chosen], seed=seed)]
            else:
                new = [rest[choice.index] for choice in at_random(len(rest), wanted, seed + count)]
            chosen += [int(index) for index in new]
        new_start = count == COUNTS[looking][0]
        members = first(system, seed) if new_start else committee(system, [pool[index] for index in chosen], seed)
        answers = members.predict([record.atoms for record in test], ("energy", "forces")).forces
        errors = [answer - record.forces for answer, record in zip(answers, test, strict=True)]
        by_group = {
            name: float(
                np.sqrt(
                    np.mean(
                        np.concatenate([e.ravel() for e, r in zip(errors, test, strict=True) if r.group == name]) ** 2
                    )
                )
            )
            for name in groups
        }
        picked = {name: sum(pool[index].group == name for index in chosen) for name in groups}
        rmse = float(np.sqrt(np.mean(np.concatenate([error.ravel() for error in errors]) ** 2)))
        told.append({"labels": count, "force_rmse_eV_A": rmse, "groups": by_group, "picked": picked})
        print(system, seed, "looking" if looking else "random", count, round(1e3 * rmse, 1), "meV/Å", flush=True)
    return told


def main() -> None:
    """Run what is missing."""
    system, seeds = sys.argv[1], [int(seed) for seed in sys.argv[2:]]
    pool, test = labelled(system)
    print(f"{system}: {len(pool)} in the pool, {len(test)} to test on", flush=True)
    for seed in seeds:
        for looking in (True, False):
            known = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
            key = f"{system}/{'active' if looking else 'random'}/{seed}"
            if key not in known:
                told = race(system, seed, looking, pool, test)
                known = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
                known[key] = told
                RESULTS.write_text(json.dumps(known, indent=1))


if __name__ == "__main__":
    warnings.filterwarnings("ignore", category=UserWarning)
    main()
