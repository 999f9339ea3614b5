"""What enters a network and what does not: nothing in parts, nothing that feels a force, no end that was guessed."""

from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms

from labkit.landscapes import exploration_ends
from labkit.landscapes.descent import connect
from labkit.landscapes.eigenvector_following import find_saddles
from labkit.landscapes.exploration_book import Book
from labkit.landscapes.exploration_ends import Points, descended
from labkit.landscapes.exploration_subject import Subject
from labkit.landscapes.hessian import normal_modes
from labkit.landscapes.network import KineticNetwork
from labkit.landscapes.quench import minimise
from labkit.landscapes.saddle import Saddle
from labkit.landscapes.surface import Surface
from labkit.potentials.lennard_jones_cluster import LennardJonesCluster


def book_of(atoms: Atoms) -> Book:
    limits = {"gradient_eV_A": 1e-3, "distance_A": 0.3, "energy_eV": 1e-3, "most_minima": 20, "most_saddles": 20}
    surface = Surface.of(LennardJonesCluster(), atoms)
    return Book(surface, Subject.of(atoms), KineticNetwork(atoms.symbols), inversion=True, **limits)


@pytest.fixture(scope="module")
def rest():
    """A minimum of LJ7, and saddles near it that are proven."""
    surface = Surface.of(LennardJonesCluster(), Atoms("Ar7"))
    rng = np.random.default_rng(0)
    quenched = minimise(surface, rng.uniform(-1.2, 1.2, (24, 7, 3)))
    searches = find_saddles(surface, quenched.positions + rng.normal(size=(24, 7, 3)) * 0.25)
    found = [one for one in searches if one.found]
    assert len(found) >= 3
    return quenched.positions[int(quenched.energies.argmin())], found


def test_a_pair_and_an_atom_that_left_it_are_no_transition_state():
    # At rest to 1e-3 eV/Å, and the curvature of the tail is negative: a saddle to every local criterion.
    x = np.array([[[0, 0, 0], [2 ** (1 / 6), 0, 0], [0.56, 4.9, 0.0]]])
    surface = Surface.of(LennardJonesCluster(), Atoms("Ar3"))
    [modes] = normal_modes(surface, x)
    assert abs(surface.evaluate(x)[1]).max() < 1e-3
    energy = float(surface.evaluate(x)[0][0])
    one = Saddle(x[0], energy, "saddle", mode=modes.directions[0], curvature_eV_A2=-1.1e-3, modes=modes)
    book = book_of(Atoms("Ar3", [[0, 0, 0], [1.1, 0, 0], [0.5, 0.9, 0]]))
    assert book.saddles([one], "test") == [None]
    assert book.failures == ["test: fell apart; it fell into 2 parts"]
    assert book.network.n_minima == 0


def test_what_feels_a_force_or_did_not_converge_never_enters(rest):
    book = book_of(Atoms("Ar7", rest[0]))
    x = np.array([rest[0], 1.01 * rest[0]])
    energies = book.surface.evaluate(x)[0]
    bad = Points(x, energies, np.array([False, True]), ["", ""])
    assert book.minima(bad, "test") == [None, None]
    assert book.failures[0] == "test: not converged"
    assert "a quench is no minimum, it feels" in book.failures[1]
    assert book.minima(replace(bad, converged=np.array([True, True])), "test") == [0, None]


def test_a_path_that_stopped_short_is_walked_again_and_else_given_up(rest, monkeypatch):
    book = book_of(Atoms("Ar7", rest[0]))
    right = descended(book.surface, rest[1][:3], 1e-3)[0]
    steps = []

    def short(*args, max_steps=2, **options):
        steps.append(max_steps)
        paths = connect(*args, max_steps=max_steps, **options)
        return paths if max_steps > 2 else [replace(one, found=False, reason="side 0: it stopped") for one in paths]

    monkeypatch.setattr(exploration_ends, "connect", short)
    again, ways = descended(book.surface, rest[1][:3], 1e-3)
    assert steps == [2, exploration_ends.PATIENT_STEPS]
    assert again.converged.all()
    assert again.energies == pytest.approx(right.energies, abs=1e-5)
    assert not any(way.branched for way in ways)
    monkeypatch.setattr(exploration_ends, "PATIENT_STEPS", 2)
    assert book.saddles(rest[1][:3], "test") == [None] * 3
    assert any("the path down from a saddle has no end, side 0: it stopped" in one for one in book.failures)
    assert book.network.n_transition_states == book.network.n_minima == 0


def test_the_ends_of_a_ridge_that_no_quench_brings_to_rest_are_left_out(rest, monkeypatch):
    book = book_of(Atoms("Ar7", rest[0]))
    monkeypatch.setattr(
        exploration_ends,
        "connect",
        lambda *args, **options: [
            replace(one, found=False, ridge=True, reason="a ridge", minima=one.minima * 1.02)
            for one in connect(*args, **options)
        ],
    )
    monkeypatch.setattr(exploration_ends, "minimise", lambda surface, x, force: minimise(surface, x, force, 2))
    assert book.saddles(rest[1][:2], "test") == [None, None]
    assert book.network.n_minima == 0
    assert any("not at 0.001 eV/Å after 2 evaluations" in one for one in book.failures)


def test_a_quench_on_a_ridge_between_two_minima_counts_as_the_lower_one_but_not_for_a_path(rest):
    for one in rest[1]:
        book = book_of(Atoms("Ar7", rest[0]))
        [found] = book.minima(Points.of([one]), "test")
        if book.network.n_minima == 2:
            break
    assert book.network.n_minima == 2
    assert found == book.network.global_minimum.index
    assert book.minima(Points.of([one]), "path", strict=True) == [None]
    assert book.failures == ["path: a path ends on a ridge between two minima"]


def test_a_nearly_linear_point_has_both_its_bending_modes():
    line = np.array([[[-1.1203, 0.0, 0.0], [0.0, 1e-3, 0.0], [1.1203, 0.0, 0.0]]])  # bent by 0.1 degrees
    surface = Surface.of(LennardJonesCluster(), Atoms("Ar3"))
    [modes] = normal_modes(surface, line)
    assert len(modes.curvatures) == 4
    assert modes.negative == 2
