"""Small labelled structures and files for the tests of the room."""

import numpy as np
from ase.build import bulk, molecule

from labkit.datasets import Dataset, Record


def labelled(atoms, seed=0, **more):
    random = np.random.default_rng(seed)
    stress = random.normal(size=(3, 3))
    return Record(
        atoms,
        energy=float(random.normal()),
        forces=random.normal(size=(len(atoms), 3)),
        stress=(stress + stress.T) / 2 if atoms.pbc.all() else None,
        magmoms=random.normal(size=len(atoms)),
        **more,
    )


def rattled(n=12, symbol="Cu", group="md", level="PBE", seed=0):
    """A set of n rattled crystals."""
    records = []
    for number in range(n):
        atoms = bulk(symbol, cubic=True)
        atoms.rattle(0.1, seed=1000 * seed + number)
        records.append(labelled(atoms, 1000 * seed + number, group=group, level_of_theory=level))
    return Dataset(records, symbol.lower())


def mixed():
    """Several elements, cells and molecules, groups and weights."""
    water, salt = molecule("H2O"), bulk("NaCl", "rocksalt", a=5.6)
    salt.rattle(0.05, seed=1)
    triclinic = bulk("Fe")
    triclinic.info.update(temperature_K=300, comment='he said "no"\\', tag="train", converged=True)
    triclinic.set_array("momenta", np.full((1, 3), 1 / 3))
    wire = bulk("Al", cubic=True)
    wire.pbc = (True, False, False)
    return Dataset(
        [
            labelled(water, 1, group="molecule", level_of_theory="PBE", provenance="G2"),
            labelled(salt, 2, group="salt", weight=0.1, level_of_theory="PBE"),
            labelled(triclinic, 3, group='odd "group"\\', level_of_theory="PBE"),
            labelled(wire, 4, level_of_theory="PBE"),
        ],
        "mixed",
    )


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


FRAME = """2
Lattice="4 0 0 0 4 0 0 0 4" Properties=species:S:1:pos:R:3:forces:R:3 {pairs} pbc="T T T"
Na 0 0 0 0.1 0.2 0.3
Cl 2 2 2 -0.1 -0.2 -0.3
"""
