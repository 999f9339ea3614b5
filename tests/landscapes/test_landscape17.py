"""The shipped networks of Landscape17: sizes, sources, and atoms that stand in different orders."""

import numpy as np
import pytest

from labkit.errors import InvalidTask
from labkit.landscapes import landscape17
from labkit.landscapes.alignment import Comparison, bonded_classes
from labkit.landscapes.assessment import score_landscape17, summary

pytest.importorskip("rdkit")


def test_like_atoms_of_the_shipped_points_stand_in_different_orders_and_are_compared_all_the_same():
    network = landscape17.reference("aspirin")
    comparison = Comparison(network.symbols)
    a, b = network.minima[0].positions, network.minima[1].positions
    assert not np.array_equal(*(bonded_classes(network.symbols, x) for x in (a, b)))
    found = comparison.align(a, b)
    assert bonded_classes(network.symbols, found.positions) == pytest.approx(bonded_classes(network.symbols, a))
    assert comparison.distance(a, b) == pytest.approx(found.distance_A, abs=1e-6)


def test_the_shipped_networks_have_the_published_sizes_and_sources():
    networks = [landscape17.reference(name) for name in landscape17.molecules()]
    assert [n.n_minima for n in networks] == [11, 2, 2, 2, 4, 7]
    assert [n.n_transition_states for n in networks] == [37, 4, 2, 4, 9, 11]
    assert [len(n.self_loops) for n in networks] == [8, 3, 1, 2, 2, 1]
    assert all(len(n.components()) == 1 for n in networks)
    assert len(landscape17.models()) == 10
    assert landscape17.model("mace_altitude").name == "mace+landscape"
    assert landscape17.reference("Salicylic acid").name == networks[-1].name
    folder = landscape17.FOLDER
    assert "BSD 3-Clause" in (folder / "LICENSE").read_text()
    assert "4b8e838e9b8476dc2bdb3373f6650052801844f8" in (folder / "SOURCE.txt").read_text()
    with pytest.raises(InvalidTask, match="no molecule 'benzene'"):
        landscape17.reference("benzene")
    with pytest.raises(InvalidTask, match="no network of a model 'schnet'"):
        landscape17.model_network("schnet", "ethanol")
    lost = landscape17.model_network("nequip+landscape", "aspirin").info["without_energy"]
    assert (len(lost["minima"]), len(lost["transition_states"])) == (24, 3)


def test_one_model_of_one_molecule_is_scored_by_its_name():
    scores = score_landscape17("mace", "ethanol")
    assert [(one.name, one.molecule) for one in scores] == [("MACE", "ethanol")]
    assert summary(scores[0]).equals(summary(scores))
    with pytest.raises(InvalidTask, match="no molecule 3;"):
        landscape17.reference(3)
