"""Stability windows: pymatgen's element profile, voltages by hand, conserved atoms, more phases never widen one."""

import numpy as np
import pytest

from labkit.errors import InvalidStructure
from labkit.phase_diagrams.competing import reaction
from labkit.phase_diagrams.grand_potential import stability_window
from labkit.phase_diagrams.hull import convex_hull
from tests.phase_diagrams.hull_toys import toy


@pytest.fixture(scope="module")
def phases():
    energies = {"Li": -2, "S": -4, "P": -5, "Li2S": -4.1, "P2S5": -4.6, "Li3PS4": -4.67, "Li3P": -3.6, "Li2PS3": -4.6}
    return {formula: toy(formula, energy) for formula, energy in energies.items()}


@pytest.fixture(scope="module")
def hull(phases):
    return convex_hull(list(phases.values()))


def test_the_window_is_that_of_the_reactions_written_by_hand(phases, hull):
    window = stability_window(hull, phases["Li3PS4"])
    table = window.table()
    assert list(table["products"]) == ["4 Li2S + Li3P", "4 Li2S + P", "Li3PS4", "0.5 P2S5 + 1.5 S"]
    assert list(table["ions"]) == pytest.approx([8, 5, 0, -3], abs=1e-6)
    p = phases
    reduction = reaction([p["Li3PS4"], p["Li"]], [p["Li2S"], p["P"]])
    oxidation = reaction([p["Li3PS4"]], [p["P2S5"], p["S"], p["Li"]])
    assert window.stable_V == pytest.approx((-reduction.energy_eV / 5, oxidation.energy_eV / 3), abs=1e-6)
    assert window.reduction.text == "4 Li2S + P"
    assert window.oxidation.high_V == np.inf
    # Below the window the driving force is that of the reaction less the work of moving 5 Li.
    assert window.driving_eV_atom(1.2) == pytest.approx((reduction.energy_eV + 5 * 1.2) / 8)
    assert window.driving_eV_atom(2.0) == pytest.approx(0, abs=1e-9)
    assert window.at(0).text == "4 Li2S + Li3P"


def test_every_step_is_in_pymatgens_element_profile(phases, hull):
    for name in ("Li3PS4", "Li2PS3"):
        entry = phases[name]
        lithium = hull.species[hull.corners.index("Li")]
        composition = hull._composition(hull.coordinates(entry.counts) * len(entry.atoms))
        profile = hull.diagram.get_element_profile(lithium, composition)
        window = stability_window(hull, entry)
        upper = [hull.corner_energies[0] - one["chempot"] for one in profile]
        assert [step.low_V for step in window.steps] == pytest.approx(upper, abs=1e-4)
        assert [step.ions for step in window.steps] == pytest.approx([one["evolution"] for one in profile], abs=1e-4)


def test_atoms_other_than_the_ion_are_conserved_at_every_voltage(phases, hull):
    for entry in phases.values():
        if entry.formula == "Li":
            continue
        for step in stability_window(hull, entry).steps:
            for symbol in ("Li", "P", "S"):
                made = sum(p.amount * p.entry.counts.get(symbol, 0) / p.entry.formula_units for p in step.products)
                taken = step.ions if symbol == "Li" else 0.0
                assert made == pytest.approx(entry.counts.get(symbol, 0) / entry.formula_units + taken, abs=1e-6)


def test_the_limits_of_lithium_sulfide_are_its_energy_of_formation(phases, hull):
    window = stability_window(hull, phases["Li2S"])
    assert window.stable_V == pytest.approx((0, 4.1 * 3 / 2 - 2 - 2), abs=1e-6)
    assert window.reduction is None
    assert window.oxidation.text == "S"
    doubled = stability_window(hull, phases["Li2S"], valence=2)
    assert doubled.stable_V[1] == pytest.approx(window.stable_V[1] / 2)


def test_an_unstable_phase_has_no_window_and_the_driving_force_never_vanishes(phases, hull):
    window = stability_window(hull, phases["Li2PS3"])
    assert window.stable_V is None
    assert window.reduction is None
    assert window.above_hull_eV_atom == pytest.approx(hull.above_eV_atom(phases["Li2PS3"]))
    driving = [window.driving_eV_atom(voltage) for voltage in np.linspace(0, 5, 101)]
    assert max(driving) < -0.01
    # It is unstable by itself: at some voltage nothing but its own decomposition is gained.
    assert max(driving) <= -window.above_hull_eV_atom + 1e-9


def test_more_phases_never_widen_a_window(phases, hull):
    fewer = convex_hull([one for one in phases.values() if one.formula not in ("P2S5", "Li3P")])
    low, high = stability_window(hull, phases["Li3PS4"]).stable_V
    wide_low, wide_high = stability_window(fewer, phases["Li3PS4"]).stable_V
    assert wide_low <= low + 1e-9
    assert wide_high > high + 0.01


def test_compounds_can_be_corners_where_an_element_is_not_known(phases):
    entries = [*phases.values(), toy("LiCl", -4.5), toy("Li6PS5Cl", -4.6)]
    hull = convex_hull(entries, corners=["Li", "P", "S", "LiCl"])
    window = stability_window(hull, entries[-1])
    assert window.at(0).text == "5 Li2S + Li3P + LiCl"
    assert window.at(0).ions == pytest.approx(8)


def test_a_window_needs_the_ion_as_a_corner_and_a_material(phases, hull):
    closed = convex_hull([phases["Li2S"], phases["P2S5"], phases["Li3PS4"]], corners=["Li2S", "P2S5"])
    with pytest.raises(InvalidStructure, match="has no corner Li; make one with Li as a corner"):
        stability_window(closed, phases["Li3PS4"])
    with pytest.raises(InvalidStructure, match="Li is nothing but Li"):
        stability_window(hull, phases["Li"])
    with pytest.raises(ValueError, match="never compared"):
        stability_window(hull, toy("Li3PS4", -4.7, level="PBE"))
    # Against a hull that lacks it a lower phase would seem to decompose at every voltage.
    with pytest.raises(InvalidStructure, match=r"Li4P2S7 lies 542.6 meV/atom below the hull, which does not hold it"):
        stability_window(hull, toy("Li4P2S7", -5.2))
    with pytest.raises(ValueError, match="charge of the ion is 0 e"):
        stability_window(hull, phases["Li2S"], valence=0)
    with pytest.raises(ValueError, match=r"-1 V is below the metal of Li, which would be plated"):
        stability_window(hull, phases["Li2S"]).at(-1)
