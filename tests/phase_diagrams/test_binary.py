import numpy as np
import pytest
from ase.units import kB

from labkit.errors import InvalidTask
from labkit.phase_diagrams.binary import binary_diagram
from labkit.phase_diagrams.equilibrium import equilibrium
from labkit.phase_diagrams.phases import LinePhase, SolutionPhase

T = np.linspace(200, 1200, 21)


def eutectic(*more):
    return [
        SolutionPhase("alpha", (0.0, kB), (0.05, kB), 0.2),
        SolutionPhase("beta", (0.04, kB), (0.0, kB), 0.2),
        SolutionPhase("liquid", (0.1, 2.2 * kB), (0.09, 2.2 * kB)),
        *more,
    ]


@pytest.fixture(scope="module")
def with_compounds():
    compounds = LinePhase("AB", 0.5, -0.02, kB), LinePhase("A3B", 0.25, 0.0, 1.4 * kB)
    return binary_diagram(eutectic(*compounds), T)


def field(diagram, *names):
    return [one for one in [*diagram.two_phase, *diagram.single_phase] if one.phases == names]


def test_a_lens_closes_at_both_melting_temperatures():
    phases = [
        SolutionPhase("solid", (-2.0, kB), (-3.0, 1.5 * kB)),
        SolutionPhase("liquid", (-1.9, 2.5 * kB), (-2.9, 2.2 * kB)),
    ]
    (lens,) = binary_diagram(phases, np.linspace(500, 2000, 16), closing_K=0.1).two_phase
    assert lens.temperatures_K[[0, -1]] == pytest.approx([0.1 / (1.5 * kB), 0.1 / (0.7 * kB)], abs=0.1)
    assert (lens.low[0], lens.high[0], lens.low[-1], lens.high[-1]) == (0, 0, 1, 1)


def test_a_gap_closes_at_the_critical_temperature():
    diagram = binary_diagram([SolutionPhase("s", 0.0, 0.0, 0.2)], np.linspace(300, 1500, 13))
    (gap,) = diagram.two_phase
    assert gap.phases == ("s", "s")
    assert gap.temperatures_K[-1] == pytest.approx(0.2 / (2 * kB), rel=1e-3)
    assert gap.low[-1] == gap.high[-1] == pytest.approx(0.5, abs=1e-6)


def test_at_an_invariant_all_three_phases_touch_one_tangent(with_compounds):
    by_name = {phase.name: phase for phase in with_compounds.phases}
    assert [one.kind for one in with_compounds.invariants] == ["eutectoid", "eutectic", "peritectic", "eutectic"]
    for one in with_compounds.invariants:
        x = np.array(one.compositions)
        f = [float(by_name[name].free_energy(at, one.temperature_K)) for name, at in zip(one.phases, x, strict=True)]
        assert f[1] == pytest.approx(np.interp(x[1], x[[0, 2]], [f[0], f[2]]), abs=1e-8)
        slopes = [float(by_name[name].slope(at, one.temperature_K)) for name, at in zip(one.phases, x, strict=True)
                  if not by_name[name].line]  # fmt: skip
        np.testing.assert_allclose(slopes, (f[2] - f[0]) / (x[2] - x[0]), atol=1e-5)


def test_invariants_do_not_depend_on_the_temperatures_asked_for(with_compounds):
    coarse = binary_diagram(with_compounds.phases, [210, 700, 1150])
    found = [one.temperature_K for one in with_compounds.invariants]
    assert [one.temperature_K for one in coarse.invariants] == pytest.approx(found, abs=1e-3)


def test_fields_cover_the_diagram_once(with_compounds):
    fields = [*with_compounds.two_phase, *with_compounds.single_phase]
    area = sum(np.trapezoid(one.high - one.low, one.temperatures_K) for one in fields)
    assert area == pytest.approx(T[-1] - T[0], rel=2e-3)


def test_a_compound_ends_where_it_melts_or_decomposes(with_compounds):
    (compound,) = field(with_compounds, "AB")
    assert compound.compound
    peritectic = next(one for one in with_compounds.invariants if one.kind == "peritectic")
    assert compound.temperatures_K[-1] == pytest.approx(peritectic.temperature_K, abs=1e-6)
    assert field(with_compounds, "A3B", "liquid")[0].low[-1] == 0.25


def test_the_table_holds_the_equilibria_asked_for(with_compounds):
    table = with_compounds.table()
    assert set(table["temperature_K"]) <= set(T)
    assert len(with_compounds.table(all_rows=True)) > len(table)
    row = table[table["temperature_K"] == 600.0].iloc[0]
    alone = equilibrium(with_compounds.phases, 600.0).tie_lines[0]
    assert (row["phase1"], row["x1"], row["x2"]) == (alone.phase1, pytest.approx(alone.x1), pytest.approx(alone.x2))


def test_labels_of_fields_lie_inside_of_them(with_compounds):
    for one in [*with_compounds.two_phase, *with_compounds.single_phase]:
        x, temperature = one.centre()
        low, high = (np.interp(temperature, one.temperatures_K, side) for side in (one.low, one.high))
        assert low - 1e-9 <= x <= high + 1e-9


def test_a_label_stands_off_the_gap_below_it():
    phases = (
        LinePhase("A", 0, 0.0, kB),
        LinePhase("B", 1, 0.0, kB),
        SolutionPhase("L", (0.1, 2 * kB), (0.06, 2 * kB), 0.22),
    )
    diagram = binary_diagram(phases, np.linspace(300, 1600, 27))
    critical = 0.22 / (2 * kB)
    (above,) = [T for x, T in (one.centre() for one in field(diagram, "L")) if critical - 1 < T]
    assert critical + 50 < above < 1550


def test_temperatures_and_closing_must_make_sense():
    with pytest.raises(InvalidTask, match="temperatures must be finite"):
        binary_diagram(eutectic(), [300, np.nan])
    with pytest.raises(InvalidTask, match="closing_K is 0"):
        binary_diagram(eutectic(), T, closing_K=0)
