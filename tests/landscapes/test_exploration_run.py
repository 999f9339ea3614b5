"""An exploration as a run: it hears Stop between two points, keeps the charge, knows how far it is and how well."""

import importlib.util
from types import SimpleNamespace

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT

from labkit import references
from labkit.errors import RunCancelled
from labkit.landscapes import evaluators
from labkit.landscapes.exploration import LandscapeExploration, network
from labkit.landscapes.exploration_progress import advice, fraction
from labkit.landscapes.exploration_run import Explorer, WatchedSurface
from labkit.landscapes.exploration_state import State
from labkit.landscapes.exploration_subject import Subject
from labkit.landscapes.network import KineticNetwork
from labkit.landscapes.surface import Surface
from labkit.potentials.interface import Prediction
from labkit.potentials.lennard_jones_cluster import LennardJonesCluster

LJ = "labkit.potentials.lennard_jones_cluster:LennardJonesCluster"
TRIMER = Atoms("Ar3", [[0, 0, 0], [1.1, 0, 0], [0.5, 0.9, 0]])
BRIEF = {"walkers": 1, "hops": 0, "double_ended": False, "single_ended": False}
tight_binding = pytest.mark.skipif(importlib.util.find_spec("tblite") is None, reason="tblite is not installed")


def hydronium() -> Atoms:
    x = [[0, 0, 0.1], [0.95, 0, -0.2], [-0.47, 0.82, -0.2], [-0.47, -0.82, -0.2]]
    return Atoms("OH3", x, info={"charge": 1})


def stopped_after(looks: int):
    left = iter(range(looks))

    def check():
        if next(left, None) is None:
            raise RunCancelled("stop")

    return check


@pytest.mark.parametrize(
    ("potential", "atoms"),
    [
        (lambda: EMT(), bulk("Cu").repeat((2, 1, 1))),
        pytest.param("gfn2-xtb", hydronium(), marks=tight_binding),
    ],
)
def test_stop_is_heard_between_two_points_of_a_batch(potential, atoms):
    surface = WatchedSurface.of(potential, atoms)
    x = atoms.positions + np.random.default_rng(0).normal(size=(6, len(atoms), 3)) * 0.02
    looks = []
    surface.watch(lambda: looks.append(surface.evaluations))
    energies = surface.evaluate(x)[0]
    assert np.isfinite(energies).all()
    assert len(looks) >= 6
    surface.watch(stopped_after(3))
    with pytest.raises(RunCancelled):
        surface.evaluate(x)


def test_a_watched_network_takes_batches_of_a_fixed_size_whatever_the_clock_says():
    lj, sizes = LennardJonesCluster(), []

    class Predicting:
        name, level_of_theory, elements, implemented, device = "made", "made", None, ("energy", "forces"), "cpu"

        def predict(self, structures, properties):
            sizes.append(len(structures))
            energies, forces = lj.energies_and_forces(np.array([atoms.positions for atoms in structures]))
            return Prediction(energies=energies, forces=list(forces))

    call = evaluators._Predicted(Predicting(), TRIMER, [])
    call.watched(lambda: None)
    for _ in range(8):
        call(TRIMER.positions + np.zeros((600, 1, 1)))
    assert set(sizes) == {85, 5}  # 256 atoms at a time; a batch that grows with the clock would double


@tight_binding
def test_rough_geometries_are_refused_soon_and_a_difficult_molecule_gets_all_iterations(monkeypatch):
    surface = Surface.of("gfn2-xtb", hydronium())
    rough = hydronium().positions + np.random.default_rng(1).normal(size=(12, 4, 3)) * 0.9
    surface.evaluate(rough)
    assert any("not converged in 100 cycles" in reason for reason in surface.refusals)
    near = hydronium()
    wanted = references.load("gfn2-xtb").label(near).energy
    assert surface.evaluate(near.positions[None])[0][0] == pytest.approx(wanted, abs=1e-7)
    monkeypatch.setattr(evaluators, "SCF_ITERATIONS", 2)  # the geometry given needs more: the reference's own limit
    again = Surface.of("gfn2-xtb", near).evaluate(near.positions[None])[0][0]
    assert again == pytest.approx(wanted, abs=1e-7)


@tight_binding
def test_the_charge_goes_with_the_network_and_its_frames_and_nothing_searched_is_not_complete(tmp_path):
    run = LandscapeExploration(structure=hydronium(), potential="gfn2-xtb", **BRIEF).run(store=tmp_path)
    found = network(run)
    assert found.info == {"charge": 1}
    atoms = found.atoms(found.minima[0])
    assert (atoms.info["charge"], run.frames()[0].info["charge"]) == (1, 1)
    energy = Surface.of("gfn2-xtb", atoms).evaluate(atoms.positions[None])[0][0]
    assert energy == pytest.approx(found.minima[0].energy_eV, abs=1e-6)
    assert found.subset([0]).atoms(found.minima[0]).info["charge"] == 1
    assert run.result()["complete"] is False


def test_three_atoms_have_one_minimum_and_no_transition_state_however_far_the_searches_went(tmp_path):
    run = LandscapeExploration(structure=TRIMER, potential=LJ, patience=32).run(store=tmp_path)
    found = network(run)
    assert [round(point.energy_eV, 6) for point in found.minima] == [-3.0]
    assert found.transition_states == []  # the line is one of second order
    assert run.result()["complete"] is True


def test_lengths_follow_the_potential_and_not_the_geometry_that_was_given(tmp_path):
    wide = Atoms("Ar3", 1.3 * TRIMER.positions)
    context = SimpleNamespace(load_checkpoint=lambda: None, progress=lambda *_: None, folder=tmp_path)
    context.pause_point = context.raise_if_stopped = lambda: None
    explorer = Explorer(LandscapeExploration(structure=wide, potential=LJ, walkers=2), context)
    assert explorer.book.subject.nearest_A > 1.3
    explorer.stages.do("start")
    assert explorer.book.subject.nearest_A == pytest.approx(2 ** (1 / 6), abs=1e-3)
    assert explorer.stages.push_A == pytest.approx(0.3 * 2 ** (1 / 6), abs=1e-3)
    state = State.restore(*explorer.state.store([]))[0]
    assert np.array(state.lengths).shape == (3, 3)  # a resumed run measures with the same


def test_criteria_too_coarse_for_weak_bonds_are_said_to_be(tmp_path):
    task = LandscapeExploration(
        structure=Atoms("Ar3", 3.8 * TRIMER.positions), potential="tests.landscapes.made_exploration:Argon", **BRIEF
    )
    assert "Set gradient_eV_A" in advice(task, 0.005)
    assert "to 6e-05," in advice(task, 0.005)
    assert advice(task, 0.05) == ""
    run = task.model_copy(update={"gradient_eV_A": 9e-3}).run(store=tmp_path)
    assert run.table("failures")["reason"].str.contains("copies may count as new").any()


def test_the_part_that_is_done_ends_at_one_whatever_is_switched_off():
    net = KineticNetwork(["Ar"] * 3)
    net.add_minimum(-3.0, TRIMER.positions)
    done = State(net, attempts=[32], quiet=96, tried={(0, 0)}, hops=10)
    for off in ({}, {"double_ended": False}, {"single_ended": False}, {"hops": 0}):
        task = LandscapeExploration(structure=TRIMER, potential=LJ, **off)
        state = State(net, attempts=[32], quiet=96, tried={(0, 0)} if task.double_ended else set())
        assert fraction(task, state, hopping=False, patience=96) == pytest.approx(1.0)
    task = LandscapeExploration(structure=TRIMER, potential=LJ, max_evaluations=1000)
    assert fraction(task, State(net, hops=1, evaluations=900), hopping=True, patience=96) == 0.9
    assert fraction(task, done, hopping=True, patience=96) == 0.25


def test_lengths_of_a_subject_are_those_of_its_nearest_neighbours():
    subject = Subject.of(TRIMER).scaled_to(2 * TRIMER.positions)
    assert subject.nearest_A == pytest.approx(2 * Subject.of(TRIMER).nearest_A)
    assert subject.parted(7 * TRIMER.positions) == "it fell into 3 parts"
