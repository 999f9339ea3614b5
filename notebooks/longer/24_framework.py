"""The C48H30 framework on GFN1-xTB: a layer relaxed, two layers pulled apart. Makes 24_framework.json and .extxyz.

    python 24_framework.py

Every energy is kept as it is known; called again, the script goes on where it was stopped. Periodic GFN2-xTB does not
finish cells of this size; notebook 24 adds its correction to these energies.
"""

import json
from pathlib import Path

import numpy as np
from ase.filters import FrechetCellFilter
from ase.io import read, write
from ase.optimize import LBFGS

from labkit.references import load
from labkit.structures.build_cof import phenylene_framework, stacked

HERE = Path(__file__).parent
RESULT = HERE / "24_framework.json"
FMAX_eV_A, STEPS = 0.05, 60
#: The coarse scan first.
DISTANCES_A = [3.5, 3.0, 4.0, 5.0, 7.0, 3.75, 3.25, 4.5, 6.0, 5.5, 4.25]
STACKINGS = {"AA": (0.0, 0.0), "AB": (1 / 3, 1 / 3)}

surface = load("gfn1-xtb").potential()
found = json.loads(RESULT.read_text()) if RESULT.exists() else {"level": "GFN1-xTB", "layers": {}, "scans": {}}


def keep() -> None:
    RESULT.write_text(json.dumps(found, indent=1) + "\n")


def relaxed(name, layer, cell_too):
    """One layer downhill; the cell in its plane as well, the vacuum along c never."""
    path = HERE / f"24_framework_{name}.extxyz"
    if name in found["layers"]:
        return read(path)
    layer.calc = surface.calculator()
    start = layer.get_potential_energy()
    target = FrechetCellFilter(layer, mask=[True, True, False, False, False, True]) if cell_too else layer
    steps = LBFGS(target, logfile="-", maxstep=0.1)
    done = bool(steps.run(fmax=FMAX_eV_A, steps=STEPS))
    found["layers"][name] = {
        "energy_eV": float(layer.get_potential_energy()),
        "start_eV": float(start),
        "max_force_eV_A": float(np.linalg.norm(layer.get_forces(), axis=1).max()),
        "a_A": float(layer.cell.lengths()[0]),
        "steps": int(steps.nsteps),
        "converged": done,
    }
    layer.calc = None
    write(path, layer)
    keep()
    return layer


def scanned(name, layer):
    """Two rigid layers, interaction for each cell (eV)."""
    for stacking, moved in STACKINGS.items():
        scan = found["scans"].setdefault(f"{name} {stacking}", {})
        for distance in DISTANCES_A:
            if str(distance) not in scan:
                energy = surface.predict([stacked(layer, distance, moved)], ("energy",)).energies[0]
                scan[str(distance)] = float(energy - 2 * found["layers"][name]["energy_eV"])
                print(name, stacking, distance, scan[str(distance)], flush=True)
                keep()


planar = relaxed("planar", phenylene_framework(2), cell_too=True)
scanned("planar", planar)
start = phenylene_framework(2, twist_deg=25.0)
start.set_cell(planar.cell, scale_atoms=True)
scanned("twisted", relaxed("twisted", start, cell_too=False))
