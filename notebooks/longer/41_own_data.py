"""Labels for 41_own_model.py: ethanol and malonaldehyde at GFN2-xTB, from dynamics and from pathways.

    python 41_own_data.py

Makes 41_own_data.extxyz.gz. Groups: "<molecule>, MD" (Langevin at 300, 400 and 500 K from the lowest minimum),
"<molecule>, pathways" (along the ways down from the transition states of GFN2-xTB, rattled), and the same two with
"test", from other seeds, which no training sees.
"""

import gzip
from dataclasses import replace
from pathlib import Path

import numpy as np
from ase import Atoms

from labkit import datasets, references
from labkit.landscapes import landscape17
from labkit.landscapes.eigenvector_following import find_saddles
from labkit.landscapes.hessian import hessian, normal_modes
from labkit.landscapes.quench import minimise
from labkit.landscapes.surface import Surface
from labkit.simulators.langevin import Langevin

HERE = Path(__file__).parent
MOLECULES = ("ethanol", "malonaldehyde")
TEMPERATURES_K = (300, 400, 500)
#: For each molecule: labels of one kind to learn from, and to test on.
TRAIN, TEST = 400, 100
#: Saddles higher above the lowest minimum than this (eV) break bonds, and are no pathway of this molecule.
HIGHEST_eV = 0.6
RATTLE_A, PUSH_A = 0.03, 0.1
PROVENANCE = "notebooks/longer/41_own_data.py"

gfn2 = references.load("gfn2-xtb")


def saddles(surface, starts):
    """Proven transition states of GFN2-xTB, from stationary points of other networks and from minima of its own."""
    quenched = minimise(surface, starts)
    places, first = np.unique(quenched.energies.round(3), return_index=True)
    points = quenched.positions[first]
    pushed, along, known, stable = [], [], [], []
    for x, matrix, modes in zip(points, hessian(surface, points), normal_modes(surface, points), strict=True):
        stable.append(modes.negative == 0)
        for mode in modes.directions[:4]:
            pushed += [x + 0.2 * mode, x - 0.2 * mode]
            along += [mode, -mode]
            known += [matrix, matrix]
    found = find_saddles(surface, starts, ceiling_eV=3.0)
    found += find_saddles(
        surface, np.array(pushed), directions=np.array(along), hessians=np.array(known), ceiling_eV=3.0
    )
    kept = {}
    for one in found:
        if one.found and one.energy_eV - places[0] < HIGHEST_eV:
            kept.setdefault(round(one.energy_eV, 3), one)
    print(f"  minima at {(places[stable] - places[0]).round(3)} eV, saddles at", end=" ")
    print(np.array([energy - places[0] for energy in sorted(kept)]).round(3), "eV", flush=True)
    return [kept[energy] for energy in sorted(kept)]


def pathways(surface, starts):
    """The ways down on both sides of each saddle: arrays (m, n, 3), in steps of at most 0.05 Å an atom."""
    found = saddles(surface, starts)
    tops = [one.positions for one in found for _ in range(2)]
    now = np.array([one.positions + side * PUSH_A * one.mode for one in found for side in (1, -1)])
    paths = [[top, x] for top, x in zip(tops, now, strict=True)]
    going = np.arange(len(now))
    for _ in range(40):
        step = minimise(surface, now[going], 1e-2, max_steps=6, max_step_A=0.05)
        now[going] = step.positions
        for index in going:
            paths[index].append(now[index].copy())
        going = going[~step.converged]
        if not len(going):
            break
    return [np.array(path) for path in paths]


def between(paths, numbers, count, seed):
    """`count` structures evenly along the paths, each as dense as it is long, and rattled."""
    rng = np.random.default_rng(seed)
    marks = [np.append(0, np.linalg.norm(np.diff(path, axis=0), axis=(1, 2)).cumsum()) for path in paths]
    ends = np.cumsum([mark[-1] for mark in marks])
    made = []
    for place in np.linspace(0, ends[-1], count, endpoint=False):
        which = int(np.searchsorted(ends, place, side="right"))
        path, mark, s = paths[which], marks[which], place - (ends[which - 1] if which else 0.0)
        right = min(int(np.searchsorted(mark, s, side="right")), len(path) - 1)
        share = (s - mark[right - 1]) / (mark[right] - mark[right - 1])
        positions = (1 - share) * path[right - 1] + share * path[right]
        made.append(Atoms(numbers, positions + rng.normal(scale=RATTLE_A, size=positions.shape)))
    return made


def dynamics(atoms, temperature_K, steps, seed):
    """Records (every 10 fs, the first 0.5 ps left out) of Langevin dynamics in steps of 1 fs."""
    walker = Langevin(atoms.copy(), temperature_K, 1.0, 10.0, np.random.default_rng([seed, temperature_K]))
    now, kept, kinetic = gfn2.label(walker.atoms), [], []
    for step in range(1, steps + 1):
        walker.before(now.forces)
        now = gfn2.label(walker.atoms)
        walker.after(now.forces)
        kinetic.append(walker.kinetic_temperature_K)
        kept += [now] if step > 500 and step % 10 == 0 else []
    print(f"  {temperature_K} K: {np.mean(kinetic):.0f} K on average, {len(kept)} frames", flush=True)
    return kept


def even(items, count):
    """`count` of the items, evenly."""
    return [items[index] for index in np.linspace(0, len(items) - 1, count).round().astype(int)]


def grouped(records, group):
    """The records as members of a group, with no more digits than are known."""
    for one in records:
        one.atoms.positions = one.atoms.positions.round(6)
    said = {"group": group, "provenance": PROVENANCE}
    return [replace(one, energy=round(one.energy, 6), forces=one.forces.round(5), **said) for one in records]


def from_dynamics(molecule):
    """Both groups of Langevin dynamics, from the lowest stored minimum of GFN2-xTB."""
    stored = landscape17.model_network("gfn2-xtb", molecule)
    atoms = Atoms(stored.symbols, stored.global_minimum.positions)
    frames = [frame for temperature in TEMPERATURES_K for frame in dynamics(atoms, temperature, 2000, seed=1)]
    records = grouped(even(frames, TRAIN), f"{molecule}, MD")
    return records + grouped(even(dynamics(atoms, 500, 1500, seed=2), TEST), f"{molecule}, MD, test")


def from_pathways(molecule):
    """Both groups of pathways, from all stationary points of the DFT and the GFN2-xTB network."""
    networks = landscape17.reference(molecule), landscape17.model_network("gfn2-xtb", molecule)
    starts = [point.positions for one in networks for point in (*one.minima, *one.transition_states)]
    atoms = Atoms(networks[0].symbols, starts[0])
    paths = pathways(Surface.of(gfn2, atoms), np.array(starts))
    records = []
    for count, seed, title in ((TRAIN, 1, "pathways"), (TEST, 2, "pathways, test")):
        labels = [gfn2.label(one) for one in between(paths, atoms.numbers, count, seed)]
        records += grouped(labels, f"{molecule}, {title}")
    return records


if __name__ == "__main__":
    records = []
    for molecule in MOLECULES:
        print(molecule, flush=True)
        records += from_pathways(molecule) + from_dynamics(molecule)
    path = datasets.Dataset(records, name="41_own_data").write(HERE / "41_own_data.extxyz")
    (HERE / "41_own_data.extxyz.gz").write_bytes(gzip.compress(path.read_bytes(), mtime=0))
    path.unlink()
