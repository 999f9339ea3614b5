import numpy as np
import pytest
from ase.build import bulk
from ase.geometry import find_mic

from labkit.errors import InvalidStructure
from labkit.simulators.hops import find_hops
from labkit.simulators.hops_sites import void_sites
from labkit.structures import named, primitive


def has(sites, wanted, cell, tolerance_A=0.05):
    return (find_mic((sites - np.array(wanted)) @ cell, cell)[1] < tolerance_A).any()


def test_hydrogen_in_fcc_finds_octahedra_and_tetrahedra():
    atoms = bulk("Al", cubic=True)
    network = find_hops(atoms, "H", kind="interstitial", max_distance_A=1.9)
    assert len(network.sites) == 4 + 8
    assert len(set(network.orbits)) == 2
    assert has(network.sites, [0.5, 0.5, 0.5], atoms.cell.array)
    assert has(network.sites, [0.25, 0.25, 0.25], atoms.cell.array)
    (hop,) = network.hops
    assert hop.distance_A == pytest.approx(4.05 * np.sqrt(3) / 4, abs=1e-3)
    assert hop.multiplicity == 32  # 8 neighbours of each of 4 octahedra
    assert network.percolation([(0.2, 0.1)]).barriers_eV == (pytest.approx(0.2),) * 3


def test_hydrogen_in_bcc_sits_in_the_tetrahedra():
    atoms = bulk("Fe", cubic=True)
    sites = void_sites(atoms, "H")
    assert len(sites) == 12
    assert has(sites, [0.5, 0.25, 0.0], atoms.cell.array)


def test_the_empty_octahedra_of_antifluorite_are_found_in_either_cell():
    # The fourth of the fcc interstices of Li2S, where a Frenkel pair puts its lithium.
    atoms = named("Li2S")
    assert len(void_sites(atoms)) == 4
    assert has(void_sites(atoms), [0.5, 0.5, 0.5], atoms.cell.array)
    assert len(void_sites(primitive(atoms))) == 1


def test_the_second_lithium_site_of_the_nasicon_is_a_void():
    atoms = named("LiTi2(PO4)3")
    sites = void_sites(atoms)
    # 18e (x, 0, 1/4) with x near 0.64, where the extra lithium of LATP sits.
    assert any(has(sites, [x, 0, 0.25], atoms.cell.array, 0.1) for x in np.arange(0.60, 0.72, 0.01))


def test_sites_are_whole_orbits_in_a_rotated_setting_too():
    atoms = named("LiFePO4")
    sites = void_sites(atoms)
    turned = atoms.copy()
    turned.rotate(33, "x", rotate_cell=True)
    np.testing.assert_allclose(np.sort(void_sites(turned), axis=0), np.sort(sites, axis=0), atol=1e-3)


def test_given_sites_are_completed_by_symmetry():
    network = find_hops(bulk("Al", cubic=True), "H", kind="interstitial", sites=[[0.5, 0.5, 0.5]], max_distance_A=3.0)
    assert len(network.sites) == 4
    assert [hop.multiplicity for hop in network.hops] == [24]


def test_a_given_site_on_an_atom_is_refused():
    with pytest.raises(InvalidStructure, match=r"Site 1 lies 0\.40 Å from atom 0 \(Al\)"):
        find_hops(bulk("Al", cubic=True), "H", kind="interstitial", sites=[[0.5, 0.5, 0.5], [0.1, 0, 0]])


@pytest.mark.parametrize("sites", [[], [[0.5, np.nan, 0.5]], [[0.5, 0.5]], "x"])
def test_sites_that_are_no_positions_are_refused(sites):
    with pytest.raises(InvalidStructure, match="sites must be rows of three"):
        find_hops(bulk("Al"), "H", kind="interstitial", sites=sites)


def test_a_dense_crystal_has_no_room_and_says_how_much_it_has():
    with pytest.raises(InvalidStructure, match=r"No void of Co3Li3O6 is wide enough for Li: .* clearance of 0\.\d\d"):
        find_hops(named("LiCoO2"), kind="interstitial")


def test_no_ion_of_the_kind_needs_to_be_there():
    network = find_hops(named("NaCl"), "Li", kind="interstitial", max_distance_A=4.5)
    assert "Li" not in network.atoms.symbols
    assert len(network.sites) == 8  # the cube centres


def test_an_unknown_element_is_refused():
    with pytest.raises(InvalidStructure, match="must be an element"):
        void_sites(bulk("Al"), "Xx")
