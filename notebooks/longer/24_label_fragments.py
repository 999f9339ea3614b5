"""Coupled-cluster labels of small hydrocarbons for notebook 24: makes 24_labels_{cbs,pvdz}.extxyz.gz and .json.

    python 24_label_fragments.py cbs|pvdz [--folder DIR] [--more 10] [--processes N] [--batch 0 1] [--write]

Every label is on the disk when it is known; called again, the script goes on where it was stopped, and computes none
twice. For more labels give --more, a factor on the time that each fragment may take, with a new --folder (a folder
belongs to one list of geometries), or add a batch below. The shipped files come from the defaults, one thread.
"""

import argparse
import json
import time
from pathlib import Path

from labkit import datasets
from labkit.active_learning.delta_labels import named, price, to_label
from labkit.active_learning.delta_sampling import Sampling
from labkit.references import label_all, labelled, load

HERE = Path(__file__).parent
#: name -> reference, its options, and what is labelled: fragments, how they are sampled, seconds for each (estimated).
#: A batch that is added later leaves the labels of the others what they are. Benzene with hydrogen (in the published
#: list too) would cost 12 CPU minutes a label and is left out.
SETS = {
    "cbs": (
        "ccsd(t)/cbs",
        {"correction_basis": "cc-pvtz"},
        (
            (("H2", "(H2)2", "CH4"), Sampling(), 1250.0),
            (("H2",), Sampling(per_temperature=20, scan_points=21, seed=1), 1000.0),
            (("(H2)2",), Sampling(distances=8, seed=1), 1250.0),
            (("CH4",), Sampling(seed=2), 2000.0),
            (("C2H2",), Sampling(seed=2), 2800.0),
            (("C2H4",), Sampling(seed=2), 3100.0),
        ),
    ),
    "pvdz": (
        "ccsd(t)/cc-pvdz",
        {},
        (
            (("H2", "CH4", "C2H2", "C2H4", "C2H6", "(H2)2", "(CH4)2"), Sampling(), 150.0),
            (("C3H4", "C3H6", "C2H4-H2", "(C2H2)2"), Sampling(), 150.0),
            (("(C2H4)2", "C4H6", "C6H6"), Sampling(), 300.0),
        ),
    ),
}  # fmt: skip


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("set", choices=SETS)
    asked.add_argument("--folder", type=Path)
    asked.add_argument("--batch", type=int, nargs="+", help="only these, 0 the first")
    asked.add_argument("--more", type=float, default=1.0, help="times the budget")
    asked.add_argument("--processes", type=int, default=1)
    asked.add_argument("--write", action="store_true", help="only write what is there")
    given = asked.parse_args()
    name, options, batches = SETS[given.set]
    folder = given.folder or Path.home() / "labkit_labels" / given.set
    limits = {"max_cost_s": 1e5, "max_memory_MB": 1e5}
    reference, surface = load(name, **options, **limits), load("gfn2-xtb").potential()
    began, records = time.time(), []

    def say(now) -> None:
        print(f"{time.time() - began:6.0f} s: {now.done} of {now.total}: {now.sentence}", flush=True)

    for number, (fragments, sampling, budget_s) in enumerate(batches):
        structures = to_label(fragments, surface, reference, sampling, given.more * budget_s)
        for row in price(structures, reference):
            print(f"{row['fragment']:10s} {row['structures']:4d} geometries, about {row['estimated_s']:7.0f} s")
        own, chosen = folder / str(number), given.batch is None or number in given.batch
        if chosen and not given.write:
            how = {"options": {**options, **limits}, "processes": given.processes, "report": say}
            label_all(structures, reference, own, **how)
        if (own / "labelled.extxyz").exists():
            records += named(labelled(own), structures)
    found = datasets.Dataset(records, f"24_labels_{given.set}")
    found.write(HERE / f"24_labels_{given.set}.extxyz.gz")
    cpu_s = sum(record.atoms.info["cpu_s"] for record in found)
    summary = {"reference": name, "options": options, "labels": len(found), "cpu_s": round(cpu_s)}
    summary["fragments"] = {group: len(members) for group, members in found.groups().items()}
    summary["cpu_s_by_fragment"] = {
        group: round(sum(found[one].atoms.info["cpu_s"] for one in members), 1)
        for group, members in found.groups().items()
    }
    (HERE / f"24_labels_{given.set}.json").write_text(json.dumps(summary, indent=1) + "\n")
    print(json.dumps(summary))


if __name__ == "__main__":
    main()
