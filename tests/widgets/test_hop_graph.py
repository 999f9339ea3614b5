"""Hops, their barriers and the graph that is drawn of them, without a run and without a browser."""

import math

import numpy as np
import pytest
from ase import units
from ase.build import bulk
from labkit_widgets.hop_explorer import HopExplorer
from labkit_widgets.hop_graph import (
    CHOSEN_COLOUR,
    SCALE,
    THICK_A,
    UNKNOWN_COLOUR,
    colour_of,
    legend_html,
    look,
    shapes,
    top_eV,
)
from labkit_widgets.hop_model import HopModel, HopState, direction
from labkit_widgets.hop_words import barrier_words, percolation_html

from labkit.simulators.hops import find_hops
from labkit.structures import named

from .neb_tasks import path


@pytest.fixture(scope="module")
def network():
    return find_hops(named("LiFePO4"), "Li", max_distance_A=6.1)


@pytest.fixture
def explorer(network, store):
    explorer = HopExplorer(network, potential="emt", store=store)
    yield explorer
    explorer.close()


def cylinders(explorer) -> list:
    return next(one for one in explorer.canvas.canvas._drawn[0] if one["name"] == "hops")["cylinders"]


def chosen(explorer) -> set[str]:
    return {one[4] for one in cylinders(explorer) if one[2] == CHOSEN_COLOUR}


def test_every_hop_of_the_cell_is_a_cylinder_that_bears_its_name(explorer, network):
    drawn = cylinders(explorer)
    crossing = sum(any(edge.image) for edge in network.edges)
    assert len(drawn) == len(network.edges) + crossing  # one that leaves the cell is drawn from both of its ends
    assert {one[4] for one in drawn} == {f"hop {hop.index}" for hop in network.hops}
    lengths = {one[4]: np.linalg.norm(np.subtract(one[1], one[0])) for one in drawn}
    for hop in network.hops:
        assert lengths[f"hop {hop.index}"] == pytest.approx(hop.distance_A, abs=5e-3)


def test_hops_of_unknown_barrier_are_thin_and_grey_and_get_colour_when_it_is_known(network):
    bare, known = HopModel(network), HopModel(network, {0: 0.25, 1: (0.9, 1.0)})
    assert {one[2] for one in shapes(network, bare.states, [])[0][0].cylinders} == {UNKNOWN_COLOUR}
    drawn = {one[4]: one for one in shapes(network, known.states, [])[0][0].cylinders}
    assert drawn["hop 0"][3] == pytest.approx(THICK_A)
    assert drawn["hop 0"][2] == colour_of(0.25)
    assert drawn["hop 1"][2] == SCALE[-1]
    assert drawn["hop 2"][3] < drawn["hop 1"][3] < drawn["hop 0"][3]


def test_thickness_is_the_eighth_root_of_the_rate():
    low, high = (HopState("given", barrier, barrier) for barrier in (0.2, 0.4))
    radii = [look(state, 0.2, 0.5)[1] - look(HopState("given", 50, 50), 0.2, 0.5)[1] for state in (low, high)]
    assert radii[1] / radii[0] == pytest.approx(math.exp(-0.2 / (units.kB * 300)) ** (1 / 8))


def test_the_colour_scale_ends_at_a_round_number_and_is_monotonous_between_its_stops():
    states = {0: HopState("given", 0.63, 0.6), 1: HopState()}
    assert top_eV(states) == pytest.approx(0.8)
    assert "0.8 eV" in legend_html(states)
    assert [colour_of(share) for share in (0, 0.25, 1)] == [SCALE[0], SCALE[1], SCALE[-1]]
    assert colour_of(7) == SCALE[-1]


def test_the_list_says_distance_direction_multiplicity_and_barrier(network):
    model = HopModel(network, {0: (0.25, 0.3)})
    assert model.cells()[0] == ("Li1\u2011Li4", "3.00", "[010]", "4", "0.250", "0.300", "given")
    assert model.cells()[1][4:] == ("", "", "unknown")
    assert direction("Li1-Li2 2.73 Å") == ""


def test_a_row_that_is_chosen_marks_its_hops_in_the_picture(explorer, network):
    assert chosen(explorer) == set()
    explorer.choose(1)
    assert explorer.chosen == [1]
    assert chosen(explorer) == {"hop 1"}
    assert network.hops[1].name in explorer.list.note.value
    explorer.choose([0, 2])
    assert chosen(explorer) == {"hop 0", "hop 2"}
    assert explorer.list.compute.description == "Compute 2 barriers"
    with pytest.raises(ValueError, match="there is no hop 99"):
        explorer.choose(99)


def test_a_click_on_a_hop_in_the_picture_chooses_its_row(explorer):
    explorer.canvas.canvas._handle_nglview_custom_msg(None, {"type": "labkit_picked", "name": "hop 2"}, None)
    assert explorer.list.table.selected_rows == [2]
    explorer.canvas.canvas._handle_nglview_custom_msg(None, {"type": "labkit_picked", "name": "cell"}, None)
    assert explorer.chosen == [2]


def test_percolation_follows_the_barriers_and_says_what_is_not_known(network):
    model = HopModel(network)
    assert f"none of the {len(network.hops)} barriers is known yet" in percolation_html(model)
    model.give(0, 0.25)
    html = percolation_html(model)
    assert "≤ 0.250 eV" in html
    assert "[010]" in html
    assert "not known yet" in html
    assert "easiest along" not in html
    for index in range(1, len(network.hops)):
        model.give(index, 1.0 + 0.5 * index)
    html = percolation_html(model)
    assert "≤" not in html
    assert "easiest along b [010]; " in html
    found = model.percolation()
    assert found.barriers_eV == pytest.approx((0.25, *found.barriers_eV[1:]))
    assert f"{found.barrier_3d_eV:.3f} eV" in html


def test_a_hop_that_leads_nowhere_is_said_to_never_percolate():
    assert barrier_words(math.inf, 0) == "never by these hops"
    assert barrier_words(math.inf, 2) == "not known yet"
    assert barrier_words(0.31, 0) == "0.310 eV"


def test_barriers_from_elsewhere_and_paths_are_objects_of_the_explorer(network, store):
    given = path(network.hops[1].name)
    explorer = HopExplorer(network, barriers={0: 0.25, 1: given}, store=store)
    assert explorer.barriers == {0: (0.25, 0.25), 1: (given.forward_eV, given.backward_eV)}
    assert explorer.paths == {1: given}
    assert explorer.network is network
    assert explorer.percolation.barrier_1d_eV == pytest.approx(0.25)
    assert explorer.run is None
    explorer.close()


def test_a_path_that_did_not_converge_is_no_barrier(network):
    model = HopModel(network, {0: path(state="not converged", reason="300 steps.")})
    assert model.barriers == {}
    assert model.percolation().missing_hops == tuple(hop.index for hop in network.hops)
    assert model.cells()[0][4:] == ("", "", "not converged")


def test_noise_below_zero_is_no_reason_to_refuse_a_barrier(network):
    model = HopModel(network, {0: (0.2, -1e-6)})
    assert model.percolation().barrier_1d_eV == pytest.approx(0.2)


def test_barriers_of_hops_that_do_not_exist_are_refused(network):
    with pytest.raises(ValueError, match="there is no hop 17; the network has the hops 0 to"):
        HopModel(network, {17: 0.3})


def test_a_crystal_without_the_ion_is_refused_with_the_sentence_of_the_search():
    with pytest.raises(ValueError, match="has no Li that could hop"):
        HopExplorer(bulk("NaCl", "rocksalt", a=5.64, cubic=True))


def test_a_crystal_is_searched_when_atoms_are_given(store):
    explorer = HopExplorer(named("LiFePO4"), search={"max_distance_A": 4.0}, store=store)
    assert [hop.distance_A for hop in explorer.network.hops] == pytest.approx([3.0], abs=0.05)
    assert explorer.list.compute.disabled
    explorer.choose(0)
    assert not explorer.list.compute.disabled
    explorer.close()


def test_computing_without_a_choice_is_explained(explorer):
    with pytest.raises(ValueError, match="no hop is chosen"):
        explorer.compute()
