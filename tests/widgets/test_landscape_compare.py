"""Two landscapes in one view: matched, missing and spurious points at any threshold, and the partner of a minimum."""

import threading
import time

import numpy as np
import pytest
from labkit_widgets.landscape_figure import MATCHED, MISSING, SPURIOUS
from labkit_widgets.landscape_trees import ABOVE, BY_BASIN
from labkit_widgets.landscape_view import LandscapeView

from labkit.errors import InvalidStructure
from labkit.landscapes.alignment import Comparison
from labkit.landscapes.landscape17 import model_network, models, reference
from labkit.landscapes.matching import Matcher, match
from labkit.landscapes.network import KineticNetwork

from .landscape_hands import line
from .landscape_networks import chain, random_network

MODEL = next(name for name in models() if "mace" in name)


@pytest.fixture(scope="module")
def compared():
    view = LandscapeView(reference("salicylic"), model_network(MODEL, "salicylic"), labels=("DFT", "MACE"))
    assert view.match is not None
    yield view
    view.close()


def test_landscapes_of_different_molecules_are_refused():
    with pytest.raises(InvalidStructure, match=r"different molecules, H2O and Ar3; .* Show them in two views"):
        LandscapeView(chain(), random_network(3))


def test_two_landscapes_are_matched_and_counted(compared):
    wanted = match(compared.network, compared.other)
    assert compared.match.counts == wanted.counts
    figure = compared.trees.figure
    assert len(line(figure, MATCHED, 0)) == len(line(figure, MATCHED, 1)) == wanted.counts["minima_found"]
    assert len(line(figure, MISSING, 0)) == wanted.counts["missing_minima"]
    assert len(line(figure, SPURIOUS, 1)) == wanted.counts["extra_minima"]
    names = [trace.name for trace in figure.data if trace.showlegend]
    assert f"matched ({wanted.counts['minima_found']})" in names
    cells = compared.matching.table.value
    for value in wanted.counts.values():
        assert f"<td>{value}</td>" in cells


def test_the_slider_shows_what_a_fresh_comparison_finds(compared):
    for threshold in (0.05, 0.45, 0.9, 0.3):
        compared.matching.slider.value = threshold
        assert compared.match.counts == match(compared.network, compared.other, threshold).counts, threshold
        assert compared.matching.error.value == ""


def test_a_slider_that_is_moved_during_the_first_comparison_is_followed(monkeypatch):
    network, ready, reached = reference("ethanol"), threading.Event(), threading.Event()
    whole = Matcher.match

    def slow(self, threshold_A, **options):
        found = whole(self, threshold_A, **options)
        if threshold_A == 0.3:
            reached.set()
            ready.wait(10)
        return found

    monkeypatch.setattr(Matcher, "match", slow)
    view = LandscapeView(network, model_network("nequip+landscape", "ethanol"))
    assert reached.wait(10)
    view.matching.slider.value = 0.5
    ready.set()
    assert view.match.threshold_A == 0.5
    assert f"<td>{view.match.counts['transition_states_found']}</td>" in view.matching.table.value
    view.close()


def test_nothing_is_compared_any_more_when_the_view_is_closed(monkeypatch, soon):
    def slow(self, first, second, reach):
        time.sleep(0.005 * len(first) * len(second))
        return np.full((len(first), len(second)), np.inf)

    monkeypatch.setattr(Matcher, "_distances", slow)
    view = LandscapeView(random_network(40), random_network(40, seed=1))
    thread = view.matching._thread
    soon(lambda: "minimum" in view.matching.note.value and "of 40" in view.matching.note.value, 5)
    view.close()
    assert not thread.is_alive()
    assert view.matching.table.value == view.matching.error.value == ""


def test_a_comparison_is_of_the_reference_and_serves_the_other_order_too():
    network = reference("ethanol")
    order = [8, 6, 7, 5, 4, 3, 2, 1, 0]
    other = KineticNetwork([network.symbols[i] for i in order], "mirrored")
    for point in network.minima:
        other.add_minimum(point.energy_eV, -point.positions[order])
    view = LandscapeView(network, other, comparison=Comparison(network.symbols))
    assert view.match.partner == {0: 0, 1: 1}
    for tree in (0, 1):
        view.select(1, tree=tree)
        view.point.which.value = view.point.which.options[1]
        note = view.point.view.note.value
        assert "minimum 1 of the other landscape" in note
        assert "0.000 Å per atom away" in note
        assert "its mirror image" in note  # the gauche minimum is chiral
    view.close()


def test_the_partner_of_a_minimum_is_ringed_and_laid_on_it(compared):
    pair = compared.match.minima[0]
    compared.select(pair.reference)
    place = compared.trees.drawings[1].place(pair.other)
    assert line(compared.trees.figure, "ring", 1)[0] == pytest.approx(place, rel=1e-5)
    own = compared.structure.positions
    compared.point.which.value = compared.point.which.options[1]
    apart = np.sqrt(((compared.structure.positions - own) ** 2).sum(axis=1).mean())
    assert apart == pytest.approx(pair.rmsd_A, abs=1e-3)
    assert f"minimum {pair.other} of the other landscape" in compared.point.view.note.value
    compared.select(pair.other, tree=1)
    assert compared.selected is compared.other.minima[pair.other]
    assert compared.point.which.value == "this"
    assert "MACE" in compared.point.title.value


def test_colours_of_superbasins_and_of_matches_do_not_mix(compared):
    figure = compared.trees.figure
    stems = figure.data[figure._places[f"0 stems {MATCHED}"]]
    assert stems.visible in (None, True)
    compared.trees.colour_by.value = BY_BASIN
    assert stems.visible is False
    assert len(line(figure, "basin 0")) > 0
    compared.trees.colour_by.value = "match"
    assert stems.visible is True
    assert len(line(figure, "basin 0")) == 0


def test_two_trees_stand_beside_or_above_each_other_on_one_scale(compared):
    layout = compared.trees.figure.layout
    assert layout.xaxis.domain[1] < layout.xaxis2.domain[0]
    assert layout.yaxis2.matches == "y"
    compared.trees.arrangement.value = ABOVE
    assert layout.yaxis2.domain[1] < layout.yaxis.domain[0]
    compared.trees.arrangement.value = "side by side"
    assert layout.xaxis.domain[1] < layout.xaxis2.domain[0]


def test_an_error_of_the_comparison_stands_beside_its_slider(monkeypatch):
    def broken(*_, **__):
        raise ValueError("the distances ran away")

    monkeypatch.setattr(Matcher, "match", broken)
    view = LandscapeView(chain(), chain())
    assert view.match is None
    assert "could not be compared: the distances ran away" in view.matching.error.value
    view.close()
