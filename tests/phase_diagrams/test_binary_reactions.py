import numpy as np
import pytest
from ase.units import kB

from labkit.phase_diagrams.binary import binary_diagram
from labkit.phase_diagrams.phases import LinePhase, SolutionPhase

A, B = LinePhase("A", 0, 0.0, kB), LinePhase("B", 1, 0.0, kB)


def demixing(name, omega_eV, **given):
    return SolutionPhase(name, (0.1, 2 * kB), (0.06, 2 * kB), omega_eV, **given)


def hot(name, **given):
    return SolutionPhase(name, (0.1, 2.2 * kB), (0.09, 2.2 * kB), **given)


def reactions(*phases):
    found = binary_diagram(phases, np.linspace(250, 1650, 15)).invariants
    return [(one.kind, one.reaction) for one in found]


@pytest.mark.parametrize(
    ("phases", "expected"),
    [
        ([A, B, hot("liquid")], [("eutectic", "liquid → A + B")]),
        ([A, B, hot("gamma")], [("eutectoid", "gamma → A + B")]),
        (
            [A, B, LinePhase("AB", 0.5, -0.005, 1.05 * kB), demixing("melt", 0.15)],
            [("eutectic", "melt → AB + B"), ("peritectic", "A + melt → AB")],
        ),
        (
            [A, B, LinePhase("AB", 0.5, -0.005, 1.05 * kB), demixing("gamma", 0.15)],
            [("eutectoid", "gamma → AB + B"), ("peritectoid", "A + gamma → AB")],
        ),
        ([A, B, demixing("L", 0.22)], [("eutectic", "L → A + B"), ("monotectic", "L → A + L′")]),
        (
            [A, B, LinePhase("AB", 0.5, 0.01, 1.5 * kB), demixing("L", 0.25)],
            [("eutectic", "L → AB + B"), ("eutectic", "L → A + AB"), ("syntectic", "L + L′ → AB")],
        ),
        (
            [SolutionPhase("a", 0.0, 0.0, 0.15), LinePhase("b", 1, -0.02, -0.5 * kB)],
            [("monotectoid", "a′ → a + b")],
        ),
        (
            [
                LinePhase("A", 0),
                SolutionPhase("gamma", (0.05, 0.7 * kB), (0.25, 0.7 * kB)),
                SolutionPhase("liquid", (0.16, 1.6 * kB), (0.02, 1.6 * kB)),
            ],
            [("metatectic", "gamma → A + liquid")],
        ),
    ],
)
def test_reactions_have_the_names_of_the_field(phases, expected):
    assert reactions(*phases) == expected


def test_what_is_said_of_a_phase_counts_before_its_name():
    assert reactions(A, B, hot("liquid", liquid=False))[0][0] == "eutectoid"
    assert reactions(A, B, hot("gamma", liquid=True))[0][0] == "eutectic"
    moved = hot("gamma", liquid=True).shifted(0.01)
    assert moved.is_liquid


def test_the_name_says_what_is_liquid_and_a_prototype_is_not():
    liquids = ["liquid", "LIQUID", "Liquid Ag-Cu", "melt", "Na-K melt", "liq", "L"]
    solids = ["L12", "L10", "fcc", "liquidus", "Al", "smelt", "beta-L"]
    assert [hot(name).is_liquid for name in liquids] == [True] * len(liquids)
    assert [hot(name).is_liquid for name in solids] == [False] * len(solids)
