"""Speed against stock chgnet, as ratios measured in one run: `make bench`, a few minutes on two cores.

The two sides take turns, each in a fresh process; the best of the repeats counts, since noise only ever slows down.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from labkit.runs.launcher import ENVIRONMENT

REPOSITORY = Path(__file__).resolve().parents[2]


def measure(side: str, job: str, argument: int, device: str, threads: int) -> dict[str, object]:
    """What one side says of one job."""
    with tempfile.TemporaryDirectory() as runs:
        environment = {**os.environ, "LABKIT_RUNS": runs}
        if side == "labkit":  # what `launch` gives to every worker process
            environment |= ENVIRONMENT
        environment["OMP_NUM_THREADS"] = str(threads)
        command = [sys.executable, "-m", "tests.benchmarks.peers", side, job, str(argument), device]
        shown = subprocess.run(
            command, cwd=REPOSITORY, env=environment, check=True, capture_output=True, text=True
        ).stdout
    return json.loads(shown.splitlines()[-1])


def compare_dynamics(n_atoms: int, device: str, repeats: int, threads: int) -> None:
    """Print steps per second of both sides and their ratio."""
    best = {"stock": 0.0, "labkit": 0.0}
    for _ in range(repeats):
        for side in best:
            best[side] = max(best[side], measure(side, "dynamics", n_atoms, device, threads)["steps_per_second"])
    print(
        f"MD, {n_atoms:4d} atoms, {device}: stock {best['stock']:6.2f} steps/s, labkit {best['labkit']:6.2f} steps/s, "
        f"ratio {best['labkit'] / best['stock']:.2f}",
        flush=True,
    )


def compare_relaxation(count: int, device: str, repeats: int, threads: int) -> None:
    """Print the time of both sides for the same cells, their ratio, and how far the energies are apart."""
    best = {"stock": float("inf"), "labkit": float("inf")}
    energies = {}
    for _ in range(repeats):
        for side in best:
            told = measure(side, "relaxation", count, device, threads)
            best[side], energies[side] = min(best[side], told["seconds"]), told["energies"]
    apart = max(abs(one - other) for one, other in zip(*energies.values(), strict=True))
    print(
        f"relaxation, {count} cells, {device}: stock {best['stock']:.1f} s, labkit {best['labkit']:.1f} s, "
        f"ratio {best['stock'] / best['labkit']:.2f}; energies apart by at most {1000 * apart:.1f} meV/atom",
        flush=True,
    )


def main() -> None:
    """Parse the options and run every comparison."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1, help="torch threads of each side")
    options = parser.parse_args()
    for n_atoms in (64, 256):
        compare_dynamics(n_atoms, options.device, options.repeats, options.threads)
    compare_relaxation(32, options.device, max(1, options.repeats - 1), options.threads)


if __name__ == "__main__":
    main()
