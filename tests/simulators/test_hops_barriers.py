"""Hops and nudged elastic bands together, on the effective-medium potential of ASE."""

import json
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from labkit.potentials import load
from labkit.simulators.hops import HopNetwork, find_hops
from labkit.simulators.neb import Band, find_paths
from labkit.simulators.neb_path import MinimumEnergyPath
from labkit.structures import named


@pytest.fixture(scope="module")
def emt():
    return load("ase.calculators.emt:EMT")


def equivalents(network, chosen, emt, min_length_A):
    """Paths of the `chosen` ones of the equivalents of the first hop, each computed on its own."""
    edges = [edge for edge in network.edges if edge.hop == 0]
    ends = [network.end_states(edges[index], min_length_A=min_length_A) for index in chosen]
    bands = [Band(initial=initial, final=final, name=str(n)) for n, (initial, final) in enumerate(ends)]
    return find_paths(bands, emt, images=3)


def test_equivalent_hops_of_an_ordered_alloy_have_the_same_barrier(emt):
    scaled = [[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]]
    alloy = Atoms("AuCu3", scaled_positions=scaled, cell=[3.72] * 3, pbc=True)
    network = find_hops(alloy, "Cu", max_distance_A=2.8)
    (hop,) = network.hops
    assert hop.multiplicity == 12
    assert hop.symmetric
    paths = equivalents(network, (0, 5, 10), emt, 7.0)
    assert [path.state for path in paths] == ["converged"] * 3
    forward = [path.forward_eV for path in paths]
    assert np.ptp(forward) < 0.005
    assert [path.backward_eV for path in paths] == pytest.approx(forward, abs=0.005)
    assert network.percolation(paths[:1]).barriers_eV == (pytest.approx(forward[0], abs=1e-3),) * 3


def test_edges_point_the_way_in_which_their_hop_has_its_forward_barrier(emt):
    network = find_hops(bulk("Pd", cubic=True), "H", kind="interstitial", max_distance_A=1.8)
    (hop,) = network.hops
    assert not hop.symmetric
    paths = equivalents(network, (0, 11, 29), emt, 5.0)
    forward, backward = ([getattr(path, name) for path in paths] for name in ("forward_eV", "backward_eV"))
    assert np.ptp(forward) < 0.005
    assert np.ptp(backward) < 0.005
    assert abs(forward[0] - backward[0]) > 0.5  # octahedron and tetrahedron are not alike


def test_bands_carry_the_names_of_their_hops():
    network = find_hops(bulk("Cu"), "Cu", max_distance_A=3.7)
    bands = network.bands(min_length_A=5.0)
    assert [band.name for band in bands] == [hop.name for hop in network.hops]
    assert [band.name for band in network.bands([1])] == [network.hops[1].name]


def test_bands_share_one_cell_whichever_of_them_are_asked_for():
    network = find_hops(named("LiFePO4"), max_distance_A=5.0)
    alone = [len(network.end_states(hop, min_length_A=4.6)[0]) for hop in network.hops]
    assert alone == [27, 55]  # the hop along c ends on an image of its own site
    assert [len(band.initial) for band in network.bands(min_length_A=4.6)] == [55, 55]
    assert len(network.bands([0], min_length_A=4.6)[0].initial) == 55


@pytest.fixture(scope="module")
def longer():
    """The networks and paths that notebook 30 shows, made with CHGNet 0.3.0 by the script beside them."""
    file = Path(__file__).parents[2] / "notebooks" / "longer" / "30_migration_barriers.json"
    found = {}
    for name, kept in json.loads(file.read_text())["crystals"].items():
        network = HopNetwork.from_dict(kept["network"])
        found[name] = network, [MinimumEnergyPath.from_dict(kept["paths"][hop.name]) for hop in network.hops]
    return found


def test_the_channel_of_limgpo4_has_the_barrier_on_record(longer):
    network, (path,) = longer["LiMgPO4"]
    assert network.hops[0].name.endswith("[010]")
    assert path.forward_eV == pytest.approx(0.244, abs=0.03)  # CHGNet 0.3.0, 55 atoms, 3 images (methods B, 3.4)


def test_lifepo4_conducts_along_b_far_below_any_other_direction(longer):
    # Morgan, Van der Ven, Ceder, Electrochem. Solid-State Lett. 7, A30 (2004): 0.27 eV along [010], 2.5 eV along [001].
    network, paths = longer["LiFePO4"]
    assert len(network.hops) == 4
    assert all(path.state == "converged" for path in paths)
    result = network.percolation(paths)
    assert result.directions[0] == ((0, 1, 0),)
    assert result.missing_hops == ()
    along = {axis: network.barrier_along(axis, paths) for axis in ((1, 0, 0), (0, 1, 0), (0, 0, 1))}
    assert along[0, 1, 0] == result.barrier_1d_eV < 0.4
    assert along[0, 0, 1] > 5 * along[0, 1, 0]
    assert along[1, 0, 0] > 5 * along[0, 1, 0]


def test_the_kept_end_states_are_those_of_the_network(longer):
    network, paths = longer["LiFePO4"]
    for hop, path in zip(network.hops, paths, strict=True):
        moved = np.linalg.norm(path.images[-1].positions - path.images[0].positions, axis=1)
        assert moved.max() == pytest.approx(hop.distance_A, abs=0.4)  # the ion leans towards the vacancy
        assert abs(path.reaction_eV) < 0.005  # all sites are equivalent
