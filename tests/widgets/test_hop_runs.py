"""Barriers of hops are computed from the explorer and arrive in it, without a browser; real bands with EMT."""

import threading

import pytest
from ase.build import bulk
from labkit_widgets.hop_explorer import HopExplorer
from labkit_widgets.hop_graph import UNKNOWN_COLOUR
from labkit_widgets.hop_model import HopModel
from labkit_widgets.ticker import TICKER

from labkit.simulators.hops import find_hops
from labkit.simulators.neb import Band, NudgedElasticBand

from .neb_tasks import PretendsToFindPaths, ends

SETTINGS = {"potential": "emt", "min_length_A": 5.0, "images": 3, "fmax_eV_A": 0.1}


@pytest.fixture(scope="module")
def network():
    return find_hops(bulk("Cu", "fcc", a=3.6, cubic=True), "Cu", max_distance_A=3.7)


@pytest.fixture
def explorer(network, store):
    explorer = HopExplorer(network, store=store, **SETTINGS)
    yield explorer
    explorer.close()


def colours(explorer) -> dict[str, str]:
    return {one[4]: one[2] for one in explorer.canvas.canvas._drawn[0][0]["cylinders"]}


def test_a_barrier_is_computed_from_its_row_and_arrives_in_list_graph_and_percolation(explorer, soon):
    explorer.choose(0)
    explorer.list.compute.click()
    assert explorer.list.compute.disabled
    soon(lambda: explorer.run is not None and explorer.view is not None)
    assert explorer.view.run is explorer.run
    soon(lambda: explorer.model.states[0].state == "computing" or explorer.barriers)
    soon(lambda: 0 in explorer.barriers, 60)
    forward, backward = explorer.barriers[0]
    assert forward == pytest.approx(backward, abs=5e-3)
    assert 0.4 < forward < 1.2
    assert explorer.paths[0].state == "converged"
    soon(lambda: explorer.list.table.df.iloc[0]["Forward (eV)"] == f"{forward:.3f}")
    explorer.choose([])
    soon(lambda: colours(explorer)["hop 0"] != UNKNOWN_COLOUR)
    soon(lambda: f"{explorer.percolation.barrier_3d_eV:.3f} eV" in explorer.transport.value)
    soon(lambda: explorer.view.path is not None)
    assert explorer.view.path.name == explorer.network.hops[0].name


def test_all_unknown_barriers_are_one_run_and_a_row_shows_its_own_path(explorer, soon):
    explorer.list.compute_all.click()
    soon(lambda: explorer.run is not None)
    assert len(explorer.run.task.bands) == len(explorer.network.hops)
    soon(lambda: not explorer.run.status().active, 90)
    soon(lambda: all(one.state not in ("computing", "unknown") for one in explorer.model.states.values()))
    for hop in explorer.network.hops:
        explorer.choose(hop.index)
        assert explorer.view.band.name == hop.name
    assert explorer.list.unknown == [index for index, one in explorer.model.states.items() if not one.known]


def test_an_error_of_the_launch_stands_under_the_buttons(explorer, soon):
    explorer.choose(0)
    explorer._settings["images"] = -1
    explorer.list.compute.click()
    soon(lambda: "images" in explorer.list.error.value)
    soon(lambda: not explorer.list.compute.disabled)
    assert explorer.run is None


def test_runs_of_an_earlier_session_bring_their_barriers_along(network, store):
    bands = [Band(initial=ends()[0], final=ends()[1], name=hop.name) for hop in network.hops[:1]]
    run = PretendsToFindPaths(bands=bands, height_eV=0.5).run(store=store)
    explorer = HopExplorer(network, store=store, runs=[run], **SETTINGS)
    assert explorer.barriers[0][0] == pytest.approx(0.53, abs=0.03)
    explorer.choose(0)
    assert explorer.view.run.id == run.id
    explorer.close()


def test_barriers_of_a_running_run_arrive_one_after_the_other(network, store, soon):
    names = [hop.name for hop in network.hops]
    bands = [Band(initial=ends()[0], final=ends()[1], name=name) for name in names]
    run = PretendsToFindPaths(bands=bands, steps=3, pause_s=0.15).launch(store=store)
    explorer = HopExplorer(network, store=store, runs=[run], **SETTINGS)
    assert {one.state for one in explorer.model.states.values()} == {"computing"}
    assert explorer.list.unknown == []
    soon(lambda: explorer.model.states[0].state == "converged")
    soon(lambda: explorer.list.table.df.iloc[0]["State"] == "converged")
    soon(lambda: not run.status().active)
    soon(lambda: explorer.model.states[1].state == "not converged")
    assert set(explorer.barriers) == {0}
    explorer.choose(1)
    assert "largest force 0.080" in explorer.list.note.value
    explorer.close()


def test_a_run_of_another_crystal_is_refused_with_a_sentence(network, store):
    run = PretendsToFindPaths().run(store=store)
    with pytest.raises(ValueError, match=r"no band of run .* is a hop of this network"):
        HopExplorer(network, store=store, runs=[run])


def test_a_run_that_was_stopped_leaves_its_hops_unknown(network, store, soon):
    bands = [Band(initial=ends()[0], final=ends()[1], name=network.hops[0].name)]
    run = PretendsToFindPaths(bands=bands, steps=500, pause_s=0.05).launch(store=store)
    explorer = HopExplorer(network, store=store, runs=[run], **SETTINGS)
    soon(lambda: run.state == "running")
    run.cancel()
    soon(lambda: explorer.model.states[0].state == "unknown")
    assert explorer.list.unknown[0] == 0
    explorer.close()


def bands_of(network, count):
    return [Band(initial=ends()[0], final=ends()[1], name=hop.name) for hop in network.hops[:count]]


def test_a_known_barrier_stays_while_it_is_computed_again_and_when_that_run_is_stopped(network, store, soon):
    run = PretendsToFindPaths(bands=bands_of(network, 1), steps=500, pause_s=0.05).launch(store=store)
    explorer = HopExplorer(network, store=store, barriers={0: 0.3}, runs=[run], **SETTINGS)
    state = explorer.model.states[0]
    assert (state.state, state.computing, state.run) == ("given", True, run)
    assert explorer.barriers == {0: (0.3, 0.3)}
    assert explorer.list.table.df.iloc[0]["State"] == "given, computing"
    explorer.choose(0)
    assert explorer.list.compute.disabled
    soon(lambda: run.state == "running")
    run.cancel()
    soon(lambda: not explorer.model.states[0].computing)
    assert explorer.model.states[0].state == "given"
    assert explorer.barriers == {0: (0.3, 0.3)}
    soon(lambda: explorer.list.table.df.iloc[0]["State"] == "given")
    explorer.close()


def test_a_band_that_does_not_converge_takes_no_known_barrier_away(network, store):
    model = HopModel(network, {0: 0.3, 1: 0.4})
    run = PretendsToFindPaths(bands=bands_of(network, 2), height_eV=0.5).run(store=store)
    model.attach(run)
    assert model.barriers[0][0] == pytest.approx(0.53, abs=0.03)
    assert model.barriers[1] == (0.4, 0.4)
    assert 1 not in model.paths
    assert f"computed again in run {run.id}: not converged, largest force" in model.states[1].reason


def test_of_two_runs_of_a_hop_the_later_one_counts_whatever_the_earlier_one_still_writes(network, store):
    model = HopModel(network)
    for height in (0.5, 0.2):
        model.attach(PretendsToFindPaths(bands=bands_of(network, 1), height_eV=height).run(store=store))
    model._read(*model.sources[0])
    assert model.barriers[0][0] == pytest.approx(0.23, abs=0.03)
    assert model.states[0].run is model.runs[1]


def test_an_explorer_that_is_closed_while_a_run_is_launched_leaves_no_view_behind(network, store, soon, monkeypatch):
    launching, go_on = threading.Event(), threading.Event()
    run = PretendsToFindPaths(bands=bands_of(network, 1)).run(store=store)

    def slow(self, **_):
        launching.set()
        go_on.wait(10)
        return run

    monkeypatch.setattr(NudgedElasticBand, "launch", slow)
    before = len(TICKER)
    explorer = HopExplorer(network, store=store, **SETTINGS)
    explorer.choose(0)
    explorer.list.compute.click()
    assert launching.wait(10)
    explorer.close()
    go_on.set()
    soon(lambda: not explorer.list._working)
    assert explorer.view is None
    assert len(TICKER) <= before


def test_an_error_of_the_reader_goes_away_when_the_file_is_whole_again(network, store, soon):
    run = PretendsToFindPaths(bands=bands_of(network, 1), height_eV=0.5).run(store=store)
    file = run.folder / "path_000000.json"
    whole = file.read_text(encoding="utf-8")
    explorer = HopExplorer(network, store=store, runs=[run], **SETTINGS)
    file.write_text('{"oops"', encoding="utf-8")
    soon(lambda: "The barriers could not be read" in explorer.error.value)
    assert 0 in explorer.barriers
    file.write_text(whole, encoding="utf-8")
    soon(lambda: explorer.error.value == "")
    explorer.close()
