"""What a landscape view says: sizes, superbasins, barriers, wavenumbers, times."""

import math

import pytest
from ase import units
from labkit_widgets.landscape_drawing import Drawing
from labkit_widgets.landscape_words import (
    basin_words,
    imaginary_cm,
    path_words,
    point_facts,
    size_words,
    time_words,
    transition_line,
)  # fmt: skip

from labkit.landscapes.network import KineticNetwork

from .landscape_networks import chain, random_network


def test_sizes_and_what_stands_apart_are_said():
    assert "3 minima · 3 transition states, 1 of them from a minimum to a copy of itself · by hand" in size_words(
        chain()
    )
    assert "in 3 parts that no transition state joins" in size_words(random_network(12, parts=3))
    alone = random_network(1)
    assert "a tree of one leaf" in size_words(alone)
    sunk = chain()
    sunk.add_transition_state((0, 2), -99.9, sunk.minima[0].positions)
    assert "1 lies below a minimum that it joins" in size_words(sunk)
    assert "below" not in size_words(chain())
    assert "has no minima yet: explore" in size_words(KineticNetwork(["Ar"]))


def test_a_cut_is_put_into_words():
    drawing = Drawing.of(chain())
    words = basin_words(drawing, drawing.basins(0.35), 0.35, 1)
    assert words.startswith("At 0.350 eV: 2 superbasins (2 minima around 1, 1 minimum around 0)")
    assert "minimum 1 can reach 2, and leaves it at 0.500 eV." in words
    words = basin_words(drawing, drawing.basins(0.15), 0.15, 2)
    assert "1 minimum lies above the cut" in words
    assert "minimum 2 lies above the cut" in words
    assert "alone in its superbasin, and leaves it at 0.500 eV" in basin_words(drawing, drawing.basins(0.4), 0.4, 0)


def test_of_minima_of_one_energy_the_first_is_the_lowest():
    network = random_network(1)
    network.add_minimum(network.minima[0].energy_eV, network.minima[0].positions + 1)
    network.add_transition_state((0, 1), network.minima[0].energy_eV + 1, network.minima[0].positions)
    drawing = Drawing.of(network)
    assert drawing.basins(2.0).lowest.tolist() == [0]
    assert drawing.basins(0.5).lowest.tolist() == [0, 1]


def test_a_transition_state_is_told_from_the_minimum_where_one_stands():
    network = chain()
    assert transition_line(network, network.transition_states[1], 1) == "TS 1 · barrier 0.200 eV · to minimum 2"
    assert transition_line(network, network.transition_states[1], 2) == "TS 1 · barrier 0.100 eV · to minimum 1"
    assert "to copy of itself" in transition_line(network, network.transition_states[2], 1)


def test_the_unstable_mode_is_given_as_a_wavenumber():
    omega = 1000 * units.invcm / (units._hbar * units.J * units.s)  # ASE's 1/time
    network = chain(eigenvalues=[-(omega**2), 1.0, 2.0])
    assert imaginary_cm(network.transition_states[0]) == pytest.approx(1000, rel=1e-6)
    assert "1000i cm⁻¹" in transition_line(network, network.transition_states[0], 0)
    assert "1000i cm⁻¹" in point_facts(network, network.transition_states[0])
    assert imaginary_cm(network.minima[0]) is None


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(2.5e-12, "2.5 ps"), (1.0, "1 s"), (120.0, "120 s"), (3.0e13, "3.0 × 10¹³ s"), (4e-20, "4.0 × 10⁻²⁰ s")],
)
def test_times_have_a_unit_that_fits(seconds, words):
    assert time_words(math.log(seconds), True) == words


def test_times_beyond_floating_point_are_still_said():
    assert time_words(1000 * math.log(10), True) == "1.0 × 10¹⁰⁰⁰ s"
    assert time_words(math.inf, True) == "never"
    assert time_words(math.log(612), False) == "612 /ν"
    assert time_words(math.log(26400), False) == "2.6 × 10⁴ /ν"


def test_long_paths_are_shortened():
    assert path_words([0, 2], [5], 0.3) == "0 → 2 over TS 5; highest saddle 0.300 eV above the start"
    words = path_words(range(12), range(11), 0.3)
    assert "→ … →" in words
    assert ", …" in words
