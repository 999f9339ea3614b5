"""LiTi2(PO4)3, the parent of LATP: CHGNet 0.2.0 learns the hop between two 6b sites from CHGNet 0.3.0. Makes
32_fine_tuned_barriers.json.

    python 32_fine_tuned_barriers.py [folder of a run]

The run lies in 32_runs beside this script; called again with its folder, the script goes on where it was stopped.
"""

import json
import sys
from pathlib import Path

from labkit.active_learning.dual_neb import DualNEB, paths
from labkit.runs import Run
from labkit.runs.worker import work
from labkit.simulators.hops import find_hops
from labkit.structures import named
from labkit.structures.build_cell import primitive

HERE = Path(__file__).parent


def rounded(value, digits=4):
    """Numbers as short as they are known."""
    if isinstance(value, float):
        return round(value, digits)
    if isinstance(value, list):
        return [rounded(one, digits) for one in value]
    return {key: rounded(one, digits) for key, one in value.items()} if isinstance(value, dict) else value


if len(sys.argv) > 1:
    run = Run(sys.argv[1])
    if run.state != "finished":
        work(run.folder, own_process=False)
else:
    bands = find_hops(primitive(named("LiTi2(PO4)3")), max_distance_A=6.5).bands(repeat=(1, 1, 1))
    task = DualNEB(bands=bands, images=5, copies=2, rounds=2, use_symmetry=True, device="cpu")
    run = task.run(store=HERE / "32_runs", name="LiTi2(PO4)3")
found = {key: value for key, value in run.result().items() if key != "potential"}
found["paths"] = {who: [path.to_dict() for path in some] for who, some in paths(run).items()}
(HERE / "32_fine_tuned_barriers.json").write_text(json.dumps(rounded(found)) + "\n")
