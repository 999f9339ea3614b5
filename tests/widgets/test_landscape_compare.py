"""Two landscapes in one view: matched, missing and spurious points at any threshold, and the partner of a minimum."""

import numpy as np
import pytest
from labkit_widgets.landscape_figure import MATCHED, MISSING, SPURIOUS
from labkit_widgets.landscape_trees import ABOVE, BY_BASIN
from labkit_widgets.landscape_view import LandscapeView

from labkit.errors import InvalidStructure
from labkit.landscapes.landscape17 import model_network, models, reference
from labkit.landscapes.matching import match

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


def test_the_threshold_asks_again_without_computing_distances_again(compared, monkeypatch):
    def never(*_):
        raise AssertionError("distances were computed again")

    monkeypatch.setattr(type(compared.matching.matcher), "_distances", never)
    start = compared.match.counts
    compared.matching.slider.value = 0.05
    assert compared.matching.error.value == ""
    strict = compared.match.counts
    assert strict["minima_found"] <= start["minima_found"]
    assert strict["minima_found"] + strict["missing_minima"] == compared.network.n_minima
    compared.matching.slider.value = 0.3
    assert compared.match.counts == start


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
    from labkit.landscapes.matching import Matcher

    def broken(*_):
        raise ValueError("the distances ran away")

    monkeypatch.setattr(Matcher, "match", broken)
    view = LandscapeView(chain(), chain())
    assert view.match is None
    assert "could not be compared: the distances ran away" in view.matching.error.value
    view.close()
