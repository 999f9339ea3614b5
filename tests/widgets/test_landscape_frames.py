"""Films of stationary points: the stored path, the imaginary mode, the straight line; and which of them is shown."""

import numpy as np
import pytest
from ase.geometry import get_distances
from labkit_widgets.landscape_frames import AMPLITUDE_A, MODE, STORED, STRAIGHT, film_of, kinds
from labkit_widgets.landscape_pair import in_order_of, titles_of

from labkit.landscapes.landscape17 import reference
from labkit.landscapes.network import KineticNetwork

from .landscape_networks import chain


@pytest.fixture(scope="module")
def ethanol():
    return reference("ethanol")


def lengths(positions):
    return np.sort(get_distances(positions)[1].ravel())


def test_a_minimum_is_a_still_picture(ethanol):
    film = film_of(ethanol, ethanol.minima[1])
    assert len(film.frames) == 1
    assert film.saddle is None
    assert film.energies_eV == pytest.approx([ethanol.minima[1].energy_eV - ethanol.global_minimum.energy_eV])


def test_without_a_stored_path_straight_lines_to_both_aligned_minima_are_shown_and_said_to_be_no_path(ethanol):
    saddle = ethanol.transition_states[0]
    film = film_of(ethanol, saddle)
    assert film.kind == STRAIGHT
    assert "not a path of the potential" in film.words
    assert np.array_equal(film.frames[film.saddle].positions, saddle.positions)
    for frame, end in ((film.frames[0], saddle.minima[0]), (film.frames[-1], saddle.minima[1])):
        assert lengths(frame.positions) == pytest.approx(lengths(ethanol.minima[end].positions), abs=1e-9)
    steps = np.abs(np.diff([frame.positions for frame in film.frames], axis=0))
    assert steps.max() < 0.3  # nothing turns round: both minima lie on the saddle as well as they can
    known = np.isfinite(film.energies_eV)
    assert np.flatnonzero(known).tolist() == [0, film.saddle, len(film.frames) - 1]
    lowest = ethanol.global_minimum.energy_eV
    assert film.energies_eV[film.saddle] == pytest.approx(saddle.energy_eV - lowest)


def test_a_stored_path_is_shown_as_it_is_with_its_energies():
    network = chain()
    path = np.stack([network.minima[0].positions * (1 + 0.01 * k) for k in range(5)])
    index = network.add_transition_state(
        (0, 1), -99.5, path[3], path=path, path_energies_eV=[-100.0, -99.8, -99.6, -99.5, -99.9]
    )
    film = film_of(network, network.transition_states[index])
    assert film.kind == STORED
    assert "5 images" in film.words
    assert film.saddle == 3
    assert np.array_equal([frame.positions for frame in film.frames], path)
    assert film.energies_eV == pytest.approx([0.0, 0.2, 0.4, 0.5, 0.1])
    assert film_of(network, network.transition_states[index], STRAIGHT).kind == STRAIGHT


def test_a_kept_mode_is_swung_along_from_the_saddle():
    network = chain()
    mode = np.zeros((3, 3))
    mode[1, 2] = -7.0
    index = network.add_transition_state((0, 1), 0.5, network.minima[0].positions, info={"mode": mode.tolist()})
    saddle = network.transition_states[index]
    assert kinds(saddle) == (MODE, STRAIGHT)
    film = film_of(network, saddle)
    moved = np.array([frame.positions for frame in film.frames]) - saddle.positions
    assert np.abs(moved).max() == pytest.approx(AMPLITUDE_A, rel=1e-6)
    assert np.abs(moved[0]).max() == 0
    assert np.abs(np.delete(moved, 1, axis=1)).max() == 0


def test_a_kind_that_a_saddle_does_not_have_is_refused_with_those_it_has(ethanol):
    with pytest.raises(ValueError, match="has no steepest-descent path; it can be shown as: straight line"):
        film_of(ethanol, ethanol.transition_states[0], STORED)


def test_a_surface_of_one_particle_is_not_turned():
    network = KineticNetwork(["H"])
    for x in (0.0, 2.0):
        network.add_minimum(0.0, [[x, 1.0, 0.0]])
    network.add_transition_state((0, 1), 1.0, [[1.0, 0.5, 0.0]])
    film = film_of(network, network.transition_states[0])
    assert film.frames[0].positions == pytest.approx(np.array([[0.0, 1.0, 0.0]]))
    assert film.frames[-1].positions == pytest.approx(np.array([[2.0, 1.0, 0.0]]))


def test_atoms_in_another_order_are_brought_into_the_first_ones():
    first, second = KineticNetwork(["O", "H", "H"]), KineticNetwork(["H", "O", "H"])
    positions = np.arange(9.0).reshape(3, 3)
    assert in_order_of(first, second, positions)[0] == pytest.approx(positions[1])


def test_equal_names_are_told_apart():
    assert titles_of([chain(), chain()]) == ["by hand (reference)", "by hand (other)"]
    assert titles_of([chain(), chain()], ("DFT", "ours")) == ["DFT", "ours"]
