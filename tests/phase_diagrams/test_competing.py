"""Competing phases: decomposition energies equal those of a hull, reactions are balanced or refused."""

import numpy as np
import pytest

from labkit.errors import InvalidStructure
from labkit.phase_diagrams.competing import formation_energy, reaction, stability
from labkit.phase_diagrams.grand_potential import stability_window
from labkit.phase_diagrams.hull import convex_hull
from labkit.phase_diagrams.hull_entry import mixture
from tests.phase_diagrams.hull_toys import random_entries, toy


@pytest.mark.parametrize("elements", [("Li", "O"), ("Li", "Co", "O"), ("Li", "P", "S", "Cl")])
def test_the_decomposition_energy_is_the_distance_to_the_hull_of_all_others(elements):
    rng = np.random.default_rng(len(elements))
    entries = random_entries(elements, 20, rng)
    for entry in entries[len(elements) :]:
        others = [one for one in entries if one is not entry]
        found = stability(entry, entries)
        assert found.energy_eV_atom == pytest.approx(convex_hull(others).above_eV_atom(entry), abs=1e-8)
        for symbol in elements:
            made = sum(p.amount * p.entry.counts.get(symbol, 0) / p.entry.formula_units for p in found.products)
            assert made == pytest.approx(entry.counts.get(symbol, 0) / entry.formula_units, abs=1e-5)


def test_no_element_has_to_be_known():
    phases = [toy("Li2S", -1), toy("P2S5", -0.3)]
    found = stability(toy("Li3PS4", -0.8002), phases)
    assert found.energy_eV_atom == pytest.approx(-0.8002 + (4.5 + 0.3 * 3.5) / 8)
    assert found.stable
    assert found.text == "Li3PS4 lies 106.5 meV/atom below 1.5 Li2S + 0.5 P2S5."
    with pytest.raises(InvalidStructure, match=r"Li3PS4 cannot decompose into the given phases \(Li2S\)"):
        stability(toy("Li3PS4", -0.8), phases[:1])
    with pytest.raises(ValueError, match="never compared"):
        stability(toy("Li3PS4", -0.8), [*phases, toy("S", 0, level="PBE")])


def test_oxygen_and_peroxides_are_counted_as_they_are_written():
    lithium, oxygen = toy("Li2", -1.9, "Li"), toy("O2", -4.9, "O2")
    oxide, peroxide = toy("Li8O4", -4.8, "Li2O"), toy("Li4O4", -4.7, "Li2O2")
    assert (oxygen.formula, peroxide.formula, peroxide.formula_units) == ("O2", "Li2O2", 2)
    hull = convex_hull([lithium, oxygen, oxide])
    assert mixture(hull.decomposition(peroxide)) == "Li2O + 0.5 O2"
    assert mixture(hull.decomposition("LiO2")) == "0.75 O2 + 0.5 Li2O"
    assert stability_window(hull, oxide).oxidation.text == "0.5 O2"
    found = reaction([oxygen, lithium], [peroxide])
    assert found.text == "O2 + 2 Li → Li2O2"
    assert found.energy_eV == pytest.approx(-4.7 * 4 + 4.9 * 2 + 1.9 * 2)


def test_a_name_that_holds_several_formula_units_is_not_counted_as_one():
    parts = convex_hull([toy("S8", -4.0, "S8"), toy("P4", -5.0, "P4"), toy("P4S10", -6.0, "P4S10 (h)")])
    assert mixture(parts.decomposition("P2S9")) == "P2S5 (h) + 4 S"


def test_a_reaction_is_balanced_and_its_energy_is_of_the_first_reactant():
    found = reaction([toy("Li3PS4", -4.0), toy("Li8", -2.0)], [toy("Li4S2", -3.5), toy("Li3P", -3.0)])
    assert found.text == "Li3PS4 + 8 Li → 4 Li2S + Li3P"
    assert found.energy_eV == pytest.approx(4 * 3 * -3.5 + 4 * -3.0 + 8 * 4.0 + 8 * 2.0)
    assert found.energy_eV_atom == pytest.approx(found.energy_eV / 16)
    with pytest.raises(InvalidStructure, match=r"cannot be balanced; is a product missing"):
        reaction([toy("Li3PS4", -4)], [toy("Li2S", -3)])
    with pytest.raises(InvalidStructure, match=r"only with Li on the other side"):
        reaction([toy("Li3PS4", -4)], [toy("Li2S", -3), toy("Li3P", -3), toy("Li", -2)])
    with pytest.raises(InvalidStructure, match=r"in several ways; leave a phase out"):
        reaction([toy("Li3PS4", -4)], [toy("Li2S", -3), toy("Li", -3), toy("P", -2), toy("S", -2)])


def test_a_formation_energy_is_measured_from_its_references():
    compound = toy("Li3PS4", -4.0)
    elements = [toy("Li", -2), toy("P", -5), toy("S", -3.5)]
    assert formation_energy(compound, elements) == pytest.approx(-4.0 + (3 * 2 + 5 + 4 * 3.5) / 8)
    assert formation_energy(compound, [toy("Li2S", -4), toy("P2S5", -4)]) == pytest.approx(0.0)
    with pytest.raises(InvalidStructure, match="Li3PS4 has no references"):
        formation_energy(compound, [])
    with pytest.raises(InvalidStructure, match=r"Li, P do not add up to Li3PS4"):
        formation_energy(compound, elements[:2])
    with pytest.raises(InvalidStructure, match=r"in several ways; give fewer references"):
        formation_energy(compound, [*elements, toy("Li2S", -4)])
