"""Turn partly filled sites into whole atoms, in the smallest supercell that keeps the composition.

The number of cells is searched here; which of the sites are filled is decided by pymatgen's
OrderDisorderedStructureTransformation (low Ewald energy; its fast search where there are few orders, site after site
where there are many), with oxidation states guessed from the composition.
"""

from __future__ import annotations

import itertools
import math
import warnings
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from ase import Atoms

from labkit.errors import InvalidStructure
from labkit.structures.check import ask_for_budget

if TYPE_CHECKING:
    from labkit.structures.cif_sites import Site

MAX_CELLS = 16
MAX_ORDERS = 20_000
MAX_SITES = 400  # the Ewald matrix grows with the square
TOLERANCE = 0.005  # occupancies are printed with two or three digits


def order_smallest(sites: Sequence[Site], cell: np.ndarray, max_atoms: int) -> Atoms:
    """Return an ordered crystal with the composition of the disordered `sites` (positions in fractions of `cell`, Å).

    ``info["mended"]`` says what was chosen. Raises InvalidStructure when no supercell of at most 16 primitive cells and
    400 sites has whole numbers of atoms.
    """
    from pymatgen.core import Structure

    with warnings.catch_warnings():
        # pymatgen remarks on missing electronegativities and guesses; the result is checked by the caller.
        warnings.simplefilter("ignore")
        disordered = Structure(cell, [site.shares for site in sites], [site.position for site in sites])
        primitive = disordered.get_primitive_structure(tolerance=0.1)
        n_cells, counts = _smallest(primitive)
        ask_for_budget(n_cells * len(primitive), max_atoms)
        supercell = primitive.make_supercell(_compact(primitive.lattice.matrix, n_cells), in_place=False)
        ordered, charged = _decide(supercell, counts)
    symbols = [site.specie.symbol for site in ordered]
    atoms = Atoms(symbols, scaled_positions=ordered.frac_coords % 1.0, cell=ordered.lattice.matrix, pbc=True)
    how = "by pymatgen's electrostatic energy" if charged else "without charges, as none could be guessed"
    atoms.info["mended"] = [
        f"Partly filled sites were ordered as {atoms.get_chemical_formula('metal')} in {n_cells} primitive cell"
        f"{'s' if n_cells > 1 else ''} ({how}): one of many possible orders."
    ]
    return atoms


def _groups(structure: Any) -> Counter[Any]:
    return Counter(site.species for site in structure)


def _smallest(primitive: Any) -> tuple[int, Counter[str]]:
    groups = _groups(primitive)
    for n_cells in range(1, MAX_CELLS + 1):
        if n_cells * len(primitive) > MAX_SITES:
            break
        counts: Counter[str] = Counter()
        worst = 0.0
        for species, multiplicity in groups.items():
            n_sites = multiplicity * n_cells
            for element, occupancy in species.items():
                worst = max(worst, abs(occupancy - round(occupancy * n_sites) / n_sites))
                counts[element.symbol] += round(occupancy * n_sites)
        if worst < TOLERANCE and all(counts.values()):
            return n_cells, counts
    shares = "; ".join(str(species) for species in groups if len(species) > 1 or sum(species.values()) < 0.999)
    raise InvalidStructure(
        f"No supercell of up to {MAX_CELLS} primitive cells and {MAX_SITES} sites holds whole atoms of {shares[:120]}. "
        "Round the occupancies in the file to simple fractions, or order it by hand."
    )


def _compact(lattice: np.ndarray, n_cells: int) -> np.ndarray:
    """Return the integer matrix (3, 3) of determinant `n_cells` whose supercell has the longest shortest width."""
    best, best_width = np.diag([1, 1, n_cells]), -1.0
    for a, b in itertools.product(range(1, n_cells + 1), repeat=2):
        if n_cells % (a * b):
            continue
        c = n_cells // (a * b)
        for xy, xz, yz in itertools.product(range(b), range(c), range(c)):
            matrix = np.array([[a, 0, 0], [xy, b, 0], [xz, yz, c]]).T
            inverse = np.linalg.inv(matrix @ lattice)
            width = float((1 / np.linalg.norm(inverse, axis=0)).min())
            if width > best_width + 1e-6:
                best, best_width = matrix, width
    return best


def _n_orders(supercell: Any) -> int:
    """Return in how many ways the sites can be filled."""
    total = 1
    for species, n_sites in _groups(supercell).items():
        left = n_sites
        for occupancy in species.values():
            total *= math.comb(left, min(left, round(occupancy * n_sites)))
            left -= round(occupancy * n_sites)
    return total


def _decide(supercell: Any, counts: Counter[str]) -> tuple[Any, bool]:
    from pymatgen.core import Composition
    from pymatgen.transformations.standard_transformations import OrderDisorderedStructureTransformation

    try:
        guesses = Composition(counts).oxi_state_guesses(max_sites=-50)
    except ValueError:  # more than 50 atoms in the reduced formula: no guess in reasonable time
        guesses = ()
    charged = bool(guesses)
    if charged:
        supercell.add_oxidation_state_by_element(guesses[0])
    # Up to here pymatgen's search ends within seconds; beyond it sites are decided one after the other.
    few = _n_orders(supercell) <= MAX_ORDERS
    ordering = OrderDisorderedStructureTransformation(algo=0 if few else 2, no_oxi_states=not charged)
    try:
        return ordering.apply_transformation(supercell), charged
    except ValueError as error:
        raise InvalidStructure(
            f"pymatgen cannot order these sites ({str(error)[:100]}). Round the occupancies to simple fractions."
        ) from error
