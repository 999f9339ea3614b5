"""A binary alloy from random crystals to a sampled free energy, for notebook 53: ten minutes for each pair.

Run it as `python 53_binary_phase_diagram.py Cu Pt`; it writes 53_Cu-Pt.json.gz beside itself: random symmetric crystals
relaxed with EMT, all fcc arrangements of up to six atoms, cluster expansions fitted to either and to both (package
icet), and the free energy sampled on the last. Crystals that are in the file already are taken from it.
"""

import gzip
import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.build import bulk

from labkit import potentials
from labkit.active_learning import RandomSymmetric
from labkit.active_learning.relaxing import relax_batch

GROUPS = [12, 38, 65, 71, 123, 129, 139, 166, 187, 191, 194, 221, 225]
#: Cut-offs of pairs, triplets and quadruplets, in nearest-neighbour distances.
SHORT, LONG = (1.45, 1.05), (2.3, 1.8, 1.45)


def formulas(first: str, second: str) -> list[str]:
    """Cells of two to four atoms of both elements."""
    mixed = [(1, 1), (2, 1), (1, 2), (3, 1), (1, 3), (2, 2)]
    return [f"{first}4", f"{second}4", *(f"{first}{a}{second}{b}" for a, b in mixed)]


def random_crystals(first: str, second: str, groups: list[int], per_group: int, max_steps: int = 150):
    """Random symmetric crystals after both relaxations: rows of id, space group, x, energy, volume, and the atoms."""
    task = RandomSymmetric(
        potential="emt", formulas=formulas(first, second), space_groups=groups, per_group=per_group,
        max_steps=max_steps, n_rattle=0, n_stretch=0,
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        run = task.run(store=folder, name=f"random {first}-{second}")
        table, frames = run.table("crystals"), run.frames()
        rows = []
        for row, atoms in zip(table.itertuples(), frames, strict=True):
            if row.stage == "full":
                rows.append(described(atoms, second, row.id.split("/")[0], row.space_group, row.energy_eV_atom))
    return rows


def described(atoms: Atoms, second: str, name: str, space_group: int, energy_eV: float) -> dict:
    """One crystal as plain numbers."""
    return {
        "id": name,
        "space_group": int(space_group),
        "x": atoms.get_chemical_symbols().count(second) / len(atoms),
        "energy_eV": round(float(energy_eV), 6),
        "volume_A3": round(float(atoms.get_volume()) / len(atoms), 4),
        "symbols": atoms.get_chemical_formula(mode="reduce"),
        "cell": np.round(atoms.cell.array, 5).tolist(),
        "positions": np.round(atoms.positions, 5).tolist(),
    }


def atoms_of(row: dict) -> Atoms:
    """The crystal of a row."""
    return Atoms(row["symbols"], positions=row["positions"], cell=row["cell"], pbc=True)


def relaxed_fcc(element: str, potential) -> tuple[float, float]:
    """Lattice constant (Å) and energy (eV/atom) of an element as fcc."""
    start = bulk(
        element, "fcc", a={"Al": 4.0, "Ni": 3.5, "Cu": 3.6, "Pd": 3.9, "Ag": 4.06, "Pt": 3.93, "Au": 4.06}[element]
    )
    (end,) = relax_batch([start], potential, "full", fmax_eV_A=0.002)
    return float((4 * end.atoms.get_volume()) ** (1 / 3)), float(end.energy)


def main(first: str, second: str) -> None:
    """All of it; the file is written once, at the end."""
    import spglib

    from labkit.phase_diagrams.cluster_expansion import enumerate_alloy, fit_expansion, on_lattice
    from labkit.phase_diagrams.cluster_expansion_sampling import sample_free_energy

    start = time.time()
    path = Path(__file__).parent / f"53_{first}-{second}.json.gz"
    old = json.loads(gzip.decompress(path.read_bytes())) if path.exists() else {}
    potential = potentials.load("emt")
    fcc = {element: relaxed_fcc(element, potential) for element in (first, second)}
    parent = bulk(first, "fcc", a=0.5 * (fcc[first][0] + fcc[second][0]))
    nearest = float(parent.cell.lengths()[0])
    crystals = old.get("crystals") or random_crystals(first, second, GROUPS, per_group=3)
    print(f"{time.time() - start:.0f} s: {len(crystals)} random crystals", flush=True)

    tests = old.get("enumerated", [])
    if not tests:
        ends = relax_batch(enumerate_alloy(parent, (first, second), 6), potential, "full", fmax_eV_A=0.02)
        for number, end in enumerate(ends):
            cell = (end.atoms.cell.array, end.atoms.get_scaled_positions(), end.atoms.numbers)
            group = spglib.get_symmetry_dataset(cell, 1e-2).number
            tests.append(described(end.atoms, second, f"fcc-{number}", group, end.energy / len(end.atoms)))
    print(f"{time.time() - start:.0f} s: {len(tests)} arrangements", flush=True)

    sets = {}
    for name, rows in (("random crystals", crystals), ("fcc arrangements", tests)):
        kept = on_lattice([atoms_of(row) for row in rows], parent)
        sets[name] = kept.ideal, [rows[index]["energy_eV"] for index in kept.index]
    sets["both"] = tuple(a + b for a, b in zip(*sets.values(), strict=True))
    pure = [bulk(element, "fcc", a=nearest * np.sqrt(2)) for element in (first, second)]
    report, known = [], sets["fcc arrangements"]
    for name, (ideal, energies) in sets.items():
        for reach in (SHORT, LONG):
            fit = fit_expansion(parent, (first, second), [*pure, *ideal], [*(fcc[one][1] for one in fcc), *energies],
                                [one * nearest for one in reach], method="least-squares")  # fmt: skip
            miss = np.array([fit.energy(one) for one in known[0]]) - known[1]
            report.append({
                "trained on": name, "structures": len(ideal), "terms": len(fit.expansion.parameters),
                "fit_meV": 1000 * fit.rmse_eV, "validation_meV": 1000 * fit.validation_eV,
                "fcc_meV": 1000 * float(np.sqrt((miss**2).mean())),
            })  # fmt: skip
            print(report[-1], flush=True)

    def progress(done: int, total: int, text: str) -> None:
        if done % 50 == 0:
            print(f"{time.time() - start:.0f} s: {done} of {total}, {text}", flush=True)

    temperatures = np.arange(200, 1201, 50.0)
    compositions = np.linspace(0, 1, 15)
    alloy = sample_free_energy(
        fit, temperatures, compositions=compositions, repeat=6, steps=16, sweeps=50, progress=progress
    )
    found = {
        "elements": [first, second], "fcc": fcc, "report": report, "crystals": crystals, "enumerated": tests,
        "sampled": alloy.to_dict(),
        "seconds": round(time.time() - start),
    }  # fmt: skip
    path.write_bytes(gzip.compress(json.dumps(found).encode(), mtime=0))
    print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB, {found['seconds']} s")


if __name__ == "__main__":
    main(*sys.argv[1:3])
