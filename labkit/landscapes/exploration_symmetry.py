"""How many symmetry operations a structure has: it says how many copies of it there are, and so how fast they react."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np

#: Atoms further than this (Å) from where an operation puts them break it.
TOLERANCE_A = 0.1


def point_group_order(symbols: Sequence[str], positions: np.ndarray, *, inversion: bool = True) -> int:
    """The number of operations of the point group of (n, 3) Å; without `inversion` only the proper rotations count.

    By pymatgen. The infinite groups of linear molecules count as their finite part: C∞v 1, D∞h 2.
    """
    from pymatgen.core import Molecule
    from pymatgen.symmetry.analyzer import PointGroupAnalyzer

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        analyzer = PointGroupAnalyzer(Molecule(list(symbols), positions), tolerance=TOLERANCE_A)
        if analyzer.sch_symbol.endswith("*v") or analyzer.sch_symbol.endswith("*h"):
            return 2 if analyzer.sch_symbol == "D*h" else 1
        found = [operation.rotation_matrix for operation in analyzer.get_symmetry_operations()]
    proper = sum(np.linalg.det(matrix) > 0 for matrix in found)
    return max(1, len(found) if inversion else int(proper))
