import numpy as np
import pytest
from ase.units import kB

from labkit.phase_diagrams.binary import binary_diagram
from labkit.phase_diagrams.phases import LinePhase, SolutionPhase

T = np.linspace(150, 1400, 11)


# Close rows see the field of the compound grow before it is wide: it counts once all the same.
@pytest.mark.parametrize("temperatures", [T, np.linspace(248, 254, 61)])
def test_a_compound_loses_its_order_where_its_free_energy_is_that_of_the_solution(temperatures):
    phases = [SolutionPhase("fcc", 0.0, 0.0, -0.1), LinePhase("AB", 0.5, -0.04)]
    diagram = binary_diagram(phases, temperatures)
    (point,) = diagram.congruent
    # -0.04 = kT ln(1/2) - 0.1/4
    assert point.temperature_K == pytest.approx(0.015 / (kB * np.log(2)), rel=1e-6)
    assert (point.low, point.high, point.composition) == ("AB", "fcc", 0.5)
    assert (point.kind, point.reaction) == ("congruent transformation", "fcc → AB")
    assert diagram.invariants == []


@pytest.mark.parametrize("omega", [0.02, -0.02])
def test_a_lens_with_an_extremum_melts_congruently_there(omega):
    phases = [
        SolutionPhase("s", (0.0, kB), (0.002, kB), omega),
        SolutionPhase("liquid", (0.1, 2 * kB), (0.1, 2 * kB), -omega),
    ]
    (point,) = binary_diagram(phases, T).congruent
    # f_liquid - f_s = 0.1 - 0.002 x - 2 omega x(1-x) - kT, by x least or most at its extremum
    x = 0.5 + 0.002 / (4 * omega)
    assert point.composition == pytest.approx(x, abs=1e-4)
    assert point.temperature_K == pytest.approx((0.1 - 0.002 * x - 2 * omega * x * (1 - x)) / kB, abs=1e-3)
    assert (point.kind, point.reaction) == ("congruent melting", "liquid → s")


def test_a_compound_takes_another_structure_at_the_temperature_of_equal_free_energies():
    compounds = LinePhase("cold", 1 / 3, -0.10, kB), LinePhase("hot", 1 / 3, -0.08, 1.4 * kB)
    ends = LinePhase("A", 0, 0.0, kB), LinePhase("B", 1, 0.0, kB)
    (point,) = binary_diagram([*ends, *compounds], T).congruent
    assert point.temperature_K == pytest.approx(0.02 / (0.4 * kB), rel=1e-9)
    assert (point.reaction, point.kind, point.composition) == ("hot → cold", "congruent transformation", 1 / 3)


def test_three_phases_at_once_are_not_congruent():
    ends = LinePhase("A", 0, 0.0, kB), LinePhase("B", 1, 0.0, kB)
    liquid = SolutionPhase("liquid", (0.1, 2 * kB), (0.06, 2 * kB), 0.25)
    diagram = binary_diagram([*ends, LinePhase("AB", 0.5, 0.01, 1.5 * kB), liquid], T)
    assert diagram.invariants
    assert diagram.congruent == []


def test_a_peritectic_a_few_millikelvin_above_the_extremum_of_a_lens_is_told_from_it():
    from scipy.optimize import fsolve

    liquid = SolutionPhase("liquid", lambda T: 0.10 - 1.2 * kB * T, lambda T: 0.12 - kB * T, (-0.02,))
    solids = SolutionPhase("α", 0.0, 0.02, (0.06,)), SolutionPhase("β", 0.03, 0.0, (0.05,))
    diagram = binary_diagram([liquid, *solids], np.linspace(700, 1000, 13), points=101)
    *_, point = diagram.invariants
    assert (point.kind, point.reaction) == ("peritectic", "liquid + β → α")

    def apart(unknown):  # one tangent to three curves
        f, slopes = [], []
        for phase, x in zip((liquid, *solids), unknown[1:], strict=True):
            f.append(float(phase.free_energy(x, unknown[0])))
            slopes.append(
                float(phase.free_energy(x + 1e-6, unknown[0]) - phase.free_energy(x - 1e-6, unknown[0])) / 2e-6
            )
        lines = [one - slope * x for one, slope, x in zip(f, slopes, unknown[1:], strict=True)]
        return [*np.diff(slopes), *np.diff(lines)]

    T, *x = fsolve(apart, [837.1, 0.4115, 0.413, 0.6743], xtol=1e-12)
    assert point.temperature_K == pytest.approx(T, abs=1e-3)
    np.testing.assert_allclose(point.compositions, x, atol=1e-4)
    (lens,) = diagram.congruent
    assert (lens.kind, lens.reaction) == ("congruent melting", "liquid → α")
    assert 0.003 < point.temperature_K - lens.temperature_K < 0.006
    assert binary_diagram(diagram.phases, np.linspace(700, 1000, 13), points=101, settle=False).congruent == []
