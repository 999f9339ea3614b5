"""The convex hull at 0 K: the same as scipy's, atoms are conserved, and what cannot be compared is refused."""

import numpy as np
import pytest
from scipy.spatial import ConvexHull, Delaunay

from labkit.errors import InvalidStructure
from labkit.phase_diagrams.hull import convex_hull
from labkit.phase_diagrams.hull_entry import HullEntry, mixture
from tests.phase_diagrams.hull_toys import random_entries, toy

ELEMENTS = ("Li", "Co", "O", "P")


def scipy_hull(fractions, energies):
    """Numbers of the entries on the lower hull, and its energy at compositions (m, corners), all by scipy."""
    points = np.column_stack([fractions[:, 1:], energies])
    hull = ConvexHull(points)
    lower = hull.equations[hull.equations[:, -2] < -1e-10]

    def energy(where):
        # Each lower facet is a plane n x + d = 0; the hull is the highest of them.
        planes = -(where[:, 1:] @ lower[:, :-2].T + lower[:, -1]) / lower[:, -2]
        return planes.max(axis=1)

    corners = hull.simplices[hull.equations[:, -2] < -1e-10]
    return set(corners.ravel().tolist()), energy


@pytest.mark.parametrize("corners", [2, 3])
def test_the_hull_of_random_systems_is_scipys(corners):
    for seed in range(12):
        rng = np.random.default_rng([corners, seed])
        entries = random_entries(ELEMENTS[:corners], 14 if corners == 2 else 25, rng)
        hull = convex_hull(entries)
        energies = np.array([one.energy_eV_atom for one in entries])
        stable, energy = scipy_hull(hull.fractions, energies)
        table = hull.table()
        assert set(np.flatnonzero(table["stable"])) == stable
        np.testing.assert_allclose(table["above_hull_eV_atom"], energies - energy(hull.fractions), atol=1e-9)
        where = rng.dirichlet(np.ones(corners), 20)
        ours = [hull.energy_eV_atom(dict(zip(hull.corners, row, strict=True))) for row in where]
        np.testing.assert_allclose(ours, energy(where), atol=1e-9)


def test_the_facets_cover_the_triangle_once():
    hull = convex_hull(random_entries(ELEMENTS[:3], 30, np.random.default_rng(5)))
    areas = [abs(np.linalg.det(hull.fractions[facet])) for facet in hull.facets]
    assert sum(areas) == pytest.approx(1, abs=1e-9)
    used = hull.fractions[sorted(set(hull.facets.ravel().tolist()))]
    assert Delaunay(used[:, :2]).find_simplex([1 / 3, 1 / 3]) >= 0
    assert {hull.entries[i].name for i in hull.facets.ravel()} == {one.name for one in hull.stable}


def test_a_decomposition_keeps_every_atom_and_the_energy():
    rng = np.random.default_rng(7)
    entries = random_entries(ELEMENTS, 40, rng)
    hull = convex_hull(entries)
    for entry in entries:
        parts = hull.decomposition(entry)
        assert sum(part.fraction for part in parts) == pytest.approx(1)
        for symbol in hull.elements:
            made = sum(part.amount * part.entry.counts.get(symbol, 0) / part.entry.formula_units for part in parts)
            assert made == pytest.approx(entry.counts.get(symbol, 0) / entry.formula_units, abs=1e-6)
        energy = sum(part.fraction * part.entry.energy_eV_atom for part in parts)
        assert entry.energy_eV_atom - energy == pytest.approx(hull.above_eV_atom(entry), abs=1e-8)


def test_what_a_decomposition_says_can_be_checked_by_hand():
    entries = [toy("Li", 0), toy("S", 0), toy("P", 0), toy("Li2S", -1), toy("P2S5", -0.3), toy("Li4P2S7", -0.6)]
    hull = convex_hull(entries)
    # 2 Li2S + P2S5 have 6 and 7 atoms: (6 (-1) + 7 (-0.3)) / 13.
    assert hull.energy_eV_atom("Li4P2S7") == pytest.approx(-8.1 / 13)
    assert mixture(hull.decomposition("Li4P2S7")) == "P2S5 + 2 Li2S"
    row = hull.table().set_index("name").loc["Li4P2S7"]
    assert row["above_hull_eV_atom"] == pytest.approx(8.1 / 13 - 0.6)
    assert not row["stable"]
    assert row["x_S"] == pytest.approx(7 / 13)
    assert hull.above_eV_atom(toy("Li4P2S7", -0.7)) == pytest.approx(8.1 / 13 - 0.7)


def test_compounds_as_corners_give_the_distances_of_the_elements():
    compounds = [toy("Li2S", -1), toy("P2S5", -0.3), toy("Li3PS4", -0.8), toy("Li7PS6", -0.85), toy("Li4P2S7", -0.6)]
    between = convex_hull(compounds, corners=["Li2S", "P2S5"])
    everything = convex_hull([*compounds, toy("Li", 0), toy("S", 0), toy("P", 0)])
    for one in compounds:
        assert between.above_eV_atom(one) == pytest.approx(everything.above_eV_atom(one), abs=1e-9)
    # Li3PS4 is 3/2 Li2S + 1/2 P2S5: 4.5 and 3.5 of 8 atoms.
    np.testing.assert_allclose(between.fractions[2], [4.5 / 8, 3.5 / 8])
    assert list(between.table().columns[-2:]) == ["x_Li2S", "x_P2S5"]


def test_many_compounds_can_be_corners():
    sulfides = ["Li2S", "Na2S", "K2S", "MgS", "CaS", "ZnS"]
    mixed = toy("LiNaS", -1.2)
    hull = convex_hull([*(toy(one, -1) for one in sulfides), mixed], corners=sulfides)
    assert hull.formation_eV_atom(mixed) == pytest.approx(-0.2)
    assert len(hull.stable) == 7


def test_of_one_element_the_lowest_polymorph_is_stable_and_keeps_its_structure():
    graphite, diamond = toy("C4", -9.2, "graphite"), toy("C2", -9.1, "diamond")
    hull = convex_hull([diamond, graphite])
    assert hull.stable == (graphite,)
    assert hull.stable[0].atoms is graphite.atoms
    assert hull.above_eV_atom(diamond) == pytest.approx(0.1)


def test_what_cannot_be_compared_is_refused_with_the_next_step():
    with pytest.raises(ValueError, match=r"O has an energy of 'PBE', Li one of 'toy'.*one potential"):
        convex_hull([toy("Li", 0), toy("O", 0, level="PBE")])
    with pytest.raises(InvalidStructure, match=r"between Co, Li, O needs an entry for Co, O: add it"):
        convex_hull([toy("Li", 0), toy("LiCoO2", -1)])
    with pytest.raises(InvalidStructure, match=r"LiCl is no mixture of Li2S, P2S5; leave it out"):
        convex_hull([toy("Li2S", 0), toy("P2S5", 0), toy("LiCl", -1)], corners=["Li2S", "P2S5"])
    with pytest.raises(InvalidStructure, match=r"no mixture of Li, O"):
        convex_hull([toy("Li", 0), toy("O", 0)]).energy_eV_atom("LiCl")
    with pytest.raises(InvalidStructure, match="holds no atoms"):
        convex_hull([toy("Li", 0), toy("O", 0)]).energy_eV_atom("")
    with pytest.raises(ValueError, match="at least one crystal"):
        convex_hull([])
    with pytest.raises(InvalidStructure, match=r"energy nan eV; it needs at least one atom and a finite energy"):
        HullEntry(toy("Li", 0).atoms, float("nan"), "toy")
