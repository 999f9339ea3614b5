"""BaFeO3 and Ba3Fe3O8 with CHGNet, for notebook 51: eight and two temperatures, some twenty minutes of a core.

Run it as `python 51_dynamic_stability.py`, or with some of the words `perovskite`, `vacancies`, `quench`; folders of
runs that are finished can be named instead. BaFeO3 is one run of the task `DynamicStability`. Ba3Fe3O8 has no unstable
mode to follow, so its dynamics start from the ideal structure, and what they ended in is relaxed. Structures go into
51_dynamic_stability.extxyz, displacements into 51_dynamic_stability.npz.
"""

import sys
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.io import read, write

from labkit.analysis import displacements
from labkit.runs import Run, Store
from labkit.simulators import BatchedDynamics, DynamicStability, Phonons, Relaxation
from labkit.simulators.batched_dynamics import trajectories
from labkit.simulators.dynamic_stability_modes import unstable_modes
from labkit.simulators.dynamic_stability_read import read as read_stability
from labkit.simulators.phonons_result import read as read_phonons
from labkit.structures.field import from_dict

HERE = Path(__file__).parent
STRUCTURES, RESULT = HERE / "51_dynamic_stability.extxyz", HERE / "51_dynamic_stability.npz"
PEROVSKITE, VACANT = "BaFeO3", "Ba3Fe3O8"
TIMESTEP_FS, EVERY = 2.0, 5
#: What the dynamics of both have in common.
PLAN = {"timestep_fs": TIMESTEP_FS, "frame_interval": EVERY, "checkpoint_interval": 50, "device": "cpu"}


def perovskite(store: Store) -> Run:
    """Modes, distorted structure, dynamics and order parameter of the cubic crystal, in one run."""
    return DynamicStability(
        structures=[PEROVSKITE],
        supercell=[2, 2, 2],
        fmax_eV_A=2e-3,
        temperatures_K=[20.0, 30.0, 40.0, 50.0, 60.0, 80.0, 140.0, 250.0],
        steps=1600,
        equilibration_steps=200,
        **PLAN,
    ).run(store=store)


def vacancies(store: Store) -> Run:
    """Dynamics of the crystal with ordered vacancies, from its ideal structure."""
    settings = {"structures": [VACANT], "supercell_length_A": 5.7, "displacement_A": 0.05, "fmax_eV_A": 2e-3}
    modes = unstable_modes(read_phonons(Phonons(**settings, device="cpu").run(store=store)))
    print(f"{VACANT}: {len(modes)} unstable modes")
    keep(labelled(modes.ideal, VACANT, "ideal"))
    return BatchedDynamics(
        structures=[saved()[VACANT, "ideal"]],
        temperatures_K=[130.0, 300.0],
        steps=2000,
        equilibration_steps=100,
        table_interval=50,
        diffusion_interval=2000,
        **PLAN,
    ).run(store=store)


def labelled(atoms: Atoms, name: str, what: str) -> Atoms:
    """The bare structure with its name and what it is: ideal, distorted or quenched."""
    bare = Atoms(atoms.numbers, positions=atoms.positions, cell=atoms.cell, pbc=True)
    bare.info = {"name": name, "what": what}
    return bare


def saved() -> dict[tuple[str, str], Atoms]:
    """The structures of the file, by name and kind."""
    return {(atoms.info["name"], atoms.info["what"]): atoms for atoms in read(STRUCTURES, ":")}


def keep(*structures: Atoms) -> None:
    """Put structures into the file, in the place of those of the same name and kind."""
    there = saved() if STRUCTURES.exists() else {}
    there |= {(atoms.info["name"], atoms.info["what"]): atoms for atoms in structures}
    write(STRUCTURES, [there[key] for key in sorted(there)])


def read_out(run: Run) -> None:
    """Put the displacements of all trajectories into the file, in half precision (5e-5 Å)."""
    arrays = dict(np.load(RESULT)) if RESULT.exists() else {}
    arrays["frame_interval_fs"] = EVERY * TIMESTEP_FS
    if run.kind == "DynamicStability":
        (found,) = read_stability(run)
        keep(labelled(found.ideal, PEROVSKITE, "ideal"), labelled(found.distorted, PEROVSKITE, "distorted"))
        print(run.result()["crystals"][0]["text"])
        name, temperatures = PEROVSKITE, [point.temperature_K for point in found.points]
        moved = [point.displacements_A for point in found.points]
    else:
        name, paths = VACANT, sorted(trajectories(run), key=lambda one: one.plan.temperature_K)
        temperatures, frames = [one.plan.temperature_K for one in paths], min(len(one.frames) for one in paths)
        moved = [displacements(one.frames[:frames], saved()[VACANT, "ideal"]) for one in paths]
    arrays |= {name: np.array(moved).astype(np.float16), f"{name}_temperatures_K": np.array(temperatures)}
    np.savez_compressed(RESULT, **arrays)
    print(f"{name}: {len(moved[0])} frames at each temperature; {RESULT.stat().st_size / 1000:.0f} kB")


def quench(run: Run, store: Store) -> None:
    """Relax what the dynamics of Ba3Fe3O8 ended in: no harmonic mode leads there."""
    ends = [one.frames[-1] for one in trajectories(run)]
    found = Relaxation(structures=ends, relax_cell=False, fmax_eV_A=0.01, max_steps=400).run(store=store).result()
    keep(labelled(from_dict(found["structures"][int(np.argmin(found["energies_eV"]))]), VACANT, "quenched"))


def main(words: list[str]) -> None:
    """Do what is named, or everything."""
    store = Store(HERE / "51_runs")
    runs = [Run(path) for path in words if Path(path).is_dir()]
    if not words or "perovskite" in words:
        runs.append(perovskite(store))
    if not words or "vacancies" in words:
        runs.append(vacancies(store))
    for run in runs:
        read_out(run)
        if run.kind == "BatchedDynamics" and (not words or "quench" in words):
            quench(run, store)


if __name__ == "__main__":
    main(sys.argv[1:])
