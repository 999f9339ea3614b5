import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.geometry import find_mic
from ase.geometry.minkowski_reduction import minkowski_reduce

from labkit.errors import InvalidStructure
from labkit.simulators.hops import find_hops
from labkit.structures import named, primitive


def moved(initial, final):
    """Indices and lengths (Å) of the atoms that are elsewhere in the final state."""
    lengths = find_mic(final.positions - initial.positions, initial.cell, initial.pbc)[1]
    return np.flatnonzero(lengths > 1e-6), lengths[lengths > 1e-6]


CASES = [("LiFePO4", 6.0), ("LiTi2(PO4)3", 6.2), ("Li6PS5Cl", 4.0), ("LiCoO2", 3.0), ("Li2S", 4.5)]


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize(("name", "reach"), CASES)
def test_end_states_hold_the_same_atoms_in_the_same_order_and_one_vacancy(name, reach, whole):
    atoms = named(name) if whole else primitive(named(name))
    network = find_hops(atoms, max_distance_A=reach)
    for hop in network.hops:
        initial, final = network.end_states(hop)
        cells = round(initial.get_volume() / atoms.get_volume())
        assert len(initial) == len(final) == cells * len(atoms) - 1
        assert (initial.numbers == final.numbers).all()
        assert sum(initial.symbols == "Li") == cells * sum(atoms.symbols == "Li") - 1
        index, length = moved(initial, final)
        assert len(index) == 1
        assert initial.symbols[index[0]] == "Li"
        assert length[0] == pytest.approx(hop.distance_A, abs=1e-3)
        assert np.linalg.norm(minkowski_reduce(initial.cell.array)[0], axis=1).min() >= 8.0 - 1e-6


def test_both_ends_of_a_hop_are_the_crystal_without_one_ion():
    network = find_hops(named("LiFePO4"), max_distance_A=6.0)
    perfect = network.atoms.repeat((1, 2, 2))
    for hop in network.hops:
        for end in network.end_states(hop):
            tree = find_mic((perfect.positions[:, None] - end.positions).reshape(-1, 3), perfect.cell)[1]
            nearest = tree.reshape(len(perfect), len(end)).min(axis=1)
            assert sum(nearest > 0.1) == 1  # one place of the crystal is empty


def test_equivalent_edges_give_congruent_end_states():
    network = find_hops(named("LiFePO4"), max_distance_A=6.0)
    for hop in network.hops:
        spectra = []
        for edge in [edge for edge in network.edges if edge.hop == hop.index][:4]:
            initial, final = network.end_states(edge, repeat=(1, 2, 2))
            (index,), _ = moved(initial, final)
            start = np.sort(initial.get_distances(index, np.arange(len(initial)), mic=True))
            end = np.sort(final.get_distances(index, np.arange(len(final)), mic=True))
            spectra.append(np.concatenate([start, end]))
        np.testing.assert_allclose(spectra, [spectra[0]] * len(spectra), atol=1e-5)


def test_a_hop_to_the_own_image_gets_a_cell_in_which_it_is_one():
    network = find_hops(bulk("Cu"), "Cu", max_distance_A=2.6)
    initial, final = network.end_states(0, min_length_A=2.0)
    index, length = moved(initial, final)
    assert len(index) == 1
    assert length[0] == pytest.approx(3.61 / np.sqrt(2), abs=1e-3)


def test_the_rhombohedral_cell_is_large_enough_as_it_is():
    # Its widths are below 7 Å, but no translation is shorter than 8.5 Å: 35 atoms instead of 287.
    network = find_hops(primitive(named("LiTi2(PO4)3")), max_distance_A=6.2)
    initial, final = network.end_states(0)
    assert len(initial) == 35
    assert moved(initial, final)[1][0] == pytest.approx(6.02, abs=0.01)


def test_a_repetition_that_is_too_small_for_the_hop_is_refused():
    network = find_hops(named("LiFePO4"), max_distance_A=6.0)
    with pytest.raises(InvalidStructure, match=r"1 × 1 × 1 is too small for the hop Li1-Li1 4\.69 Å \[001\]"):
        network.end_states(1, repeat=(1, 1, 1))


def test_a_repetition_in_which_two_different_hops_have_the_same_ends_is_refused():
    # A chain along z with one ion in the middle of a polar cell: up and down are not the same way.

    atoms = Atoms(
        "Li2OF",
        scaled_positions=[[0, 0, 0], [0, 0, 0.5], [0.5, 0.5, 0.20], [0.5, 0.5, 0.30]],
        cell=[8, 8, 9.0],
        pbc=True,
    )
    atoms.positions[3] += [1.0, 0, 0]
    network = find_hops(atoms, max_distance_A=4.6)
    assert len(network.hops) == 2
    assert {hop.distance_A for hop in network.hops} == {4.5}
    with pytest.raises(InvalidStructure, match="as near or nearer"):
        network.end_states(0, repeat=(1, 1, 1))
    assert len(network.end_states(0)[0]) == 7


@pytest.mark.parametrize("length", [0, -1, 1000])
def test_a_senseless_length_is_refused(length):
    with pytest.raises(InvalidStructure, match="between 0 and 100 Å"):
        find_hops(named("LiFePO4")).end_states(0, min_length_A=length)


def test_interstitial_end_states_have_one_ion_more():
    network = find_hops(named("Li2S"), kind="interstitial", max_distance_A=4.5)
    initial, final = network.end_states(0)
    cells = round(initial.get_volume() / network.atoms.get_volume())
    assert len(initial) == cells * 12 + 1
    index, length = moved(initial, final)
    assert (index == len(initial) - 1).all()
    assert length[0] == pytest.approx(network.hops[0].distance_A, abs=1e-3)


@pytest.mark.filterwarnings("ignore:Set OLD_ERROR_HANDLING to false:DeprecationWarning")  # pymatgen's way with spglib
def test_why_the_end_states_are_our_own():
    """pymatgen-analysis-diffusion 2026.9.23 cannot be used for end states, here with Li6PS5Cl (its issue 436).

    A hop that ends on an image of its own site keeps one atom too many (no vacancy), and the two ends of
    `get_sc_structures` hold their atoms in different orders: interpolated as they are, several ions move.
    """
    from pymatgen.analysis.diffusion.neb.pathfinder import DistinctPathFinder
    from pymatgen.io.ase import AseAtomsAdaptor

    atoms = primitive(named("Li6PS5Cl"))
    paths = DistinctPathFinder(AseAtomsAdaptor.get_structure(atoms), "Li", max_path_length=7.0).get_paths()
    own_image = next(path for path in paths if path.isite.is_periodic_image(path.esite))
    assert len(own_image.get_structures(nimages=1)[0]) == len(atoms)  # and not len(atoms) - 1
    start, end, _ = paths[0].get_sc_structures(vac_mode=True, min_atoms=13, max_atoms=120, min_length=8.0)
    theirs = [AseAtomsAdaptor.get_atoms(structure) for structure in (start, end)]
    assert len(moved(*theirs)[0]) > 1

    network = find_hops(atoms, max_distance_A=7.5)
    hop = next(hop for hop in network.hops if hop.i == hop.j)
    initial, final = network.end_states(hop)
    assert len(initial) % len(atoms) == len(atoms) - 1
    assert len(moved(initial, final)[0]) == 1
