"""Entries made of a formula and an energy, for what does not look at positions."""

import numpy as np
from ase import Atoms
from ase.formula import Formula

from labkit.phase_diagrams.hull_entry import HullEntry


def toy(formula, energy_eV_atom, name="", level="toy", volume_A3_atom=10.0):
    """A crystal of `formula` with an energy for each atom; its atoms stand in a row."""
    atoms = sum(Formula(formula).count().values())
    edge = (volume_A3_atom * atoms) ** (1 / 3)
    positions = np.linspace(0, edge, atoms, endpoint=False)[:, None] * [1, 0, 0]
    crystal = Atoms(formula, positions=positions, cell=[edge] * 3, pbc=True)
    return HullEntry(crystal, energy_eV_atom * atoms, level, name)


def random_entries(elements, number, rng):
    """The elements, and compounds of random formula with energies of formation around -0.2 eV/atom."""
    entries = [toy(one, rng.uniform(-5, 0)) for one in elements]
    ends = {entry.formula: entry.energy_eV_atom for entry in entries}
    while len(entries) < number:
        counts = rng.integers(0, 6, len(elements))
        if (counts > 0).sum() < 2:
            continue
        formula = "".join(f"{one}{n}" for one, n in zip(elements, counts, strict=True) if n)
        mean = sum(ends[one] * n for one, n in zip(elements, counts, strict=True)) / counts.sum()
        entries.append(toy(formula, mean + rng.normal(-0.2, 0.2), f"{formula} {len(entries)}"))
    return entries
