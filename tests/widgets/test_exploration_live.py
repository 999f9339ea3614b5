"""An exploration that still works, is cut short, or left broken files: what its view does then."""

import shutil

import numpy as np
import pytest
from ase.build import molecule
from labkit_widgets import exploration_graph
from labkit_widgets.exploration_model import Counts, ExplorationModel, Point, is_landscape_exploration
from labkit_widgets.exploration_structure import turned_onto
from labkit_widgets.exploration_view import INTERVAL_S, TREE, ExplorationView
from labkit_widgets.exploration_words import end_words

from labkit.landscapes.network import KineticNetwork
from labkit.runs import Run

from .exploration_tasks import PretendsToExplore
from .tasks import WritesFrames

MINIMA, TRAY = len(exploration_graph.SCALE) + 1, len(exploration_graph.SCALE) + 2


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


def test_old_minima_keep_their_places_while_the_network_grows(store, soon):
    run = PretendsToExplore(minima=60, pause_s=0.05).launch(store=store)
    view = ExplorationView(run)
    assert view.point == ""
    assert view.structure is None
    assert "waiting for the first minimum" in view.note.value + view.shown.caption.value
    assert view.end.button.layout.display == "none"
    soon(lambda: len(view.graph.places) >= 3, 20)
    with view._lock:
        before, point = view.graph.places, view.point
    soon(lambda: len(view.graph.places) > len(before) + 2, 20)
    after = view.graph.places
    assert all(after[one] == place for one, place in before.items())
    assert view.point != point
    view.choose("minimum 1")
    shown = len(view.graph.places)
    soon(lambda: len(view.graph.places) > shown + 1, 20)
    assert view.point == "minimum 1"  # what is found meanwhile does not take the chosen one away
    view.rearrange.click()
    assert set(view.graph.places) >= set(after)
    assert any(view.graph.places[one] != place for one, place in after.items())
    run.pause()
    soon(lambda: run.state == "paused")
    view.status.stop.click()
    soon(lambda: run.state == "cancelled")
    soon(lambda: "they are kept" in view.end.words.value)
    assert view.end.button.layout.display == "inline-flex"
    minima = view.network.n_minima
    run.resume()
    soon(lambda: view.network.n_minima > minima, 20)
    soon(lambda: view.end.button.layout.display == "none")
    other = ExplorationView(Run(run.folder))  # as after a kernel restart
    assert other.network.n_minima >= minima
    run.cancel()
    other.close()
    view.close()


def test_no_more_than_one_picture_a_second_is_drawn(store, soon):
    assert INTERVAL_S >= 1.0
    run = PretendsToExplore(minima=60, pause_s=0.02).launch(store=store)
    view = ExplorationView(run)
    drawn = []
    before = view._draw
    view._draw = lambda *given: (drawn.append(view.network and view.network.n_minima), before(*given))
    soon(lambda: len(drawn) >= 4, 20)
    soon(lambda: view.growth["step"].iloc[-1] > 15, 20)
    assert len(drawn) < len(view.growth) / 2
    run.cancel()
    view.close()


def test_a_network_file_that_is_missing_or_broken_costs_only_the_picture(finished):
    path = finished.folder / "network.json"
    whole = path.read_bytes()
    path.unlink()
    view = ExplorationView(finished)
    assert "this run wrote no network" in view.note.value
    assert view.model.counts().minima == 12
    assert view.end.button.layout.display == "none"
    path.write_bytes(whole[: len(whole) // 2])
    view._poll()
    assert "The network cannot be read" in view.error.value
    assert view.note.value == ""  # it was written, and the error says the rest
    assert view.network is None
    path.write_bytes(whole)
    view._poll()
    assert view.error.value == ""
    assert len(view.graph.data[MINIMA].x) == 12
    path.write_bytes(b"{}")
    view._poll()
    assert "The network cannot be read" in view.error.value
    assert view.network.n_minima == 12  # what was read last stays
    (finished.folder / "growth.csv").write_text("step,minima\n0,0,0,0\n1\n0,0,1,2,3\n", encoding="utf-8")
    view._poll()
    assert "The table growth cannot be read" in view.error.value
    view.close()


def test_what_could_not_be_drawn_is_drawn_when_it_can_be(finished, view, monkeypatch):
    whole = view.graph.draw

    def broken(*_):
        monkeypatch.setattr(view.graph, "draw", whole)
        raise RuntimeError("the plot is away")

    network = KineticNetwork.read(finished.folder / "network.json")
    network.add_minimum(-9.0, network.minima[0].positions + 1)
    monkeypatch.setattr(view.graph, "draw", broken)
    with view._lock:
        network.write(finished.folder / "network.json")
        with pytest.raises(RuntimeError, match="the plot is away") as failed:
            view._poll()
        view.on_tick_error(failed.value)
        assert "the plot is away" in view.error.value
    view._poll()
    assert view.error.value == ""
    assert sum(len(view.graph.data[place].x) for place in (MINIMA, TRAY)) == 13


def test_another_network_in_the_same_folder_is_placed_anew(finished, view):
    view.choose("minimum 3")
    other = KineticNetwork(["C", "O"])
    for energy in (0.0, 1.0):
        other.add_minimum(energy, [[0, 0, 0], [0, 0, 1.1 + energy]])
    other.add_transition_state((0, 1), 2.0, [[0, 0, 0], [0, 0, 1.6]])
    other.write(finished.folder / "network.json")
    view._poll()
    assert set(view.graph.places) == {0, 1}
    assert view.shown.newest.value is True
    assert len(view.structure) == 2


def test_of_many_minima_the_lowest_are_drawn_and_the_rest_is_counted(finished, monkeypatch):
    monkeypatch.setattr(exploration_graph, "MAX_DRAWN", 5)
    view = ExplorationView(finished)
    drawn = len(view.graph.data[MINIMA].x) + len(view.graph.data[TRAY].x)
    assert drawn == 5
    assert "lowest of 12 minima are drawn" in view.note.value
    view.close()


def test_the_landscape_opens_below_and_what_goes_wrong_is_said_beside_the_button(finished, view, monkeypatch):
    import sys
    import types

    import ipywidgets as w

    made = []
    fake = types.ModuleType("labkit_widgets.landscape_view")
    fake.LandscapeView = lambda network: made.append(network) or w.HTML("landscape")
    monkeypatch.setitem(sys.modules, "labkit_widgets.landscape_view", fake)
    assert view.landscape is None
    view.end.button.click()
    assert made == [view.network]
    assert view.end.place.children[0] is view.landscape
    monkeypatch.setitem(sys.modules, "labkit_widgets.landscape_view", None)
    view.end.button.click()
    assert "The landscape cannot be shown" in view.end.error.value


def test_an_exploration_is_told_from_other_runs(store, finished):
    assert is_landscape_exploration(finished)
    assert not is_landscape_exploration(WritesFrames(frames=2).run(store=store))


def test_structures_are_turned_onto_the_one_before_without_mirroring():
    atoms = molecule("CH3CH2OH")
    other = atoms.copy()
    other.rotate(70, (1, 2, 3))
    other.translate([1, 2, 3])
    assert np.abs(turned_onto(other, atoms).positions - atoms.positions).max() < 1e-10
    chiral = atoms.copy()
    chiral.positions += np.random.default_rng(0).normal(0, 0.3, (9, 3))
    mirror = chiral.copy()
    mirror.positions *= [-1, 1, 1]
    assert np.abs(turned_onto(mirror, chiral).positions - chiral.positions).max() > 0.1


def test_a_run_that_failed_before_its_first_minimum_is_an_empty_picture(store):
    run = WritesFrames(frames=1).run(store=store)
    model = ExplorationModel(run)
    assert model.poll() == set()
    assert model.newest() is None
    assert model.counts() == Counts()
    assert model.structure(Point("minimum", 0)) is None
    view = ExplorationView(run)
    view.picture.value = TREE
    view.rearrange.click()
    assert "this run wrote no network" in view.note.value
    assert view.error.value == ""
    assert "has found no minimum" in view.end.words.value
    assert "there is nothing to show" in view.shown.caption.value
    assert end_words("running", Counts()) == ""
    view.close()
