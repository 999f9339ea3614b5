import numpy as np
import pytest

from labkit.phase_diagrams.grand_potential import stability_window
from labkit.phase_diagrams.hull import convex_hull
from labkit.phase_diagrams.voltage import voltage_curve
from labkit.phase_diagrams.voltage_measured import measured_voltage
from labkit.phase_diagrams.voltage_temperature import LatticeGas
from labkit.plots.hulls import binary_hull, stability_windows, ternary_hull, voltage_steps, warm_voltages
from tests.phase_diagrams.hull_toys import toy


@pytest.fixture(scope="module")
def entries():
    energies = {"Li": -2, "S": -4, "P": -5, "Li2S": -4.1, "P2S5": -4.6, "Li3PS4": -4.67, "Li3P": -3.6, "Li2PS3": -4.6}
    return {formula: toy(formula, energy) for formula, energy in energies.items()}


def words(ax):
    ax.figure.canvas.draw()
    return [text.get_text() for text in ax.texts]


def test_a_binary_hull_names_its_phases_and_joins_the_stable_ones(entries):
    lithium = [toy("Li", -2), toy("S", -4), entries["Li2S"], toy("Li2S2", -3.6, "Li2S2")]
    hull = convex_hull(lithium)
    ax = binary_hull(hull)
    assert set(words(ax)) == {"Li", "S", "Li2S"}
    line = ax.lines[0]
    np.testing.assert_allclose(line.get_xdata(), [0, 1 / 3, 1])
    np.testing.assert_allclose(line.get_ydata(), [0, -4.1 + 8 / 3, 0])
    assert ax.get_ylabel() == "energy of formation (eV/atom)"
    assert ax.get_xlabel() == "fraction of atoms, Li to S"
    assert "Li2S2" in words(binary_hull(hull, named_eV_atom=0.5))
    with pytest.raises(ValueError, match=r"a binary hull has 2 corners; this one has 3 \(Li, P, S\)"):
        binary_hull(convex_hull(list(entries.values())))


def test_a_ternary_hull_draws_every_tie_line_once(entries):
    hull = convex_hull(list(entries.values()))
    ax = ternary_hull(hull)
    # A triangulation of a triangle with v points, all on its edges but one: 6 facets have 12 different edges.
    edges = {tuple(sorted(pair)) for facet in hull.facets for pair in zip(facet, np.roll(facet, 1), strict=True)}
    assert len(ax.lines) == 1 + len(edges) + 1
    assert set(words(ax)) == {"Li", "S", "P", "Li2S", "P2S5", "Li3PS4", "Li3P"}
    assert ax.figure.axes[1].get_ylabel() == "energy above the hull (meV/atom)"
    with pytest.raises(ValueError, match="a ternary hull has 3 corners"):
        ternary_hull(convex_hull([toy("Li", 0), toy("S", 0)]))


def test_voltage_steps_stand_beside_what_is_measured():
    states = [toy("Co2O4", -6.0), toy("LiCo2O4", -6.08), toy("Li2Co2O4", -6.0)]
    curve = voltage_curve(states, toy("Li", -1.9))
    ax = voltage_steps(curve, measured=measured_voltage("LiCoO2"))
    ax.figure.canvas.draw()
    said = [text.get_text() for text in ax.get_legend().get_texts()]
    assert said == ["Li in CoO2", f"average {curve.average_V:.2f} V", "LiCoO2 measured, 4.0 to 4.1 V"]
    values, edges, _ = ax.patches[0].get_data()
    np.testing.assert_allclose(values, [step.voltage_V for step in curve.steps])
    np.testing.assert_allclose(edges, [0, 0.5, 1])
    assert ax.get_ylabel() == "voltage against Li (V)"
    assert len(voltage_steps([curve, curve], labels=["a", "b"]).patches) == 2
    with pytest.raises(ValueError, match="1 labels were given for 2"):
        voltage_steps([curve, curve], labels=["a"])
    with pytest.raises(ValueError, match="at least one"):
        voltage_steps([])


def test_curves_of_two_ions_are_not_all_measured_against_the_first():
    states = {ion: [toy("CoO2", -6), toy(f"{ion}CoO2", -6)] for ion in ("Li", "Na")}
    curves = [voltage_curve(states[ion], toy(ion, -1.5)) for ion in states]
    ax = voltage_steps(curves)
    assert ax.get_ylabel() == "voltage against the metal of each ion (V)"
    assert ax.get_xlabel() == "ion content x"


def test_warm_voltages_have_a_line_for_each_electrode_and_temperature():
    gases = [LatticeGas("flat", 3.45, -0.2), LatticeGas("sloping", 3.9, 0.5)]
    ax = warm_voltages(gases, (300, 900))
    assert [line.get_label() for line in ax.lines][:2] == ["flat, 300 K", "flat, 900 K"]
    assert ax.lines[0].get_color() == ax.lines[1].get_color() != ax.lines[2].get_color()
    assert ax.lines[0].get_linestyle() == ax.lines[2].get_linestyle() != ax.lines[1].get_linestyle()
    x, y = ax.lines[0].get_data()
    np.testing.assert_allclose(y[(x > 0.1) & (x < 0.9)], 3.45)
    with pytest.raises(ValueError, match="at least one electrode and one temperature"):
        warm_voltages(gases, [])


def test_windows_are_bars_with_the_products_at_both_ends(entries):
    hull = convex_hull(list(entries.values()))
    windows = [stability_window(hull, entries[name]) for name in ("Li3PS4", "Li2S", "Li2PS3")]
    ax = stability_windows(windows)
    bars = [(bar.get_x(), bar.get_x() + bar.get_width()) for bar in ax.patches]
    assert bars == [pytest.approx(windows[0].stable_V), pytest.approx(windows[1].stable_V)]
    assert words(ax)[:3] == ["4 Li2S + P", "0.5 P2S5 + 1.5 S", "S"]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["Li3PS4", "Li2S", "Li2PS3"]
    assert len(ax.lines) == 1  # the hollow mark of the one that is never stable
    assert not words(stability_windows(windows[:2], products=False))
    with pytest.raises(ValueError, match="at least one"):
        stability_windows([])
