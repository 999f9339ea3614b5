"""Other crystals, against forgetting: some that the student rehearses while it learns, others that show what it lost.

The one idea: a rehearsed structure is labelled by the student itself, with the energies of the elements already moved
to the new level of theory, so it pulls on the network only when the network changes, and no two zeros of energy meet.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from ase import Atoms

from labkit.active_learning.levels import rattled

if TYPE_CHECKING:
    from labkit.datasets import Record
    from labkit.potentials.interface import Potential

#: Crystals of the library with at most so many atoms are taken, and at most so many of them for each purpose.
SMALL_ATOMS, AT_MOST = 24, 8
RATTLE_A, STRAIN = 0.08, 0.02
#: Rattled copies of each untouched crystal.
LOOKS = 2
GROUP = "replay"


def other_crystals(
    elements: Collection[str] | None, families: Collection[str], learned: Collection[frozenset[str]] = ()
) -> tuple[list[Atoms], list[Atoms]]:
    """Return small crystals of the library to rehearse with, and others to look at what is forgotten.

    elements: those that the potential knows, None for all. families: reduced formulas that are left out. learned: what
    is learned from consists of these elements; a cell with a vacancy has another formula than its crystal, so whatever
    consists of the same elements is left out. Both lists are empty where the library has nothing.
    """
    from labkit.structures import entries, named

    found: dict[str, Atoms] = {}
    for entry in sorted(entries(), key=lambda one: one.name):
        if entry.kind != "crystal":
            continue
        atoms = named(entry.name)
        formula = family(atoms)
        known = elements is None or set(atoms.symbols) <= set(elements)
        other = formula not in families and frozenset(atoms.symbols) not in learned
        if known and len(atoms) <= SMALL_ATOMS and other and formula not in found:
            found[formula] = atoms
    crystals = list(found.values())
    return crystals[::2][:AT_MOST], crystals[1::2][:AT_MOST]


def family(atoms: Atoms) -> str:
    """The reduced formula, elements in alphabetical order."""
    symbols = sorted(set(atoms.symbols))
    counts = [list(atoms.symbols).count(symbol) for symbol in symbols]
    divisor = int(np.gcd.reduce(counts))
    return "".join(
        f"{symbol}{count // divisor if count > divisor else ''}" for symbol, count in zip(symbols, counts, strict=True)
    )


def rehearsal(student: Potential, crystals: Sequence[Atoms], count: int, seed: int) -> list[Record]:
    """Return `count` rattled copies of the crystals in turn, labelled by `student` itself."""
    from labkit.datasets import Record

    frames = rattled(crystals, count, RATTLE_A, STRAIN, [seed, 23])
    if not frames:
        return []
    said = student.predict(frames)
    return [
        Record(
            atoms,
            energy=float(said.energies[index]),
            forces=said.forces[index],
            stress=None if said.stresses is None or not atoms.pbc.all() else said.stresses[index],
            group=GROUP,
            level_of_theory=f"{student.name}'s own, energies of the elements moved",
            provenance=f"rattled copy of {atoms.get_chemical_formula()}, labelled by the student",
        )
        for index, atoms in enumerate(frames)
    ]


def forgetting(
    before: Potential, after: Potential, crystals: Sequence[Atoms], teacher: Potential | None, seed: int
) -> list[dict[str, Any]]:
    """Return a row for each crystal: how far the potential has moved on rattled copies that it never learned from.

    before: the student with the energies of its elements moved. forces_change_meV_A: rms difference of the force
    components; forces_change_percent: in units of their rms. energy_change_meV_atom: rms difference. With a teacher
    that is a potential also the force errors before and after, which say whether the change was for the worse.
    """
    rows = []
    for number, crystal in enumerate(crystals):
        frames = rattled([crystal], LOOKS, RATTLE_A, 0.0, [seed, 29, number])
        old, new = (one.predict(frames, ("energy", "forces")) for one in (before, after))
        size = _rms(old.forces)
        change = _rms([a - b for a, b in zip(old.forces, new.forces, strict=True)])
        energies = (new.energies - old.energies) / len(crystal)
        row = {
            "crystal": str(crystal.info.get("name") or crystal.get_chemical_formula()),
            "atoms": len(crystal),
            "forces_change_meV_A": 1000 * change,
            "forces_change_percent": 100 * change / size if size > 0 else float("nan"),
            "energy_change_meV_atom": 1000 * float(np.sqrt(np.mean(energies**2))),
            "student_error_meV_A": float("nan"),
            "tuned_error_meV_A": float("nan"),
        }
        if teacher is not None and (teacher.elements is None or set(crystal.symbols) <= set(teacher.elements)):
            truth = teacher.predict(frames, ("energy", "forces")).forces
            for key, said in (("student_error_meV_A", old.forces), ("tuned_error_meV_A", new.forces)):
                row[key] = 1000 * _rms([a - b for a, b in zip(said, truth, strict=True)])
        rows.append(row)
    return rows


def _rms(parts: Sequence[np.ndarray]) -> float:
    return float(np.sqrt(np.mean(np.concatenate([np.ravel(one) for one in parts]) ** 2)))
