"""Orders of ions and vacancies: counted as published, the host untouched, the electrostatically best first."""

from collections import Counter

import numpy as np
import pytest
from ase import Atoms

from labkit.errors import InvalidStructure
from labkit.phase_diagrams.vacancy_orderings import vacancy_orderings
from labkit.structures import named


def test_orders_are_counted_as_hart_and_forcade_do():
    # Phys. Rev. B 77, 224115, table IV: an fcc parent has 2, 6 and 19 binary superstructures of 2, 3 and 4 sites.
    fcc = Atoms("Na", cell=2.0 * (np.ones((3, 3)) - np.eye(3)), pbc=True)
    salt = fcc + Atoms("Cl", positions=[[2.0, 2.0, 2.0]])
    found = Counter(round(one.filled, 3) for one in vacancy_orderings(salt, "Na", cells=4, most=1000))
    assert found[0.0] == found[1.0] == 1
    assert found[0.333] + found[0.667] == 6
    assert found[0.25] + found[0.75] + found[0.5] == 2 + 19
    assert found[0.333] == found[0.667]


def test_orders_keep_the_host_and_start_with_the_best():
    orders = vacancy_orderings(named("LiFePO4"), "Li", cells=1, most=2)
    assert [one.filled for one in orders] == [0, 0.25, 0.5, 0.5, 0.75, 1]
    for one in orders:
        counts = Counter(one.atoms.get_chemical_symbols())
        assert (counts["Fe"], counts["P"], counts["O"]) == (4, 4, 16)
        assert counts["Li"] == 4 * one.filled
    assert orders[2].ewald_eV < orders[3].ewald_eV
    assert orders[2].atoms.info["name"] != orders[3].atoms.info["name"]
    with pytest.raises(InvalidStructure, match="graphite holds no Li"):
        vacancy_orderings(named("graphite"), "Li")
