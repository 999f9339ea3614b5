import numpy as np
import pytest
from ase.units import kB
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.spatial import ConvexHull

from labkit.errors import InvalidTask
from labkit.phase_diagrams.equilibrium import equilibrium
from labkit.phase_diagrams.equilibrium_hull import lower_hull
from labkit.phase_diagrams.equilibrium_solve import solve
from labkit.phase_diagrams.phases import LinePhase, SolutionPhase, TabulatedPhase

OMEGA = 0.2


def lens() -> list[SolutionPhase]:
    # landau's quickstart; the exact figures are in methods A.10
    return [
        SolutionPhase("solid", (-2.0, kB), (-3.0, 1.5 * kB)),
        SolutionPhase("liquid", (-1.9, 2.5 * kB), (-2.9, 2.2 * kB)),
    ]


def binodal(T: float) -> float:
    """ln[c/(1-c)] = Ω (2c-1)/kT, the branch below 1/2."""
    return brentq(lambda c: np.log(c / (1 - c)) - OMEGA * (2 * c - 1) / (kB * T), 1e-300, 0.5 - 1e-5, xtol=1e-300)


@st.composite
def systems(draw):
    energy = st.floats(-0.1, 0.1)
    phases = [SolutionPhase("s0", 0.0, 0.0, draw(st.floats(-0.3, 0.3)))]
    for number in range(draw(st.integers(0, 2))):
        ends = [(draw(energy), draw(st.floats(-2, 2)) * kB) for _ in range(2)]
        terms = draw(st.lists(st.floats(-0.3, 0.3), max_size=3))
        phases.append(SolutionPhase(f"s{number + 1}", *ends, terms))
    phases += [
        LinePhase(f"c{number}", draw(st.integers(1, 19)) / 20, draw(energy), draw(st.floats(-2, 2)) * kB)
        for number in range(draw(st.integers(0, 3)))
    ]
    return phases, draw(st.floats(150, 2000))


def test_the_lens_of_an_ideal_solution_has_its_exact_compositions():
    (tie,) = equilibrium(lens(), 1000.0).tie_lines
    assert (tie.phase1, tie.phase2, tie.exact) == ("liquid", "solid", True)
    assert tie.x1 == pytest.approx(0.3299, abs=1e-4)
    assert tie.x2 == pytest.approx(0.5228, abs=1e-4)
    assert tie.chemical_potential_eV == pytest.approx(-1.0352, abs=1e-4)


@pytest.mark.parametrize("T", [100.0, 300.0, 800.0, 1150.0])
def test_the_gap_of_a_regular_solution_is_the_exact_binodal(T):
    (tie,) = equilibrium([SolutionPhase("s", 0.0, 0.0, OMEGA)], T).tie_lines
    assert tie.x1 == pytest.approx(binodal(T), rel=1e-6)
    assert tie.x2 == pytest.approx(1 - binodal(T), rel=1e-6)
    assert tie.chemical_potential_eV == pytest.approx(0, abs=1e-12)


def test_a_regular_solution_mixes_above_its_critical_temperature():
    critical = OMEGA / (2 * kB)
    phase = SolutionPhase("s", 0.0, 0.0, OMEGA)
    assert len(equilibrium([phase], critical * 0.999).tie_lines) == 1
    assert equilibrium([phase], critical * 1.001).tie_lines == []


def test_a_table_gives_the_tie_lines_of_the_solution_it_was_made_from():
    x, T = np.linspace(0, 1, 41), np.linspace(300, 1500, 13)
    made = [TabulatedPhase(one.name, x, T, one.free_energy(x[None], T[:, None])) for one in lens()]
    (tie,) = equilibrium(made, 1000.0).tie_lines
    assert (tie.x1, tie.x2) == pytest.approx((0.32991, 0.52283), abs=1e-4)


@settings(max_examples=60, deadline=None)
@given(systems())
def test_the_phase_rule_and_common_tangents_hold_for_any_phases(system):
    phases, T = system
    found = equilibrium(phases, T)
    by_name = {phase.name: phase for phase in phases}
    slopes = [tie.chemical_potential_eV for tie in found.tie_lines]
    assert (np.diff(slopes) > -1e-10).all()
    # Three phases share a slope only where two tie-lines do; four would need three of them.
    assert all(slopes[k + 2] - slopes[k] > 1e-9 for k in range(len(slopes) - 2))
    assert all(len(found.at(x)) <= 2 for x in np.linspace(0, 1, 23))
    for tie in found.tie_lines:
        for name, x in ((tie.phase1, tie.x1), (tie.phase2, tie.x2)):
            if tie.exact and not by_name[name].line and 1e-12 < x < 1 - 1e-12:
                assert by_name[name].slope(x, T) == pytest.approx(tie.chemical_potential_eV, abs=1e-6)
    grid = np.linspace(0, 1, 101)
    hull = np.array([found.free_energy(x) for x in grid])
    for phase in phases:
        f = phase.free_energy(grid, T)
        # A phase stable over less than a step of the grid may be missed: by no more than this.
        assert (f - hull).min() > -2e-5


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(st.integers(0, 60), st.floats(-1, 1), min_size=3, max_size=25))
def test_the_hull_is_that_of_scipy(points):
    x, f = (np.array(one, dtype=float) for one in zip(*sorted(points.items()), strict=True))
    mine = lower_hull(x / 60, f)
    body = np.column_stack([np.append(x, x.mean()), np.append(f, 5.0)]) / [60, 1]
    facets = ConvexHull(body)
    reference = np.unique(facets.simplices[facets.equations[:, 1] < -1e-6])
    # Points within rounding of a facet may be counted or not: the function is what must agree.
    grid = np.linspace(x[0], x[-1], 301)
    np.testing.assert_allclose(
        np.interp(grid, x[mine], f[mine]), np.interp(grid, x[reference], f[reference]), atol=1e-9
    )


def test_at_zero_kelvin_the_hull_is_that_of_the_energies():
    phases = [LinePhase("A", 0.0), LinePhase("B", 1.0), LinePhase("AB", 0.5, -0.1), LinePhase("A3B", 0.25, -0.04)]
    found = equilibrium(phases, 0.0)
    assert found.stable == ["A", "AB", "B"]
    (first, second) = found.at(0.25)
    assert (first.phase, second.phase) == ("A", "AB")
    assert (first.fraction, second.composition) == (0.5, 0.5)
    assert found.free_energy(0.25) == pytest.approx(-0.05)


def test_a_compound_just_stable_joins_both_sides_at_its_composition():
    phases = [SolutionPhase("s", 0.0, 0.0, OMEGA), LinePhase("AB", 0.5, -0.02)]
    found = equilibrium(phases, 400.0)
    assert [(one.phase1, one.phase2) for one in found.tie_lines] == [("s", "AB"), ("AB", "s")]
    assert found.single_phase[1].lowest == found.single_phase[1].highest == 0.5
    assert found.tangent(0.5).free_energy(0.5) == pytest.approx(-0.02)


@pytest.mark.parametrize("T", [0.0, 300.0])
def test_a_range_that_ends_inside_of_a_spinodal_is_in_equilibrium_at_its_end(T):
    low, high = 0.2, 0.6517
    phases = [SolutionPhase("s", 0.0, 0.0), SolutionPhase("p", -0.2, -0.1, 0.3, composition_range=(low, high))]
    found = equilibrium(phases, T)
    assert [(tie.phase1, tie.phase2) for tie in found.tie_lines] == [("s", "p"), ("p", "p"), ("p", "s")]
    ends = [found.tie_lines[0].x2, found.tie_lines[1].x1, found.tie_lines[1].x2, found.tie_lines[2].x1]
    assert ends == pytest.approx([low, low, high, high], abs=1e-9)
    assert found.free_energy(low) == pytest.approx(float(phases[1].free_energy(low, T)), abs=1e-9)


def test_at_the_melting_point_of_an_element_its_two_phases_leave_no_tie_line():
    melting = 1000.0
    phases = [
        LinePhase("A", 0.0),
        SolutionPhase("b", 0.3, 0.0, 0.2),
        SolutionPhase("liquid", (0.1, 0.1 / melting), (0.1, 0.1 / melting)),
    ]
    assert equilibrium(phases, melting).tie_lines == []
    (tie, *_) = equilibrium(phases, melting - 100).tie_lines
    assert (tie.phase1, tie.phase2, tie.exact) == ("A", "liquid", True)


def test_many_temperatures_at_once_are_each_alone():
    T = np.array([850.0, 1000.0, 1400.0])
    for temperature, found in zip(T, solve(lens(), T), strict=True):
        alone = solve(lens(), [temperature])[0]
        np.testing.assert_allclose(found.x, alone.x, atol=1e-12)
        np.testing.assert_allclose(found.slope, alone.slope, atol=1e-12)


@pytest.mark.parametrize(
    ("phases", "temperature", "sentence"),
    [
        ([], 300.0, "no phase was given"),
        (LinePhase("A", 0.0), 300.0, "must be a list of phases"),
        ([LinePhase("A", 0.0), LinePhase("A", 1.0)], 300.0, "two phases are called A"),
        (lens(), -5.0, "not negative"),
        ([LinePhase("A", 0.0, source=lambda T: T * np.nan), LinePhase("B", 1.0)], 300.0, "A is not finite"),
    ],
)
def test_an_equilibrium_that_cannot_be_is_refused_with_a_sentence(phases, temperature, sentence):
    with pytest.raises(InvalidTask, match=sentence):
        equilibrium(phases, temperature)


def test_a_composition_that_no_phase_reaches_is_refused():
    found = equilibrium([LinePhase("A", 0.0), LinePhase("AB", 0.5)], 300.0)
    with pytest.raises(InvalidTask, match=r"reaches x = 0.8: they go from 0 to 0.5"):
        found.at(0.8)
