"""Dynamics of BaFeO3 and Ba3Fe3O8 with CHGNet, for notebook 51: seven and two temperatures, some ten minutes of a core.

Run it as `python 51_dynamic_stability.py structures dynamics quench`: the distorted structure at 0 K is looked for
along the unstable modes and written into 51_dynamic_stability.extxyz, the dynamics start from that file, their
displacements go into 51_dynamic_stability.npz, and what they ended in is relaxed. (The file that is shipped holds the
distortion of BaFeO3 along another axis, found by relaxing random displacements of 0.1 Å.) The task `DynamicStability`
does the first two at once; here the steps are apart, so that dynamics that were stopped early can be read too, by
naming the folders of their runs.
"""

import sys
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.io import read, write

from labkit.analysis.dynamic_stability import displacements, rms_A
from labkit.runs import Run, Store
from labkit.simulators.batched_dynamics import BatchedDynamics, trajectories
from labkit.simulators.dynamic_stability_modes import unstable_modes
from labkit.simulators.phonons import Phonons
from labkit.simulators.phonons_result import read as read_phonons
from labkit.simulators.relaxation import Relaxation
from labkit.structures.field import from_dict

HERE = Path(__file__).parent
STRUCTURES, RESULT = HERE / "51_dynamic_stability.extxyz", HERE / "51_dynamic_stability.npz"
#: 2x2x2 cells of the cubic perovskite, one of the other: the dynamics take the cell of the phonons.
SHORTEST_A = 5.7
TEMPERATURES_K = {"BaFeO3": [20.0, 30.0, 40.0, 60.0, 80.0, 140.0, 250.0], "Ba3Fe3O8": [130.0, 300.0]}
NAMES = list(TEMPERATURES_K)
STEPS = {"BaFeO3": 500, "Ba3Fe3O8": 2000}
TIMESTEP_FS, EQUILIBRATION, EVERY = 2.0, 100, 5


def structures(store: Store) -> None:
    """Ideal supercells, and the lowest structure along their unstable modes, in the ideal cell."""
    run = Phonons(
        structures=NAMES, supercell_length_A=SHORTEST_A, displacement_A=0.05, fmax_eV_A=2e-3, device="cpu"
    ).run(store=store)
    found = []
    for number, name in enumerate(NAMES):
        modes = unstable_modes(read_phonons(run, number))
        print(f"{name}: {len(modes)} unstable modes {np.round(modes.frequencies_THz, 2)} THz")
        found.append(labelled(modes.ideal, name, "ideal"))
        if not len(modes):
            continue
        starts = modes.starts(amplitude_A=0.1, follow=6, mixtures=4, seed=0)
        ends = Relaxation(structures=starts, relax_cell=False, fmax_eV_A=4e-3, max_steps=200).run(store=store).result()
        lowest = int(np.argmin(ends["energies_eV"]))
        found.append(labelled(from_dict(ends["structures"][lowest]), name, "distorted"))
        print(f"{name}: D_0 = {rms_A(displacements([found[-1]], found[-2])[0]):.4f} Å")
    write(STRUCTURES, found)


def labelled(atoms: Atoms, name: str, what: str) -> Atoms:
    """The bare structure with its name and whether it is ideal or distorted."""
    bare = Atoms(atoms.numbers, positions=atoms.positions, cell=atoms.cell, pbc=True)
    bare.info = {"name": name, "what": what}
    return bare


def saved() -> dict[tuple[str, str], Atoms]:
    """The structures of the file, by name and kind."""
    return {(atoms.info["name"], atoms.info["what"]): atoms for atoms in read(STRUCTURES, ":")}


def dynamics(store: Store) -> list[Run]:
    """All temperatures of a structure in one batch; resumable."""
    there = saved()
    return [
        BatchedDynamics(
            structures=[there.get((name, "distorted"), there[name, "ideal"])],
            temperatures_K=temperatures,
            timestep_fs=TIMESTEP_FS,
            steps=STEPS[name],
            equilibration_steps=EQUILIBRATION,
            frame_interval=EVERY,
            table_interval=50,
            diffusion_interval=STEPS[name],
            checkpoint_interval=25,
            device="cpu",
        ).run(store=store)
        for name, temperatures in TEMPERATURES_K.items()
    ]


def read_out(runs: list[Run]) -> None:
    """Displacements of all trajectories, as short as the shortest of their structure, in half precision (5e-5 Å)."""
    there, arrays = saved(), {"frame_interval_fs": EVERY * TIMESTEP_FS}
    for name in NAMES:
        found = [one for run in runs for one in trajectories(run) if len(one.frames[0]) == len(there[name, "ideal"])]
        found.sort(key=lambda one: one.plan.temperature_K)
        frames = min(len(one.frames) for one in found)
        moved = [displacements(one.frames[:frames], there[name, "ideal"]) for one in found]
        arrays[name] = np.array(moved).astype(np.float16)
        arrays[f"{name}_temperatures_K"] = np.array([one.plan.temperature_K for one in found])
        print(f"{name}: {frames} frames, {(frames - 1) * EVERY * TIMESTEP_FS / 1000:.2f} ps at each temperature")
    np.savez_compressed(RESULT, **arrays)
    print(f"{RESULT.stat().st_size / 1000:.0f} kB")


def quench(runs: list[Run], store: Store) -> None:
    """Relax what the dynamics of Ba3Fe3O8 ended in: harmonic modes do not lead there, so it is added afterwards."""
    there = saved()
    ends = [one.frames[-1] for run in runs for one in trajectories(run) if one.plan.name == NAMES[1]]
    found = Relaxation(structures=ends, relax_cell=False, fmax_eV_A=0.01, max_steps=400).run(store=store).result()
    lowest = int(np.argmin(found["energies_eV"]))
    there[NAMES[1], "quenched"] = labelled(from_dict(found["structures"][lowest]), NAMES[1], "quenched")
    write(STRUCTURES, list(there.values()))


def main(steps: list[str]) -> None:
    """Do the steps that are named; a folder stands for a run of the dynamics to read."""
    store = Store(HERE / "51_runs")
    if "structures" in steps:
        structures(store)
    runs = dynamics(store) if "dynamics" in steps else [Run(path) for path in steps if Path(path).is_dir()]
    if runs:
        read_out(runs)
    if "quench" in steps:
        quench(runs, store)


if __name__ == "__main__":
    main(sys.argv[1:] or ["structures", "dynamics", "quench"])
