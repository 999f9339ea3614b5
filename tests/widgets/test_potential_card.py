"""The card of a potential, without a browser."""

import time

import pytest
from ase.data import chemical_symbols
from labkit_widgets import PotentialCard
from labkit_widgets import potential_card as module
from labkit_widgets.periodic import periodic_table, place, words

from labkit.potentials import Card, Potential, load


@pytest.fixture(autouse=True)
def _forget_what_was_measured(monkeypatch):
    monkeypatch.setattr("labkit.potentials.speed._measured", {})


def test_a_card_says_what_a_potential_covers_and_whose_it_is():
    view = PotentialCard("chgnet")
    shown = view._head.value + view._facts.value + view._errors.value
    for words_ in ("89 elements", "6 Å", "PBE", "Modified BSD", "Nat. Mach. Intell.", "MPtrj", "412,525"):
        assert words_ in shown
    assert "<td>29</td>" in view._errors.value
    assert "energy MAE (meV/atom)" in view._errors.value
    assert view._table.value.count("lk-on") == 89
    assert "not measured" in view._speed.value
    view.close()


def test_what_is_not_stated_is_said_to_be_so():
    view = PotentialCard(Card("mine"))
    assert "not stated" in view._facts.value
    assert "Errors: none stated" in view._errors.value
    assert view._table.value == ""
    view.close()


def test_markup_in_a_description_stays_text():
    view = PotentialCard(Card("<b>x</b>", licence="<script>", errors_by_group={"<i>g</i>": {"n": 1}}, notes=("<u>",)))
    everything = "".join(one.value for one in (view._head, view._facts, view._errors, view._notes))
    for tag in ("<b>x", "<script>", "<i>g", "<u>"):
        assert tag not in everything
    view.close()


def test_a_potential_that_is_not_installed_names_the_command_and_is_not_measured():
    view = PotentialCard(Card("ghost", install="pip install ghost"))
    assert "pip install ghost" in view._head.value
    assert view.measure.disabled
    view.close()


def test_measuring_answers_at_once_and_the_card_shows_the_number_later(soon, monkeypatch):
    monkeypatch.setattr(module, "SECONDS", 0.05)
    view = PotentialCard("emt", device="cpu")
    began = time.monotonic()
    view.measure.click()
    assert time.monotonic() - began < 0.3
    assert view.measure.disabled
    assert view.measure.description == "Measuring…"
    soon(lambda: view.card.speed_atoms_steps_per_s, 30)
    soon(lambda: not view.measure.disabled)
    assert "atoms·steps per second" in view._speed.value
    assert view.error.value == ""
    view.close()


def test_an_opened_potential_is_shown_and_measured_in_this_kernel(soon, monkeypatch):
    monkeypatch.setattr(module, "SECONDS", 0.02)
    potential = load("emt")
    potential.name = "mine"
    view = PotentialCard(potential)
    assert view.potential is potential
    view.measure.click()
    soon(lambda: view.card.speed_atoms_steps_per_s, 20)
    view.close()


def test_what_cannot_be_measured_says_why(soon):
    view = PotentialCard(Card("no-such-potential"))
    view.measure.click()
    soon(lambda: "no potential is called" in view.error.value, 30)
    soon(lambda: not view.measure.disabled)
    view.close()


def test_closing_ends_a_measurement(soon):
    view = PotentialCard("emt")
    view.measure.click()
    soon(lambda: view._process is not None)
    process = view._process
    view.close()
    soon(lambda: process.poll() is not None, 5)


def test_the_potential_behind_a_card_is_opened_when_it_is_asked_for():
    view = PotentialCard("emt")
    assert view._opened is None
    assert isinstance(view.potential, Potential)
    assert view.potential.name == "emt"
    view.close()


def test_every_element_has_its_own_place_in_the_table():
    places = {place(number) for number in range(1, 119)}
    assert len(places) == 118
    assert [place(chemical_symbols.index(s)) for s in ("H", "He", "Al", "Fe", "Xe", "La", "Lu", "Hf", "U", "Og")] == [
        (1, 1), (1, 18), (3, 13), (4, 8), (5, 18), (8, 3), (8, 17), (6, 4), (9, 6), (7, 18),
    ]  # fmt: skip


def test_covered_elements_are_told_apart_without_colour():
    table = periodic_table({"Li", "Mo"})
    assert table.count('title="Lithium: covered"') == 1
    assert table.count("not covered") == 116
    assert 'aria-label="2 elements: Li, Mo"' in table
    assert words(frozenset(chemical_symbols[1:90])) == "89 elements"
    assert words(None) == "elements: no limit is stated"
