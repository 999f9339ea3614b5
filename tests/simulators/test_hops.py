import json

import networkx as nx
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.geometry import find_mic

from labkit.errors import InvalidStructure
from labkit.simulators.hops import HopNetwork, find_hops
from labkit.structures import named, primitive, rattle


@pytest.fixture(scope="module")
def olivine():
    return find_hops(named("LiFePO4"), max_distance_A=6.1)


def latp_parent():
    """LiTi2(PO4)3 in its rhombohedral cell of 36 atoms, with the lattice that CHGNet 0.3.0 gives (methods B, 4)."""
    atoms = named("LiTi2(PO4)3")
    atoms.set_cell([8.620, 8.620, 20.981, 90, 90, 120], scale_atoms=True)
    return primitive(atoms)


def test_the_hops_of_olivine_are_those_that_are_known(olivine):
    found = [(hop.name, hop.multiplicity) for hop in olivine.hops]
    assert found == [
        ("Li1-Li4 3.00 Å [010]", 4),  # b/2
        ("Li1-Li1 4.69 Å [001]", 4),  # c
        ("Li1-Li4 5.57 Å [012]", 8),  # b/2 + c
        ("Li1-Li2 5.67 Å [101]", 8),  # a/2 + c/2
    ]
    assert [hop.symmetric for hop in olivine.hops] == [True, True, False, False]


# pymatgen calls spglib in the way that spglib is about to change, and hears about it at every call.
SPGLIB = "ignore:Set OLD_ERROR_HANDLING to false:DeprecationWarning"


@pytest.mark.filterwarnings(SPGLIB)
@pytest.mark.parametrize(
    ("name", "reach"), [("LiFePO4", 5.8), ("LiTiPO5", 6.0), ("Li6PS5Cl", 4.0), ("LiCoO2", 3.0), ("Li2S", 4.5)]
)
def test_distinct_hops_agree_with_pymatgen(name, reach):
    from pymatgen.analysis.diffusion.neb.pathfinder import DistinctPathFinder
    from pymatgen.io.ase import AseAtomsAdaptor

    atoms = named(name)
    theirs = DistinctPathFinder(AseAtomsAdaptor.get_structure(atoms), "Li", max_path_length=reach).get_paths()
    ours = find_hops(atoms, max_distance_A=reach).hops
    assert [hop.distance_A for hop in ours] == pytest.approx([path.length for path in theirs], abs=1e-3)


@pytest.mark.filterwarnings(SPGLIB)
def test_edges_and_their_number_agree_with_the_migration_graph_of_pymatgen(olivine):
    from pymatgen.analysis.diffusion.neb.full_path_mapper import MigrationGraph
    from pymatgen.io.ase import AseAtomsAdaptor

    theirs = MigrationGraph.with_distance(AseAtomsAdaptor.get_structure(olivine.atoms), "Li", 5.8)
    counts = {}
    for _, _, data in theirs.m_graph.graph.edges(data=True):
        length = round(data["hop"].length, 2)
        counts[length] = counts.get(length, 0) + 1
    assert {round(hop.distance_A, 2): hop.multiplicity for hop in olivine.hops} == counts


def test_a_hop_past_another_site_is_left_out(olivine):
    assert not any(hop.distance_A == pytest.approx(6.01, abs=0.01) for hop in olivine.hops)  # b, past the site at b/2


def test_every_operation_of_the_space_group_takes_the_network_onto_itself():
    from labkit.simulators.hops_symmetry import operations, reverse, site_symmetry

    network = find_hops(named("Li6PS5Cl"), max_distance_A=4.0)
    symmetry = site_symmetry(network.sites, network.atoms.cell.array, *operations(network.atoms, 0.01), 0.02)
    assert len(symmetry.rotations) == 24 * 4  # F-43m, conventional cell
    triples = {(edge.i, edge.j, edge.image): edge.hop for edge in network.edges}
    for triple, hop in list(triples.items())[::10]:
        for image in symmetry.images(*triple):
            assert triples.get(image, triples.get(reverse(image))) == hop


def test_the_numbers_of_hops_scale_with_the_cell_and_their_kinds_do_not():
    small = find_hops(primitive(named("Li6PS5Cl")), max_distance_A=4.0)
    large = find_hops(named("Li6PS5Cl"), max_distance_A=4.0)
    assert [hop.distance_A for hop in small.hops] == pytest.approx([hop.distance_A for hop in large.hops], abs=1e-3)
    assert [4 * hop.multiplicity for hop in small.hops] == [hop.multiplicity for hop in large.hops]


def test_names_point_towards_positive_axes_and_no_two_are_alike():
    names = [hop.name for hop in find_hops(named("LiTi2(PO4)3"), max_distance_A=6.2).hops]
    assert names == ["Li1-Li3 6.02 Å [2-21]"]
    for atoms in (named("LiTiPO5"), rattle(named("Li6PS5Cl"), 0.002, seed=0)):
        names = [hop.name for hop in find_hops(atoms, max_distance_A=5.5).hops]
        assert len(set(names)) == len(names)


def test_without_symmetry_every_edge_is_a_hop_of_its_own():
    network = find_hops(rattle(named("LiFePO4"), 0.05, seed=1), max_distance_A=4.0)
    assert len(network.hops) == len(network.edges) == 4
    assert len(set(network.orbits)) == 4


def test_the_nearest_6b_sites_of_the_nasicon_are_6_08_angstrom_apart_in_its_rhombohedral_cell():
    atoms = latp_parent()
    # 6b: neighbours at a/sqrt(3) sideways and c/6 up; rounding fractional differences gave 10.55 Å once.
    expected = np.hypot(8.620 / np.sqrt(3), 20.981 / 6)
    network = find_hops(atoms, max_distance_A=6.5)
    (hop,) = network.hops
    assert expected == pytest.approx(6.08, abs=0.01)
    assert hop.distance_A == pytest.approx(expected, abs=2e-3)
    assert hop.multiplicity == 6
    step = network.sites[hop.j] - network.sites[hop.i]
    assert find_mic(step @ atoms.cell.array, atoms.cell)[1] == pytest.approx(hop.distance_A, abs=1e-3)


def test_too_short_a_reach_says_how_far_it_is():
    with pytest.raises(
        InvalidStructure, match=r"No two Li sites .* within 4\.5 Å .* nearest are 6\.0\d Å.*max_distance"
    ):
        find_hops(named("LiTi2(PO4)3"))


def test_a_structure_without_the_ion_says_what_it_has_instead():
    with pytest.raises(InvalidStructure, match=r"Cl4Na4 has no Li that could hop; it consists of Cl, Na\."):
        find_hops(named("NaCl"))


def test_a_disordered_structure_is_refused_with_its_shared_site():
    atoms = named("LiFePO4")
    atoms.info["occupancy"] = {"0": {"Li": 0.5}}
    with pytest.raises(InvalidStructure, match=r"Site 0 is shared: Li 0\.5"):
        find_hops(atoms)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"max_distance_A": 0}, "must be between 0 and 20 Å"),
        ({"kind": "exchange"}, "'vacancy' or 'interstitial'"),
        ({"sites": [[0.5, 0.5, 0.5]]}, 'take kind="interstitial"'),
    ],
)
def test_wrong_options_are_named(options, sentence):
    with pytest.raises(InvalidStructure, match=sentence):
        find_hops(named("LiFePO4"), **options)


def test_a_molecule_has_no_hops():
    with pytest.raises(InvalidStructure, match="periodic in three directions"):
        find_hops(Atoms("Li2", positions=[[0, 0, 0], [0, 0, 3]]))


def test_a_single_site_hops_to_its_own_images():
    network = find_hops(bulk("Cu"), "Cu", max_distance_A=2.6)
    (hop,) = network.hops
    assert (hop.i, hop.j, hop.multiplicity) == (0, 0, 6)
    assert hop.symmetric


def test_the_graph_is_a_multigraph_with_lattice_images(olivine):
    graph = olivine.graph()
    assert isinstance(graph, nx.MultiGraph)
    assert graph.number_of_nodes() == 4
    assert graph.number_of_edges() == sum(hop.multiplicity for hop in olivine.hops) == 24
    cell = olivine.atoms.cell.array
    for i, j, data in graph.edges(data=True):
        i, j = sorted((i, j))
        step = np.array(graph.nodes[j]["position"]) + np.array(data["image"]) @ cell - graph.nodes[i]["position"]
        assert np.linalg.norm(step) == pytest.approx(data["distance_A"], abs=1e-3)


def test_a_network_survives_json(olivine):
    again = HopNetwork.from_dict(json.loads(json.dumps(olivine.to_dict())))
    assert again.hops == olivine.hops
    assert again.edges == olivine.edges
    assert again.orbits == olivine.orbits
    np.testing.assert_allclose(again.sites, olivine.sites)
    assert again.end_states(0)[0] == olivine.end_states(0)[0]
