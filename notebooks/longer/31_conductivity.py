"""The long part of notebook 31: lithium argyrodite, ordered and half disordered, at five temperatures in two batches.

Run it as `python notebooks/longer/31_conductivity.py FOLDER`; a run that was stopped goes on, and one that is long
enough is stopped by hand. With `--write` it writes what there is by now: 31_conductivity.json (settings, temperatures,
energies, framework) and 31_conductivity.npz (positions of the ions relative to the framework, in hundredths of an Å).
"""

import json
import sys
from pathlib import Path

import numpy as np

from labkit.analysis import trajectory
from labkit.analysis.framework import framework_motion
from labkit.runs import Store
from labkit.simulators.batched_dynamics import BatchedDynamics, trajectories
from labkit.structures import named, swap_disorder, unbound

HERE = Path(__file__).with_suffix("")
BATCHES = ([700, 900, 1200], [600, 800])


def structures():
    """Both crystals in CHGNet's own cell of the ordered one: half of the chlorine sits on sites of free sulfur."""
    ordered = named("Li6PS5Cl-chgnet")
    free = np.concatenate([np.flatnonzero(ordered.symbols == "Cl"), unbound(ordered, "S", "P")])
    disordered = swap_disorder(ordered, "Cl", "S", 0.5, seed=1, among=free)
    ordered.info["name"], disordered.info["name"] = "ordered", "half disordered"
    return [ordered, disordered]


def task(temperatures_K):
    """A step of 3 fs is a nineteenth of the fastest vibration (the P-S stretch, 57 fs)."""
    return BatchedDynamics(
        structures=structures(),
        temperatures_K=temperatures_K,
        species="Li",
        potential="chgnet-0.3.0",
        timestep_fs=3.0,
        steps=8000,
        equilibration_steps=300,
        frame_interval=10,
        diffusion_interval=200,
        device="cpu",
    )


def of_run(run):
    """Averages and ionic paths of each trajectory of a run; all of them as long as the shortest."""
    thermo, found = run.table("thermo"), trajectories(run)
    shortest = min(len(one.frames) for one in found)
    for one in found:
        frames = one.frames[:shortest]
        table = thermo[(thermo["trajectory"] == one.plan.index) & (thermo["time_fs"] >= frames[0].info["time_fs"])]
        drift = np.polyfit(table["time_fs"] / 1000, table["conserved_energy_eV"], 1)[0]
        mobile = trajectory.select(frames[0], "Li")
        moved, _ = trajectory.without_drift(frames, mobile, "host", wrapped=False)
        host, _ = trajectory.without_drift(frames, ~mobile, "all", wrapped=False)
        symbols = str(frames[0][~mobile].symbols)
        framework = framework_motion(frames, "Li", frame_interval_fs=one.frame_interval_fs, wrapped=False)
        said = {
            "name": one.plan.name,
            "temperature_K": one.plan.temperature_K,
            "length_ps": round((shortest - 1) * one.frame_interval_fs / 1000, 3),
            "mean_temperature_K": round(float(table["temperature_K"].mean()), 1),
            "drift_meV_atom_ps": round(1000 * float(drift) / len(frames[0]), 3),
            "framework_msd_A2": {name: round(value, 2) for name, value in framework.msd_A2.items()},
            "framework": framework.warning,
            "host": {"symbols": symbols, "positions_A": host.mean(axis=0).round(3).tolist()},
        }
        yield said, np.round(100 * moved).astype(np.int16), one.frame_interval_fs, frames[0].cell.array.tolist()


def write(runs):
    """Ship settings, averages and the ions' paths, structure by structure from cold to hot."""
    found = sorted((one for run in runs for one in of_run(run)), key=lambda one: one[0]["temperature_K"])
    found.sort(key=lambda one: one[0]["name"], reverse=True)
    settings = {key: value for key, value in runs[0].task_dict["parameters"].items() if key != "structures"}
    settings["temperatures_K"] = BATCHES
    head = {"task": settings, "frame_interval_fs": found[0][2], "cell_A": found[0][3]}
    said = {**head, "trajectories": [one[0] for one in found]}
    HERE.with_suffix(".json").write_text(json.dumps(said, indent=1) + "\n")
    np.savez_compressed(HERE.with_suffix(".npz"), **{str(number): one[1] for number, one in enumerate(found)})
    lengths = sorted({one[0]["length_ps"] for one in found})
    print(f"{lengths} ps, {HERE.with_suffix('.npz').stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    store = Store(sys.argv[1])
    runs = {tuple(run.task_dict["parameters"]["temperatures_K"]): run for run in store.runs()}
    if "--write" in sys.argv:
        write(list(runs.values()))
    else:
        for temperatures in BATCHES:
            known = runs.get(tuple(temperatures))
            if known is None:
                task(temperatures).run(store=store)
            elif known.state in ("cancelled", "interrupted"):
                known.resume().wait()
