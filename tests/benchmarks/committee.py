"""What a committee of four costs: energy and forces of one cell, in units of one member on its own.

`python -m tests.benchmarks.committee [atoms ...]`, CPU milliseconds of one thread, the sides in turn in one process.
"single" is one member, neighbour lists included; "four singles" is four of them one after the other.
"""

from __future__ import annotations

import sys
import time

import numpy as np
import torch
from ase import Atoms
from ase.build import bulk

from labkit.potentials.camp import CAMPSettings
from labkit.potentials.committee import Committee

REPEATS = 12
KINDS = {
    "CAMP-L": {},
    "CAMP-L, max_v = 3": {"max_v": 3},
    "CAMP-L with latent Ewald": {"long_range": True},
    "CAMP": {"architecture": "CAMP", "channels": 16},
}


def copper(atoms: int) -> Atoms:
    """A rattled crystal of 4, 8, 16, 32, ... atoms."""
    crystal = bulk("Cu", cubic=True)
    axis = 0
    while len(crystal) < atoms:
        crystal = crystal.repeat([2 if n == axis else 1 for n in range(3)])
        axis = (axis + 1) % 3
    crystal.rattle(0.1, seed=0)
    return crystal


def main() -> None:
    """Print a line for each architecture and size."""
    torch.set_num_threads(1)
    for size in [int(argument) for argument in sys.argv[1:]] or [64, 256]:
        atoms = copper(size)
        random = np.random.default_rng(0)
        for name, changed in KINDS.items():
            committee = Committee.untrained(CAMPSettings(**changed), ["Cu"], 4, device="cpu")
            committee.fit_scale_and_shift([atoms], [-3.0 * len(atoms)], [random.normal(size=(len(atoms), 3))])
            sides = {"single": committee.members[:1], "four singles": committee.members, "committee": [committee]}
            times: dict[str, list[float]] = {side: [] for side in sides}
            for repeat in range(REPEATS + 2):
                for side, potentials in sides.items():
                    start = time.process_time()
                    for potential in potentials:
                        potential.predict([atoms], ("energy", "forces"))
                    if repeat >= 2:
                        times[side].append(time.process_time() - start)
            best = {side: 1000 * min(each) for side, each in times.items()}
            ratio = best["committee"] / best["single"]
            said = "  ".join(f"{side} {each:6.1f} ms" for side, each in best.items())
            print(f"{len(atoms):4d} atoms  {name:25s} {said}  committee / single {ratio:.2f}", flush=True)


if __name__ == "__main__":
    main()
