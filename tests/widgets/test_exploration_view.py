"""The view of a landscape exploration, without a browser: it reads a folder that somebody else writes."""

import shutil

import numpy as np
import pandas as pd
import pytest
from labkit_widgets import exploration_graph
from labkit_widgets.exploration_figures import TIME, abscissa
from labkit_widgets.exploration_model import Counts, is_saddle_search
from labkit_widgets.exploration_view import GRAPH, TREE, ExplorationView
from labkit_widgets.exploration_words import counters_html, failures_html, grouped

from labkit.runs import Run

from .exploration_tasks import PretendsToExplore


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    return PretendsToExplore(minima=12).run(store=tmp_path_factory.mktemp("runs"))


@pytest.fixture
def finished(done, tmp_path):
    return Run(shutil.copytree(done.folder, tmp_path / done.id))


@pytest.fixture
def view(finished):
    view = ExplorationView(finished)
    yield view
    view.close()


class Clicked:
    """What plotly hands to a click."""

    def __init__(self, trace_index, *point_inds):
        self.trace_index, self.point_inds = trace_index, list(point_inds)


def click(figure, trace_index, point):
    figure._on_click(figure.data[trace_index], Clicked(trace_index, point), None)


SADDLES, MINIMA, TRAY = len(exploration_graph.SCALE), len(exploration_graph.SCALE) + 1, len(exploration_graph.SCALE) + 2


def test_the_counters_are_those_of_the_newest_row(view):
    assert (len(view.network.minima), len(view.network.transition_states)) == (12, 15)
    counts = view.model.counts()
    assert (counts.minima, counts.transition_states, counts.components) == (12, 15, 1)
    assert (counts.failed_searches, counts.failed_others) == (3, 1)
    assert counts.evaluations == 120 * len(view.growth)
    assert counts.lowest_eV == -10.0
    for words in ("transition states", "saddle searches failed", "other failure", "-10.000 eV", "evaluations"):
        assert words in view.counters.value
    assert "tried" not in view.counters.value
    assert "40</span>" in counters_html(Counts(searches=40, failed_searches=3))
    assert "minima and 15 transition states after" in view.end.words.value


def test_the_graph_shows_every_minimum_and_every_transition_state_once(view):
    assert len(view.graph.data[MINIMA].x) == 12
    assert len(view.graph.data[SADDLES].x) == 15
    assert len(view.graph.data[TRAY].x) == 0
    lines = sum(int(np.isnan(np.asarray(trace.x, float)).sum()) for trace in view.graph.data[:SADDLES])
    assert lines == 15
    assert view.graph.data[MINIMA].marker.symbol[2] == "star"
    assert view.graph.data[MINIMA].text[2].startswith("minimum 2<br>the lowest")
    loop = next(text for text in view.graph.data[SADDLES].text if "with itself" in text)
    assert "minimum 5 with itself" in loop
    low, high = view.graph.layout.xaxis.range
    assert all(low < x < high for x in view.graph.data[MINIMA].x)


def test_a_click_on_a_minimum_or_a_line_shows_its_structure_until_newest_is_pressed(view):
    newest = view.point
    assert newest == "transition state 14"
    assert view.shown.newest.value is True
    click(view.graph, MINIMA, 3)
    assert view.point == "minimum 3"
    assert view.shown.newest.value is False
    assert view.structure.info["energy"] == view.network.minima[3].energy_eV
    assert "minimum 3 · " in view.shown.caption.value
    assert "found by: hopping" in view.shown.caption.value
    assert list(view.graph.data[MINIMA].marker.line.color).count(exploration_graph.CHOSEN_COLOUR) == 1
    click(view.graph, SADDLES, 0)
    assert view.point == "transition state 0"
    assert "minima 1 and 0 · barrier" in view.shown.caption.value
    assert "found by: double-ended search" in view.shown.caption.value
    view.shown.newest.value = True
    assert view.point == newest
    assert list(view.graph.data[SADDLES].marker.line.width).count(1.0) == 14


def test_stationary_points_are_chosen_by_name_too(view):
    view.choose("transition state 4")
    assert view.structure.info["transition_state"] == 4
    with pytest.raises(ValueError, match="no minimum 99"):
        view.choose("minimum 99")


def test_the_tree_has_a_leaf_for_each_minimum_and_answers_clicks(view):
    view.picture.value = TREE
    assert [one.layout.display for one in view._canvases.values()] == ["none", ""]
    leaves = view.tree.data[1]
    assert len(leaves.x) == 12
    assert min(leaves.y) == 0
    click(view.tree, 1, 7)
    assert view.point == f"minimum {view.tree._minima[7]}"
    assert list(view.tree.data[3].x) == [leaves.x[7]]
    view.picture.value = GRAPH
    assert [one.layout.display for one in view._canvases.values()] == ["", "none"]
    assert view.rearrange.layout.display == ""


def test_the_growth_is_drawn_against_evaluations_or_time(view):
    minima, saddles, parts = view.curves.data
    assert list(minima.y) == view.growth["minima"].to_list()
    assert saddles.y[-1] == 15
    assert parts.name == "separate parts"
    assert view.curves.layout.xaxis.title.text == "Energy and force evaluations"
    view.axis.value = TIME
    assert view.curves.layout.xaxis.title.text == "Time (s)"
    assert list(minima.x) == view.growth["time_s"].to_list()
    assert abscissa(pd.DataFrame({"time_s": [0.0, 1200.0]}), TIME)[1] == "Time (min)"
    assert abscissa(pd.DataFrame({"minima": [1, 2]}), TIME)[1] == "Step"


def test_failures_that_differ_only_in_their_numbers_are_one_line(view):
    (first, *rest) = grouped(view.failures)
    assert (first[0], first[2]) == ("single-ended", 3)
    assert [(stage, count) for stage, _, count in rest] == [("hopping", 1)]
    assert "did not converge in 100 steps" in view.reasons.value
    many = pd.DataFrame({"stage": "double-ended", "reason": [f"<b>{'x' * n}" for n in range(1, 10)]})
    html = failures_html(many)
    assert "<b>x" not in html
    assert "and 3 more, for 3 other reasons" in html
    assert "nothing has failed" in failures_html(pd.DataFrame())
    assert is_saddle_search("double-ended")
    assert not is_saddle_search("hopping")
    assert not is_saddle_search("start")
