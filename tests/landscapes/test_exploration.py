"""An exploration finds the known stationary points of small clusters, proves them, and survives being killed."""

import os
import signal

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule

from labkit.errors import InvalidTask, LabkitError, NotConverged
from labkit.landscapes.alignment import Comparison
from labkit.landscapes.exploration import LandscapeExploration, network
from labkit.landscapes.exploration_run import Explorer
from labkit.landscapes.surface import Surface
from labkit.runs import Run

LJ = "labkit.potentials.lennard_jones_cluster:LennardJonesCluster"
#: Methods A.1: energies of the four minima of LJ7, and twelve transition states (J. P. K. Doye and D. J. Wales,
#: J. Chem. Phys. 116, 3777 (2002)).
LJ7_EV, LJ7_SADDLES = (-16.50538, -15.93504, -15.59321, -15.53306), 12
QUICK = {"walkers": 4, "hops": 3, "searches": 16, "patience": 16, "batch": 32}


def cluster(atoms: int, seed: int) -> Atoms:
    rng, placed = np.random.default_rng(seed), []
    while len(placed) < atoms:
        one = rng.uniform(-1.3, 1.3, 3)
        if all(np.linalg.norm(one - other) > 0.9 for other in placed):
            placed.append(one)
    return Atoms(f"Ar{atoms}", positions=placed)


@pytest.fixture(scope="module")
def seven(tmp_path_factory):
    effort = {"walkers": 6, "hops": 6, "batch": 64, "searches": 48, "patience": 96}
    task = LandscapeExploration(structure=cluster(7, 3), potential=LJ, **effort, seed=3)
    return task.run(store=tmp_path_factory.mktemp("store"))


def test_seven_lennard_jones_atoms_have_exactly_four_minima_and_twelve_transition_states(seven):
    found = network(seven)
    assert np.sort([point.energy_eV for point in found.minima]) == pytest.approx(LJ7_EV, abs=1e-5)
    assert found.n_transition_states == LJ7_SADDLES
    assert len(found.components()) == 1
    assert found.global_minimum.order == 20  # the pentagonal bipyramid, D5h


def test_every_point_is_proven_by_the_eigenvalues_of_its_hessian(seven):
    found = network(seven)
    assert all(len(point.eigenvalues) == 15 and point.eigenvalues[0] > 0 for point in found.minima)
    assert all(point.eigenvalues[0] < 0 < point.eigenvalues[1] for point in found.transition_states)
    surface = Surface.of(LJ, found.atoms(found.minima[0]))
    for points in (found.minima, found.transition_states):
        forces = surface.evaluate(np.array([point.positions for point in points]))[1]
        assert np.linalg.norm(forces, axis=2).max() < 1e-3


def test_every_path_leads_downhill_from_its_saddle_to_its_two_minima(seven):
    found = network(seven)
    compare = Comparison(found.symbols, "elements")
    for saddle in found.transition_states:
        top = int(saddle.path_energies_eV.argmax())
        assert saddle.path_energies_eV[top] == pytest.approx(saddle.energy_eV, abs=1e-9)
        assert (np.diff(saddle.path_energies_eV[: top + 1]) > -1e-5).all()
        assert (np.diff(saddle.path_energies_eV[top:]) < 1e-5).all()
        for end, index in zip((saddle.path[0], saddle.path[-1]), saddle.minima, strict=True):
            assert compare.distance(end, found.minima[index].positions) < 0.05


def test_tables_frames_and_result_say_the_same_as_the_network(seven):
    found, result = network(seven), seven.result()
    growth, minima, saddles = (seven.table(name) for name in ("growth", "minima", "transition_states"))
    assert list(growth.columns) == [
        "step", "time_s", "stage", "minima", "transition_states", "components", "evaluations", "energy_eV",
    ]  # fmt: skip
    assert growth[["minima", "transition_states", "components"]].iloc[-1].tolist() == [4, 12, 1]
    assert growth["evaluations"].is_monotonic_increasing
    assert minima["energy_eV"].tolist() == [point.energy_eV for point in found.minima]
    assert list(zip(saddles["first"], saddles["second"], strict=True)) == [p.minima for p in found.transition_states]
    assert (saddles["curvature"] < 0).all()
    frames = seven.frames()
    assert [frame.info["step"] for frame in frames] == list(range(16))
    assert sum("transition_state" in frame.info for frame in frames) == 12
    assert (result["minima"], result["transition_states"], result["complete"]) == (4, 12, True)
    assert result["global_minimum_eV"] == found.global_minimum.energy_eV
    assert result["evaluations"] == growth["evaluations"].iloc[-1]


def test_an_exploration_killed_twice_ends_with_the_same_network_to_the_last_bit(tmp_path, until):
    task = LandscapeExploration(structure=cluster(6, 1), potential=LJ, **(QUICK | {"hops": 6}), seed=5)
    whole = task.run(store=tmp_path)
    # The same numbers with a rest after each batch, so that the kills come long before the end.
    run = task.model_copy(update={"potential": "tests.landscapes.made_exploration:Sleepy"}).launch(store=tmp_path)
    assert len(whole.table("growth")) >= 8
    for rows in (2, 6):
        until(lambda rows=rows: len(run.table("growth")) >= rows)
        os.kill(run.status().pid, signal.SIGKILL)
        until(lambda: run.state == "interrupted")
        run.resume()
    run.wait(120)
    assert run.state == "finished", run.status().error_message
    assert (run.folder / "network.json").read_bytes() == (whole.folder / "network.json").read_bytes()
    for name in ("growth", "minima", "transition_states", "failures"):
        ours, theirs = (one.table(name).drop(columns="time_s", errors="ignore") for one in (run, whole))
        assert ours.equals(theirs), name
    assert len(run.frames()) == len(whole.frames())


@pytest.mark.parametrize("written", [0, 1])
def test_a_run_that_dies_between_a_checkpoint_and_its_tables_writes_them_when_resumed(tmp_path, monkeypatch, written):
    task = LandscapeExploration(structure=cluster(6, 1), potential=LJ, **(QUICK | {"single_ended": False}))
    whole = task.run(store=tmp_path / "whole")
    write = Explorer._write

    def dies(explorer):
        if explorer.state.step >= 2 and explorer.rows:
            del explorer.rows[written:]
            write(explorer)
            raise RuntimeError("killed")
        write(explorer)

    monkeypatch.setattr(Explorer, "_write", dies)
    with pytest.raises(RuntimeError, match="killed"):
        task.run(store=tmp_path / "broken")
    monkeypatch.undo()
    [folder] = [path.parent for path in (tmp_path / "broken").rglob("task.json")]
    run = Run(folder).resume().wait(60)
    assert run.state == "finished", run.status().error_message
    assert (run.folder / "network.json").read_bytes() == (whole.folder / "network.json").read_bytes()
    for name in ("growth", "minima", "transition_states"):
        ours, theirs = (one.table(name).drop(columns="time_s", errors="ignore") for one in (run, whole))
        assert ours.equals(theirs), name


def test_it_pauses_and_stops_within_a_step_and_goes_on_afterwards(tmp_path, until):
    # 0.02 s for a point, so that a batch is half a minute: Stop is heard in the middle of one.
    slow = "tests.landscapes.made_exploration:Slow"
    task = LandscapeExploration(structure=cluster(9, 1), potential=slow, walkers=64, hops=50)
    run = task.launch(store=tmp_path)
    until(lambda: "minima" in run.status().stage)
    run.pause()
    until(lambda: run.state == "paused")
    run.unpause()
    until(lambda: run.state == "running")
    run.cancel(5)
    assert run.state == "cancelled"


@pytest.mark.parametrize(
    ("budget", "said"),
    [
        ({"max_minima": 2}, lambda found: found.n_minima == 2),
        ({"max_transition_states": 1}, lambda found: found.n_transition_states == 1),
        ({"max_evaluations": 500}, lambda found: found.n_minima >= 1),
    ],
)
def test_a_budget_ends_the_exploration_and_the_result_says_so(tmp_path, budget, said):
    run = LandscapeExploration(structure=cluster(7, 1), potential=LJ, **(QUICK | budget)).run(store=tmp_path)
    assert said(network(run))
    assert run.result()["complete"] is False


def test_a_potential_that_leaves_physics_gives_failures_and_never_a_crash(tmp_path):
    task = LandscapeExploration(
        structure=cluster(6, 2), potential="tests.landscapes.made_exploration:Exploding", **QUICK, search="random"
    )
    run = task.run(store=tmp_path)
    assert len(run.table("failures")) > 0
    # The two minima of LJ6: the octahedron and the capped bipyramid, which are narrow enough to be allowed.
    assert {round(point.energy_eV, 3) for point in network(run).minima} == {-12.712, -12.303}


def test_a_potential_that_knows_nothing_is_said_to_know_nothing(tmp_path):
    task = LandscapeExploration(structure=cluster(6, 2), potential="tests.landscapes.made_exploration:Nothing", **QUICK)
    with pytest.raises(NotConverged, match="Does the potential know this molecule"):
        task.run(store=tmp_path)


def test_what_cannot_be_explored_is_refused_in_a_sentence(tmp_path):
    with pytest.raises(InvalidTask, match="is periodic; landscapes are explored for molecules and clusters"):
        LandscapeExploration(structure="NaCl")
    with pytest.raises(InvalidTask, match="has 1 atom, so there is at most one minimum"):
        LandscapeExploration(structure=Atoms("Ar"))
    with pytest.raises(ValueError, match="no potential is called 'gfn3'"):
        LandscapeExploration(structure=molecule("CH3CH2OH"), potential="gfn3").run(store=tmp_path)
    with pytest.raises(LabkitError, match="is not a run"):
        network(tmp_path)
    waiting = LandscapeExploration(structure=cluster(6, 2), potential="tests.landscapes.made_exploration:Nothing")
    run = waiting.launch(store=tmp_path / "other").wait(60)
    with pytest.raises(FileNotFoundError, match="has the exploration found its first minimum"):
        network(run)
