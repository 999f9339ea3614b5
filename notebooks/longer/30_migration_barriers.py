"""All vacancy hops of LiFePO4 up to 6 Å, and the one along b in LiMgPO4, with CHGNet 0.3.0. Makes
30_migration_barriers.json.

    python 30_migration_barriers.py

The cells are relaxed first, then all bands of a crystal share one batch. What is known is kept; called again, the
script leaves it out.
"""

import json
from pathlib import Path

from labkit import potentials
from labkit.simulators import HopNetwork, Relaxation, find_hops
from labkit.simulators.neb import find_paths
from labkit.structures import from_dict

RESULT = Path(__file__).with_suffix(".json")
#: Longest hop (Å), repetition of the cell, images. LiMgPO4: the cell of 55 atoms for which 0.244 eV is on record;
#: LiFePO4: at least 8 Å from a vacancy to its image.
CASES = {"LiMgPO4": (3.5, (1, 2, 1), 3), "LiFePO4": (6.0, (1, 2, 2), 5)}

found = json.loads(RESULT.read_text()) if RESULT.exists() else {"potential": "CHGNet 0.3.0", "crystals": {}}


def rounded(value):
    """The same data with numbers to 1e-4."""
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, list):
        return [rounded(one) for one in value]
    return {key: rounded(one) for key, one in value.items()} if isinstance(value, dict) else value


def keep():
    RESULT.write_text(json.dumps(found, separators=(",", ":")) + "\n")


for name, (reach, repeat, images) in CASES.items():
    done = found["crystals"].setdefault(name, {"repeat": repeat, "paths": {}})
    if "network" not in done:
        relaxed = Relaxation(structures=[name], fmax_eV_A=0.02, device="cpu").run(name=f"{name}, cell").result()
        done["network"] = find_hops(from_dict(relaxed["structures"][0]), max_distance_A=reach).to_dict()
        keep()
    network = HopNetwork.from_dict(done["network"])
    missing = [hop for hop in network.hops if hop.name not in done["paths"]]
    if missing:
        bands = network.bands(missing, repeat=repeat)
        for path in find_paths(bands, potentials.load("chgnet", "cpu"), images=images, use_symmetry=True):
            print(path.name, path.state, round(path.forward_eV, 3), round(path.backward_eV, 3), flush=True)
            if path.state == "converged":
                done["paths"][path.name] = rounded(path.to_dict())
        keep()
