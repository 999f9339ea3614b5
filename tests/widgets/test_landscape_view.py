"""The landscape view without a browser: what is chosen, cut and timed, and what is said when it cannot be."""

import numpy as np
import pytest
from labkit_widgets.landscape_figure import MANY, PLAIN
from labkit_widgets.landscape_kinetics import WHILE_DRAGGED
from labkit_widgets.landscape_rates import passage
from labkit_widgets.landscape_view import LandscapeView
from labkit_widgets.landscape_words import time_words

from labkit.landscapes.kinetics import rates
from labkit.landscapes.network import KineticNetwork, TransitionState

from .landscape_hands import click, drag, line
from .landscape_networks import chain, random_network


@pytest.fixture
def view():
    view = LandscapeView(chain())
    yield view
    view.close()


def test_the_lowest_minimum_is_shown_first_with_its_transition_states(view):
    assert view.selected is view.network.minima[0]
    assert view.structure.positions == pytest.approx(view.network.minima[0].positions)
    assert [words for words, _ in view.point.list.options] == ["TS 0 · barrier 0.500 eV · to minimum 1"]
    assert view.tree.n_leaves == 3
    assert len(line(view.trees.figure, "ring")) == 1


def test_a_click_on_a_leaf_opens_its_minimum(view):
    leaves = line(view.trees.figure, PLAIN)
    place = int(leaves[:, 1].argmax())
    click(view.trees.figure, PLAIN, place)
    assert view.selected is view.network.minima[2]
    assert line(view.trees.figure, "ring")[0] == pytest.approx(leaves[place])
    assert view.passage.source == 2


def test_a_transition_state_of_the_list_is_shown_as_a_film(view):
    view.select(1)
    assert [index for _, index in view.point.list.options] == [1, 2, 0]
    view.point.list.value = 1
    assert isinstance(view.selected, TransitionState)
    assert view.selected.index == 1
    assert len(view.film.frames) == 21
    assert view.structure.positions == pytest.approx(view.selected.positions)
    view.point.view.go(0)
    assert "frame 1 of 21" in view.point.view.note.value
    assert "not a path of the potential" in view.point.view.note.value
    assert view.structure.positions == pytest.approx(view.film.frames[0].positions)
    view.select(1)
    assert len(view.film.frames) == 1
    assert view.point.list.value is None


def test_the_cut_counts_and_colours_superbasins_live(view):
    view.trees.cut(0.35)
    assert view.superbasins == [{0}, {1, 2}]
    assert "2 superbasins" in view.trees.note.value
    coloured = [line(view.trees.figure, f"basin {k}") for k in range(3)]
    assert [len(one) > 0 for one in coloured] == [True, True, False]
    assert max(one[:, 1].max() for one in coloured[:2]) == pytest.approx(0.35)
    view.trees.slider.value = 0.55
    assert view.superbasins == [{0, 1, 2}]
    assert "1 superbasin " in view.trees.note.value


def test_a_cut_that_is_dragged_in_the_plot_moves_the_slider_and_stays_inside(view):
    drag(view.trees.figure, 0.2, 0.24)
    assert view.trees.cut_eV == pytest.approx(0.22, abs=1e-3)
    shape = view.trees.figure.layout.shapes[0]
    assert (shape.x0, shape.x1) == (0, 1)
    assert shape.y0 == shape.y1 == pytest.approx(view.trees.cut_eV)
    drag(view.trees.figure, 99.0, 99.0)
    assert view.trees.cut_eV == view.trees.slider.max


def test_the_temperature_changes_occupations_and_times_and_the_fastest_path_is_drawn(view):
    view.select(2)
    view.kinetics.temperature.value = 500.0
    wanted = rates(view.network, temperature_K=500.0)
    assert view.passage.occupations == pytest.approx(wanted.occupations)
    assert view.passage.log_there == pytest.approx(wanted.log_first_passage_times(0)[2])
    assert view.passage.path.minima == (2, 1, 0)
    assert line(view.trees.figure, "way")[:, 1].max() == pytest.approx(0.5)
    assert "fastest path 2 → 1 → 0 over TS 1, 0; highest saddle 0.300 eV" in view.kinetics.note.value
    before = view.passage.occupations[2]
    view.kinetics.temperature.value = 2000.0
    assert view.passage.occupations[2] > before


def test_equal_prefactors_are_said_and_harmonic_ones_are_taken_when_they_can_be(view):
    assert "one prefactor ν for all steps: minimum 0 has no Hessian eigenvalues" in view.kinetics.note.value
    harmonic = LandscapeView(chain(eigenvalues=[-1.0, 2.0, 3.0]))
    assert harmonic.passage.prefactors == "harmonic"
    assert f"<td>{time_words(harmonic.passage.log_there, True)}</td>" in harmonic.kinetics.table.value
    harmonic.close()


def test_a_goal_that_does_not_exist_is_said_beside_its_field(view):
    view.kinetics.target.value = 77
    assert "there is no minimum 77; the network has the minima 0 to 2" in view.kinetics.error.value
    assert view.passage is None
    assert len(line(view.trees.figure, "way")) == 0
    view.kinetics.target.value = 1
    assert view.kinetics.error.value == ""
    assert view.passage.target == 1


def test_a_goal_that_was_chosen_stays_when_another_minimum_is_opened(view):
    view.kinetics.target.value = 2
    view.select(1)
    assert (view.passage.source, view.passage.target) == (1, 2)
    view.select(2)
    assert (view.passage.source, view.passage.target) == (2, 0)


def test_minima_in_different_parts_never_reach_each_other():
    network = random_network(8, parts=2)
    found = passage(network, 300.0, 0, 1, "unit")
    assert found.log_there == np.inf
    assert found.path is None
    assert "no path of transition states joins minima 0 and 1" in found.problem


def test_an_empty_network_and_one_minimum_are_a_sentence():
    empty = LandscapeView(KineticNetwork(["Ar"]))
    assert "has no minima yet" in empty.words.value
    assert empty.selected is empty.structure is empty.match is empty.passage is None
    assert empty.superbasins == []
    with pytest.raises(ValueError, match="no such tree"):
        empty.select(0)
    empty.close()
    alone = LandscapeView(random_network(1))
    assert "a tree of one leaf" in alone.words.value
    assert alone.structure is not None
    assert "there is no other minimum to go to" in alone.kinetics.note.value
    assert alone.trees.error.value == alone.error.value == ""
    alone.close()


def test_what_does_not_exist_is_refused(view):
    with pytest.raises(ValueError, match="there is no minimum 9; the network has the minima 0 to 2"):
        view.select(9)
    for tree in (1, 2):
        with pytest.raises(ValueError, match="no such tree"):
            view.select(0, tree=tree)
    with pytest.raises(ValueError, match="no minimum 3"):
        view.select("3")
    with pytest.raises(ValueError, match="not a point of chain"):
        view.select(random_network(2).minima[1])


def test_what_is_no_network_and_starts_that_no_slider_has_are_sentences():
    for given in (("network.json",), (chain(), "gfn2-xtb"), (None,)):
        with pytest.raises(TypeError, match="is shown from a KineticNetwork, not from"):
            LandscapeView(*given)
    for wrong in ({"threshold_A": 3}, {"temperature_K": float("nan")}, {"temperature_K": 1}):
        with pytest.raises(ValueError, match=f"{next(iter(wrong))} is .*; its slider goes from"):
            LandscapeView(chain(), **wrong)
    one = LandscapeView(chain(), chain(), labels=("DFT",))
    assert one.titles == ["DFT", "by hand"]
    one.close()


def test_the_temperature_of_a_large_network_answers_when_it_is_let_go(view):
    assert view.kinetics.temperature.continuous_update
    large = LandscapeView(random_network(WHILE_DRAGGED + 2))
    assert not large.kinetics.temperature.continuous_update
    large.close()


def test_a_large_tree_has_one_line_and_leaves_without_marks_that_can_be_clicked():
    network = random_network(MANY + 100)
    view = LandscapeView(network)
    figure = view.trees.figure
    assert figure.data[figure._places[f"0 {PLAIN}"]].mode == "lines"
    click(figure, PLAIN, 17)
    assert view.selected.index == figure.data[figure._places[f"0 {PLAIN}"]].customdata[17]
    assert line(figure, "branches").dtype == np.float32
    view.close()


def test_a_film_that_cannot_be_made_leaves_the_saddle_and_says_why(view, monkeypatch):
    from labkit_widgets import landscape_frames

    def broken(*_):
        raise ValueError("no rotation was found")

    monkeypatch.setattr(landscape_frames, "laid_on", broken)
    view.point.list.value = 0
    assert "cannot be made: no rotation was found" in view.point.error.value
    assert view.structure.positions == pytest.approx(view.network.transition_states[0].positions)
    monkeypatch.undo()
    view.select(view.network.transition_states[1])
    assert view.point.error.value == ""
