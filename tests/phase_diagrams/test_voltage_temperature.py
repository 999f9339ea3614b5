"""Voltages at a temperature: the lattice gas of methods B 1.2 exactly, plateaus, sublattices, conserved energy."""

import numpy as np
import pytest
from ase.units import kB
from scipy.integrate import quad
from scipy.optimize import brentq

from labkit.errors import InvalidTask
from labkit.phase_diagrams.phases import LinePhase
from labkit.phase_diagrams.voltage import voltage_curve
from labkit.phase_diagrams.voltage_sublattices import TwoSublattices
from labkit.phase_diagrams.voltage_temperature import (
    LatticeGas,
    fit_lattice_gas,
    homogeneous_voltage,
    occupation,
    plateaus,
    voltage_at,
)
from tests.phase_diagrams.hull_toys import toy

T = 300.0
X = np.linspace(0.01, 0.99, 33)


def published(x, temperature, v0, g, z=1):
    """Methods B 1.2: V(x) = V0 - (kB T/e) ln[x/(1-x)] - g (x-1/2)."""
    return v0 - kB * temperature / z * np.log(x / (1 - x)) - g * (x - 0.5)


GASES = [(4.0, 0.0, 1, 300), (3.9, 0.8, 1, 250), (2.1, -0.03, 2, 600)]


@pytest.mark.parametrize(("v0", "g", "z", "temperature"), GASES)
def test_the_lattice_gas_is_that_of_the_methods(v0, g, z, temperature):
    gas = LatticeGas("gas", v0, g, valence=z)
    expected = published(X, temperature, v0, g, z)
    np.testing.assert_allclose(homogeneous_voltage(gas, X, temperature, valence=z), expected, atol=1e-12)
    np.testing.assert_allclose(voltage_at(gas, X, temperature, valence=z), expected, atol=1e-12)
    np.testing.assert_allclose(occupation(gas, expected, temperature, valence=z), X, atol=1e-12)
    h = 1e-6
    slope = (gas.free_energy(X + h, temperature) - gas.free_energy(X - h, temperature)) / (2 * h)
    np.testing.assert_allclose(slope, -z * expected, atol=1e-7)
    curvature = (gas.slope(X + h, temperature) - gas.slope(X - h, temperature)) / (2 * h)
    np.testing.assert_allclose(curvature, gas.curvature(X, temperature), rtol=1e-6)


@pytest.mark.parametrize("temperature", [150.0, 300.0, 550.0])
def test_attraction_makes_a_plateau_between_the_exact_binodal(temperature):
    gas = LatticeGas("gas", 3.45, -0.2)
    assert gas.critical_temperature_K == pytest.approx(0.2 / (4 * kB))
    # The gas is symmetric, so its common tangent lies at V0: published(x) = V0 below x = 1/2.
    edge = brentq(lambda x: published(x, temperature, 0.0, -0.2), 1e-9, 0.4999)
    ((x1, x2, voltage),) = plateaus(gas, temperature)
    assert [x1, x2, voltage] == pytest.approx([edge, 1 - edge, 3.45], abs=1e-8)
    fine = np.linspace(0.001, 0.999, 999)
    curve = voltage_at(gas, fine, temperature)
    assert (np.diff(curve) <= 1e-12).all()
    inside = (fine > edge) & (fine < 1 - edge)
    np.testing.assert_allclose(curve[inside], 3.45, atol=1e-10)
    np.testing.assert_allclose(curve[~inside], published(fine[~inside], temperature, 3.45, -0.2), atol=1e-10)
    below, above = occupation(gas, np.array([3.45 + 1e-6, 3.45 - 1e-6]), temperature)
    assert [below, above] == pytest.approx([edge, 1 - edge], abs=1e-3)
    assert plateaus(gas, gas.critical_temperature_K * 1.02) == []


@pytest.mark.parametrize("g", [0.5, 0.0, -0.2])
def test_charging_takes_the_same_energy_on_any_way(g):
    gas = LatticeGas("gas", 3.7, g)
    breaks = [x for tie in plateaus(gas, T) for x in tie[:2]]
    work = quad(lambda x: float(voltage_at(gas, x, T, points=101)), 0, 1, points=breaks or None, limit=200)[0]
    assert work == pytest.approx(-float(gas.free_energy(1.0, T) - gas.free_energy(0.0, T)), abs=2e-6)
    assert work == pytest.approx(3.7, abs=2e-6)


def test_equal_sublattices_are_one_lattice_gas():
    gas = LatticeGas("gas", 4.0, 0.3)
    two = TwoSublattices("two", (4.0, 4.0), 0.3, 0.3, share=0.3)
    np.testing.assert_allclose(two.free_energy(X, T), gas.free_energy(X, T), atol=1e-12)
    np.testing.assert_allclose(two.slope(X, T), gas.slope(X, T), atol=1e-10)
    np.testing.assert_allclose(two.curvature(X, T), gas.curvature(X, T), rtol=1e-6)


def test_independent_sublattices_fill_one_after_the_other():
    two = TwoSublattices("two", (4.2, 3.9), share=0.25)
    voltages = np.linspace(3.7, 4.4, 30)
    kT = kB * T
    expected = 0.25 / (1 + np.exp((voltages - 4.2) / kT)) + 0.75 / (1 + np.exp((voltages - 3.9) / kT))
    np.testing.assert_allclose(occupation(two, voltages, T), expected, atol=1e-9)
    first, second = two.occupations(0.25, T)
    assert first > 0.98
    assert 0.25 * first + 0.75 * second == pytest.approx(0.25, abs=1e-12)


def test_ordering_makes_a_step_that_heat_washes_out():
    two = TwoSublattices("two", (4.0, 4.0), 0.0, 0.6)
    first, second = two.occupations(np.array([0.3, 0.5, 0.7]), T)
    np.testing.assert_allclose((first + second) / 2, [0.3, 0.5, 0.7], atol=1e-12)
    assert abs(first[1] - second[1]) > 0.99

    def step(temperature):
        return float(np.diff(voltage_at(two, np.array([0.55, 0.45]), temperature))[0])

    # Ordered, one sublattice is full or the other empty: g_12/2 less the entropy of the other at 0.1 and at 0.9. Far
    # above the transition only the mean field is left.
    assert step(T) == pytest.approx(0.3 - 2 * kB * T * np.log(9), abs=2e-3)
    assert step(3000.0) == pytest.approx(0.03 + 4 * kB * 3000 * 0.1, rel=0.02)
    curve = voltage_at(two, np.linspace(0.002, 0.998, 250), T)
    assert (np.diff(curve) < 0).all()
    h = 1e-5
    inside = np.linspace(0.03, 0.97, 24)
    slope = (two.free_energy(inside + h, T) - two.free_energy(inside - h, T)) / (2 * h)
    np.testing.assert_allclose(slope, two.slope(inside, T), atol=1e-7)
    curvature = (two.slope(inside + h, T) - two.slope(inside - h, T)) / (2 * h)
    np.testing.assert_allclose(curvature, two.curvature(inside, T), rtol=1e-3)


def test_the_charge_of_a_gas_is_its_own_and_contradictions_are_refused():
    gas = LatticeGas("gas", 2.1, -0.2, valence=2)
    assert float(voltage_at(gas, 0.5, T)) == pytest.approx(2.1)
    assert float(homogeneous_voltage(gas, 0.5, T)) == pytest.approx(2.1)
    assert plateaus(gas, T)[0][2] == pytest.approx(2.1)
    np.testing.assert_allclose(occupation(gas, np.array([2.5, 1.7, np.nan]), T), [0, 1, np.nan], atol=1e-3)
    with pytest.raises(InvalidTask, match="not z of gas = 2, valence = 1; leave valence out"):
        voltage_at(gas, 0.5, T, valence=1)
    with pytest.raises(InvalidTask, match="valence = 0"):
        voltage_at(LinePhase("empty", 0.0, 0.0), 0.0, T, valence=0)


def test_voltages_never_rise_where_rounding_hides_the_vacancies_of_an_order():
    strong = TwoSublattices("strong", (4.0, 4.0), -5.0, 3.0)
    steps = voltage_at(strong, np.array([0.2, 0.5, 0.7]), T, points=101)
    assert (np.diff(steps) <= 0).all()
    assert steps[[0, 2]] == pytest.approx([4.75, 3.25], abs=1e-6)


@pytest.mark.parametrize(("temperature", "points"), [(0.0, 41), (50.0, 42)])
def test_an_order_of_a_quarter_ends_both_plateaus_whatever_the_grid(temperature, points):
    attracting = TwoSublattices("order", (3.7, 3.5), -0.2, -0.3, share=0.25, valence=2)
    (empty, quarter, first), (same, full, second) = plateaus(attracting, temperature, points=points)
    assert (empty, quarter, same, full) == pytest.approx((0, 0.25, 0.25, 1), abs=1e-5)
    energies = attracting.free_energy(np.array([0.0, 0.25, 1.0]), 0.0)
    slopes = np.diff(energies) / [0.25, 0.75]
    assert (first, second) == pytest.approx(tuple(-slopes / 2), abs=1e-6)


def test_two_line_phases_have_the_flat_plateau_of_their_energies():
    phases = [LinePhase("FePO4", 0.0, 0.0), LinePhase("LiFePO4", 1.0, -3.42)]
    np.testing.assert_allclose(voltage_at(phases, np.array([0.1, 0.5, 0.9]), T), 3.42, atol=1e-12)
    with pytest.raises(InvalidTask, match="no phase of this system reaches x"):
        voltage_at(phases[:1], 0.5, T)


def test_a_gas_is_fitted_to_the_stable_states_of_a_curve():
    def state(lithium):
        x = lithium / 4
        energy = -20 - x * (4 + 1.9) - 0.8 / 2 * x * (1 - x)
        formula = (f"Li{lithium}" if lithium else "") + "Co4O8"
        return toy(formula, 4 * energy / (12 + lithium))

    curve = voltage_curve([state(lithium) for lithium in range(5)], toy("Li", -1.9))
    gas = fit_lattice_gas(curve)
    assert gas.voltage_V == pytest.approx(4.0)
    assert gas.interaction_V == pytest.approx(0.8)
    assert gas.name == "Li in CoO2"
    with pytest.raises(ValueError, match="no stable state between its ends"):
        fit_lattice_gas(voltage_curve([state(0), state(4)], toy("Li", -1.9)))
    with pytest.raises(InvalidTask, match="finite voltages and ions of at least 1 e"):
        LatticeGas("gas", float("nan"))
    with pytest.raises(InvalidTask, match="between 0 and 1"):
        TwoSublattices("two", (4.0, 4.0), share=1.0)
