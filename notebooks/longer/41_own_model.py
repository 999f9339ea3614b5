"""labkit's own potential for ethanol and malonaldehyde (GFN2-xTB), with dynamics only and with pathways: training.

    python 41_own_model.py [CPU seconds of each training]

Needs 41_own_data.extxyz.gz. Makes the folders 41_own_md and 41_own_pathways: two potentials with the same network, the
same number of labels (400 of each molecule) and the same processor time. `md` saw dynamics only; in `pathways` every
second frame of the dynamics gave way to a structure of a pathway.
"""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from labkit import datasets, potentials
from labkit.potentials.camp import CAMPSettings
from labkit.runs import Store
from labkit.training import Training

HERE = Path(__file__).parent
CPU_S = float(sys.argv[1]) if len(sys.argv) > 1 else 400.0
MODEL = CAMPSettings(channels=64, n_layers=1, max_v=3, products=2)
RECIPE = {"batch_size": 10, "learning_rate": 0.01, "energy_weight": 5, "final_energy_weight": 50, "ema_decay": 0.999}
RECIPE |= {"epochs": 100_000, "validation_fraction": 0.05, "validation_interval": 5, "weight_decay": 0.05, "seed": 0}

data = datasets.load(HERE / "41_own_data.extxyz.gz")
learned = {"md": [], "pathways": []}
for group in (name for name in data.groups() if not name.endswith("test")):
    members = data.filter(lambda record, group=group: record.group == group)
    half = list(members)[::2]
    learned["pathways"] += half
    learned["md"] += list(members) if group.endswith("MD") else []


def train(name):
    """The trained potential, with its errors on the test groups in its provenance."""
    store = Store(HERE / "41_runs")
    store.root.mkdir(exist_ok=True)
    path = datasets.Dataset(learned[name], name=name).write(store.root / f"{name}.extxyz")
    task = Training(dataset=str(path), model=MODEL, name=f"camp-own-{name}", cpu_budget_s=CPU_S, device="cpu", **RECIPE)
    run = task.launch(store=store, name=name)
    run.wait()
    potential = potentials.load(run.folder / "best", device="cpu")
    test = data.filter(lambda record: record.group.endswith("test"))
    errors = datasets.compare(test, potential.predict(test.structures(), ("energy", "forces"))).errors()
    errors = errors.map(lambda value: float(f"{value:.4g}") if isinstance(value, float) else value)
    what = "dynamics" if name == "md" else "dynamics and pathways"
    potential.provenance |= {
        "dataset": {**potential.provenance["dataset"], "name": f"41_own_data, {what}"},
        "metrics": {"on": "test groups of notebooks/longer/41_own_data.extxyz.gz", "groups": errors.to_dict("records")},
        "sentence": f"CAMP-L for ethanol and malonaldehyde at GFN2-xTB, from {what}",
        "licence": "MIT",
        "notes": [f"{len(learned[name])} labels of GFN2-xTB, {CPU_S:g} CPU seconds; {run.result()['epochs']} epochs."],
    }
    potential.save(HERE / f"41_own_{name}")
    return errors


with ThreadPoolExecutor() as pool:
    for name, errors in zip(learned, pool.map(train, learned), strict=True):
        print(f"{name}: {len(learned[name])} labels", errors.to_string(index=False), sep="\n", flush=True)
