"""The distinct ways to take ions out of a crystal: every supercell of a few primitive cells, each order once.

Supercells are the Hermite normal forms of Hart and Forcade; orders that the space group makes equal count once, and of
many at one content the electrostatically best come first.
"""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers

from labkit.errors import BudgetExceeded, InvalidStructure
from labkit.phase_diagrams.hull_entry import readable
from labkit.simulators.hops_symmetry import operations, site_symmetry
from labkit.structures import check, primitive, transform
from labkit.structures.substitution import neutral_states
from labkit.structures.symmetry import SYMPREC_A

#: More orders of one supercell than this are not looked at; ask for smaller ones.
MAX_ORDERS = 20_000
#: Electrostatic energies (eV for one primitive cell) that differ by less may be those of one and the same order.
SAME_EV = 1e-4


@dataclass(frozen=True)
class Ordering:
    """One order: its crystal, the part of the ion's sites that is filled, the size of its cell in primitive cells, and
    its electrostatic energy (eV for one primitive cell; 0 where charges are not known).
    """

    atoms: Atoms
    filled: float
    cells: int
    ewald_eV: float


def vacancy_orderings(crystal: Atoms, ion: str, *, cells: int = 2, most: int = 5) -> list[Ordering]:
    """The distinct orders of `ion` and vacancies in all supercells of up to `cells` primitive cells, poorest first.

    Hart, Forcade, Phys. Rev. B 77, 224115 (2008), doi 10.1103/PhysRevB.77.224115. most: of each content so many are
    kept, lowest electrostatic energy of formal charges first (the cations other than the ion take up the charge); where
    charges are not known, those of the smallest cells.
    Raises InvalidStructure when the crystal has no such ion, BudgetExceeded for more orders than can be looked at.
    """
    name, small = _start(crystal, ion)
    charges = _charges(small, ion)
    rotations = operations(small, SYMPREC_A)[0]
    kept: dict[float, list[Ordering]] = {}
    for size in range(1, cells + 1):
        for matrix in _supercells(size, rotations):
            for one in _orders(transform(small, _compact(matrix, small)), ion, size, charges):
                kept.setdefault(round(one.filled, 9), []).append(one)
    found = []
    for filled in sorted(kept):
        distinct = _distinct(sorted(kept[filled], key=lambda one: (round(one.ewald_eV / SAME_EV), one.cells)), most)
        for number, one in enumerate(distinct, 1):
            formula = _formula(one.atoms)
            one.atoms.info["name"] = f"{formula} #{number}" if len(distinct) > 1 else formula
            one.atoms.info["source"] = f"{name} with {filled:.3f} of its {ion}, order {number} of {len(distinct)} kept"
        found += distinct
    return found


def ends(crystal: Atoms, ion: str) -> list[Atoms]:
    """The primitive cell of a crystal without any of `ion`, and with all of it."""
    name, full = _start(crystal, ion)
    empty = Atoms(full.numbers, full.positions, cell=full.cell, pbc=True)
    del empty[np.flatnonzero(full.numbers == atomic_numbers[ion]).tolist()]
    for atoms, what in ((empty, "none"), (full, "all")):
        atoms.info.update(name=_formula(atoms), source=f"{name} with {what} of its {ion}")
    return [check(empty), full]


def _start(crystal: Atoms, ion: str) -> tuple[str, Atoms]:
    name = str(crystal.info.get("name") or crystal.get_chemical_formula("metal"))
    if ion not in atomic_numbers or atomic_numbers[ion] not in crystal.numbers:
        raise InvalidStructure(f"{name} holds no {ion}; name an ion that it has.")
    return name, primitive(crystal)


def _formula(atoms: Atoms) -> str:
    return readable({str(symbol): int(number) for symbol, number in atoms.symbols.formula.count().items()})


def _orders(cell: Atoms, ion: str, size: int, charges: dict[str, float] | None) -> Iterator[Ordering]:
    """The orders of one supercell that symmetry does not make equal."""
    sites = np.flatnonzero(cell.numbers == atomic_numbers[ion])
    if 2 ** len(sites) > MAX_ORDERS:
        raise BudgetExceeded(
            f"a cell with {len(sites)} sites of {ion} has {2 ** len(sites):.3g} orders; at most {MAX_ORDERS} are "
            "looked at. Take smaller supercells."
        )
    rotations, translations = operations(cell, SYMPREC_A)
    fractions = cell.get_scaled_positions() % 1.0
    moves = site_symmetry(fractions[sites], cell.cell.array, rotations, translations, 3 * SYMPREC_A).targets
    matrix = _interactions(cell) if charges else np.zeros((len(cell), len(cell)))
    # A filled supercell is the primitive one again, and so is an empty one.
    numbers = range(1, len(sites)) if size > 1 else range(len(sites) + 1)
    for number in numbers:
        seen: set[bytes] = set()
        for pick in itertools.combinations(range(len(sites)), number):
            filled = np.zeros(len(sites), dtype=np.uint8)
            filled[list(pick)] = 1
            images = filled[moves]
            key = min(row.tobytes() for row in images) if len(images) else filled.tobytes()
            if key in seen:
                continue
            seen.add(key)
            vector = _vector(cell, ion, sites, filled, charges)
            atoms = Atoms(cell.numbers, cell.positions, cell=cell.cell, pbc=True)
            del atoms[sites[filled == 0].tolist()]
            yield Ordering(check(atoms), number / len(sites), size, float(vector @ matrix @ vector) / size)


def _distinct(ordered: list[Ordering], most: int) -> list[Ordering]:
    """The first `most` that are different crystals; only orders of equal electrostatic energy are compared."""
    from pymatgen.analysis.structure_matcher import StructureMatcher
    from pymatgen.io.ase import AseAtomsAdaptor

    matcher = StructureMatcher(ltol=1e-3, stol=1e-3, angle_tol=0.1, scale=False)
    kept: list[tuple[Ordering, Any]] = []
    for one in ordered:
        if len(kept) == most:
            break
        crystal = AseAtomsAdaptor.get_structure(one.atoms)
        near = [other for first, other in kept if abs(first.ewald_eV - one.ewald_eV) < 2 * SAME_EV]
        if not any(matcher.fit(crystal, other) for other in near):
            kept.append((one, crystal))
    return [one for one, _ in kept]


def _supercells(size: int, rotations: np.ndarray) -> list[np.ndarray]:
    """The Hermite normal forms (3, 3) of a determinant, one of those that `rotations` (m, 3, 3) make equal."""
    kept: list[np.ndarray] = []
    for matrix in _normal_forms(size):
        turned = matrix @ rotations.transpose(0, 2, 1)
        # Two lattices are one when each is a whole-number combination of the other.
        ratios = [turned @ np.linalg.inv(other) for other in kept]
        if not any((np.abs(ratio - np.round(ratio)) < 1e-6).all(axis=(1, 2)).any() for ratio in ratios):
            kept.append(matrix)
    return kept


def _normal_forms(size: int) -> Iterator[np.ndarray]:
    for a, b in itertools.product(range(1, size + 1), repeat=2):
        if size % (a * b) == 0:
            c = size // (a * b)
            for x, y, z in itertools.product(range(b), range(c), range(c)):
                yield np.array([[a, x, y], [0, b, z], [0, 0, c]])


def _compact(matrix: np.ndarray, small: Atoms) -> np.ndarray:
    """The rows of `matrix` combined so that the supercell has the shortest edges."""
    from ase.geometry import minkowski_reduce

    return minkowski_reduce(matrix @ small.cell.array)[1] @ matrix


def _charges(small: Atoms, ion: str) -> dict[str, float] | None:
    """Formal charges (e) of the full crystal; None when they are not known, or no other cation could balance them."""
    counts = {str(symbol): int(number) for symbol, number in small.symbols.formula.count().items()}
    try:
        states = neutral_states(counts, {})
    except InvalidStructure:
        return None
    cations = [symbol for symbol, charge in (states or {}).items() if charge > 0 and symbol != ion]
    return states if cations else None


def _vector(
    cell: Atoms, ion: str, sites: np.ndarray, filled: np.ndarray, charges: dict[str, float] | None
) -> np.ndarray:
    """Charge of each site (e): empty sites have none, and the other cations share what is missing."""
    if not charges:
        return np.zeros(len(cell))
    vector = np.array([charges[symbol] for symbol in cell.get_chemical_symbols()], dtype=float)
    cations = (vector > 0) & (cell.numbers != atomic_numbers[ion])
    vector[sites[filled == 0]] = 0.0
    vector[cations] -= vector.sum() / math.fsum(cations)
    return vector


def _interactions(cell: Atoms) -> np.ndarray:
    """Ewald energy of each pair of sites with charges of 1 e (eV)."""
    from pymatgen.analysis.ewald import EwaldSummation
    from pymatgen.io.ase import AseAtomsAdaptor

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the cell of unit charges is not neutral; the orders are
        crystal = AseAtomsAdaptor.get_structure(Atoms(cell.numbers, cell.positions, cell=cell.cell, pbc=True))
        crystal.add_oxidation_state_by_site([1.0] * len(cell))
        return np.array(EwaldSummation(crystal).total_energy_matrix)
