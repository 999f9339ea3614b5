"""Where a CHGNet step spends its time: graph, forward, backward, and the kernels by their share.

`python -m tests.benchmarks.where_time_goes [atoms]`; the share of matrix products says how far the step is from the
limit that the processor's arithmetic sets.
"""

from __future__ import annotations

import sys
import time

import torch
from torch.profiler import ProfilerActivity, profile

from labkit.potentials import load
from labkit.potentials.graph import build_graph, forces_and_virial
from tests.benchmarks.peers import supercell


def main() -> None:
    """Print the table for a supercell of LiMnO2."""
    atoms = supercell(int(sys.argv[1]) if len(sys.argv) > 1 else 256)
    potential = load("chgnet", "cpu")
    potential.predict([atoms])
    best = {}
    for _ in range(5):
        marks = [time.process_time()]
        graph = build_graph([atoms], potential.cutoff_A)
        marks.append(time.process_time())
        energy, _ = potential.network(graph)
        marks.append(time.process_time())
        forces_and_virial(energy, graph)
        marks.append(time.process_time())
        for name, start, end in zip(("graph", "forward", "backward"), marks[:-1], marks[1:], strict=True):
            best[name] = min(best.get(name, float("inf")), end - start)
    total = sum(best.values())
    print(
        f"{len(atoms)} atoms, {graph.pair_i.shape[0]} pairs, {torch.get_num_threads()} thread(s): {1000 * total:.0f} ms"
    )
    for name, seconds in best.items():
        print(f"  {name:9s} {1000 * seconds:7.1f} ms  {100 * seconds / total:4.1f} %")
    with profile(activities=[ProfilerActivity.CPU], with_flops=True) as trace:
        potential.predict([atoms])
    events = trace.key_averages()
    products = [event for event in events if event.key in ("aten::mm", "aten::addmm", "aten::bmm")]
    flops, seconds = sum(event.flops for event in products), sum(event.self_cpu_time_total for event in products) / 1e6
    print(
        f"  matrix products: {flops / 1e9:.1f} GFLOP in {1000 * seconds:.0f} ms = {flops / seconds / 1e9:.0f} GFLOP/s"
    )
    whole = sum(event.self_cpu_time_total for event in events)
    for event in sorted(events, key=lambda event: -event.self_cpu_time_total)[:12]:
        print(f"  {event.key:35s} {100 * event.self_cpu_time_total / whole:5.1f} %")


if __name__ == "__main__":
    main()
