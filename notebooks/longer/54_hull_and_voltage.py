"""Makes 54_hull_and_voltage.json: orders of Li and vacancies in LiCoO2 and LiFePO4, and phases of Li-P-S with LiCl.

Everything is relaxed with CHGNet. Crystals are those of labkit's library; black phosphorus, α-sulfur and the Na3As type
(for Li3P) come from the AFLOW prototypes that pymatgen carries. P2S5 and lithium polysulfides are in neither.
Run it with: python notebooks/longer/54_hull_and_voltage.py (two minutes of one core).
"""

import json
import sys
import time
import warnings
from pathlib import Path

from ase import Atoms

from labkit.phase_diagrams.voltage_task import VoltageCurve
from labkit.potentials import load
from labkit.simulators import Relaxation
from labkit.structures import named, primitive

HERE = Path(__file__).parent
STORE = sys.argv[1] if len(sys.argv) > 1 else None
LIBRARY = {"Li": "Li", "Li2S": "Li2S", "LiCl": "LiCl", "β-Li3PS4": "beta-Li3PS4", "Li6PS5Cl": "Li6PS5Cl-chgnet"}
PROTOTYPES = {
    "black P": ("A_oC8_64_f", {"P"}),
    "α-S": ("A_oF128_70_4h", {"S"}),
    "Li3P": ("AB3_hP8_194_c_bf", {"Na", "As"}),
}


def prototype(name, aflow, elements):
    from pymatgen.analysis.prototypes import AFLOW_PROTOTYPE_LIBRARY

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        named_so = [one["snl"].structure for one in AFLOW_PROTOTYPE_LIBRARY if one["tags"]["aflow"] == aflow]
        crystal = next(one for one in named_so if {element.symbol for element in one.composition} == elements)
        if name == "Li3P":
            crystal.replace_species({"Na": "Li", "As": "P"})
            crystal.scale_lattice(118.0)  # as a 4.27 and c 7.6 Å make it; relaxed in any case
    symbols = [site.specie.symbol for site in crystal]
    atoms = Atoms(symbols, scaled_positions=crystal.frac_coords, cell=crystal.lattice.matrix, pbc=True)
    atoms.info.update(name=name, source=f"AFLOW prototype {aflow}, as pymatgen ships it")
    return atoms


def slim(structure):
    """Shorter numbers: a hundredth of what a relaxation leaves open."""
    short = dict(structure)
    short["positions"] = [[round(x, 5) for x in row] for row in structure["positions"]]
    short["cell"] = [[round(x, 6) for x in row] for row in structure["cell"]]
    return short


def phases():
    starts = {name: primitive(named(known)) for name, known in LIBRARY.items()}
    starts |= {name: prototype(name, *one) for name, one in PROTOTYPES.items()}
    found = (
        Relaxation(structures=list(starts.values()), fmax_eV_A=0.03, max_steps=800, device="cpu")
        .run(store=STORE)
        .result()
    )
    print("phases", found["steps"], found["not_converged"])
    return [
        {"name": name, "energy_eV": energy, "source": start.info["source"], "structure": slim(structure)}
        for (name, start), energy, structure in zip(
            starts.items(), found["energies_eV"], found["structures"], strict=True
        )
    ]


def curve(name, **parameters):
    begin = time.process_time()
    result = VoltageCurve(structure=name, device="cpu", **parameters).run(store=STORE).result()
    for one in (result["metal"], *result["states"]):
        one["structure"] = slim(one["structure"])
    print(name, result["average_V"], result["left_out"], f"{time.process_time() - begin:.0f} s")
    return result


if __name__ == "__main__":
    made = {
        "level_of_theory": load("chgnet", "cpu").level_of_theory,
        "phases": phases(),
        "LiFePO4": curve("LiFePO4", cells=1, rattle_A=0.02),
        "LiCoO2": curve("LiCoO2", cells=4, orders=12, rattle_A=0.02),
    }
    (HERE / "54_hull_and_voltage.json").write_text(json.dumps(made, ensure_ascii=False))
