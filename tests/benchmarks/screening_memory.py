"""10,000 candidates through the cheap filters: memory, time for each, and what one small file for each would cost.

python tests/benchmarks/screening_memory.py [CANDIDATES] [PROCESSES]
"""

import json
import resource
import sys
import tempfile
import time
from pathlib import Path

import psutil

from labkit import structures
from labkit.runs.atomic import write_json
from labkit.screening import Composition, Geometry, run_screening, table


def candidates(count):
    """Olivines with other metals, rattled, some of them broken."""
    base = structures.named("LiMgPO4")
    for number in range(count):
        atoms = base.copy()
        atoms.symbols[atoms.symbols == "Mg"] = ("Mg", "Fe", "Mn", "Zn", "Ca", "Al")[number % 6]
        atoms.rattle(0.02 if number % 10 else 0.6, seed=number)
        atoms.info["name"] = f"olivine {number}"
        yield atoms


def small_files(folder, count):
    """Seconds for one JSON file each, as a folder for each candidate would have it."""
    begin = time.perf_counter()
    for number in range(count):
        place = folder / f"{number:06d}"
        place.mkdir()
        write_json(place / "geometry.json", {"verdict": "passed", "density_g_cm3": 3.0}, durable=False)
    return (time.perf_counter() - begin) / count


def main(count, processes):
    process, sizes = psutil.Process(), {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "run"
        begin, cpu = time.perf_counter(), time.process_time()

        def look(campaign):
            rows = sum(one.judged for one in campaign.counts)
            sizes[rows] = process.memory_info().rss / 1e6

        result = run_screening(candidates(count), [Composition(), Geometry()], folder, processes=processes, report=look)
        wall, own = time.perf_counter() - begin, time.process_time() - cpu
        rows = max(sizes)
        early = max(size for done, size in sizes.items() if done <= rows // 10)
        begin = time.perf_counter()
        found = table(folder)
        reading = time.perf_counter() - begin
        files = small_files(Path(scratch) / "files", 500) if (Path(scratch) / "files").mkdir() is None else 0.0
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6
    print(json.dumps({key: value for key, value in result.items() if key != "best"}))
    print(f"{count} candidates, {rows} rows, {processes} process(es): {wall:.1f} s wall")
    print(f"this process: {1e3 * own / rows:.2f} ms CPU for each row (intake included)")
    print(f"workers: {1e3 * result['cost_cpu_s'] / rows:.2f} ms CPU for each row")
    print(f"memory: {early:.0f} MB at a tenth, {max(sizes.values()):.0f} MB at most")
    print(
        f"peak of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3:.0f} MB; folder {size:.1f} MB"
    )
    print(f"the table of {len(found)} candidates is read in {reading:.2f} s")
    print(f"one small file for each row instead would cost {1e3 * files:.2f} ms")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000, int(sys.argv[2]) if len(sys.argv) > 2 else 1)
