"""Naphthalene, its molecule and its crystal, with GFN2-xTB declared as truth: labels, committee, dynamics, spectra.

    python notebooks/longer/55_molecular_crystal.py        # twenty minutes of one core; goes on when interrupted

Labels are molecules and clusters of two and three molecules cut from the crystal (NAPHTA15 of the database that
pyxtal ships), shaken at 100 to 500 K: GFN2-xTB of a periodic cell samples the Gamma point only, which costs 26 meV/Å
with 36 atoms, and labkit's reference refuses it. Four networks learn from 90 % of the labels each, first from 60, then
120, then 280, which the committee itself asked for. Then: harmonic frequencies, dynamics of the molecule with truth,
mean and each member from the same starting points, and dynamics of the crystal with a deuterated guest. Pieces that are
ready lie in 55_runs and are not computed again. Results: 55_committee, 55_test.extxyz.gz, and 55_molecular_crystal.npz
with what the notebook draws.
"""

from __future__ import annotations

import time
import warnings
from pathlib import Path

import numpy as np
import torch
from ase import Atoms, units
from ase.optimize import LBFGS
from scipy.spatial.transform import Rotation

from labkit import datasets, references
from labkit.active_learning import atom_spread, member_forces, structure_spread, top_k
from labkit.active_learning.committee_training import shared_out
from labkit.analysis.vibrations import vdos
from labkit.analysis.vibrations_modes import eckart_frame, project
from labkit.analysis.vibrations_velocities import Velocities
from labkit.datasets import Dataset, Record
from labkit.potentials.camp import CAMP, CAMPSettings
from labkit.potentials.committee import Committee
from labkit.training import fit

HERE = Path(__file__).parent
RUNS = HERE / "55_runs"
MODEL = CAMPSettings(channels=32, n_layers=1, max_v=3, products=2)
MEMBERS, SHARE = 4, 0.9
#: Labels of each round and CPU seconds of each member.
ROUNDS = {60: 4.0, 120: 6.0, 280: 30.0}
#: (cluster size, pool, test): how many structures of each.
SIZES = ((1, 200, 40), (2, 160, 30), (3, 40, 15), (7, 0, 6), (15, 0, 1))
#: Replicas, temperature, steps, step and every how many of them a frame is kept, for the molecule and the crystal.
MOLECULE = {"replicas": 4, "temperature_K": 300.0, "steps": 8000, "step_fs": 0.5, "every": 10}
CRYSTAL = {"temperature_K": 100.0, "steps": 4000, "step_fs": 1.25, "every": 4}
#: Of the spectra of the molecule; and so many motions of each molecule of the crystal are kept: below 1000 cm^-1.
RESOLUTION_THZ, LOW = 0.6, 28
DEUTERIUM = 2.01410178
PER_CM = 521.4709  # sqrt(eV/(Å^2 amu)) / 2π in cm^-1
MOTION = (units._e / units._amu) * 1e-10  # eV/(Å amu) in Å/fs^2: 0.0096485


def experimental_crystal() -> Atoms:
    """The cell of NAPHTA15, P2_1/c, Z = 2: 36 atoms, each molecule in one piece."""
    from importlib.resources import files

    from pyxtal.db import database

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = database(str(files("pyxtal") / "database" / "test.db")).get_pyxtal("NAPHTA15").to_ase(resort=False)
    return Atoms(found.numbers, positions=found.positions, cell=found.cell, pbc=True)


def relaxed(atoms: Atoms, potential, force: float = 0.002) -> Atoms:
    """Atoms at rest in a cell that does not change."""
    atoms = atoms.copy()
    atoms.calc = potential.calculator()
    LBFGS(atoms, logfile=None).run(fmax=force, steps=300)
    return Atoms(atoms.numbers, positions=atoms.positions, cell=atoms.cell, pbc=atoms.pbc)


def curvatures(atoms: Atoms, predict, amplitude: float = 0.02) -> np.ndarray:
    """Second derivatives (..., 3n, 3n) in eV/Å^2, by central differences; predict gives forces (B, ..., n, 3)."""
    moved = []
    for index in range(3 * len(atoms)):
        for sign in (1, -1):
            one = atoms.copy()
            one.positions.flat[index] += sign * amplitude
            moved.append(one)
    forces = np.concatenate([predict(moved[at : at + 24]) for at in range(0, len(moved), 24)])
    forces = forces.reshape(*forces.shape[:-2], -1)
    matrix = np.moveaxis((forces[1::2] - forces[::2]) / (2 * amplitude), 0, -2)
    return 0.5 * (matrix + np.swapaxes(matrix, -1, -2))


def modes(matrix: np.ndarray, masses: np.ndarray, idle: int) -> tuple[np.ndarray, np.ndarray]:
    """Wavenumbers (m,) in cm^-1 and mass-weighted eigenvectors (m, n, 3) without the `idle` ones closest to zero."""
    weight = np.repeat(masses**-0.5, 3)
    values, vectors = np.linalg.eigh(matrix * weight * weight[:, None])
    keep = np.sort(np.argsort(abs(values))[idle:])
    wavenumbers = np.sign(values[keep]) * np.sqrt(abs(values[keep])) * PER_CM
    return wavenumbers, vectors.T[keep].reshape(len(keep), -1, 3)


def shaken(rng, atoms: Atoms, found: tuple[np.ndarray, np.ndarray], temperature: float) -> np.ndarray:
    """Displacements (n, 3) in Å of a classical harmonic molecule at this temperature."""
    omega, vectors = found[0] / PER_CM, found[1]
    amplitude = np.sqrt(units.kB * temperature) / np.maximum(omega, 40 / PER_CM)
    return (
        np.einsum("k,kna->na", amplitude * rng.normal(size=len(omega)), vectors) / np.sqrt(atoms.get_masses())[:, None]
    )


def cluster(rng, crystal: Atoms, size: int) -> Atoms:
    """A molecule of the crystal with `size` - 1 of those that touch it, the nearer ones more often."""
    shifts = [(np.array(shift) - 2) @ crystal.cell.array for shift in np.ndindex(5, 5, 5)]
    blocks = [crystal.positions[which : which + 18] + shift for shift in shifts for which in (0, 18)]
    centre = crystal.positions[:18]
    others = [b for b in blocks if abs(b - centre).max() > 1e-6]
    near = np.array([np.linalg.norm(b[:, None] - centre, axis=-1).min() for b in others])
    others = [others[i] for i in np.argsort(near)[:14]]
    chosen = rng.choice(14, size - 1, replace=False) if size < 15 else range(14)
    return Atoms(list(crystal.numbers[:18]) * size, positions=np.concatenate([centre, *(others[i] for i in chosen)]))


def draw(rng, size: int, crystal: Atoms, molecule: Atoms, found) -> Atoms:
    """A cluster with every molecule shaken, moved and turned, and the whole a little wider or tighter."""
    atoms, temperature = cluster(rng, crystal, size), float(rng.choice([100.0, 300.0, 500.0]))
    strain = rng.uniform(0.96, 1.05)
    flat = molecule.positions - molecule.get_center_of_mass()
    for at in range(0, len(atoms), 18):
        block = atoms.positions[at : at + 18]
        middle = block.mean(axis=0)
        turn = Rotation.align_vectors(block - middle, flat)[0]
        inner = turn.apply(flat + shaken(rng, molecule, found, temperature))
        tilt = Rotation.from_rotvec(rng.normal(0, 0.06 * np.sqrt(temperature / 300), 3))
        atoms.positions[at : at + 18] = tilt.apply(inner) + strain * middle + rng.normal(0, 0.12, 3) * (size > 1)
    atoms.info["temperature_K"] = temperature
    return atoms


def labels(truth, crystal: Atoms, molecule: Atoms, found) -> tuple[Dataset, Dataset]:
    """The pool and the test set, drawn from different seeds."""
    sets = []
    for part, column in (("pool", 1), ("test", 2)):
        path = RUNS / f"{part}.extxyz"
        if not path.exists():
            rng, records = np.random.default_rng(column), []
            for size in SIZES:
                for _ in range(size[column]):
                    one = truth.label(draw(rng, size[0], crystal, molecule, found))
                    kind = "1 molecule" if size[0] == 1 else f"{size[0]} molecules"
                    one = Record(one.atoms, one.energy, one.forces, group=kind, level_of_theory=one.level_of_theory)
                    records.append(one)
            Dataset(records, part).write(path)
        sets.append(datasets.load(path))
    return sets[0], sets[1]


def committee(name: str, records: list[Record], seconds: float) -> Committee:
    """Four networks, each with its own seed on its own 90 % of the labels; those that are ready are opened."""
    members = []
    for number in range(MEMBERS):
        folder = RUNS / f"{name}-{number}"
        if not folder.exists():
            own = [records[index] for index in shared_out(len(records), SHARE, [0], number)[0]]
            one = CAMP.untrained(MODEL, ["C", "H"], number, "cpu", "GFN2-xTB", f"naphthalene-{number + 1}")
            one.fit_scale_and_shift([r.atoms for r in own], [r.energy for r in own], [r.forces for r in own])
            options = {"epochs": 100_000, "batch_size": 4, "learning_rate": 0.01, "ema_decay": 0.99, "seed": number}
            options |= {"energy_weight": 1.0, "final_energy_weight": 10.0, "weight_decay": 0.05}
            options |= {"validation_interval": 1_000_000, "validation_structures": 1, "cpu_budget_s": seconds}
            fit(one, own, **options)
            one.save(folder)
        members.append(CAMP.from_folder(folder, "cpu"))
    return Committee(members, "naphthalene")


def errors(model: Committee, test: Dataset) -> dict[str, list[float]]:
    """For each group: RMSE of the mean, RMS over members, and spread of the forces, all components, meV/Å."""
    stacks, told = member_forces(model, test.structures()), {}
    for group in test.groups():
        pairs = [(f, r.forces) for f, r in zip(stacks, test, strict=True) if r.group == group]
        mean = np.concatenate([(f.mean(0) - truth).ravel() for f, truth in pairs])
        each = np.concatenate([(f - truth).ravel() for f, truth in pairs])
        spread = np.concatenate([f.std(0, ddof=1).ravel() for f, _ in pairs])
        told[group] = [float(1e3 * np.sqrt((x**2).mean())) for x in (mean, each, spread)]
    return told


def query(pool: Dataset, test: Dataset) -> tuple[Committee, dict]:
    """The committee of the last round, and what each round looked like: s_F of what was asked for and of the pool."""
    chosen = [int(i) for i in np.random.default_rng(5).choice(len(pool), min(ROUNDS), replace=False)]
    told, model = {"labels": [], "asked": [], "left": [], "errors": []}, None
    for count, seconds in ROUNDS.items():
        rest = np.setdiff1d(np.arange(len(pool)), chosen)
        if model is not None:
            stacks = member_forces(model, [pool[int(i)].atoms for i in rest])
            spread = np.array([structure_spread(atom_spread(forces)) for forces in stacks])
            share = (count - len(chosen)) / len(rest)
            best = []  # of every cluster size in proportion, or the large ones, which have more atoms, would be all
            for group in pool.groups():
                own = np.array([i for i, index in enumerate(rest) if pool[int(index)].group == group])
                best += [int(own[choice.index]) for choice in top_k(spread[own], round(share * len(own)))]
            told["asked"].append(spread[best])
            told["left"].append(np.delete(spread, best))
            chosen += [int(rest[index]) for index in best]
        model = committee(f"round-{count}", [pool[index] for index in chosen], seconds)
        told["labels"].append(len(chosen))
        told["errors"].append(errors(model, test))
        print(count, "labels", {k: np.round(v, 1).tolist() for k, v in told["errors"][-1].items()}, flush=True)
    rest = np.setdiff1d(np.arange(len(pool)), chosen)
    stacks = member_forces(model, [pool[int(index)].atoms for index in rest])
    told["left"].append(np.array([structure_spread(atom_spread(forces)) for forces in stacks]))
    model.provenance = {"structures": len(chosen), "sentence": "CAMP-L for naphthalene at GFN2-xTB, four members"}
    return model, told


def starts(rng, molecule: Atoms, found, count: int, temperature: float) -> list[tuple[Atoms, np.ndarray]]:
    """Replicas with positions and velocities (Å/fs) of the harmonic canonical ensemble; no rotation, no translation."""
    made = []
    for _ in range(count):
        one = molecule.copy()
        one.positions += shaken(rng, molecule, found, temperature)
        speed = np.einsum("k,kna->na", rng.normal(size=len(found[0])), found[1])
        speed *= np.sqrt(units.kB * temperature * MOTION / molecule.get_masses())[:, None]
        made.append((one, speed))
    return made


def dynamics(replicas, forces, steps: int, step_fs: float, every: int) -> dict[str, np.ndarray]:
    """Velocities v (replicas, frames, n, 3) in Å/fs and positions x in Å; velocity Verlet at constant energy."""
    atoms = [one.copy() for one, _ in replicas]
    speed = np.array([v for _, v in replicas])
    push = 0.5 * step_fs * MOTION / atoms[0].get_masses()[:, None]
    force, kept, places = forces(atoms), [], []
    for step in range(steps):
        speed += push * force
        for one, v in zip(atoms, speed, strict=True):
            one.positions += step_fs * v
        force = forces(atoms)
        speed += push * force
        if (step + 1) % every == 0:
            kept.append(speed.copy())
            places.append([one.positions.copy() for one in atoms])
    return {"v": np.array(kept).swapaxes(0, 1), "x": np.array(places).swapaxes(0, 1)}


def forces_of(potential):
    """A function from structures to forces (B, n, 3)."""
    return lambda structures: np.array(potential.predict(structures, ("energy", "forces")).forces)


def stored(name: str, make) -> dict[str, np.ndarray]:
    """Arrays from 55_runs, computed if they are not there."""
    path = RUNS / f"{name}.npz"
    if not path.exists():
        began, made = time.process_time(), make()
        temporary = path.with_suffix(".part.npz")
        np.savez(temporary, **made)
        temporary.rename(path)
        print(f"{name}: {time.process_time() - began:.0f} s", flush=True)
    with np.load(path) as file:
        return dict(file)


def guest_crystal(crystal: Atoms) -> Atoms:
    """Two cells along b, 72 atoms; the first molecule is naphthalene-d8."""
    atoms = crystal.repeat((1, 2, 1))
    masses = atoms.get_masses()
    masses[:18][atoms.numbers[:18] == 1] = DEUTERIUM
    atoms.set_masses(masses)
    return atoms


def main() -> None:
    """Everything that is missing."""
    RUNS.mkdir(exist_ok=True)
    truth, crystal = references.load("gfn2-xtb"), experimental_crystal()

    def truth_forces(structures):
        return np.array([truth.label(one).forces for one in structures])

    def molecule_at_rest():
        one = relaxed(Atoms(crystal.numbers[:18], positions=crystal.positions[:18]), truth.potential())
        return {"positions": one.positions, "curvatures": curvatures(one, truth_forces)}

    rest = stored("molecule", molecule_at_rest)
    molecule = Atoms(crystal.numbers[:18], positions=rest["positions"])
    found = modes(rest["curvatures"], molecule.get_masses(), 6)
    pool, test = labels(truth, crystal, molecule, found)
    model, rounds = query(pool, test)
    model.save(HERE / "55_committee")
    test.write(HERE / "55_test.extxyz.gz")
    mean = forces_of(model)

    def members(structures):
        return np.array([np.array(f) for f in member_forces(model, structures)])

    def harmonic():
        own = relaxed(molecule, model)
        return {"positions": own.positions, "curvatures": curvatures(own, members)}

    own = stored("harmonic", harmonic)
    states = starts(np.random.default_rng(7), molecule, found, MOLECULE["replicas"], MOLECULE["temperature_K"])
    plan = {key: MOLECULE[key] for key in ("steps", "step_fs", "every")}
    runs = {"mean": mean, "gfn2": truth_forces}
    runs |= {f"member-{n}": forces_of(one) for n, one in enumerate(model.members)}
    paths = {k: stored(f"dynamics-{k}", lambda f=f: dynamics(states, f, **plan)) for k, f in runs.items()}

    def crystal_at_rest():
        one = relaxed(crystal, model, 0.003)
        guest = guest_crystal(one)
        return {"positions": one.positions, "curvatures": curvatures(guest, members)}

    solid = stored("crystal", crystal_at_rest)
    crystal.positions = solid["positions"]
    guest = guest_crystal(crystal)
    wave, vectors = modes(solid["curvatures"].mean(0), guest.get_masses(), 3)

    def crystal_dynamics():
        start = starts(np.random.default_rng(8), guest, (wave, vectors), 1, CRYSTAL["temperature_K"])
        return dynamics(start, mean, CRYSTAL["steps"], CRYSTAL["step_fs"], CRYSTAL["every"])

    told = of_molecule(rounds, molecule, rest, own, found, paths)
    told |= {"crystal_positions": crystal.positions, "crystal_cell": crystal.cell.array}
    told["crystal_curvatures"] = solid["curvatures"].mean(0).astype(np.float32)
    np.savez_compressed(HERE / "55_molecular_crystal.npz", **told)  # what follows takes longer than all before
    motion = stored("crystal-dynamics", crystal_dynamics)["v"][0]
    told |= in_crystal(molecule, rest, guest, motion)
    np.savez_compressed(HERE / "55_molecular_crystal.npz", **told)


def rigid(positions: np.ndarray, masses: np.ndarray) -> np.ndarray:
    """Orthonormal mass-weighted vectors (6, n, 3): moving along x, y, z, turning about the axes of inertia."""
    root, centred = np.sqrt(masses)[:, None], positions - np.average(positions, axis=0, weights=masses)
    axes = np.linalg.eigh(np.einsum("n,na,nb->ab", masses, centred, centred))[1].T
    found = [root * one for one in np.eye(3)] + [root * np.cross(one, centred) for one in axes]
    return np.array([one / np.linalg.norm(one) for one in found])


def of_molecule(rounds, molecule, rest, own, found, paths) -> dict[str, np.ndarray]:
    """For the notebook: velocities along the modes instead of those of the atoms, in half precision."""
    scale = np.sqrt(units.kB * MOLECULE["temperature_K"])  # so that every velocity is of order one
    interval, told = MOLECULE["step_fs"] * MOLECULE["every"], {}
    for name, path in paths.items():
        turned = [
            eckart_frame(Velocities(v / MOTION**0.5, interval, molecule.get_masses(), positions_A=x), molecule)
            for v, x in zip(path["v"], path["x"], strict=True)
        ]
        if name.startswith("member"):
            told[f"vdos_{name}"] = vdos(turned, resolution_THz=RESOLUTION_THZ).total.astype(np.float32)
            continue
        projected = [project(one, found[1]).values / scale for one in turned]
        told[f"velocities_{name}"] = np.array(projected).astype(np.float16)
    told |= {"positions": rest["positions"], "curvatures": rest["curvatures"].astype(np.float32)}
    told |= {"member_positions": own["positions"], "member_curvatures": own["curvatures"].astype(np.float32)}
    for n, (asked, left) in enumerate(zip([*rounds["asked"], []], rounds["left"], strict=True)):
        told |= {f"asked_{n}": np.asarray(asked, np.float32), f"left_{n}": np.asarray(left, np.float32)}
    groups = list(rounds["errors"][0])
    errors = [[one[group] for group in groups] for one in rounds["errors"]]
    return told | {"labels": rounds["labels"], "groups": groups, "errors": errors}


def in_crystal(molecule, rest, guest, motion) -> dict[str, np.ndarray]:
    """Velocities (molecules, frames, motions) of each molecule's whole and inner motions, below 1000 cm^-1."""
    flat, blocks = molecule.positions - molecule.get_center_of_mass(), []
    scale = np.sqrt(units.kB * CRYSTAL["temperature_K"] * MOTION)
    for at in range(0, 72, 18):
        masses, here = guest.get_masses()[at : at + 18], guest.positions[at : at + 18]
        turn = Rotation.align_vectors(here - here.mean(axis=0), flat - flat.mean(axis=0))[0]
        speed = turn.inv().apply(motion[:, at : at + 18].reshape(-1, 3)).reshape(-1, 18, 3) * np.sqrt(masses)[:, None]
        vectors = np.concatenate([rigid(flat, masses), modes(rest["curvatures"], masses, 6)[1]])
        blocks.append(np.einsum("fna,kna->fk", speed, vectors) / scale)
    return {"crystal_velocities": np.array(blocks)[:, ::2, :LOW].astype(np.float16)}


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
